#include <stdio.h>

#include "fs/answers.h"
#include "fs/nodes.h"
#include "fs/sentence.h"
#include "test.h"

#define WHOLE (UINT64_MAX >> 1)

static void root_is_always_there(void)
{
	struct nodes *ns = nodes_new(WHOLE);

	CHECK(nodes_find(ns, NODES_ROOT) != NULL);
	CHECK(nodes_ino(ns, "/", TREE_DIR) == NODES_ROOT);
	CHECK(nodes_take(ns, "/", TREE_DIR, false)->id == NODES_ROOT);
	nodes_forget(ns, NODES_ROOT, 100);
	CHECK(nodes_find(ns, NODES_ROOT) != NULL);
	CHECK(nodes_find(ns, 4711) == NULL);
	nodes_forget(ns, 4711, 1);
	nodes_free(ns);
}

static void numbers_are_stable(void)
{
	struct nodes *a = nodes_new(WHOLE), *b = nodes_new(WHOLE);
	struct node *x = nodes_take(a, "/p", TREE_DIR, false);
	uint64_t ino = x->ino;

	CHECK(ino > 15 && x->id == ino);
	CHECK(nodes_ino(b, "/p", TREE_DIR) == ino);
	CHECK(nodes_ino(a, "/p", TREE_FILE) != ino);
	CHECK(nodes_take(a, "/p", TREE_DIR, false) == x);
	nodes_forget(a, ino, 1);
	CHECK(nodes_find(a, ino) == x);
	nodes_forget(a, ino, 1);
	CHECK(nodes_find(a, ino) == NULL && nodes_count(a) == 0);
	CHECK(nodes_take(a, "/p", TREE_DIR, false)->ino == ino);
	nodes_free(a);
	nodes_free(b);
}

static void collisions_are_kept_apart(void)
{
	struct nodes *ns = nodes_new(7); /* eight numbers for everything */
	struct node *nd[40];
	char path[16];

	for (int i = 0; i < 40; i++) {
		(void)snprintf(path, sizeof path, "/p%d", i);
		nd[i] = nodes_take(ns, path, TREE_DIR, false);
		CHECK(nd[i]->ino > 15);
		CHECK(nodes_ino(ns, path, TREE_DIR) == nd[i]->ino);
		for (int k = 0; k < i; k++)
			CHECK(nd[k]->ino != nd[i]->ino);
	}
	for (int i = 0; i < 40; i++)
		CHECK(nodes_find(ns, nd[i]->id) == nd[i]);
	for (int i = 0; i < 40; i++)
		nodes_forget(ns, nd[i]->id, 1);
	CHECK(nodes_count(ns) == 0);
	nodes_free(ns);
}

static void many_grow(void)
{
	struct nodes *ns = nodes_new(WHOLE);
	char path[16];

	for (int i = 0; i < 5000; i++) {
		(void)snprintf(path, sizeof path, "/p%d", i);
		(void)nodes_take(ns, path, TREE_FILE, false);
	}
	CHECK(nodes_count(ns) == 5000);
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(path, sizeof path, "/p%d", i);
		CHECK(nodes_find(ns, nodes_ino(ns, path, TREE_FILE)) != NULL);
	}
	nodes_free(ns);
}

/* The list of open files is the owner's: any pointer will do here. */
static struct open_file *some_file(void)
{
	static int it;

	return (struct open_file *)(void *)&it;
}

static void open_ctl_is_left_alone(void)
{
	struct nodes *ns = nodes_new(WHOLE);
	struct node *a = nodes_take(ns, "/ctl", TREE_FILE, true), *b, *c;

	CHECK(nodes_take(ns, "/ctl", TREE_FILE, true) == a);
	a->files = some_file();
	CHECK(nodes_any_open(ns) == a);
	b = nodes_take(ns, "/ctl", TREE_FILE, true);
	CHECK(b != a && b->id != a->id && b->ino == a->ino);
	CHECK(nodes_find(ns, b->id) == b);
	b->files = some_file();
	c = nodes_take(ns, "/ctl", TREE_FILE, true);
	CHECK(c != a && c != b && c->ino == a->ino);
	b->files = NULL;
	CHECK(nodes_take(ns, "/ctl", TREE_FILE, false)->ino == a->ino);
	a->files = NULL;
	nodes_free(ns);
}

