#include <errno.h>

#include "fs/join.h"
#include "fs/view.h"
#include "test.h"

static const struct view_own own = {.start_ms = 5000, .last_error = ""};

/* A reply of rows, as a daemon would give it. */
static struct reply rows(size_t n, const char *const *text)
{
	struct reply r = {.n_rows = n};

	r.rows = xcalloc(n + 1, sizeof *r.rows);
	for (size_t i = 0; i < n; i++)
		r.rows[i] = xstrdup(text[i]);
	return r;
}

static void take(struct view *v, unsigned part, unsigned n, size_t n_rows,
		 const char *const *text)
{
	struct reply r = rows(n_rows, text);

	view_take(v, part, n, &r, 0);
	reply_release(&r);
}

#define TAKE(v, part, n, ...)                                             \
	take(v, part, n,                                                  \
	     sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), \
	     (const char *const[]){__VA_ARGS__})

static void take_failure(struct view *v, unsigned part, int sys)
{
	struct reply r = {.code = 8411, .sys = sys};

	view_take(v, part, 0, &r, 0);
}

static const char *request(const struct view *v, unsigned n)
{
	static struct buf b;

	buf_release(&b);
	buf_init(&b, 4096);
	return view_request(v, n, &b) ? buf_str(&b) : "(none)";
}

static const char *text_of(const struct view *v, const struct view_own *o)
{
	static struct buf b;

	buf_release(&b);
	buf_init(&b, VIEW_TEXT_MAX);
	return view_read(v, o, &b) == 0 ? buf_str(&b) : "(none)";
}

static void requests(void)
{
	struct view v;

	CHECK(view_init(&v, VIEW_STAT, "/p/status") == 0);
	CHECK_STR(request(&v, 0), ".stat /p/status");
	CHECK_STR(request(&v, 1), "(none)");
	CHECK(view_parts(&v) == 1u << VIEW_SYNCD);
	view_release(&v);
	CHECK(view_init(&v, VIEW_READ, "/log") == 0);
	CHECK_STR(request(&v, 0), ".stat /log");
	CHECK_STR(request(&v, 1), ".cat /log");
	CHECK_STR(request(&v, 2), "(none)");
	CHECK(view_parts(&v) == (1u << VIEW_SYNCD | 1u << VIEW_RECVD));
	view_release(&v);
	CHECK(view_init(&v, VIEW_STAT, "/p/ctl") == 0);
	CHECK_STR(request(&v, 0), ".stat /p");
	view_release(&v);
	CHECK(view_init(&v, VIEW_LIST, "/server") == 0);
	CHECK_STR(request(&v, 0), ".ls /server");
	CHECK(view_parts(&v) == 1u << VIEW_RECVD);
	view_release(&v);
	CHECK(view_init(&v, VIEW_STAT, "/ctl") == 0);
	CHECK_STR(request(&v, 0), "(none)");
	CHECK(view_parts(&v) == 0);
	view_release(&v);
}

static void paths_that_cannot_be(void)
{
	static char path[VIEW_PATH_MAX + 2];
	struct view v;

	CHECK(view_init(&v, VIEW_STAT, "/a\nb") == -ENOENT);
	CHECK(view_init(&v, VIEW_STAT, "/a\x7f") == -ENOENT);
	memset(path, 'a', sizeof path - 1);
	CHECK(view_init(&v, VIEW_STAT, path) == -ENAMETOOLONG);
}

static void one_value(void)
{
	struct view_entry en;
	struct view v;

	CHECK(view_init(&v, VIEW_STAT, "/p/status") == 0);
	CHECK(view_stat(&v, &own, &en) == -ENOENT);
	TAKE(&v, VIEW_SYNCD, 0, "f 444 8 123456");
	CHECK(view_is_settled(&v, VIEW_SYNCD));
	CHECK(view_stat(&v, &own, &en) == 0);
	CHECK(en.node.kind == TREE_FILE && en.node.mode == 0444);
	CHECK(en.size == 8 && en.node.mtime_ms == 123456);
	CHECK_STR(en.node.name, "status");
	view_release(&v);
	CHECK(view_init(&v, VIEW_READ, "/p/status") == 0);
	TAKE(&v, VIEW_SYNCD, 0, "RUNNING");
	CHECK_STR(text_of(&v, &own), "RUNNING\n");
	view_release(&v);
}

