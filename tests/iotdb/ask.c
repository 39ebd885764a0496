#include <stdio.h>

#include "iotdb/rpc.h"

/* iotdb-ask PORT STATEMENT...: what a server on this host answers, a line per cell that is not
 * null: time, column, value, with tabs between them; \n, \t and \\ in values. */

static void print_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			(void)fputs("\\n", stdout);
		else if (*text == '\t')
			(void)fputs("\\t", stdout);
		else if (*text == '\\')
			(void)fputs("\\\\", stdout);
		else
			(void)putchar(*text);
	}
}

static int print_row(void *arg, const struct rpc_row *row)
{
	(void)arg;
	for (unsigned i = 0; i < row->n; i++) {
		if (!row->cells[i])
			continue;
		(void)printf("%lld\t%s\t",
			     (long long)(row->has_time ? row->time : 0),
			     row->names[i]);
		print_text(row->cells[i]);
		(void)putchar('\n');
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct rpc_login login = {.host = "127.0.0.1"};
	struct rpc_visit visit = {.row = print_row};
	struct rpc *c;
	struct err e = {0};
	int r;

	if (argc < 3)
		return 2;
	login.port = (unsigned)strtoul(argv[1], NULL, 10);
	r = rpc_open(&c, &login, NULL, &e);
	if (r < 0) {
		(void)fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	for (int i = 2; i < argc && r >= 0; i++)
		r = rpc_query(c, argv[i], &visit, NULL, &e);
	if (r < 0)
		(void)fprintf(stderr, "%s\n", e.text);
	rpc_close(c);
	return r < 0;
}
