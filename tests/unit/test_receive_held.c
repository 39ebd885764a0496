#include "receive_owner.h"

#define LEN (2ull * BLOCK_LEN + 9)

/* As live(), with an edge of version 2. */
static void live_2(struct owner *o)
{
	struct msg_hello m = a_hello();

	begin(o);
	m.version_max = 2;
	receive_hello(o->r, &m);
	(void)acts(o);
	known(o, 0, 0, NULL, 0);
	(void)acts(o);
}

static void send_held(struct owner *o, uint64_t serial, uint32_t first)
{
	static struct msg_held m;

	m = (struct msg_held){.serial = serial, .first = first, .n = 1};
	m.files[0] = (struct fileid){.database = "root.a", .t = 5};
	receive_held(o->r, &m);
}

static void refer(struct owner *o, uint64_t serial, uint64_t index,
		  uint8_t file)
{
	struct msg_block m = {.serial = serial,
			      .index = index,
			      .how = BLOCK_REFERENCE,
			      .n_ranges = 1};

	m.ranges[0] = (struct held_range){.file = file,
					  .offset = index * BLOCK_LEN,
					  .len = block_len(LEN, index)};
	m.digest = digest_block(payload + index * BLOCK_LEN,
				block_len(LEN, index));
	receive_block(o->r, &m);
}

static void begins(struct owner *o, uint64_t serial)
{
	send_entry(o, serial, LEN);
	send_held(o, serial, 0);
	(void)acts(o);
}

static void one_by_one(void)
{
	struct owner o CLEANUP(end);

	live_2(&o);
	begins(&o, 1);
	refer(&o, 1, 0, 0);
	CHECK_STR(acts(&o), "fetch:1.0 ");
	CHECK(o.last.len == BLOCK_LEN && o.last.held[0].t == 5);
	refer(&o, 1, 0, 0); /* once more: ignored */
	CHECK_STR(acts(&o), "");
	send_block(&o, 1, 1, LEN);
	CHECK_STR(acts(&o), "write:1.1 ");
	receive_written(o.r, 1, 1);
	refer(&o, 1, 2, 0);
	CHECK_STR(acts(&o), "fetch:1.2 ");
	send_end(&o, 1, LEN); /* while two are being read */
	CHECK_STR(acts(&o), "");
	receive_fetched(o.r, 1, 0, true);
	CHECK_STR(acts(&o), "");
	receive_fetched(o.r, 1, 2, true);
	CHECK_STR(acts(&o), "file:1 ");
	receive_fetched(o.r, 9, 0, true); /* of nothing here */
	CHECK_STR(acts(&o), "");
}

static void wanted_behind_the_end(void)
{
	struct owner o CLEANUP(end);

	live_2(&o);
	begins(&o, 1);
	for (uint64_t i = 0; i < 3; i++) {
		refer(&o, 1, i, 0);
		(void)acts(&o);
	}
	send_end(&o, 1, LEN);
	receive_fetched(o.r, 1, 0, true);
	receive_fetched(o.r, 1, 1, false);
	CHECK_STR(acts(&o), "want:1.1 ");
	receive_fetched(o.r, 1, 2, false);
	CHECK_STR(acts(&o), "want:1.2 ");
	send_inline(&o, 2, 10); /* others go on meanwhile, and wait */
	CHECK_STR(acts(&o), "");
	send_block(&o, 1, 2, LEN);
	CHECK_STR(acts(&o), "write:1.2 ");
	send_block(&o, 1, 1, LEN);
	CHECK_STR(acts(&o), "write:1.1 ");
	receive_written(o.r, 1, 2);
	CHECK_STR(acts(&o), "");
	receive_written(o.r, 1, 1);
	CHECK_STR(acts(&o), "file:1 stage:2 ");
}

/* What is asked for comes as it was said, or the entry does not verify. */
static void another_block_than_wanted(void)
{
	struct owner o CLEANUP(end);

	live_2(&o);
	begins(&o, 1);
	for (uint64_t i = 0; i < 3; i++) {
		refer(&o, 1, i, 0);
		(void)acts(&o);
	}
	send_end(&o, 1, LEN);
	receive_fetched(o.r, 1, 0, true);
	receive_fetched(o.r, 1, 1, true);
	receive_fetched(o.r, 1, 2, false);
	(void)acts(&o);
	payload[2 * BLOCK_LEN] ^= 1;
	send_block(&o, 1, 2, LEN);
	payload[2 * BLOCK_LEN] ^= 1;
	CHECK_STR(acts(&o), "discard:1-1001 write:1.2 bye:5 ");
}

static void refusals(void)
{
	struct owner a CLEANUP(end), b CLEANUP(end), c CLEANUP(end),
		d CLEANUP(end), e CLEANUP(end);

	live_2(&a);
	begins(&a, 1);
	refer(&a, 1, 0, 1); /* a file that was not named */
	CHECK_STR(acts(&a), "bye:6 ");

	live_2(&b);
	begins(&b, 1);
	refer(&b, 1, 0, 0);
	(void)acts(&b);
	receive_fetched(b.r, 1, 0, false);
	CHECK_STR(acts(&b), "want:1.0 ");
	refer(&b, 1, 0, 0); /* in answer to a WANT */
	CHECK_STR(acts(&b), "bye:6 ");

	live_2(&c);
	send_entry(&c, 1, LEN);
	(void)acts(&c);
	send_held(&c, 1, 1); /* not behind what was named before */
	CHECK_STR(acts(&c), "bye:6 ");

	live_2(&d);
	begins(&d, 1);
	refer(&d, 1, 0, 0);
	(void)acts(&d);
	send_end(&d, 1, LEN); /* two blocks are nowhere */
	CHECK_STR(acts(&d), "bye:5 ");

	live(&e); /* version 1 has none of it */
	send_entry(&e, 1, LEN);
	(void)acts(&e);
	refer(&e, 1, 0, 0);
	CHECK_STR(acts(&e), "bye:6 ");
}

int main(void)
{
	test_run("references, literal blocks and the END in any order",
		 one_by_one);
	test_run("what is not held is asked for, also behind the END",
		 wanted_behind_the_end);
	test_run("another block than was referred to does not verify",
		 another_block_than_wanted);
	test_run("what refers to nothing is refused", refusals);
	return test_end();
}
