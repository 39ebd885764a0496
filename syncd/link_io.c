/* What a link does for its machine: heads from the catalog, reads from the reader,
 * frames to the call. Frames of one turn are collected and sent together. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ground/clock.h"
#include "link_inside.h"
#include "lost.h"
#include "progress.h"
#include "warm.h"

#define OUT_MAX (4u << 20)
#define OUT_FLUSH 65536u
#define JOB_READS 6 /* so that two jobs can be under way: one read, one sent */
#define JOB_BYTES (2ull * BLOCK_LEN)

/* ---- buffers ---- */

/* Payloads longer than half a block are read into buffers of a whole one. */
static bool is_pooled(uint32_t len)
{
	return len > BLOCK_LEN / 2;
}

static struct payload *take_buffer(struct link *l, uint32_t len)
{
	if (!is_pooled(len))
		return NULL; /* the job makes its own */
	if (l->n_buffers)
		return l->buffers[--l->n_buffers];
	return payload_new(BLOCK_LEN);
}

static void give_buffer(struct link *l, void *data, uint32_t len)
{
	if (data && is_pooled(len) && l->n_buffers < LINK_BUFFERS)
		l->buffers[l->n_buffers++] = data;
	else
		free(data);
}

static void drop_unused(struct link *l)
{
	void *data;

	while ((data = upload_take_unused(l->upload)))
		free(data);
}

void link_io_release(struct link *l)
{
	drop_unused(l);
	while (l->n_buffers)
		free(l->buffers[--l->n_buffers]);
	free(l->reads);
	l->reads = NULL;
	buf_release(&l->out);
	reader_release(&l->reader);
}

/* ---- sending ---- */

void link_rate_sample(struct link *l)
{
	if (l->call)
		rate_look(&l->rate, clock_mono_ms(), call_bytes_out(l->call));
}

static void flush(struct link *l)
{
	if (!l->out.len)
		return;
	if (l->call && buf_end(&l->out) == 0)
		call_send(l->call, &l->out);
	buf_clear(&l->out);
	link_pace(l);
	link_rate_sample(l);
}

void link_send_status(struct link *l)
{
	const struct pipes *ps = l->edge->pipes;
	const struct pipe *p = l->pipe;
	struct msg_status m = {0};
	CLEANUP(buf_release) struct buf b = {0};

	if (!l->call || l->state != LINK_ONLINE)
		return;
	(void)snprintf(m.state, sizeof(m.state), "%s",
		       pipe_state_text(p->row.state));
	buf_init(&b, 65536);
	pipe_message(ps, p, &b);
	(void)snprintf(m.message, sizeof(m.message), "%s", buf_str(&b));
	buf_clear(&b);
	pipe_progress(ps, p, &b);
	(void)snprintf(m.progress, sizeof(m.progress), "%s", buf_str(&b));
	buf_clear(&b);
	outbox_gaps(l->edge->outbox, p->row.id, &b);
	(void)snprintf(m.gaps, sizeof(m.gaps), "%s", buf_str(&b));
	msg_status_encode(&m, &l->out);
	l->n_pongs++;
	flush(l);
}

static void send_hello(struct link *l, const struct upload_act *act)
{
	const struct pipe_row *row = &l->pipe->row;
	struct msg_hello m = {0};

	msg_hello_offer(&m);
	m.flags = row->is_resync ? HELLO_RESYNC : 0;
	memcpy(m.sender_id, l->edge->keys.id, SENDER_ID_LEN);
	memcpy(m.sender_name, l->edge->set.sender_name, sizeof(m.sender_name));
	(void)snprintf(m.program, sizeof(m.program), "%s", TSFERRY_VERSION);
	memcpy(m.pipe, row->name, sizeof(m.pipe));
	memcpy(m.incarnation, row->incarnation, ID_LEN);
	m.create_time_ms = row->create_ms;
	m.assigned = act->n;
	m.released = act->serial;
	msg_hello_encode(&m, &l->out);
}

/* The file itself, as it came before: one of its blocks is named by its own place. */
static void send_held(struct link *l, const struct upload_act *act)
{
	CLEANUP_FREE struct msg_held *m = xcalloc(1, sizeof(*m));

	m->serial = act->serial;
	m->n = 1;
	m->files[0] = act->entry->file;
	msg_held_encode(m, &l->out);
}

