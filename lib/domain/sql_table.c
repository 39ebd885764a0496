#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sql_parts.h"

/* Every statement there is. The words in capitals at the front are its keywords;
 * the parser reads them from here. The manual page's table is compared with this
 * one by a test. The rights are named as the original names them. */

const struct stmt_form sql_statements[] = {
	{STMT_CREATE_PIPESINK, HOME_SYNCD, false, "CREATE_PIPESINK",
	 "CREATE PIPESINK <name> AS IoTDB "
	 "[(ip='<host>', port=<port>, key='<key>')]",
	 "name a receiver; 127.0.0.1 and 6670 unless given"},
	{STMT_ALTER_PIPESINK, HOME_SYNCD, false, "ALTER_PIPESINK",
	 "ALTER PIPESINK <name> (ip='<host>', port=<port>, key='<key>')",
	 "move a receiver; takes effect at the next connect"},
	{STMT_DROP_PIPESINK, HOME_SYNCD, false, "DROP_PIPESINK",
	 "DROP PIPESINK <name>", "forget a receiver that no pipe uses"},
	{STMT_SHOW_PIPESINKTYPE, HOME_SYNCD, true, "SHOW_PIPESINKTYPE",
	 "SHOW PIPESINKTYPE", "the types a pipesink may have"},
	{STMT_SHOW_PIPESINKS, HOME_SYNCD, true, "SHOW_PIPESINKS",
	 "SHOW PIPESINKS", "all pipesinks"},
	{STMT_SHOW_PIPESINKS, HOME_SYNCD, true, "SHOW_PIPESINKS",
	 "SHOW PIPESINK [<name>]", "one pipesink, or all"},
	{STMT_CREATE_PIPE, HOME_SYNCD, false, "CREATE_PIPE",
	 "CREATE PIPE <name> TO <sink> "
	 "[FROM (select ** from root [where time >= <time>])] "
	 "[WITH SyncDelOp=true|false]",
	 "make a pipe, stopped; deletions travel unless SyncDelOp=false"},
	{STMT_SHOW_PIPES, HOME_SYNCD, true, "SHOW_PIPES", "SHOW PIPES",
	 "all pipes with their states and messages"},
	{STMT_SHOW_PIPES, HOME_SYNCD, true, "SHOW_PIPES", "SHOW PIPE [<name>]",
	 "one pipe, or all"},
	{STMT_START_PIPE, HOME_SYNCD, false, "START_PIPE", "START PIPE <name>",
	 "begin or continue to carry"},
	{STMT_STOP_PIPE, HOME_SYNCD, false, "STOP_PIPE", "STOP PIPE <name>",
	 "pause; what seals meanwhile is kept"},
	{STMT_DROP_PIPE, HOME_SYNCD, false, "DROP_PIPE", "DROP PIPE <name>",
	 "end for ever; what was applied stays"},
	{STMT_RESYNC_PIPE, HOME_SYNCD, false, "RESYNC_PIPE",
	 "RESYNC PIPE <name> [FROM <time>]",
	 "send again what the cloud lost, as a new incarnation"},
	{STMT_WAIT_PIPE, HOME_SYNCD, false, "WAIT_PIPE",
	 "WAIT PIPE <name> [<seconds>]",
	 "return when everything sealed so far is applied"},
	{STMT_START_PIPESERVER, HOME_RECVD, false, "START_PIPE_SERVER",
	 "START PIPESERVER", "begin to receive"},
	{STMT_STOP_PIPESERVER, HOME_RECVD, false, "STOP_PIPE_SERVER",
	 "STOP PIPESERVER", "end receiving, when no pipe runs"},
	{STMT_SHOW_PIPESERVER, HOME_RECVD, true, "SHOW_PIPE_SERVER",
	 "SHOW PIPESERVER [STATUS]", "whether the receiver is on"},
	{STMT_SHOW_SENDERS, HOME_RECVD, true, "SHOW_SENDERS", "SHOW SENDERS",
	 "who sends, from where, with which pipes"},
	{STMT_ADMIT_SENDER, HOME_RECVD, false, "ADMIT_SENDER",
	 "ADMIT SENDER <name>", "accept a sender's key"},
	{STMT_FORGET_SENDER, HOME_RECVD, false, "FORGET_SENDER",
	 "FORGET SENDER <name>", "release a sender's key, keep its data"},
	{STMT_SHOW_QUARANTINE, HOME_RECVD, true, "SHOW_QUARANTINE",
	 "SHOW QUARANTINE", "entries that do not apply, and why"},
	{STMT_RETRY, HOME_RECVD, false, "RETRY", "RETRY <id>|ALL",
	 "try quarantined entries again"},
	{STMT_SKIP, HOME_RECVD, false, "SKIP", "SKIP <id>",
	 "give a quarantined entry up"},
	{STMT_LOAD_CONFIGURATION, HOME_BOTH, false, "LOAD_CONFIGURATION",
	 "LOAD CONFIGURATION", "read the configuration file again"},
	{STMT_SHOW_VERSION, HOME_BOTH, true, "SHOW_VERSION", "SHOW VERSION",
	 "versions of the daemons"},
	{STMT_SHOW_STATEMENTS, HOME_BOTH, true, "SHOW_STATEMENTS",
	 "SHOW STATEMENTS", "this table"},
};