static void bad_entries(void)
{
	static const char *const bad[] = {"",		"f",
					  "x 444 8 1",	"f 999 8 1",
					  "f 444 -",	"f 444 8",
					  "f 444 8 ",	"f444 8 1",
					  "f 444 8 1x", "f 444 8x 1 n"};
	struct view_entry en;
	struct view v;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(view_init(&v, VIEW_STAT, "/p") == 0);
		TAKE(&v, VIEW_SYNCD, 0, bad[i]);
		CHECK(view_stat(&v, &own, &en) == -ENOENT);
		view_release(&v);
	}
	CHECK(view_init(&v, VIEW_LIST, "/p") == 0);
	TAKE(&v, VIEW_SYNCD, 0, "f 444 0 1 ok", "f 444 0 1 ../x");
	CHECK(v.part[VIEW_SYNCD].err == -EBADMSG);
	view_release(&v);
}

static void why_it_is_not_there(void)
{
	struct view_entry *list;
	struct view v;
	size_t n;

	CHECK(view_init(&v, VIEW_LIST, "/p/status") == 0);
	take_failure(&v, VIEW_SYNCD, ENOTDIR);
	view_take(&v, VIEW_RECVD, 0, NULL, -ETIMEDOUT);
	CHECK(view_list(&v, &own, &list, &n) == -ENOTDIR);
	view_release(&v);
	CHECK(view_init(&v, VIEW_READ, "/p") == 0);
	take_failure(&v, VIEW_SYNCD, EISDIR);
	CHECK_STR(text_of(&v, &own), "(none)");
	view_release(&v);
	CHECK(view_init(&v, VIEW_LIST, "/p") == 0);
	view_take(&v, VIEW_SYNCD, 0, NULL, -ETIMEDOUT);
	CHECK(view_list(&v, &own, &list, &n) == -ENOENT);
	view_release(&v);
}

static const char *names(const struct view *v)
{
	static char all[512];
	struct view_entry *list;
	size_t n;

	all[0] = '\0';
	if (view_list(v, &own, &list, &n) < 0)
		return "(none)";
	for (size_t i = 0; i < n; i++) {
		strcat(all, list[i].node.name);
		strcat(all, " ");
	}
	free(list);
	return all;
}

static void root_without_daemons(void)
{
	struct view_entry en;
	struct view v;

	CHECK(view_init(&v, VIEW_LIST, "/") == 0);
	CHECK(!view_is_settled(&v, VIEW_SYNCD));
	CHECK_STR(names(&v), "ctl help last_error ");
	view_release(&v);
	CHECK(view_init(&v, VIEW_STAT, "/last_error") == 0);
	CHECK(view_stat(&v, &own, &en) == 0);
	CHECK(en.size == 0 && en.node.mtime_ms == own.start_ms);
	view_release(&v);
	CHECK(view_init(&v, VIEW_STAT, "/log") == 0);
	CHECK(view_stat(&v, &own, &en) == -ENOENT);
	view_release(&v);
	CHECK(view_init(&v, VIEW_STAT, "/") == 0);
	CHECK(view_stat(&v, &own, &en) == 0 && en.node.kind == TREE_DIR);
	view_release(&v);
}

static void directories_are_merged(void)
{
	struct view_entry en;
	struct view v;

	CHECK(view_init(&v, VIEW_LIST, "/") == 0);
	TAKE(&v, VIEW_SYNCD, 0, "d 755 0 1 p", "f 444 3 1 log",
	     "f 444 3 1 last_error", "f 666 0 1 ctl");
	TAKE(&v, VIEW_RECVD, 0, "d 755 0 1 server", "f 444 3 1 log");
	CHECK_STR(names(&v), "ctl help last_error log p server ");
	view_release(&v);
	CHECK(view_init(&v, VIEW_LIST, "/p") == 0);
	TAKE(&v, VIEW_SYNCD, 0, "f 444 5 1 status");
	CHECK_STR(names(&v), "ctl status ");
	view_release(&v);
	CHECK(view_init(&v, VIEW_LIST, "/sinks") == 0);
	TAKE(&v, VIEW_SYNCD, 0, "d 755 5 1 s");
	CHECK_STR(names(&v), "s ");
	view_release(&v);
	CHECK(view_init(&v, VIEW_STAT, "/") == 0);
	TAKE(&v, VIEW_SYNCD, 0, "d 755 0 7000");
	TAKE(&v, VIEW_RECVD, 0, "d 755 0 9000");
	CHECK(view_stat(&v, &own, &en) == 0 && en.node.mtime_ms == 9000);
	view_release(&v);
}

