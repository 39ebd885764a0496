#include <errno.h>
#include <string.h>

#include "fuzz_link.h"
#include "syncd/progress.h"

struct edge_model *model;

/* What the catalog holds: kinds and lengths by serial. */

uint64_t model_nonce(uint64_t serial)
{
	return serial * 5 + 1;
}

uint64_t model_len(uint64_t serial)
{
	static const uint64_t lens[] = {0,	10,    BLOCK_LEN,     300,
					700000, 65537, BLOCK_LEN + 1, 20};

	return lens[serial % ARRAY_LEN(lens)];
}

struct entry model_entry(uint64_t serial)
{
	struct entry en = {.serial = serial,
			   .nonce = model_nonce(serial),
			   .kind = ENTRY_FILE,
			   .file = {.database = "root.a"}};

	if (serial % 3 == 0)
		memcpy(en.file.database, "root.b", 7);

	en.body_len = model_len(serial);
	if (en.body_len == 0) {
		en.kind = ENTRY_RESTATE;
		en.devices = xstrdup("root.a.d");
	}
	return en;
}

static struct digest model_digest(uint64_t serial)
{
	uint64_t len = model_len(serial), n = block_count(len);
	struct digest_list list;

	digest_list_init(&list);
	for (uint64_t i = 0; i < n; i++) {
		struct digest d = digest_block(model->block, block_len(len, i));

		digest_list_add(&list, block_len(len, i), &d);
	}
	return digest_list_end(&list);
}

void model_new(void)
{
	struct edge_model *m = xcalloc(1, sizeof *m);

	model = m;
	m->block = xcalloc(BLOCK_LEN, 1);
	for (size_t i = 0; i < BLOCK_LEN; i += 61)
		m->block[i] = (uint8_t)i;
	buf_init(&m->stream, PEER_MAX);
	buf_init(&m->tail, PEER_MAX);
	m->e.pipes = &m->pipes;
	m->e.set.max_retries = 1;
	m->pipes.edge = &m->e;
	m->pipe.row.state = PIPE_RUNNING;
	memcpy(m->pipe.row.name, "p", 2);
	memcpy(m->e.set.sender_name, "edge", 5);
	m->link = link_new(&m->e, &m->pipe);
	m->pipe.link = m->link;
}

void model_free(void)
{
	link_free(model->link, false);
	while (model->n_jobs)
		model_reads(1, 0);
	buf_release(&model->stream);
	buf_release(&model->tail);
	free(model->block);
	free(model);
	model = NULL;
}

/* ---- what the link says ---- */

static void heard_hello(const struct frame *f)
{
	struct msg_hello m;

	FUZZ_MUST(msg_hello_decode(&m, f) == 0);
	FUZZ_MUST(!model->has_hello);
	FUZZ_MUST(m.assigned == model->pipe.row.assigned);
	model->has_hello = true;
}

/* One that was put off comes when it likes; the others in order, without a hole but for
 * what the receiver said it has. */
static void heard_in_turn(uint64_t serial)
{
	bool *is_later = &model->is_later[serial % 64];

	if (*is_later && serial < model->next) {
		*is_later = false;
		return;
	}
	FUZZ_MUST(!model->next || serial == model->next ||
		  (model->has_early && serial > model->next));
	model->next = serial + 1;
}

static bool is_open(uint64_t serial)
{
	return serial && (model->open[0] == serial || model->open[1] == serial);
}

static void open_entry(uint64_t serial)
{
	size_t i = model->open[0] != 0;

	FUZZ_MUST(model->open[i] == 0 && (i == 0 || model->has_early));
	model->open[i] = serial;
}

static void heard_later(const struct frame *f)
{
	struct msg_later m;

	FUZZ_MUST(msg_later_decode(&m, f) == 0);
	FUZZ_MUST(model->may_send && model->has_early);
	FUZZ_MUST(m.serial <= model->pipe.row.assigned);
	FUZZ_MUST(!model->is_later[m.serial % 64]);
	heard_in_turn(m.serial);
	model->is_later[m.serial % 64] = true;
}