static void open_node_outlives_forget(void)
{
	struct nodes *ns = nodes_new(WHOLE);
	struct node *a = nodes_take(ns, "/p/status", TREE_FILE, false);
	uint64_t id = a->id;

	a->files = some_file();
	nodes_forget(ns, id, 1);
	CHECK(nodes_find(ns, id) == a);
	a->files = NULL;
	nodes_closed(ns, a);
	CHECK(nodes_find(ns, id) == NULL);
	CHECK(nodes_any_open(ns) == NULL);
	nodes_free(ns);
}

static void put(struct answers *as, unsigned uid, const char *text)
{
	struct buf b CLEANUP(buf_release);

	buf_init(&b, 64);
	buf_adds(&b, text);
	answers_put(as, uid, 1, 1000, &b);
}

static void each_user_has_a_last_answer(void)
{
	struct answers *as = answers_new();
	struct answer *an;

	CHECK(answers_get(as, 0) == NULL);
	put(as, 0, "root's");
	put(as, 7, "seven's");
	an = answers_get(as, 0);
	CHECK(an != NULL && !an->was_read);
	CHECK_STR(buf_str(&an->text), "root's");
	put(as, 0, "");
	CHECK(answers_get(as, 0)->text.len == 0);
	CHECK_STR(buf_str(&answers_get(as, 7)->text), "seven's");
	for (unsigned i = 100; i < 100 + ANSWERS_USERS; i++)
		put(as, i, "x");
	CHECK(answers_get(as, 7) == NULL && answers_get(as, 0) == NULL);
	CHECK(answers_get(as, 100) != NULL);
	answers_free(as);
}

static const char *sentence(enum refused what, const char *path)
{
	static struct buf b;

	buf_release(&b);
	buf_init(&b, 1024);
	refuse_sentence(&b, what, path);
	return buf_str(&b);
}

static void refusals_name_the_statement(void)
{
	static const struct {
		enum refused what;
		const char *path, *word;
	} cases[] = {
		{REFUSED_MAKE, "/q", "CREATE PIPE q TO"},
		{REFUSED_MAKE, "/p/x", "in a pipe"},
		{REFUSED_MAKE, "/sinks/t", "CREATE PIPESINK t"},
		{REFUSED_MAKE, "/server/senders/x", "ADMIT SENDER"},
		{REFUSED_REMOVE, "/p", "DROP PIPE p"},
		{REFUSED_REMOVE, "/p/status", "DROP PIPE p"},
		{REFUSED_REMOVE, "/sinks/s", "DROP PIPESINK s"},
		{REFUSED_REMOVE, "/sinks/s/ip", "DROP PIPESINK s"},
		{REFUSED_REMOVE, "/server/senders/e/p", "FORGET SENDER e"},
		{REFUSED_REMOVE, "/server", "STOP PIPESERVER"},
		{REFUSED_REMOVE, "/ctl", "always there"},
		{REFUSED_RENAME, "/p", "DROP PIPE p"},
		{REFUSED_RENAME, "/p/status", "renamed"},
		{REFUSED_CHANGE, "/p/status", "STOP PIPE p"},
		{REFUSED_CHANGE, "/sinks/s/ip", "ALTER PIPESINK s"},
		{REFUSED_CHANGE, "/server/port", "LOAD CONFIGURATION"},
		{REFUSED_CHANGE, "/help", "to ctl"},
		{REFUSED_OWNER, "/ctl", "tsferry"},
		{REFUSED_TIME, "/ctl", "changed last"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *s = sentence(cases[i].what, cases[i].path);

		if (!strstr(s, cases[i].word))
			printf("# %s: %s\n", cases[i].path, s);
		CHECK(strstr(s, cases[i].word) != NULL);
	}
}

int main(void)
{
	test_run("the root is always there", root_is_always_there);
	test_run("numbers are the same in every mount", numbers_are_stable);
	test_run("paths that collide are kept apart",
		 collisions_are_kept_apart);
	test_run("many nodes", many_grow);
	test_run("a ctl that is open is looked up as another",
		 open_ctl_is_left_alone);
	test_run("an open node outlives its last look-up",
		 open_node_outlives_forget);
	test_run("each user has a last answer", each_user_has_a_last_answer);
	test_run("refusals name the statement to use",
		 refusals_name_the_statement);
	return test_end();
}