/* Names the files of its ranges, anew for each block. */
static void prefix_block(struct link *l, const struct payload *p,
			 struct msg_block *m)
{
	CLEANUP_FREE struct msg_held *h = xcalloc(1, sizeof(*h));

	h->serial = m->serial;
	h->n = p->n_ranges;
	memcpy(h->files, p->files, p->n_ranges * sizeof(*h->files));
	msg_held_encode(h, &l->out);
	m->how = BLOCK_PREFIX;
	m->n_ranges = p->n_ranges;
	memcpy(m->ranges, p->ranges, p->n_ranges * sizeof(*m->ranges));
}

static void send_entry(struct link *l, const struct upload_act *act)
{
	const struct payload *p = act->data;
	struct msg_entry m = {.entry = *act->entry,
			      .is_inline = act->is_inline,
			      .is_squeezed = p && p->packed,
			      .digest = act->digest,
			      .data = p ? p->bytes : NULL,
			      .data_len =
				      p && p->packed ? p->packed : act->len};

	link_saved_squeezed(l, p, act->len);
	link_saved_begin(l, act->serial);
	msg_entry_encode(&m, &l->out);
	give_buffer(l, act->data, act->len);
	if (act->may_refer && l->is_again[act->serial % LINK_HEADS])
		send_held(l, act);
}

static void send_later(struct link *l, const struct upload_act *act)
{
	struct msg_later m = {.serial = act->serial};

	memcpy(m.database, act->entry->file.database, sizeof(m.database));
	msg_later_encode(&m, &l->out);
}

static void send_block(struct link *l, const struct upload_act *act)
{
	const struct payload *p = act->data;
	struct msg_block m = {.serial = act->serial,
			      .index = act->index,
			      .how = p->packed ? BLOCK_SQUEEZED : BLOCK_LITERAL,
			      .digest = act->digest,
			      .data = p->bytes,
			      .data_len = p->packed ? p->packed : act->len};

	if (p->n_ranges) {
		prefix_block(l, p, &m);
		link_saved_behind(l, act, p);
	} else if (act->may_refer && l->is_again[act->serial % LINK_HEADS]) {
		m.how = BLOCK_REFERENCE;
		m.n_ranges = 1;
		m.ranges[0].offset = act->index * BLOCK_LEN;
		m.ranges[0].len = act->len;
		m.data_len = 0;
		link_saved_named(l, act);
	} else {
		if (act->is_wanted)
			link_saved_not(l, act);
		link_saved_squeezed(l, p, act->len);
	}
	msg_block_encode(&m, &l->out);
	give_buffer(l, act->data, act->len);
}

static void send_end(struct link *l, const struct upload_act *act)
{
	struct msg_end m = {.serial = act->serial, .digest = act->digest};

	msg_end_encode(&m, &l->out);
}

/* ---- heads and payloads ---- */

struct fetching {
	struct link *link;
	uint64_t next;
	struct forks forks;
};

static int take_head(void *arg, struct outbox_entry *en)
{
	struct fetching *f = arg;
	struct link *l = f->link;

	bool is_again = en->is_again || l->pipe->row.is_resync;
	bool is_product = l->edge->set.diff_max_bytes > 0 &&
			  en->entry.kind == ENTRY_FILE &&
			  (en->entry.file.i > 0 || en->entry.file.c > 0);

	if (en->entry.serial != f->next) {
		entry_release(&en->entry);
		return 1;
	}
	l->volumes[f->next % LINK_HEADS] =
		spool_volume(&l->edge->spool, en->volume);
	l->pins[f->next % LINK_HEADS] = en->entry.nonce;
	en->entry.nonce = forks_nonce(&f->forks, f->next, en->entry.nonce);
	f->next++;
	upload_entry(l->upload, &en->entry);
	l->is_again[(f->next - 1) % LINK_HEADS] = is_again;
	if (is_again || is_product)
		upload_hold(l->upload, f->next - 1);
	return 0;
}

