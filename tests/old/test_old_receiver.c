#include "domain/version.h"
#include "proto_v1.h"
#include "syncd/upload.h"
#include "test.h"

/* The edge of today at a receiver of version 1, frozen: everything that the edge says is
 * read by the decoder of version 1, which takes nothing that it does not know. */

#define ENTRIES 6

struct edge {
	struct upload *u;
	struct buf said; /* frames for the receiver */
	uint8_t *payload;
	bool has_error, is_closed;
	char text[SENTENCE_MAX + 1];
	uint64_t durable, applied, n_attempts;
	uint64_t n_blocks_read;
};

static const uint64_t lens[ENTRIES + 1] = {0,	  4000, 2 * V1_BLOCK + 77, 90,
					   70000, 0,	V1_BLOCK};

static struct entry entry_of(uint64_t serial)
{
	static const enum entry_kind kinds[ENTRIES + 1] = {0,
							   ENTRY_FILE,
							   ENTRY_FILE,
							   ENTRY_DELETE,
							   ENTRY_SCHEMA,
							   ENTRY_RESTATE,
							   ENTRY_FILE};
	struct entry en = {.serial = serial,
			   .nonce = serial + 70,
			   .kind = kinds[serial],
			   .file = {.database = "root.`a b`", .region = 3},
			   .time_min = -9,
			   .time_max = 9,
			   .body_len = lens[serial]};

	if (en.kind == ENTRY_DELETE || en.kind == ENTRY_RESTATE)
		en.devices = xstrdup("root.`a b`.d1");
	if (en.kind == ENTRY_DELETE)
		en.mods_kind = MODS_TEXT;
	if (en.kind == ENTRY_FILE) {
		en.file.partition = -2;
		en.file.v = serial;
		en.time_min = en.time_max = 0;
	}
	return en;
}

/* ---- the edge: today's machine and encoders, as link_io.c joins them ---- */

static void say_hello(struct edge *e, const struct upload_act *a)
{
	struct msg_hello m = {.sender_name = "edge",
			      .program = "new",
			      .pipe = "p",
			      .incarnation = {0xb2},
			      .assigned = a->n,
			      .released = a->serial};

	msg_hello_offer(&m);
	msg_hello_encode(&m, &e->said);
}

static void answer_fetch(struct edge *e, const struct upload_act *a)
{
	for (uint64_t i = a->serial; i < a->serial + a->n; i++) {
		struct entry en = entry_of(i);

		upload_entry(e->u, &en);
		upload_hold(e->u, i);
	}
}

static void answer_read(struct edge *e, const struct upload_act *a)
{
	uint8_t *data = e->payload + a->offset;

	e->n_blocks_read++;
	upload_block(e->u, a->serial, a->index, digest_block(data, a->len),
		     data, a->len, 0);
}

static void say_entry(struct edge *e, const struct upload_act *a)
{
	struct msg_entry m = {.entry = *a->entry,
			      .is_inline = a->is_inline,
			      .digest = a->digest,
			      .data = a->data,
			      .data_len = a->len};

	msg_entry_encode(&m, &e->said);
}

static void say_block(struct edge *e, const struct upload_act *a)
{
	struct msg_block m = {.serial = a->serial,
			      .index = a->index,
			      .digest = a->digest,
			      .data = a->data,
			      .data_len = a->len};

	CHECK(proto_can(upload_version(e->u), PROTO_LITERAL));
	CHECK(!a->may_refer);
	msg_block_encode(&m, &e->said);
}

static void act_on(struct edge *e, const struct upload_act *a)
{
	switch (a->kind) {
	case UP_NONE:
		break;
	case UP_SEND_HELLO:
		say_hello(e, a);
		break;
	case UP_FETCH:
		answer_fetch(e, a);
		break;
	case UP_NONCE:
		upload_nonce(e->u, a->serial, a->serial + 70);
		break;
	case UP_READ:
		answer_read(e, a);
		break;
	case UP_SEND_LATER:
		CHECK(false); /* it never said EARLY */
		return;
	case UP_SEND_ENTRY:
		say_entry(e, a);
		break;
	case UP_SEND_BLOCK:
		say_block(e, a);
		break;
	case UP_SEND_END:
		msg_end_encode(&(struct msg_end){a->serial, a->digest},
			       &e->said);
		break;
	case UP_DURABLE:
		e->durable = a->serial;
		break;
	case UP_APPLIED:
		e->applied = a->serial;
		break;
	case UP_ATTEMPT:
		e->n_attempts++;
		break;
	case UP_LOST:
	case UP_ERROR:
	case UP_CLOSE:
		e->has_error |= a->kind != UP_CLOSE;
		e->is_closed |= a->kind == UP_CLOSE;
		(void)snprintf(e->text, sizeof e->text, "%s", a->text);
		break;
	}
}

