#include <stdbool.h>

#include "domain/sql.h"
#include "test.h"

/* Where statements end in a text that comes in pieces. */

/* The statements of a text that comes in pieces of the given lengths, with "|"
 * behind each; blank ones left out. */
static const char *split_all(const char *text, size_t n, size_t cut)
{
	static char out[4096];
	char held[2048];
	size_t n_held = 0, at = 0, o = 0;

	while (at < n || at == 0) {
		size_t piece = at == 0 && cut ? cut : n - at;
		bool is_last;
		size_t len;

		memcpy(held + n_held, text + at, piece);
		n_held += piece;
		at += piece;
		is_last = at == n;
		for (int round = 0; round < (is_last ? 2 : 1); round++) {
			while (n_held &&
			       (len = sql_split(held, n_held, round == 1))) {
				if (!sql_is_blank(held, len)) {
					memcpy(out + o, held, len);
					o += len;
					out[o++] = '|';
				}
				memmove(held, held + len, n_held - len);
				n_held -= len;
			}
		}
		if (at == n)
			break;
	}
	out[o] = '\0';
	return out;
}

/* "TO" and the first byte of a full-width comma, whose others are no part of the text. */
static void a_text_ends_where_it_ends(void)
{
	static const char text[] = "A\nTO\xef\xbc\x8c";

	CHECK(sql_split(text, sizeof text - 1, true) == sizeof text - 1);
	CHECK(sql_split(text, 5, true) == 2);
	CHECK(sql_split(text, 6, true) == 2);
}

static void statements_end_where_they_should(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"SHOW PIPES", "SHOW PIPES|"},
		{"SHOW PIPES\n", "SHOW PIPES\n|"},
		{"START PIPE a; STOP PIPE a\nDROP PIPE a;",
		 "START PIPE a;| STOP PIPE a\n|DROP PIPE a;|"},
		{"\n\n# a 'comment; here\n  -- another\nSHOW PIPES\n",
		 "SHOW PIPES\n|"},
		{"CREATE PIPE p TO s\nFROM (x)\n  with y=1\nSHOW PIPES\n",
		 "CREATE PIPE p TO s\nFROM (x)\n  with y=1\n|SHOW PIPES\n|"},
		{"CREATE PIPESINK s\nas IoTDB\n(ip='1')\n",
		 "CREATE PIPESINK s\nas IoTDB\n(ip='1')\n|"},
		{"CREATE PIPE p\n\n# who?\nTO s\n",
		 "CREATE PIPE p\n\n# who?\nTO s\n|"},
		{"CREATE PIPE p\nTOO s\n", "CREATE PIPE p\n|TOO s\n|"},
		{"CREATE PIPE p\nTO", "CREATE PIPE p\nTO|"},
		{"CREATE PIPE p\nT", "CREATE PIPE p\n|T|"},
		{"X (a;\nb\n;) y;z", "X (a;\nb\n;) y;|z|"},
		{"IoTDB> # don't\nSHOW PIPES\n-- it's\nSHOW PIPES\n",
		 "SHOW PIPES\n|SHOW PIPES\n|"},
		{"\xef\xbb\xbf# a file of Windows\r\nX\r\n", "X\r\n|"},
		{"X [(a);\n]\n", "X [(a);\n]\n|"},
		{"X (a\n# b ) '\nc)\nY\n", "X (a\n# b ) '\nc)\n|Y\n|"},
		{"X ';\n' \"a''b;\" `;`;Y", "X ';\n' \"a''b;\" `;`;|Y|"},
		{"X 'it''s;\n'\nY\n", "X 'it''s;\n'\n|Y\n|"},
		{"X 'open;\nSHOW PIPES\n", "X 'open;\nSHOW PIPES\n|"},
		{"X (open;\nSHOW PIPES\n", "X (open;\nSHOW PIPES\n|"},
		{"X )a;b\n", "X )a;|b\n|"},
		{"START PIPE a#b\nX -- y\n", "START PIPE a#b\n|X -- y\n|"},
		{"X\r\nY\r\n", "X\r\n|Y\r\n|"},
		{"X\n# end", "X\n|"},
		{"X\n-", "X\n|-|"},
		{"-", "-|"},
		{"- -\n", "- -\n|"},
		{";;;\n;", ""},
		{"", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		CHECK_STR(split_all(cases[i].text, strlen(cases[i].text), 0),
			  cases[i].want);
}

/* A cut where the next line would have to be seen makes two writes out of one; any
 * other cut must change nothing. */
static bool is_at_line_end(const char *text, size_t cut)
{
	while (cut > 0 && (text[cut - 1] == ' ' || text[cut - 1] == '\t'))
		cut--;
	return cut > 0 && text[cut - 1] == '\n';
}

static void a_cut_at_any_byte_changes_nothing(void)
{
	static const char *const texts[] = {
		"START PIPE a; STOP PIPE 'x;y\n'\nDROP PIPE `a;`;\nSHOW PIPES",
		"# don't; (\n-- it's\nSHOW PIPES\n#\n--\nSHOW PIPE p\n\n",
		"CREATE PIPESINK s AS IoTDB (IP='1.2.3.4'\xef\xbc\x8cport=6670"
		"\n# x )\n;);\nSHOW PIPESINKS;",
		"CREATE PIPE p TO s\nFROM (select ** from root where time >= "
		"'2022-03-30 00:00:00')\n WITH SyncDelOp=false\nSTART PIPE p\n",
		"A\nFROMAGE\nB\nTOAST\nC\nASK\nD\n(x)\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		size_t n = strlen(texts[i]);
		char *whole = xstrdup(split_all(texts[i], n, 0));

		for (size_t cut = 1; cut < n; cut++) {
			const char *have;

			if (is_at_line_end(texts[i], cut))
				continue;
			have = split_all(texts[i], n, cut);
			if (strcmp(have, whole) != 0)
				printf("# cut at %zu\n", cut);
			CHECK_STR(have, whole);
		}
		free(whole);
	}
}

static void blank_is_what_says_nothing(void)
{
	CHECK(sql_is_blank("", 0));
	CHECK(sql_is_blank(" ;\n; \t", 6));
	CHECK(sql_is_blank("# START PIPE p", 14));
	CHECK(sql_is_blank("\n -- x\n#y\n", 10));
	CHECK(!sql_is_blank("-- x\ny", 6));
	CHECK(!sql_is_blank("; # x", 5));
}

int main(void)
{
	test_run("statements end where they should",
		 statements_end_where_they_should);
	test_run("nothing behind a text is looked at",
		 a_text_ends_where_it_ends);
	test_run("a cut at any byte changes nothing",
		 a_cut_at_any_byte_changes_nothing);
	test_run("blank is what says nothing", blank_is_what_says_nothing);
	return test_end();
}
