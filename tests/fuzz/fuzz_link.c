#include "fuzz_link.h"

#include <errno.h>
#include <string.h>

/* A receiver that says anything to a link: arbitrary bytes, messages of arbitrary content
 * and sound ones in any order, while connections break and reads come back late or
 * failed. Link, machine and decoders are the daemon's (link.c, link_io.c, upload*.c); what
 * the link says must be sound whatever it hears (fuzz_link_model.c). */

enum op {
	OP_VERBATIM,
	OP_MESSAGE,
	OP_OPEN,
	OP_CUT,
	OP_WELCOME,
	OP_PARTIAL,
	OP_DURABLE,
	OP_APPLIED,
	OP_QUARANTINE,
	OP_PONG,
	OP_BYE,
	OP_READS,
	OP_ASSIGN,
	OP_TIMER,
	OP_LOSE,
	N_OPS
};

#define OP_HOLD 0x80 /* the bytes wait for those of the next piece */

static void put_welcome(struct rd *in)
{
	struct msg_welcome m = {.version = 1, .instance = {1}};
	uint8_t how = rd_u8(in);

	m.durable = how & 1 ? rd_u8(in) : model->durable;
	m.durable_nonce = m.durable ? model_nonce(m.durable) : 0;
	if (how & 2)
		m.durable_nonce ^= 2;
	m.applied = how & 4 ? rd_u8(in) : model->applied;
	m.n_partials = how >> 4 & 3;
	if (how & 8)
		m.version = rd_u16(in);
	else if (how & 64)
		m.version = PROTO_VERSION_MAX;
	msg_welcome_encode(&m, &model->stream);
}

static void put_partial(struct rd *in)
{
	uint8_t digests[4 * DIGEST_LEN], how;
	struct digest d = digest_block(model->block, BLOCK_LEN);
	struct msg_partial m = {.serial = model->durable + rd_u8(in),
				.digests = digests};

	if (m.serial == 0)
		m.serial = 1;
	how = rd_u8(in);
	m.nonce = model_nonce(m.serial) ^ (how & 1 ? 2 : 0);
	m.first = how >> 1 & 3;
	m.n = 1 + (how >> 3 & 3);
	for (uint32_t i = 0; i < m.n; i++)
		memcpy(digests + i * DIGEST_LEN, d.b, DIGEST_LEN);
	msg_partial_encode(&m, &model->stream);
}

static void put_durable(struct rd *in)
{
	uint8_t less = rd_u8(in);
	uint64_t last = model->next ? model->next - 1 : model->durable;
	struct msg_durable m = {.serial = less < last ? last - less : less};

	if (m.serial == 0)
		return;
	msg_durable_encode(&m, &model->stream);
}

static void put_applied(struct rd *in)
{
	uint8_t less = rd_u8(in);
	struct msg_applied m = {.n_quarantined = rd_u8(in)};

	m.serial = less < model->durable ? model->durable - less : less;
	msg_applied_encode(&m, &model->stream);
}

/* Of entries near the first that is not durable; right or not. */
static void put_early(uint8_t how)
{
	struct msg_early m = {.n = how >> 2 & 3};
	CLEANUP(buf_release) struct buf ones;

	buf_init(&ones, 256);
	for (uint32_t i = 0; i < m.n; i++) {
		struct early_one one = {.serial = model->durable + 2 + 2 * i};

		one.nonce = model_nonce(one.serial) ^ (how & 16 ? 2 : 0);
		early_one_add(&one, &ones);
	}
	m.ones = buf_data(&ones);
	msg_early_encode(&m, &model->stream);
}

static void put_quarantine(struct rd *in)
{
	struct msg_quarantine m = {.id = 1 + rd_u8(in) % 4u,
				   .serial = 1 + rd_u8(in),
				   .reason = "why"};
	uint8_t how;

	how = rd_u8(in);
	if (how & 2) {
		put_early(how);
		return;
	}
	m.is_over = how & 1;
	msg_quarantine_encode(&m, &model->stream);
}

static void put_bye(struct rd *in)
{
	struct msg_bye m = {.why = (enum bye_why)(1 + rd_u8(in) % 8),
			    .serial = model->durable + rd_u8(in),
			    .text = "because"};

	msg_bye_encode(&m, &model->stream);
}