static void pump(struct edge *e)
{
	struct upload_act a;

	while (upload_next(e->u, &a))
		act_on(e, &a);
	while (upload_take_unused(e->u))
		;
}

static bool take_one(struct edge *e, const struct frame *f)
{
	struct msg_welcome welcome;
	struct msg_partial partial;
	struct msg_durable durable;
	struct msg_applied applied;
	struct msg_bye bye;

	if (!proto_speaks(upload_version(e->u), f->type))
		return false;
	if (f->type == MSG_WELCOME && msg_welcome_decode(&welcome, f) == 0)
		upload_welcome(e->u, &welcome);
	else if (f->type == MSG_PARTIAL && msg_partial_decode(&partial, f) == 0)
		upload_partial(e->u, &partial);
	else if (f->type == MSG_DURABLE && msg_durable_decode(&durable, f) == 0)
		upload_durable(e->u, &durable);
	else if (f->type == MSG_APPLIED && msg_applied_decode(&applied, f) == 0)
		upload_applied(e->u, &applied);
	else if (f->type == MSG_BYE && msg_bye_decode(&bye, f) == 0)
		upload_bye(e->u, &bye);
	else
		return f->type == MSG_PONG && msg_pong_decode(f) == 0;
	return true;
}

/* What the receiver of version 1 said, to the edge. */
static void deliver(struct edge *e, struct v1_out *o)
{
	size_t at = 0;

	while (at < o->n) {
		struct frame f;
		int n = frame_take(&f, o->b + at, o->n - at, msg_len_max);

		CHECK(n > 0 && take_one(e, &f));
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	o->n = 0;
	pump(e);
}

/* The next thing that the edge said, as version 1 reads it. */
static bool hear(struct edge *e, struct v1_msg *m)
{
	struct v1_frame f;
	int n = v1_take(&f, buf_data(&e->said), e->said.len);
	bool is_good = n > 0 && v1_read(m, &f);

	if (n > 0) /* what m borrows lies in front of what is left */
		buf_consume(&e->said, (size_t)n);
	return is_good;
}

static void begin(struct edge *e, struct v1_out *o)
{
	memset(e, 0, sizeof *e);
	e->u = upload_new(ENTRIES, 0, 0, 0, 2);
	buf_init(&e->said, 8u << 20);
	e->payload = xcalloc(3 * V1_BLOCK, 1);
	for (size_t i = 0; i < 3 * V1_BLOCK; i += 89)
		e->payload[i] = (uint8_t)(i / 89);
	*o = (struct v1_out){xcalloc(V1_ROOM, 1), 0};
	upload_connected(e->u);
	pump(e);
}

static void end(struct edge *e, struct v1_out *o)
{
	upload_cut(e->u);
	while (upload_take_unused(e->u))
		;
	upload_free(e->u);
	buf_release(&e->said);
	free(e->payload);
	free(o->b);
}

static void hear_hello(struct edge *e, struct v1_msg *m)
{
	CHECK(hear(e, m) && m->type == V1_HELLO);
	CHECK(m->version_min == PROTO_VERSION_MIN);
	CHECK(m->version_max == PROTO_VERSION_MAX);
	CHECK(m->assigned == ENTRIES && m->released == 0);
	CHECK(e->said.len == 0); /* nothing else before the WELCOME */
}

#if PROTO_VERSION_MIN == 1

static void hear_large(struct edge *e, struct v1_msg *m, uint64_t serial,
		       uint64_t first)
{
	uint8_t digest[16];

	CHECK(hear(e, m) && m->type == V1_ENTRY && !m->is_inline);
	CHECK(m->serial == serial && m->entry.body_len == lens[serial]);
	CHECK(m->entry.partition == -2 && m->entry.v == serial);
	for (uint64_t i = first; i < 3; i++) {
		CHECK(hear(e, m) && m->type == V1_BLOCK_MSG);
		CHECK(m->serial == serial && m->first == i);
		CHECK(m->data_len == (i < 2 ? V1_BLOCK : 77));
	}
	v1_entry_digest(e->payload, lens[serial], digest);
	CHECK(hear(e, m) && m->type == V1_END && m->serial == serial);
	CHECK(memcmp(m->digest, digest, 16) == 0);
}

static void hear_small(struct edge *e, struct v1_msg *m, uint8_t kind,
		       uint64_t serial)
{
	CHECK(hear(e, m) && m->type == V1_ENTRY && m->is_inline);
	CHECK(m->serial == serial && m->entry.kind == kind);
	CHECK(m->entry.nonce == serial + 70 && m->data_len == lens[serial]);
	CHECK_STR(m->entry.database, "root.`a b`");
	if (kind == 2 || kind == 4)
		CHECK_STR(m->entry.devices, "root.`a b`.d1");
}

static void whole_session(void)
{
	struct edge e;
	struct v1_out o;
	struct v1_msg *m = xcalloc(1, sizeof *m);

	begin(&e, &o);
	hear_hello(&e, m);
	v1_welcome(&o, 0, 0, 0, 0);
	deliver(&e, &o);
	CHECK(upload_version(e.u) == 1);
	hear_small(&e, m, 1, 1);
	hear_large(&e, m, 2, 0);
	hear_small(&e, m, 2, 3);
	hear_small(&e, m, 3, 4);
	hear_small(&e, m, 4, 5);
	hear_small(&e, m, 1, 6);
	CHECK(e.said.len == 0);
	v1_durable(&o, 4);
	v1_durable(&o, ENTRIES);
	v1_applied(&o, 5, 1);
	v1_pong(&o);
	deliver(&e, &o);
	CHECK(e.durable == ENTRIES && e.applied == 5);
	v1_bye(&o, 1, 0, "the PIPESERVER stops");
	deliver(&e, &o);
	CHECK(e.is_closed && !e.has_error);
	CHECK_STR(e.text, "the PIPESERVER stops");
	end(&e, &o);
	free(m);
}

static void resumed(void)
{
	struct edge e;
	struct v1_out o;
	struct v1_msg *m = xcalloc(1, sizeof *m);
	uint8_t digests[32];

	begin(&e, &o);
	hear_hello(&e, m);
	v1_welcome(&o, 1, 71, 1, 1);
	v1_digest(e.payload, V1_BLOCK, digests);
	v1_digest(e.payload + V1_BLOCK, V1_BLOCK, digests + 16);
	v1_partial(&o, 2, 72, 0, 2, digests);
	deliver(&e, &o);
	hear_large(&e, m, 2, 2);
	hear_small(&e, m, 2, 3);
	CHECK(e.applied == 1);
	end(&e, &o);
	free(m);
}

static void mismatch(void)
{
	struct edge e;
	struct v1_out o;
	struct v1_msg *m = xcalloc(1, sizeof *m);

	begin(&e, &o);
	v1_welcome(&o, 0, 0, 0, 0);
	v1_bye(&o, 5, 2, "entry 2 arrived otherwise");
	e.said.len = 0;
	deliver(&e, &o);
	CHECK(e.n_attempts == 0 && e.is_closed); /* nothing was sent yet */
	upload_connected(e.u);
	v1_welcome(&o, 0, 0, 0, 0);
	pump(&e);
	deliver(&e, &o);
	v1_bye(&o, 5, 2, "entry 2 arrived otherwise");
	deliver(&e, &o);
	CHECK(e.n_attempts == 1 && strstr(e.text, "arrived otherwise"));
	end(&e, &o);
	free(m);
}

#else

/* A receiver of version 1 says that there is none in common, or answers with its own. */
static void refused(void)
{
	struct edge e;
	struct v1_out o;
	struct v1_msg *m = xcalloc(1, sizeof *m);

	begin(&e, &o);
	hear_hello(&e, m);
	v1_bye(&o, 7, 0, "no common version of the protocol");
	deliver(&e, &o);
	CHECK(e.has_error && strstr(e.text, "no common version"));
	upload_connected(e.u);
	v1_welcome(&o, 0, 0, 0, 0);
	pump(&e);
	deliver(&e, &o);
	CHECK(e.is_closed && strstr(e.text, "chose version 1"));
	CHECK(upload_version(e.u) == 0);
	end(&e, &o);
	free(m);
}

#endif

int main(void)
{
#if PROTO_VERSION_MIN == 1
	test_run("a receiver of version 1: a whole session", whole_session);
	test_run("a receiver of version 1 has blocks already", resumed);
	test_run("a receiver of version 1 tells of a mismatch", mismatch);
#else
	test_run("a receiver of version 1 is too old", refused);
#endif
	return test_end();
}