static void fetch(struct link *l, const struct upload_act *act)
{
	struct fetching f = {.link = l, .next = act->serial};
	struct err e = {0};
	char text[256];
	int r = outbox_forks(l->edge->outbox, l->pipe->row.id, &f.forks, &e);

	if (r == 0)
		r = outbox_entries(l->edge->outbox, l->pipe->row.id,
				   act->serial, act->n, take_head, &f, &e);
	if (r < 0) {
		link_offline(l, e.text);
	} else if (f.next < act->serial + act->n) {
		(void)snprintf(text, sizeof(text),
			       "the catalog has lost entry %" PRIu64
			       " (RESYNC PIPE %.100s sends everything again)",
			       f.next, l->pipe->row.name);
		link_error(l, text);
	}
}

static void answer_nonce(struct link *l, uint64_t serial)
{
	const struct pipe_row *row = &l->pipe->row;
	struct forks forks;
	struct err e = {0};
	uint64_t nonce;

	/* A catalog that cannot be read now is not one that does not know the entry. */
	if (serial == row->released) {
		upload_nonce(l->upload, serial, row->released_nonce);
	} else if (outbox_forks(l->edge->outbox, row->id, &forks, &e) < 0 ||
		   outbox_nonce(l->edge->outbox, row->id, serial, &nonce, &e) <
			   0) {
		link_offline(l, e.text);
	} else {
		upload_nonce(l->upload, serial,
			     forks_nonce(&forks, serial, nonce));
	}
}

static void reads_done(struct job *j)
{
	struct read_job *rj = CONTAINER_OF(j, struct read_job, job);
	struct link *l = rj->arg;
	size_t i;

	for (i = 0; i < rj->n; i++) {
		struct read_one *o = &rj->ones[i];

		if (o->squeezed_us)
			travel_squeezed(&l->travel, o->len, o->data->packed,
					o->squeezed_us);
		upload_block(l->upload, o->serial, o->index, o->digest, o->data,
			     o->len, o->err);
		drop_unused(l);
	}
	free(rj);
	l->n_jobs--; /* so long the link stays, whatever becomes of its pipe */
	link_pump(l);
}

static void submit_reads(struct link *l)
{
	struct read_job *rj = l->reads;

	if (!rj)
		return;
	l->reads = NULL;
	l->n_jobs++;
	rj->job.run = reader_run;
	rj->job.done = reads_done;
	worker_submit(l->edge->reader, &rj->job);
}

/* What is no file stands in the catalog. */
static void read_catalogued(struct link *l, struct read_one *o)
{
	if (!o->data)
		o->data = payload_new(o->len);
	o->is_catalogued = true;
	o->err = outbox_body(l->edge->outbox, l->pipe->row.id, o->serial,
			     o->offset, o->data->bytes, o->len);
	/* A catalog that cannot be read now is not one that lost it. */
	if (o->err && o->err != -ENOENT && o->err != -ENODATA)
		o->err = -EAGAIN;
}

static bool may_squeeze(struct link *l, uint32_t len)
{
	return proto_can(upload_version(l->upload), PROTO_SQUEEZED) &&
	       travel_squeezes(&l->travel, link_way_rate(l), len);
}

/* What was read when it was captured. Answers come in the order of the READs. */
static bool answer_warm(struct link *l, const struct upload_act *act)
{
	struct warm *w = l->pipe->warm;
	struct payload *p;

	if (!w || l->reads || l->n_jobs || act->may_refer)
		return false;
	p = warm_take(w, act->serial, act->len);
	if (!p)
		return false;
	upload_block(l->upload, act->serial, act->index, w->digest, p, w->len,
		     0);
	drop_unused(l);
	return true;
}