static void ctl_stands_in_pipes(void)
{
	struct view_entry en;
	struct view v;

	CHECK(view_is_ctl("/ctl") && view_is_ctl("/p/ctl"));
	CHECK(view_is_ctl("/server/ctl"));
	CHECK(!view_is_ctl("/sinks/ctl") && !view_is_ctl("/a/b/ctl"));
	CHECK(view_init(&v, VIEW_STAT, "/p/ctl") == 0);
	TAKE(&v, VIEW_SYNCD, 0, "d 755 0 1");
	CHECK(view_stat(&v, &own, &en) == 0 && en.node.mode == 0666);
	CHECK(en.size == strlen(view_usage("/p/ctl")));
	CHECK(strstr(view_usage("/p/ctl"), "RESYNC") &&
	      strstr(view_usage("/server/ctl"), "ADMIT"));
	TAKE(&v, VIEW_SYNCD, 0, "f 444 0 1");
	CHECK(view_stat(&v, &own, &en) == -ENOENT);
	take_failure(&v, VIEW_SYNCD, ENOENT);
	CHECK(view_stat(&v, &own, &en) == -ENOENT);
	view_release(&v);
}

static void younger_refusal_is_the_last(void)
{
	struct view_own held = own;
	struct view_entry en;
	struct view v;

	CHECK(view_init(&v, VIEW_READ, "/last_error") == 0);
	TAKE(&v, VIEW_SYNCD, 0, "f 444 6 2000");
	TAKE(&v, VIEW_SYNCD, 1, "first");
	TAKE(&v, VIEW_RECVD, 0, "f 444 7 3000");
	TAKE(&v, VIEW_RECVD, 1, "second");
	CHECK_STR(text_of(&v, &own), "second\n");
	held.last_error = "held\n";
	held.last_error_ms = 2500;
	CHECK_STR(text_of(&v, &held), "second\n");
	held.last_error_ms = 3500;
	CHECK_STR(text_of(&v, &held), "held\n");
	CHECK(view_stat(&v, &held, &en) == 0);
	CHECK(en.size == 5 && en.node.mtime_ms == 3500);
	view_release(&v);
	CHECK(view_init(&v, VIEW_READ, "/last_error") == 0);
	TAKE(&v, VIEW_SYNCD, 0, "f 444 6 2000");
	TAKE(&v, VIEW_SYNCD, 1, "first");
	TAKE(&v, VIEW_RECVD, 0, "f 444 0 9000");
	take(&v, VIEW_RECVD, 1, 0, NULL);
	CHECK_STR(text_of(&v, &own), "first\n");
	view_release(&v);
}

static const char *joined(void (*join)(struct buf *, const struct buf *,
				       const struct buf *),
			  const char *a, const char *b)
{
	static struct buf out;
	struct buf x CLEANUP(buf_release), y CLEANUP(buf_release);

	buf_release(&out);
	buf_init(&out, 4096);
	buf_init(&x, 4096);
	buf_init(&y, 4096);
	buf_adds(&x, a);
	buf_adds(&y, b);
	join(&out, &x, &y);
	return buf_str(&out);
}

#define T "2026-03-30T20:58:"

static void logs_by_time(void)
{
	CHECK_STR(joined(join_log, "", ""), "");
	CHECK_STR(joined(join_log, T "01.000 a\n", ""), T "01.000 a\n");
	CHECK_STR(joined(join_log, "", T "01.000 a"), T "01.000 a\n");
	CHECK_STR(joined(join_log, T "01.000 a1\n  more\n" T "03.000 a2\n",
			 T "02.000 b1\n" T "03.000 b2\n" T "04.000 b3\n"),
		  T "01.000 a1\n  more\n" T "02.000 b1\n" T "03.000 a2\n" T
		    "03.000 b2\n" T "04.000 b3\n");
	CHECK_STR(joined(join_log, "no time\n", T "01.000 b\n"),
		  "no time\n" T "01.000 b\n");
}

static const char *grown(const char *old, const char *now)
{
	static struct buf a;
	struct buf b CLEANUP(buf_release);

	buf_release(&a);
	buf_init(&a, 4096);
	buf_init(&b, 4096);
	buf_adds(&a, old);
	buf_adds(&b, now);
	join_growth(&a, &b);
	return buf_str(&a);
}

static void growing_texts_never_shrink(void)
{
	CHECK_STR(grown("", ""), "");
	CHECK_STR(grown("", "a\n"), "a\n");
	CHECK_STR(grown("a\n", ""), "a\n");
	CHECK_STR(grown("a\n", "a\n"), "a\n");
	CHECK_STR(grown("a\nb\n", "a\nb\nc\n"), "a\nb\nc\n");
	CHECK_STR(grown("a\nb\nc\n", "b\nc\nd\n"), "a\nb\nc\nd\n");
	CHECK_STR(grown("a\nb\n", "c\n"), "a\nb\nc\n");
	CHECK_STR(grown("x\nx\n", "x\nx\nx\n"), "x\nx\nx\n");
	CHECK_STR(grown("ab\n", "b\nc\n"), "ab\nb\nc\n");
}

