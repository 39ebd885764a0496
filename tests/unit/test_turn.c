/* Whose turn it is, over incarnations and databases. */
#include <string.h>

#include "recvd/turn.h"
#include "test.h"

struct field {
	struct senders s;
	struct incarnation *old, *new;
};

static struct domain *domain(struct field *f, struct incarnation *i,
			     const char *database, uint64_t n, uint64_t n_bad)
{
	struct domain *dom = domain_get(&f->s, i, database);

	dom->n_entries = n;
	dom->n_quarantined = n_bad;
	return dom;
}

static void begin(struct field *f)
{
	struct sender_row sender = {.state = SENDER_ADMITTED};
	struct incarnation_row row = {.id = {1}};
	struct sender *x;

	senders_init(&f->s);
	x = senders_add(&f->s, &sender);
	f->old = incarnation_add(&f->s, x, &row);
	row.id[0] = 2;
	f->new = incarnation_add(&f->s, x, &row);
}

static void test_older_first(void)
{
	struct field f;
	struct domain *old, *new, *other;

	begin(&f);
	old = domain(&f, f.old, "root.a", 2, 0);
	new = domain(&f, f.new, "root.a", 1, 0);
	other = domain(&f, f.new, "root.b", 1, 0);
	CHECK(turn_has(old, false) && turn_has(other, false));
	CHECK(!turn_has(new, false) && !turn_has(new, true));
	old->n_entries = 0;
	CHECK(!turn_has(old, false) && turn_has(new, false));
	senders_release(&f.s);
}

static void test_quarantine(void)
{
	struct field f;
	struct domain *old, *new;

	begin(&f);
	old = domain(&f, f.old, "root.a", 1, 1);
	new = domain(&f, f.new, "root.a", 3, 1);
	CHECK(!turn_has(old, false) && !turn_has(new, false));
	CHECK(!turn_has(old, true) && turn_has(new, true));
	old->n_quarantined = 0; /* RETRY */
	CHECK(turn_has(old, true) && !turn_has(new, true));
	old->n_entries = 0;
	new->is_held = true; /* its next one is quarantined */
	CHECK(!turn_has(new, false));
	CHECK(turn_has(new, true)); /* the rule changed meanwhile */
	senders_release(&f.s);
}

/* RETRY, or a SCHEMA, while a batch has looked and not ended: the word is newer. */
static void test_let_go_meanwhile(void)
{
	struct field f;
	struct domain *dom;
	uint64_t seen;

	begin(&f);
	dom = domain(&f, f.old, "root.a", 2, 1);
	seen = dom->n_freed;
	turn_hold(dom, seen);
	CHECK(!turn_has(dom, false));
	turn_let_go(dom);
	CHECK(turn_has(dom, false));
	turn_hold(dom, seen); /* the batch ends */
	CHECK(turn_has(dom, false));
	turn_hold(dom, dom->n_freed); /* the next one, which looked behind the word */
	CHECK(!turn_has(dom, false));
	senders_release(&f.s);
}

int main(void)
{
	test_run("what an older incarnation has of a database goes first",
		 test_older_first);
	test_run("what is quarantined holds back, or is passed",
		 test_quarantine);
	test_run("what was let go while a batch looked is not held by its end",
		 test_let_go_meanwhile);
	return test_end();
}