const size_t sql_n_statements = ARRAY_LEN(sql_statements);

const struct stmt_form *sql_form(enum stmt_kind kind)
{
	for (size_t i = 0; i < sql_n_statements; i++) {
		if (sql_statements[i].kind == kind)
			return &sql_statements[i];
	}
	assert(!"every kind is in the table");
	return NULL;
}

/* The k-th of a form's keywords: the words in capitals at the front of its text. */
static struct piece keyword(const struct stmt_form *form, size_t k)
{
	const char *at = form->text;

	for (;; k--) {
		size_t n = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

		if (n == 0 || (at[n] && at[n] != ' '))
			return (struct piece){.kind = PIECE_END};
		if (k == 0)
			return (struct piece){PIECE_WORD, at, n};
		at += n + (at[n] == ' ');
	}
}

static bool same_word(struct piece a, struct piece b)
{
	return a.kind == PIECE_WORD && b.kind == PIECE_WORD && a.len == b.len &&
	       strncasecmp(a.at, b.at, a.len) == 0;
}

static bool same_front(const struct stmt_form *a, const struct stmt_form *b,
		       size_t k)
{
	for (size_t i = 0; i < k; i++) {
		if (!same_word(keyword(a, i), keyword(b, i)))
			return false;
	}
	return true;
}

/* The different keywords that may stand k-th after the front of `front`. */
static size_t choices(const struct stmt_form *front, size_t k,
		      struct piece words[ARRAY_LEN(sql_statements)],
		      const struct stmt_form *forms[ARRAY_LEN(sql_statements)])
{
	size_t n = 0, old;

	for (size_t i = 0; i < sql_n_statements; i++) {
		struct piece w = keyword(&sql_statements[i], k);

		if (w.kind == PIECE_END ||
		    !same_front(&sql_statements[i], front, k))
			continue;
		for (old = 0; old < n && !same_word(words[old], w);)
			old++;
		words[old] = w;
		if (old < n)
			continue;
		forms[n++] = &sql_statements[i];
	}
	return n;
}

static int none_of(struct parse *p, const struct piece *words, size_t n)
{
	char list[256] = "";
	size_t at = 0;

	for (size_t i = 0; i < n && at < sizeof list; i++) {
		const char *sep = i == 0 ? "" : i + 1 == n ? " or " : ", ";

		at += (size_t)snprintf(list + at, sizeof list - at, "%s%.*s",
				       sep, (int)words[i].len, words[i].at);
	}
	return expected(p, list);
}

int take_keywords(struct parse *p, const struct stmt_form **out)
{
	struct piece words[ARRAY_LEN(sql_statements)];
	const struct stmt_form *forms[ARRAY_LEN(sql_statements)];

	*out = sql_statements;
	for (size_t k = 0;; k++) {
		size_t n = choices(*out, k, words, forms), i = 0;

		if (n == 0)
			return 0;
		while (i < n && !same_word(words[i], p->now))
			i++;
		if (i == n)
			return none_of(p, words, n);
		*out = forms[i];
		parse_advance(p);
	}
}
