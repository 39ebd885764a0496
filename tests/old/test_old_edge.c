#include "domain/version.h"
#include "proto_v1.h"
#include "recvd/receive.h"
#include "test.h"

/* An edge of version 1, frozen, at the receiver of today: a whole session with entries of
 * each kind. What the machine says is read by the decoder of version 1. */

#define ENTRIES 6
#define LARGE (2 * V1_BLOCK + 77)

struct cloud {
	struct receive *r;
	struct buf said; /* frames for the edge */
	struct receive_partial found;
	size_t n_found, n_staged;
	struct entry
		staged[ENTRIES + 1];   /* heads, by serial; without devices */
	uint8_t *payload[ENTRIES + 1]; /* owned */
	char devices[256];
	bool is_dropped;
};

struct edge {
	struct v1_out out;
	uint8_t *payload; /* LARGE bytes */
};

/* ---- the receiver: today's decoders and machine, and an owner that does everything at
 * once ---- */

static void act_entry(struct cloud *c, const struct receive_act *a)
{
	uint64_t len = entry_payload_len(a->entry), serial = a->serial;

	CHECK(serial >= 1 && serial <= ENTRIES);
	c->staged[serial] = *a->entry;
	if (a->entry->devices)
		(void)snprintf(c->devices, sizeof c->devices, "%s",
			       a->entry->devices);
	c->staged[serial].devices = NULL;
	if (!c->payload[serial])
		c->payload[serial] = xcalloc(len + 1, 1);
	if (a->kind == RX_STAGE && a->len)
		memcpy(c->payload[serial], a->data, a->len);
	c->n_staged++;
}

static void act_look_up(struct cloud *c)
{
	struct receive_known k = {.instance = {9},
				  .partials = &c->found,
				  .n_partials = c->n_found};

	receive_known(c->r, &k);
}

static void act_on(struct cloud *c, const struct receive_act *a)
{
	struct msg_durable durable = {.serial = a->serial};

	switch (a->kind) {
	case RX_NONE:
		break;
	case RX_LOOKUP:
		act_look_up(c);
		break;
	case RX_WELCOME:
		msg_welcome_encode(&a->welcome, &c->said);
		break;
	case RX_EARLY:
		CHECK(false); /* not to one of version 1 */
		return;
	case RX_PARTIAL:
		msg_partial_encode(&a->partial, &c->said);
		break;
	case RX_OPEN:
		c->payload[a->serial] =
			xcalloc(entry_payload_len(a->entry) + 1, 1);
		receive_opened(c->r, a->serial);
		break;
	case RX_WRITE:
		memcpy(c->payload[a->serial] + a->offset, a->data, a->len);
		receive_written(c->r, a->serial, a->index);
		break;
	case RX_FETCH:
	case RX_WANT:
		CHECK(false); /* an edge of version 1 hears nothing of it */
		break;
	case RX_STAGE:
	case RX_STAGE_FILE:
		act_entry(c, a);
		break;
	case RX_DURABLE:
		msg_durable_encode(&durable, &c->said);
		break;
	case RX_APPLIED:
		msg_applied_encode(&a->applied, &c->said);
		break;
	case RX_DISCARD:
		break;
	case RX_DROP:
		c->is_dropped = true;
		break;
	case RX_BYE:
		msg_bye_encode(&a->bye, &c->said);
		break;
	}
}

static void pump(struct cloud *c)
{
	struct receive_act a;

	while (receive_next(c->r, &a))
		act_on(c, &a);
}

static void take_status(struct cloud *c, const struct frame *f)
{
	struct msg_status m;

	CHECK(msg_status_decode(&m, f) == 0);
	CHECK_STR(m.state, "RUNNING");
	CHECK_STR(m.progress, "retries 0\n");
	msg_pong_encode(&c->said);
}

static void take(struct cloud *c, const struct frame *f)
{
	struct msg_hello hello;
	struct msg_entry entry;
	struct msg_block block;
	struct msg_end end;
	struct msg_drop drop;

	switch ((enum msg_type)f->type) {
	case MSG_HELLO:
		CHECK(msg_hello_decode(&hello, f) == 0);
		CHECK_STR(hello.sender_name, "edge-old");
		receive_hello(c->r, &hello);
		break;
	case MSG_ENTRY:
		CHECK(msg_entry_decode(&entry, f) == 0);
		receive_entry(c->r, &entry);
		break;
	case MSG_BLOCK:
		CHECK(msg_block_decode(&block, f) == 0);
		receive_block(c->r, &block);
		break;
	case MSG_END:
		CHECK(msg_end_decode(&end, f) == 0);
		receive_end(c->r, &end);
		break;
	case MSG_STATUS:
		take_status(c, f);
		break;
	case MSG_DROP:
		CHECK(msg_drop_decode(&drop, f) == 0);
		receive_drop(c->r, &drop);
		break;
	case MSG_WELCOME:
	case MSG_PARTIAL:
	case MSG_DURABLE:
	case MSG_APPLIED:
	case MSG_QUARANTINE:
	case MSG_WAITS:
	case MSG_LATER:
	case MSG_EARLY:
	case MSG_PONG:
	case MSG_BYE:
	case MSG_ASK_KEPT:
	case MSG_KEPT:
	case MSG_HELD:
	case MSG_WANT:
		CHECK(false);
	}
	pump(c);
}

