#include "recvd/senders.h"
#include "test.h"

static struct sender *add(struct senders *s, uint8_t id, const char *name,
			  enum sender_state state)
{
	struct sender_row row = {.state = state, .id = {id}};

	(void)snprintf(row.name, sizeof row.name, "%s", name);
	return senders_add(s, &row);
}

/* Two keys may knock under one name, and one of them is let in: the name is its. */
static void a_name_is_that_of_the_admitted_one(void)
{
	CLEANUP(senders_release) struct senders s = {0};
	struct sender *waits, *is_in;

	senders_init(&s);
	(void)add(&s, 1, "edge", SENDER_FORGOTTEN);
	CHECK(!senders_by_name(&s, "edge"));
	waits = add(&s, 2, "edge", SENDER_WAITING);
	CHECK(senders_by_name(&s, "edge") == waits);
	is_in = add(&s, 3, "edge", SENDER_ADMITTED);
	(void)add(&s, 4, "edge", SENDER_WAITING);
	CHECK(senders_by_name(&s, "edge") == is_in);
	CHECK(!senders_by_name(&s, "Edge"));
	CHECK(senders_by_id(&s, waits->row.id) == waits);
	CHECK(senders_count(&s, SENDER_WAITING) == 2);
}

/* ADMIT SENDER by name, or by key where a name is not enough. */
static void a_choice_is_never_a_guess(void)
{
	CLEANUP(senders_release) struct senders s = {0};
	struct sender *a, *b;
	unsigned n;

	senders_init(&s);
	a = add(&s, 1, "edge", SENDER_WAITING);
	CHECK(senders_choose(&s, "edge", &n) == a && n == 1);
	b = add(&s, 2, "edge", SENDER_WAITING);
	(void)senders_choose(&s, "edge", &n);
	CHECK(n == 2);
	CHECK(senders_choose(&s, b->key, &n) == b && n == 1);
	CHECK(!senders_choose(&s, "nobody", &n) && n == 0);
	senders_remove(&s, a);
	CHECK(senders_choose(&s, "edge", &n) == b && n == 1);
}

int main(void)
{
	test_run("a name is that of the admitted one",
		 a_name_is_that_of_the_admitted_one);
	test_run("a choice is never a guess", a_choice_is_never_a_guess);
	return test_end();
}