static void heard_entry(const struct frame *f)
{
	struct digest d;
	struct msg_entry m;

	FUZZ_MUST(msg_entry_decode(&m, f) == 0);
	FUZZ_MUST(model->may_send);
	FUZZ_MUST(m.entry.serial <= model->pipe.row.assigned);
	heard_in_turn(m.entry.serial);
	FUZZ_MUST(entry_payload_len(&m.entry) == model_len(m.entry.serial));
	if (m.is_inline) {
		d = model_digest(m.entry.serial);
		FUZZ_MUST(digest_equal(&d, &m.digest));
		FUZZ_MUST(!m.data_len ||
			  memcmp(m.data, model->block, m.data_len) == 0);
	} else {
		open_entry(m.entry.serial);
	}
	entry_release(&m.entry);
}

static void heard_block(const struct frame *f)
{
	struct msg_block m;

	FUZZ_MUST(msg_block_decode(&m, f) == 0);
	FUZZ_MUST(is_open(m.serial) || model->has_want);
	if (m.how == BLOCK_REFERENCE) {
		FUZZ_MUST(is_open(m.serial) && m.n_ranges == 1);
		return;
	}
	FUZZ_MUST(m.data_len == block_len(model_len(m.serial), m.index));
	FUZZ_MUST(memcmp(m.data, model->block, m.data_len) == 0);
}

static void heard_end(const struct frame *f)
{
	struct msg_end m;

	FUZZ_MUST(msg_end_decode(&m, f) == 0);
	FUZZ_MUST(is_open(m.serial));
	model->open[model->open[0] != m.serial] = 0;
}

static void heard_status(const struct frame *f)
{
	struct msg_status m;

	FUZZ_MUST(msg_status_decode(&m, f) == 0);
}

static void heard_held(const struct frame *f)
{
	CLEANUP_FREE struct msg_held *m = xcalloc(1, sizeof(*m));

	FUZZ_MUST(msg_held_decode(m, f) == 0);
	FUZZ_MUST(is_open(m->serial) && m->n == 1);
}

static void heard_frame(const struct frame *f)
{
	FUZZ_MUST(model->has_hello || f->type == MSG_HELLO);
	switch ((enum msg_type)f->type) {
	case MSG_HELLO:
		heard_hello(f);
		return;
	case MSG_ENTRY:
		heard_entry(f);
		return;
	case MSG_BLOCK:
		heard_block(f);
		return;
	case MSG_END:
		heard_end(f);
		return;
	case MSG_STATUS:
		heard_status(f);
		return;
	case MSG_HELD:
		heard_held(f);
		return;
	case MSG_LATER:
		heard_later(f);
		return;
	case MSG_WANT:
	case MSG_WELCOME:
	case MSG_PARTIAL:
	case MSG_DURABLE:
	case MSG_APPLIED:
	case MSG_QUARANTINE:
	case MSG_WAITS:
	case MSG_EARLY:
	case MSG_PONG:
	case MSG_DROP:
	case MSG_BYE:
	case MSG_ASK_KEPT:
	case MSG_KEPT:
		break;
	}
	FUZZ_MUST(false); /* an edge does not say it */
}

void model_heard(const struct buf *b)
{
	size_t at = 0;
	struct frame f;
	int n;

	while (at < b->len) {
		n = frame_take(&f, buf_data(b) + at, b->len - at, msg_len_max);
		FUZZ_MUST(n > 0);
		heard_frame(&f);
		at += (size_t)n;
	}
}

/* ---- reads ---- */

static void answer(struct read_one *o, unsigned how)
{
	if (!o->data)
		o->data = payload_new(o->len);
	memcpy(o->data->bytes, model->block, o->len);
	o->digest = digest_block(o->data->bytes, o->len);
	o->err = how & 8 ? -EAGAIN : how & 16 ? -ENOENT : 0;
}

void model_reads(unsigned n, unsigned how)
{
	while (n-- > 0 && model->n_jobs) {
		struct read_job *j = model->jobs[0];

		model->n_jobs--;
		memmove(model->jobs, model->jobs + 1,
			model->n_jobs * sizeof(j));
		for (size_t i = 0; i < j->n; i++)
			answer(&j->ones[i], i + 1 == j->n ? how : 0);
		j->job.done(&j->job);
	}
}

void model_run_deferred(void)
{
	struct loop_task *t = model->deferred;

	model->deferred = NULL;
	if (!t)
		return;
	t->queued = false;
	t->fn(t);
}