static void deliver(struct cloud *c, struct edge *e)
{
	size_t at = 0;

	while (at < e->out.n) {
		struct frame f;
		int n = frame_take(&f, e->out.b + at, e->out.n - at,
				   msg_len_max);

		CHECK(n > 0);
		if (n <= 0)
			return;
		CHECK(f.type == MSG_HELLO ||
		      proto_speaks(receive_version(c->r), f.type));
		take(c, &f);
		at += (size_t)n;
	}
	e->out.n = 0;
}

/* The next message as version 1 reads it. */
static bool hear(struct cloud *c, struct v1_msg *m)
{
	struct v1_frame f;
	int n = v1_take(&f, buf_data(&c->said), c->said.len);
	bool is_good = n > 0 && v1_read(m, &f);

	if (n > 0)
		buf_consume(&c->said, (size_t)n);
	return is_good;
}

static void begin(struct cloud *c, struct edge *e)
{
	memset(c, 0, sizeof *c);
	c->r = receive_new();
	buf_init(&c->said, 1u << 20);
	e->out = (struct v1_out){xcalloc(V1_ROOM, 1), 0};
	e->payload = xcalloc(LARGE, 1);
	for (size_t i = 0; i < LARGE; i += 89)
		e->payload[i] = (uint8_t)(i / 89);
}

static void end(struct cloud *c, struct edge *e)
{
	receive_free(c->r);
	buf_release(&c->said);
	for (size_t i = 0; i <= ENTRIES; i++)
		free(c->payload[i]);
	free(e->out.b);
	free(e->payload);
}

#if PROTO_VERSION_MIN == 1

static struct v1_entry entry_of(uint8_t kind, uint64_t serial, uint64_t len)
{
	struct v1_entry en = {.serial = serial,
			      .nonce = serial + 70,
			      .kind = kind,
			      .database = "root.`a b`",
			      .region = 3,
			      .first = INT64_MIN,
			      .last = 1700000000000,
			      .body_len = len};

	if (kind == 1) {
		en.unsequence = 1;
		en.partition = -2;
		en.t = 1795422944547;
		en.v = en.serial;
		en.c = 4;
	} else if (kind == 2 || kind == 4) {
		memcpy(en.devices, "root.`a b`.d1\nroot.`a b`.d2", 28);
	}
	if (kind == 2)
		en.mods_form = 1;
	return en;
}

static void greet(struct cloud *c, struct edge *e, struct v1_msg *m)
{
	v1_hello(&e->out, ENTRIES, 0);
	deliver(c, e);
	CHECK(hear(c, m) && m->type == V1_WELCOME && m->version == 1);
	CHECK(m->durable == 0 && m->applied == 0 && m->instance[0] == 9);
	CHECK(receive_version(c->r) == 1);
}

static void send_large(struct edge *e, uint64_t serial, size_t first)
{
	struct v1_entry en = entry_of(1, serial, LARGE);
	uint8_t digest[16];

	v1_entry_begin(&e->out, &en);
	for (size_t i = first; i < 3; i++)
		v1_block(&e->out, serial, i, e->payload + i * V1_BLOCK,
			 i < 2 ? V1_BLOCK : LARGE - 2 * V1_BLOCK);
	v1_entry_digest(e->payload, LARGE, digest);
	v1_end(&e->out, serial, digest);
}

static void send_small(struct edge *e, uint8_t kind, uint64_t serial, size_t n)
{
	struct v1_entry en = entry_of(kind, serial, n);

	v1_entry_inline(&e->out, &en, e->payload, n);
}

static void check_staged(const struct cloud *c, const struct edge *e)
{
	static const struct {
		enum entry_kind kind;
		size_t len;
	} want[] = {{0, 0},
		    {ENTRY_FILE, 4000},
		    {ENTRY_FILE, LARGE},
		    {ENTRY_DELETE, 90},
		    {ENTRY_SCHEMA, 70000},
		    {ENTRY_RESTATE, 0},
		    {ENTRY_FILE, V1_BLOCK}};

	CHECK(c->n_staged == ENTRIES);
	for (uint64_t i = 1; i <= ENTRIES; i++) {
		const struct entry *en = &c->staged[i];

		CHECK(en->serial == i && en->nonce == i + 70);
		CHECK(en->kind == want[i].kind);
		CHECK(entry_payload_len(en) == want[i].len);
		CHECK(memcmp(c->payload[i], e->payload, want[i].len) == 0);
		CHECK_STR(en->file.database, "root.`a b`");
	}
	CHECK(c->staged[1].file.unsequence &&
	      c->staged[1].file.t == 1795422944547);
	CHECK(c->staged[1].file.partition == -2 && c->staged[1].file.c == 4);
	CHECK(c->staged[3].mods_kind == MODS_TEXT);
	CHECK(c->staged[5].time_min == INT64_MIN && !c->staged[5].held);
	CHECK_STR(c->devices, "root.`a b`.d1\nroot.`a b`.d2");
}

