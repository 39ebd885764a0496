#include <string.h>

#include "domain/sql.h"
#include "fs/ctl_text.h"
#include "fuzz.h"

/* What is written into a ctl. The first byte chooses which one; the rest is cut into
 * statements as fs/ctl.c cuts it. What is sent is one line, completing it again changes
 * nothing, and a short form means the pipe of its directory. */

static const char *const dirs[] = {"/", "/server", "/p", "/a`b c"};

static void check_meaning(const char *dir, const char *full)
{
	struct sql_setting set = {SQL_MS, 1700000000000};
	struct stmt st;

	if (ctl_scope_of(dir) != CTL_PIPE ||
	    sql_parse(&st, full, &set, NULL) < 0)
		return;
	if (strncasecmp(full, "START PIPE `", 12) == 0 ||
	    strncasecmp(full, "WAIT PIPE `", 11) == 0)
		FUZZ_MUST(st.name[0]);
}

static void check_short(const char *dir)
{
	static const char *const forms[] = {"START",  "stop;", "DROP ",
					    "RESYNC", "WAIT",  "WAIT 5"};
	struct sql_setting set = {SQL_MS, 1700000000000};

	if (ctl_scope_of(dir) != CTL_PIPE)
		return;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		CLEANUP(buf_release) struct buf out;
		struct stmt st;

		buf_init(&out, SQL_STATEMENT_MAX);
		ctl_complete(&out, dir, forms[i], strlen(forms[i]));
		FUZZ_MUST(sql_parse(&st, buf_str(&out), &set, NULL) == 0);
		FUZZ_MUST(strcmp(st.name, dir + 1) == 0);
	}
}

static void check_statement(const char *dir, const char *p, size_t n)
{
	CLEANUP(buf_release) struct buf once, twice;
	struct err e = {0};

	buf_init(&once, 2 * SQL_STATEMENT_MAX);
	buf_init(&twice, 2 * SQL_STATEMENT_MAX);
	ctl_complete(&once, dir, p, n);
	FUZZ_MUST(buf_end(&once) == 0);
	if (sql_is_blank(p, n)) {
		FUZZ_MUST(once.len == 0);
		return;
	}
	FUZZ_MUST(!strchr(buf_str(&once), '\n'));
	FUZZ_MUST(strlen(buf_str(&once)) == once.len);
	ctl_complete(&twice, dir, buf_str(&once), once.len);
	FUZZ_MUST(strcmp(buf_str(&once), buf_str(&twice)) == 0);
	check_meaning(dir, buf_str(&once));
	if (ctl_check_lines(dir, p, n, &e) < 0)
		FUZZ_MUST(e.sys > 0 && e.text[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data + 1, *dir;
	struct err e = {0};
	size_t n, left;

	if (size < 2 || size > SQL_STATEMENT_MAX)
		return 0;
	dir = dirs[data[0] % ARRAY_LEN(dirs)];
	if (ctl_check_bytes(p, size - 1, &e) < 0) {
		FUZZ_MUST(strstr(e.text, "control byte"));
		return 0;
	}
	check_short(dir);
	for (left = size - 1; left > 0; left -= n) {
		n = sql_split(p, left, true);
		FUZZ_MUST(n > 0 && n <= left);
		check_statement(dir, p, n);
		p += n;
	}
	return 0;
}