static void open_call(void)
{
	struct call *c;

	link_kick(model->link);
	c = model->call;
	if (!c || c->is_open)
		return;
	c->is_open = true;
	model->has_hello = model->may_send = false;
	model->next = model->open[0] = model->open[1] = 0;
	memset(model->is_later, 0, sizeof(model->is_later));
	model->has_early = false;
	buf_clear(&model->stream);
	buf_clear(&model->tail);
	c->ev->opened(c->arg, "");
}

static void cut_call(struct rd *in)
{
	enum call_end how = (enum call_end)(rd_u8(in) % 4);
	struct call *c = model->call;
	struct err e = {0};

	(void)err_set(&e, how == CALL_AWAY ? ECONNRESET : EPROTO, "cut");
	if (c)
		c->ev->closed(c->arg, how, &e);
}

static void assign(struct rd *in)
{
	model->pipe.row.assigned += rd_u8(in) % 4;
	link_assigned(model->link, model->pipe.row.assigned);
}

static void fire_timer(struct rd *in)
{
	struct link *l = model->link;
	struct loop_timer *all[] = {&l->retry, &l->beat, &l->silence,
				    &l->refill};
	struct loop_timer *t = all[rd_u8(in) % ARRAY_LEN(all)];

	if (!t->slot)
		return;
	t->slot = 0;
	t->fn(t);
}

/* A block of the entry that is being sent, or of one before. */
static void put_want(uint8_t how)
{
	struct msg_want m = {.serial = model->next, .index = how >> 6};

	if (m.serial <= (how >> 2 & 15u))
		return;
	m.serial -= how >> 2 & 15u;
	model->has_want = true;
	msg_want_encode(&m, &model->stream);
}

static void step(enum op op, struct rd *in)
{
	uint8_t how;

	switch (op) {
	case OP_VERBATIM:
		peer_verbatim(in, &model->stream);
		break;
	case OP_MESSAGE:
		peer_message(in, &model->stream);
		break;
	case OP_OPEN:
		open_call();
		break;
	case OP_CUT:
		cut_call(in);
		break;
	case OP_WELCOME:
		put_welcome(in);
		break;
	case OP_PARTIAL:
		put_partial(in);
		break;
	case OP_DURABLE:
		put_durable(in);
		break;
	case OP_APPLIED:
		put_applied(in);
		break;
	case OP_QUARANTINE:
		put_quarantine(in);
		break;
	case OP_PONG:
		msg_pong_encode(&model->stream);
		break;
	case OP_BYE:
		put_bye(in);
		break;
	case OP_READS:
		model_reads(1 + rd_u8(in) % 8, rd_u8(in));
		break;
	case OP_ASSIGN:
		assign(in);
		break;
	case OP_TIMER:
		fire_timer(in);
		break;
	case OP_LOSE:
		how = rd_u8(in);
		model->has_lost = how & 1;
		if (how & 2)
			put_want(how);
		break;
	case N_OPS:
		break;
	}
}

/* As call.c takes frames out of its stream. */
static void deliver(void)
{
	struct frame f;
	int n;

	while (model->call && model->call->is_open && model->stream.len &&
	       buf_end(&model->stream) == 0) {
		struct call *c = model->call;

		n = frame_take(&f, buf_data(&model->stream), model->stream.len,
			       msg_len_max);
		if (n == 0)
			return;
		if (n < 0) {
			struct err e = {0};

			(void)err_set(&e, EPROTO, "no message");
			buf_clear(&model->stream);
			c->ev->closed(c->arg, CALL_FOREIGN, &e);
			return;
		}
		model->may_send |= f.type == MSG_WELCOME;
		model->has_early |= f.type == MSG_EARLY;
		c->ev->frame(c->arg, &f);
		buf_consume(&model->stream, (size_t)n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in = rd_over(data, size);

	model_new();
	model->pipe.row.assigned = rd_u8(&in) % 32;
	link_assigned(model->link, model->pipe.row.assigned);
	while (rd_left(&in)) {
		uint8_t op = rd_u8(&in);

		step((enum op)((op & ~OP_HOLD) % N_OPS), &in);
		if (op & OP_HOLD)
			continue;
		deliver();
		model_run_deferred();
	}
	model_free();
	return 0;
}
