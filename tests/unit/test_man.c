#include <fcntl.h>

#include "domain/sql.h"
#include "ground/fileio.h"
#include "test.h"

/* The list of statements in tsferry-sql(5) against the parser's table: the same
 * texts in the same order, each with who answers it. */

static struct buf page;

static void read_page(void)
{
	buf_init(&page, 1u << 20);
	if (file_read_all(AT_FDCWD, test_data("../../man/tsferry-sql.5"),
			  &page) < 0)
		printf("# %s cannot be read\n",
		       test_data("../../man/tsferry-sql.5"));
}

/* A line of the page with roff's apostrophes and dashes as they are shown. */
static void plain(char *to, size_t size, const char *line, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n && k + 1 < size; i++) {
		if (n - i >= 4 && strncmp(line + i, "\\(aq", 4) == 0) {
			to[k++] = '\'';
			i += 3;
		} else if (line[i] != '\\') {
			to[k++] = line[i];
		}
	}
	to[k] = '\0';
}

static const char *answered_by(enum stmt_home home)
{
	switch (home) {
	case HOME_SYNCD:
		return ".Pq syncd";
	case HOME_RECVD:
		return ".Pq recvd";
	case HOME_BOTH:
		return ".Pq syncd and recvd";
	}
	return "";
}

static void the_page_lists_every_statement_and_no_other(void)
{
	const char *p = strstr(buf_str(&page), ".Sh STATEMENTS\n");
	const char *end = strstr(buf_str(&page), ".Sh WORDS\n");
	size_t n = 0;

	CHECK(p && end && p < end);
	while ((p = strstr(p, "\n.It ")) && p < end) {
		const char *eol = strchr(++p, '\n');
		char line[256], want[256];

		CHECK(n < sql_n_statements);
		plain(line, sizeof line, p, (size_t)(eol - p));
		(void)snprintf(want, sizeof want, ".It Li \"%s\"",
			       sql_statements[n].text);
		CHECK_STR(line, want);
		p = eol + 1;
		eol = strchr(p, '\n');
		plain(line, sizeof line, p, (size_t)(eol - p));
		CHECK_STR(line, answered_by(sql_statements[n].home));
		n++;
	}
	CHECK(n == sql_n_statements);
}

/* A statement in an example must be one. */
static void the_examples_are_understood(void)
{
	const struct sql_setting set = {SQL_MS, 1700000000000};
	const char *p = strstr(buf_str(&page), ".Sh EXAMPLES\n");
	char text[2048];
	int n = 0;

	CHECK(p);
	for (int block = 0; block < 2; block++) {
		const char *end;
		size_t len, at = 0;

		p = strstr(p, ".Bd -literal");
		CHECK(p);
		p = strchr(p, '\n') + 1;
		end = strstr(p, ".Ed\n");
		CHECK(end);
		plain(text, sizeof text, p, (size_t)(end - p));
		while ((len = sql_split(text + at, strlen(text + at), true))) {
			struct stmt st;
			char one[1024];

			(void)snprintf(one, sizeof one, "%.*s", (int)len,
				       text + at);
			CHECK(sql_parse(&st, one, &set, NULL) == 0);
			at += len;
			n++;
		}
		p = end;
	}
	CHECK(n == 5);
}

int main(void)
{
	(void)setenv("TZ", "UTC", 1);
	read_page();
	test_run("the page lists every statement and no other",
		 the_page_lists_every_statement_and_no_other);
	test_run("the examples are understood", the_examples_are_understood);
	buf_release(&page);
	return test_end();
}
