#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "ground/err.h"
#include "test.h"

static void a_sentence_and_its_number(void)
{
	struct err e = {.code = 5};

	CHECK(err_set(&e, ENOENT, "no %s", "pipe") == -ENOENT);
	CHECK(e.code == 0 && e.sys == ENOENT);
	CHECK_STR(e.text, "no pipe");
	CHECK(err_say(&e, ERR_REFUSED, EEXIST, "there is %d", 1) == -EEXIST);
	CHECK(e.code == 411 && e.sys == EEXIST);
	CHECK_STR(e.text, "there is 1");
	err_clear(&e);
	CHECK(e.code == 0 && e.sys == 0 && !e.text[0]);
}

static void wrapped_on_its_way_up(void)
{
	struct err e;

	(void)err_say(&e, ERR_PIPE_SERVER, EBUSY, "port %d is taken", 6670);
	CHECK(err_wrap(&e, "listen on %s", "::") == -EBUSY);
	CHECK(err_hint(&e, "change %s", "pipe_server_port") == -EBUSY);
	CHECK(e.code == 328 && e.sys == EBUSY);
	CHECK_STR(e.text,
		  "listen on ::: port 6670 is taken (change pipe_server_port)");
}

static void without_anybody_to_tell(void)
{
	CHECK(err_set(NULL, EIO, "x") == -EIO);
	CHECK(err_say(NULL, ERR_SYNTAX, EINVAL, "x") == -EINVAL);
	CHECK(err_wrap(NULL, "x") < 0);
	CHECK(err_hint(NULL, "x") < 0);
	err_clear(NULL);
}

static void made_from_its_own_text(void)
{
	struct err e;

	(void)err_set(&e, EIO, "inner");
	CHECK(err_set(&e, EPIPE, "outer of %s", e.text) == -EPIPE);
	CHECK_STR(e.text, "outer of inner");
}

static void too_long_is_cut(void)
{
	struct err e;

	(void)err_set(&e, EIO, "%02000d", 1);
	CHECK(strlen(e.text) == sizeof e.text - 1);
	(void)err_wrap(&e, "prefix");
	CHECK(strlen(e.text) == sizeof e.text - 1);
	CHECK(strncmp(e.text, "prefix: 000", 11) == 0);
}

/* Characters of two, three and four bytes at each place of the cut. */
static void never_cut_in_a_character(void)
{
	static const char *const chars[] = {"\xc3\xa9", "\xe2\x82\xac",
					    "\xf0\x9f\x9a\xa2"};
	struct err e;

	for (size_t c = 0; c < ARRAY_LEN(chars); c++)
		for (size_t back = 0; back < 6; back++) {
			int pad = (int)(sizeof e.text - 1 - back);
			size_t n = strlen(chars[c]);
			size_t want = (size_t)pad + back / n * n;

			(void)err_set(&e, EIO, "%0*d%s%s%s%s", pad, 0, chars[c],
				      chars[c], chars[c], chars[c]);
			CHECK(strlen(e.text) == want);
		}
}

static void words_of_numbers(void)
{
	CHECK_STR(err_words(ENOSPC), "No space left on device");
	CHECK_STR(err_words(-ENOSPC), "No space left on device");
	CHECK_STR(err_words(123456), "Unknown error");
}

static void out_of_memory_ends_the_process(void)
{
	volatile size_t n = SIZE_MAX / 4;
	int status = 0;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(0);
		(void)xcalloc(n, 2);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(!(WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

static void small_memory(void)
{
	CLEANUP_FREE char *none = xcalloc(0, 8), *s = xstrdup("text");
	char *taken;

	CHECK(none);
	CHECK_STR(s, "text");
	taken = steal_ptr(&s);
	CHECK(!s);
	CHECK_STR(taken, "text");
	free(taken);
}

int main(void)
{
	test_run("a sentence and its number", a_sentence_and_its_number);
	test_run("wrapped and hinted", wrapped_on_its_way_up);
	test_run("NULL is accepted", without_anybody_to_tell);
	test_run("the old text may be an argument", made_from_its_own_text);
	test_run("too long is cut", too_long_is_cut);
	test_run("never within a character", never_cut_in_a_character);
	test_run("words of an errno", words_of_numbers);
	test_run("out of memory ends the process",
		 out_of_memory_ends_the_process);
	test_run("allocation and handing over", small_memory);
	return test_end();
}
