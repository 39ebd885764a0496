#include <errno.h>
#include <fcntl.h>

#include "ground/log.h"
#include "test.h"

/* What stands behind the time, or "" for a line that has none. */
static const char *rest_of(const char *line)
{
	const char *level = strstr(line, " level=");

	return strncmp(line, "ts=20", 5) == 0 && level ? level + 1 : "";
}

static char got[8192];

/* What one log_line() puts on stderr, read back from one pipe. */
static int begin(int saved[1])
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return -1;
	*saved = dup(STDERR_FILENO);
	if (dup2(p[1], STDERR_FILENO) < 0)
		return -1;
	(void)close(p[1]);
	return p[0];
}

static ssize_t finish(int from, int saved)
{
	ssize_t n;

	(void)dup2(saved, STDERR_FILENO);
	(void)close(saved);
	n = read(from, got, sizeof got - 1);
	got[n > 0 ? n : 0] = '\0';
	if (n > 0 && read(from, got + n, 1) != 0)
		n = -1; /* more than one write, or not at the end */
	(void)close(from);
	return n;
}

static void one_line_per_event(void)
{
	int saved, from = begin(&saved);

	CHECK(from >= 0);
	errno = ERANGE;
	log_warn("watch", "lost %d events", 3);
	CHECK(errno == ERANGE);
	CHECK(finish(from, saved) > 0);
	CHECK_STR(rest_of(got),
		  "level=warn module=watch msg=\"lost 3 events\"\n");
}

static void control_bytes_are_escaped(void)
{
	int saved, from = begin(&saved);

	CHECK(from >= 0);
	log_err("m", "a\nb\x1b[31m\tc\x7f \"q\" \\ %s", "\xc3\xa9");
	CHECK(finish(from, saved) > 0);
	CHECK_STR(rest_of(got), "level=err module=m msg=\"a\\u000ab\\u001b[31m"
				"\\u0009c\\u007f \\\"q\\\" \\\\ \xc3\xa9\"\n");
}

static void whom_it_is_about_is_told(void)
{
	const struct log_about all = {.sender = "edge 1",
				      .pipe = "p",
				      .serial = 7,
				      .entry = "a=\"b\""},
			       none = {.pipe = "q"};
	int saved, from = begin(&saved);

	CHECK(from >= 0);
	log_event(LOG_ERR_, "m", &all, "x");
	CHECK(finish(from, saved) > 0);
	CHECK_STR(rest_of(got),
		  "level=err module=m sender=\"edge 1\" pipe=p serial=7 "
		  "entry=\"a=\\\"b\\\"\" msg=\"x\"\n");
	from = begin(&saved);
	CHECK(from >= 0);
	log_event(LOG_ERR_, "m", &none, "");
	CHECK(finish(from, saved) > 0);
	CHECK_STR(rest_of(got), "level=err module=m pipe=q msg=\"\"\n");
}

static void long_lines_are_cut(void)
{
	for (int n = 1900; n < 2200; n++) {
		int saved, from = begin(&saved);
		ssize_t len;

		CHECK(from >= 0);
		log_err("m", "%0*d\n\n\n", n, 0);
		len = finish(from, saved);
		CHECK(len > 1900 && len <= 2048 && got[len - 1] == '\n');
		if (n > 2048)
			CHECK(strcmp(got + len - 5, "...\"\n") == 0);
	}
}

static void below_the_threshold_is_silent(void)
{
	int saved, from = begin(&saved);

	CHECK(from >= 0);
	CHECK(log_threshold() == LOG_WARN_);
	log_info("m", "not shown");
	CHECK(finish(from, saved) == 0);
}

int main(void)
{
	(void)setenv("TSFERRY_LOG", "warn", 1);
	test_run("one line per event, errno kept", one_line_per_event);
	test_run("control bytes are escaped", control_bytes_are_escaped);
	test_run("sender, pipe, serial and entry are fields",
		 whom_it_is_about_is_told);
	test_run("at most 2 KiB, one write", long_lines_are_cut);
	test_run("the threshold holds", below_the_threshold_is_silent);
	return test_end();
}