static void metrics_by_family(void)
{
	CHECK_STR(joined(join_metrics,
			 "# HELP up x\n# TYPE up gauge\nup{d=\"s\"} 1\n"
			 "only_a 1\n",
			 "# HELP up x\n# TYPE up gauge\nup{d=\"r\"} 1\n"
			 "# TYPE only_b gauge\nonly_b 2\n"),
		  "# HELP up x\n# TYPE up gauge\nup{d=\"s\"} 1\nup{d=\"r\"} "
		  "1\nonly_a 1\n# TYPE only_b gauge\nonly_b 2\n");
	CHECK_STR(joined(join_metrics, "", "b 1\n"), "b 1\n");
	CHECK_STR(joined(join_metrics, "a 1\n", ""), "a 1\n");
}

static void replies_are_joined(void)
{
	struct reply a = {.heading = xstrdup("daemon"), .text = "done"};
	struct reply b = rows(2, (const char *const[]){"x", "y"});
	struct reply all = {0};

	join_reply(&all, &a);
	join_reply(&all, &b);
	join_reply(&all, &b);
	CHECK_STR(all.heading, "daemon");
	CHECK(all.n_rows == 4 && all.code == 0);
	join_table(&all, &b);
	CHECK(all.n_rows == 4);
	b.code = 8411;
	b.sys = EEXIST;
	join_reply(&all, &b);
	b.sys = EBUSY;
	join_reply(&all, &b);
	CHECK(all.code == 8411 && all.sys == EEXIST);
	reply_release(&all);
	reply_release(&a);
	reply_release(&b);
}

static void refusals_have_classes(void)
{
	struct err e = {.code = ERR_SYNTAX, .sys = EINVAL, .text = "no"};
	struct reply r = {0};

	join_failure(&r, &e);
	CHECK(r.code == 9401 && r.sys == EINVAL);
	e.code = 0;
	join_failure(&r, &e);
	CHECK(r.code == 8411);
	CHECK_STR(r.text, "no");
}

static void help_is_a_table(void)
{
	struct buf b CLEANUP(buf_release);
	size_t n = 0;

	buf_init(&b, 1u << 16);
	view_help(&b);
	for (const char *p = buf_str(&b); *p; p++)
		n += *p == '\n';
	CHECK(n == sql_n_statements);
	CHECK(strstr(buf_str(&b), "START PIPESERVER") != NULL);
	CHECK(strstr(buf_str(&b), "  both   ") != NULL);
}

/* One of two daemons began anew: its lines are gone from the middle of the log, and who
 * follows gets what is younger, nothing twice. */
static void a_log_that_lost_lines_goes_on(void)
{
	struct buf a CLEANUP(buf_release), b CLEANUP(buf_release);

	buf_init(&a, 1000);
	buf_init(&b, 1000);
	buf_adds(&a, "2026-01-01T00:00:00.001 info recvd: ready\n"
		     "2026-01-01T00:00:00.002 info syncd: ready\n"
		     "2026-01-01T00:00:00.003 info recvd: stopping\n");
	buf_adds(&b, "2026-01-01T00:00:00.002 info syncd: ready\n"
		     "2026-01-01T00:00:00.003 info syncd: offline\n"
		     "2026-01-01T00:00:00.009 info recvd: ready\n");
	join_growth(&a, &b);
	CHECK(strstr(buf_str(&a), "stopping\n2026-01-01T00:00:00.003 info "
				  "syncd: offline\n2026-01-01T00:00:00.009"));
	CHECK(join_known(&a, &b) == b.len);
	buf_clear(&b);
	CHECK(join_known(&a, &b) == 0);
}

int main(void)
{
	test_run("what is asked, and whom", requests);
	test_run("paths that no tree has", paths_that_cannot_be);
	test_run("one value", one_value);
	test_run("entries that are none", bad_entries);
	test_run("why something is not there", why_it_is_not_there);
	test_run("the root without daemons", root_without_daemons);
	test_run("directories are merged", directories_are_merged);
	test_run("ctl stands in pipes and in server", ctl_stands_in_pipes);
	test_run("the younger refusal is the last",
		 younger_refusal_is_the_last);
	test_run("logs are joined by time", logs_by_time);
	test_run("a growing text never shrinks", growing_texts_never_shrink);
	test_run("metrics are joined by family", metrics_by_family);
	test_run("replies are joined", replies_are_joined);
	test_run("refusals have classes", refusals_have_classes);
	test_run("help is the table of statements", help_is_a_table);
	test_run("a log that lost lines goes on",
		 a_log_that_lost_lines_goes_on);
	return test_end();
}
