#include <errno.h>
#include <string.h>

#include "domain/sql.h"
#include "fuzz.h"

/* A stream of statements: cutting makes progress and stays inside; a refusal is a
 * sentence with one of the known codes; what is understood holds its bounds; one line
 * stays one line. The first byte chooses the precision. */

static void check_refusal(const struct err *e, int r)
{
	FUZZ_MUST(r < 0 && e->sys == -r);
	FUZZ_MUST(e->sys == EINVAL || e->sys == E2BIG);
	FUZZ_MUST(e->code == ERR_SYNTAX || e->code == ERR_REFUSED ||
		  e->code == ERR_METADATA);
	FUZZ_MUST(strlen(e->text) > 10);
}

static void check_understood(const struct stmt *st)
{
	FUZZ_MUST(sql_form(st->kind)->kind == st->kind);
	FUZZ_MUST(st->port <= 65535);
	FUZZ_MUST(!st->has_key || strlen(st->key) == 64);
	FUZZ_MUST(!st->has_ip || st->ip[0]);
	FUZZ_MUST(st->seconds >= 0);
	if (st->kind == STMT_CREATE_PIPE) {
		FUZZ_MUST(sql_check_pipe_name(st->name, NULL) == 0);
		FUZZ_MUST(st->sink[0]);
		FUZZ_MUST(!st->has_from || st->query[0]);
	}
	if (st->kind == STMT_CREATE_PIPESINK)
		FUZZ_MUST(st->name[0] && st->ip[0] && st->port);
}

static void check_flat(const char *text)
{
	CLEANUP(buf_release) struct buf once, twice;

	buf_init(&once, SQL_STATEMENT_MAX);
	buf_init(&twice, SQL_STATEMENT_MAX);
	sql_flatten(&once, text, strlen(text));
	FUZZ_MUST(buf_end(&once) == 0 && once.len <= strlen(text));
	FUZZ_MUST(!strchr(buf_str(&once), '\n'));
	sql_flatten(&twice, buf_str(&once), once.len);
	FUZZ_MUST(strcmp(buf_str(&once), buf_str(&twice)) == 0);
}

static void check_statement(const char *at, size_t n,
			    const struct sql_setting *set)
{
	CLEANUP_FREE char *text = xcalloc(n + 1, 1);
	struct stmt st;
	struct err e = {0};
	int r;

	memcpy(text, at, n);
	r = sql_parse(&st, text, set, &e);
	if (r < 0)
		check_refusal(&e, r);
	else
		check_understood(&st);
	if (strlen(text) == n && sql_is_blank(text, n))
		FUZZ_MUST(r < 0 && e.code == ERR_SYNTAX);
	check_flat(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data + 1;
	struct sql_setting set = {SQL_MS, 1700000000000};
	size_t n, left;

	if (size < 2 || size > SQL_STATEMENT_MAX)
		return 0;
	set.precision = (enum sql_precision)(data[0] % 3);
	for (left = size - 1; left > 0; left -= n) {
		size_t early = sql_split(p, left, false);

		n = sql_split(p, left, true);
		FUZZ_MUST(n > 0 && n <= left);
		FUZZ_MUST(early <= left);
		check_statement(p, n, &set);
		p += n;
	}
	return 0;
}