static void add_read(struct link *l, const struct upload_act *act)
{
	struct read_job *rj = l->reads;
	const struct entry *en = act->entry;
	bool is_again = l->is_again[act->serial % LINK_HEADS];
	bool squeezes =
		!(act->may_refer && is_again) && may_squeeze(l, act->len);
	uint64_t bytes = 0;
	size_t i;

	if (!squeezes && answer_warm(l, act))
		return;
	if (!rj) {
		rj = l->reads = xcalloc(1, sizeof(*rj));
		rj->reader = &l->reader;
		rj->arg = l;
	}
	rj->ones[rj->n++] = (struct read_one){
		.serial = act->serial,
		.index = act->index,
		.offset = act->offset,
		.len = act->len,
		.nonce = l->pins[act->serial % LINK_HEADS],
		.file = en->file,
		.body_len = en->body_len,
		.mods_len = en->mods_len,
		.mods_kind = en->mods_kind,
		.volume = l->volumes[act->serial % LINK_HEADS],
		.data = take_buffer(l, act->len),
		.may_squeeze = squeezes,
		.may_diff = act->may_refer && !is_again,
	};
	if (en->kind != ENTRY_FILE)
		read_catalogued(l, &rj->ones[rj->n - 1]);
	for (i = 0; i < rj->n; i++)
		bytes += rj->ones[i].len;
	if (rj->n == JOB_READS || bytes >= JOB_BYTES)
		submit_reads(l);
}

/* ---- the machine's acts ---- */

static void note_attempt(struct link *l, const struct upload_act *act)
{
	char text[MESSAGE_LEN];

	l->pipe->n_retries++;
	(void)snprintf(text, sizeof(text),
		       "entry %" PRIu64 ", attempt %" PRIu64 " of %" PRId64
		       " failed: %.800s",
		       act->serial, act->n, l->edge->set.max_retries + 1,
		       act->text);
	pipe_note(l->edge->pipes, l->pipe, NOTE_ATTEMPT, text);
}

/* Filled while no link is there, so that nothing of it can be on its way. */
static void lose(struct link *l, const struct upload_act *act)
{
	lost_fill(l->edge, l->pipe, act->serial, (int)act->n, act->beyond,
		  act->text);
	link_offline(l, act->text);
}

static void perform(struct link *l, const struct upload_act *act)
{
	struct pipes *ps = l->edge->pipes;

	switch (act->kind) {
	case UP_NONE:
		break;
	case UP_SEND_HELLO:
		send_hello(l, act);
		break;
	case UP_FETCH:
		fetch(l, act);
		break;
	case UP_NONCE:
		answer_nonce(l, act->serial);
		break;
	case UP_READ:
		add_read(l, act);
		break;
	case UP_SEND_LATER:
		send_later(l, act);
		break;
	case UP_SEND_ENTRY:
		send_entry(l, act);
		break;
	case UP_SEND_BLOCK:
		send_block(l, act);
		break;
	case UP_SEND_END:
		send_end(l, act);
		break;
	case UP_DURABLE:
		patience_moved(&l->patience);
		pipe_durable(ps, l->pipe, act->serial);
		break;
	case UP_APPLIED:
		pipe_applied(ps, l->pipe, act->serial);
		break;
	case UP_ATTEMPT:
		note_attempt(l, act);
		break;
	case UP_LOST:
		lose(l, act);
		break;
	case UP_ERROR:
		link_error(l, act->text);
		break;
	case UP_CLOSE:
		/* 0: what it said cannot be. */
		if (act->why == BYE_BUSY || act->why == BYE_PROTOCOL ||
		    act->why == 0)
			patience_busy(&l->patience);
		link_offline(l, act->text);
		break;
	}
	if (l->out.len >= OUT_FLUSH)
		flush(l);
}

static void pump_task(struct loop_task *t)
{
	link_pump(CONTAINER_OF(t, struct link, pump));
}

static void link_pump_soon(struct link *l)
{
	l->pump.fn = pump_task;
	loop_defer(l->edge->loop, &l->pump);
}

void link_pump(struct link *l)
{
	struct upload_act act;

	if (l->is_pumping) {
		l->is_pump_again = true;
		return;
	}
	l->is_pumping = true;
	do {
		l->is_pump_again = false;
		while (l->pipe && upload_next(l->upload, &act))
			perform(l, &act);
	} while (l->is_pump_again);
	l->is_pumping = false;
	drop_unused(l);
	flush(l);
	submit_reads(l);
	if (!l->pipe)
		link_free(l, false);
}

/* ---- what comes ---- */

static int take_welcome(struct link *l, const struct frame *f)
{
	struct msg_welcome m;
	int r = msg_welcome_decode(&m, f);

	if (r == 0) {
		pipe_waits(l->edge->pipes, l->pipe, "");
		pipe_quarantine_begin(l->pipe);
		upload_welcome(l->upload, &m);
		if (!upload_awaits_early(l->upload))
			link_welcome(l);
	}
	return r;
}

