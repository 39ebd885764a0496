#include <errno.h>

#include "domain/sql.h"
#include "fs/ctl_text.h"
#include "test.h"

static const char *complete(const char *dir, const char *text)
{
	static struct buf b;

	buf_release(&b);
	buf_init(&b, 1u << 17);
	ctl_complete(&b, dir, text, strlen(text));
	return buf_str(&b);
}

static void whole_statements_pass(void)
{
	static const char *const dirs[] = {"/", "/p", "/server"};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		CHECK_STR(complete(dirs[i], "  DROP PIPE q ;\n"),
			  "DROP PIPE q");
		CHECK_STR(complete(dirs[i], "START PIPESERVER\r\n"),
			  "START PIPESERVER");
		CHECK_STR(complete(dirs[i], "WAIT PIPE p 5"), "WAIT PIPE p 5");
		CHECK_STR(complete(dirs[i], "ADMIT SENDER x"),
			  "ADMIT SENDER x");
		CHECK_STR(complete(dirs[i], "RETRY ALL;"), "RETRY ALL");
	}
}

static void short_forms_of_a_pipe(void)
{
	CHECK_STR(complete("/p", "START\n"), "START PIPE `p`");
	CHECK_STR(complete("/p", " stop ;\n"), "stop PIPE `p`");
	CHECK_STR(complete("/p", "DROP;"), "DROP PIPE `p`");
	CHECK_STR(complete("/p", "RESYNC"), "RESYNC PIPE `p`");
	CHECK_STR(complete("/p", "RESYNC FROM 2022-03-30"),
		  "RESYNC PIPE `p` FROM 2022-03-30");
	CHECK_STR(complete("/p", "WAIT"), "WAIT PIPE `p`");
	CHECK_STR(complete("/p", "WAIT\t30"), "WAIT PIPE `p`\t30");
	CHECK_STR(complete("/a`b", "START"), "START PIPE `a``b`");
	CHECK_STR(complete("/p", "START PIPE"), "START PIPE");
	CHECK_STR(complete("/p", "WAIT x"), "WAIT x");
	CHECK_STR(complete("/p", "STARTS"), "STARTS");
	CHECK_STR(complete("/p", "ADMIT x"), "ADMIT x");
}

static void short_forms_of_the_server(void)
{
	CHECK_STR(complete("/server", "START"), "START PIPESERVER");
	CHECK_STR(complete("/server", "stop;"), "stop PIPESERVER");
	CHECK_STR(complete("/server", "ADMIT `edge-07`"),
		  "ADMIT SENDER `edge-07`");
	CHECK_STR(complete("/server", "FORGET sender"), "FORGET SENDER sender");
	CHECK_STR(complete("/server", "ADMIT"), "ADMIT");
	CHECK_STR(complete("/server", "RETRY 17"), "RETRY 17");
	CHECK_STR(complete("/server", "DROP"), "DROP");
}

static void short_forms_only_there(void)
{
	CHECK_STR(complete("/", "START"), "START");
	CHECK_STR(complete("/", "WAIT 5"), "WAIT 5");
}

static void blanks_and_comments_are_nothing(void)
{
	CHECK_STR(complete("/p", "\n"), "");
	CHECK_STR(complete("/p", "  ;"), "");
	CHECK_STR(complete("/p", "# START\n"), "");
	CHECK_STR(complete("/p", "-- START"), "");
}

static void one_line(void)
{
	CHECK_STR(complete("/", "CREATE PIPE p\r\nTO s\n-- why\nWITH "
				"SyncDelOp=true;\n"),
		  "CREATE PIPE p  TO s  WITH SyncDelOp=true");
	CHECK_STR(complete("/", "CREATE PIPESINK s AS IoTDB (ip='a;b')"),
		  "CREATE PIPESINK s AS IoTDB (ip='a;b')");
}

static void control_bytes_are_refused(void)
{
	struct err e = {0};

	CHECK(ctl_check_bytes("a\tb\r\n\xc3\xa4", 7, &e) == 0);
	CHECK(ctl_check_bytes("ab\0c", 4, &e) == -EINVAL);
	CHECK(e.code == ERR_SYNTAX && strstr(e.text, "line 1:2 ") != NULL);
	CHECK(strstr(e.text, "0x00") != NULL);
	CHECK(ctl_check_bytes("\x1b[1m", 4, &e) == -EINVAL);
	CHECK(ctl_check_bytes("\x7f", 1, NULL) == -EINVAL);
	CHECK(ctl_check_bytes("", 0, NULL) == 0);
}

/* The statements of a text that arrives in two pieces, as an open ctl takes them. */
static const char *run_pieces(const char *text, size_t cut)
{
	static struct buf out;
	struct buf left CLEANUP(buf_release);
	size_t n = strlen(text);

	buf_release(&out);
	buf_init(&out, 4096);
	buf_init(&left, 4096);
	for (int i = 0; i < 2; i++) {
		buf_add(&left, i ? text + cut : text, i ? n - cut : cut);
		for (;;) {
			const char *p = (const char *)buf_data(&left);
			size_t len =
				left.len ? sql_split(p, left.len, false) : 0;

			if (!len)
				break;
			ctl_complete(&out, "/p", p, len);
			buf_adds(&out, "|");
			buf_consume(&left, len);
		}
	}
	buf_addf(&out, "[%s]", left.len ? buf_str(&left) : "");
	return buf_str(&out);
}

static void cut_at_every_byte(void)
{
	static const char text[] =
		"START; STOP PIPE p;WAIT 3\nCREATE PIPESINK `a;b` AS IoTDB\t"
		"(ip='x;\ny', port=1;);DROP\nSHOW PIPE";
	static const char want[] =
		"START PIPE `p`|STOP PIPE p|WAIT PIPE `p` 3|CREATE PIPESINK "
		"`a;b` AS IoTDB\t(ip='x; y', port=1;)|DROP PIPE `p`|[SHOW "
		"PIPE]";

	for (size_t cut = 0; cut < sizeof text; cut++)
		CHECK_STR(run_pieces(text, cut), want);
}

int main(void)
{
	test_run("whole statements pass in every ctl", whole_statements_pass);
	test_run("short forms of a pipe", short_forms_of_a_pipe);
	test_run("short forms of the server", short_forms_of_the_server);
	test_run("short forms mean nothing elsewhere", short_forms_only_there);
	test_run("blanks and comments are nothing",
		 blanks_and_comments_are_nothing);
	test_run("a statement is sent on one line", one_line);
	test_run("control bytes are refused", control_bytes_are_refused);
	test_run("cut at every byte, the same statements", cut_at_every_byte);
	return test_end();
}