static void whole_session(void)
{
	struct cloud c;
	struct edge e;
	struct v1_msg *m = xcalloc(1, sizeof *m);

	begin(&c, &e);
	greet(&c, &e, m);
	send_small(&e, 1, 1, 4000);
	send_large(&e, 2, 0);
	send_small(&e, 2, 3, 90);
	send_small(&e, 3, 4, 70000);
	send_small(&e, 4, 5, 0);
	send_small(&e, 1, 6, V1_BLOCK);
	v1_status(&e.out, "RUNNING", "retries 0\n");
	deliver(&c, &e);
	check_staged(&c, &e);
	CHECK(hear(&c, m) && m->type == V1_PONG);
	receive_committed(c.r, ENTRIES);
	pump(&c);
	CHECK(hear(&c, m) && m->type == V1_DURABLE && m->serial == ENTRIES);
	receive_applied(c.r, 5, 1);
	pump(&c);
	CHECK(hear(&c, m) && m->type == V1_APPLIED);
	CHECK(m->serial == 5 && m->n == 1);
	msg_quarantine_encode(
		&(struct msg_quarantine){
			.id = 17, .serial = 6, .reason = "no such type"},
		&c.said);
	CHECK(hear(&c, m) && m->type == V1_QUARANTINE && m->id == 17);
	CHECK_STR(m->text, "no such type");
	v1_drop(&e.out);
	deliver(&c, &e);
	CHECK(c.is_dropped && c.said.len == 0);
	end(&c, &e);
	free(m);
}

/* What an earlier connection left: named in a PARTIAL, and not sent again. */
static void resumed(void)
{
	struct cloud c;
	struct edge e;
	struct v1_msg *m = xcalloc(1, sizeof *m);
	struct v1_entry en = entry_of(1, 1, LARGE);

	begin(&c, &e);
	c.found.entry = (struct entry){.serial = 1,
				       .nonce = en.nonce,
				       .kind = ENTRY_FILE,
				       .file = {"root.`a b`", true, 3, -2, en.t,
						en.v, en.i, en.c},
				       .body_len = LARGE};
	c.found.n_blocks = 3;
	c.found.present = xcalloc(3, 1);
	c.found.digests = xcalloc(3, sizeof(struct digest));
	c.found.present[0] = c.found.present[1] = 1;
	for (size_t i = 0; i < 2; i++)
		v1_digest(e.payload + i * V1_BLOCK, V1_BLOCK,
			  c.found.digests[i].b);
	c.n_found = 1;
	greet(&c, &e, m);
	CHECK(m->n == 1);
	CHECK(hear(&c, m) && m->type == V1_PARTIAL && m->serial == 1);
	CHECK(m->first == 0 && m->n == 2 && m->nonce == en.nonce);
	send_large(&e, 1, 2);
	deliver(&c, &e);
	CHECK(c.n_staged == 1);
	CHECK(memcmp(c.payload[1] + 2 * V1_BLOCK, e.payload + 2 * V1_BLOCK,
		     77) == 0);
	end(&c, &e);
	free(m);
}

static void mismatch(void)
{
	struct cloud c;
	struct edge e;
	struct v1_msg *m = xcalloc(1, sizeof *m);

	begin(&c, &e);
	greet(&c, &e, m);
	send_small(&e, 1, 1, 400);
	e.out.b[e.out.n - 1] ^= 1;
	deliver(&c, &e);
	CHECK(hear(&c, m) && m->type == V1_BYE && m->why == 5);
	CHECK(m->serial == 1 && m->text[0]);
	end(&c, &e);
	free(m);
}

#else

static void refused(void)
{
	struct cloud c;
	struct edge e;
	struct v1_msg *m = xcalloc(1, sizeof *m);

	begin(&c, &e);
	v1_hello(&e.out, ENTRIES, 0);
	deliver(&c, &e);
	CHECK(hear(&c, m) && m->type == V1_BYE && m->why == 7);
	CHECK(strstr(m->text, "no common version") &&
	      strstr(m->text, "update the older side"));
	CHECK(receive_version(c.r) == 0);
	end(&c, &e);
	free(m);
}

#endif

int main(void)
{
#if PROTO_VERSION_MIN == 1
	test_run("an edge of version 1: a whole session", whole_session);
	test_run("an edge of version 1 goes on where it was cut", resumed);
	test_run("an edge of version 1 hears of a mismatch", mismatch);
#else
	test_run("an edge of version 1 is told that it is too old", refused);
#endif
	return test_end();
}