static int take_early(struct link *l, const struct frame *f)
{
	struct msg_early m;
	int r = msg_early_decode(&m, f);

	if (r < 0)
		return r;
	upload_early(l->upload, &m);
	link_welcome(l);
	return 0;
}

static int take_applied(struct link *l, const struct frame *f)
{
	struct msg_applied m;
	int r = msg_applied_decode(&m, f);

	if (r == 0) {
		upload_applied(l->upload, &m);
		pipe_n_quarantined(l->edge->pipes, l->pipe, m.n_quarantined);
	}
	return r;
}

static int take_bye(struct link *l, const struct frame *f)
{
	struct msg_bye m;
	int r = msg_bye_decode(&m, f);

	if (r == 0)
		upload_bye(l->upload, &m);
	return r;
}

static int take_durable(struct link *l, const struct frame *f)
{
	struct msg_durable m;
	int r = msg_durable_decode(&m, f);

	if (r == 0)
		upload_durable(l->upload, &m);
	return r;
}

static int take_partial(struct link *l, const struct frame *f)
{
	struct msg_partial m;
	int r = msg_partial_decode(&m, f);

	if (r == 0)
		upload_partial(l->upload, &m);
	return r;
}

static int take_want(struct link *l, const struct frame *f)
{
	struct msg_want m;
	int r = msg_want_decode(&m, f);

	if (r == 0)
		upload_want(l->upload, &m);
	return r;
}

static int take_quarantine(struct link *l, const struct frame *f)
{
	struct msg_quarantine m;
	int r = msg_quarantine_decode(&m, f);

	if (r == 0)
		pipe_quarantine(l->edge->pipes, l->pipe, &m);
	return r;
}

static int take_kept(struct link *l, const struct frame *f)
{
	struct msg_kept m;
	int r = msg_kept_decode(&m, f);

	if (r == 0)
		kept_answer(&l->kept, &m);
	return r;
}

/* In the order of the STATUS that they answer: who knows the question answers it before
 * the one that went behind it. */
static int take_pong(struct link *l, const struct frame *f)
{
	int r = msg_pong_decode(f);

	if (r == 0 && l->n_pongs)
		l->n_pongs--;
	if (r == 0)
		pipe_quarantine_end(l->edge->pipes, l->pipe);
	if (r == 0 && l->kept && l->kept_pongs && !--l->kept_pongs)
		kept_unanswered(&l->kept);
	return r;
}

static int take_waits(struct link *l, const struct frame *f)
{
	struct msg_waits m;
	int r = msg_waits_decode(&m, f);

	if (r == 0)
		pipe_waits(l->edge->pipes, l->pipe, m.reason);
	return r;
}

static int take_frame(struct link *l, const struct frame *f)
{
	bool is_spoken = proto_speaks(upload_version(l->upload), f->type);

	switch (is_spoken ? f->type : 0) {
	case MSG_WELCOME:
		return take_welcome(l, f);
	case MSG_EARLY:
		return take_early(l, f);
	case MSG_PARTIAL:
		return take_partial(l, f);
	case MSG_DURABLE:
		return take_durable(l, f);
	case MSG_APPLIED:
		return take_applied(l, f);
	case MSG_WANT:
		return take_want(l, f);
	case MSG_QUARANTINE:
		return take_quarantine(l, f);
	case MSG_WAITS:
		return take_waits(l, f);
	case MSG_PONG:
		return take_pong(l, f);
	case MSG_KEPT:
		return take_kept(l, f);
	case MSG_BYE:
		return take_bye(l, f);
	default: /* a number from outside, not an enum */
		return f->flags & FRAME_OPTIONAL ? 0 : -EBADMSG;
	}
}

void link_frame(struct link *l, const struct frame *f)
{
	char text[128];

	link_heard(l);
	if (take_frame(l, f) < 0) {
		(void)snprintf(text, sizeof(text),
			       "the receiver's %.32s is malformed",
			       msg_name(f->type));
		patience_busy(&l->patience);
		link_offline(l, text);
		return;
	}
	/* Acknowledgements come in bursts: one pump for all of them. */
	link_pump_soon(l);
}
