#include "fuzz_link.h"
#include "syncd/kept.h"
#include "syncd/lost.h"
#include "syncd/progress.h"

/* What a link calls of the rest of syncd and of the loop. */

struct call *call_new(struct edge *e, const struct sink_row *sink,
		      const struct call_events *ev, void *arg)
{
	struct call *c = xcalloc(1, sizeof *c);

	(void)e;
	(void)sink;
	FUZZ_MUST(!model->call);
	c->ev = ev;
	c->arg = arg;
	model->call = c;
	return c;
}

void call_free(struct call *c)
{
	FUZZ_MUST(!c || c == model->call);
	if (c)
		model->call = NULL;
	free(c);
}

void call_finish(struct call *c)
{
	call_free(c);
}

void call_send(struct call *c, const struct buf *b)
{
	FUZZ_MUST(c && c == model->call && c->is_open);
	model->bytes_out += b->len;
	model_heard(b);
}

size_t call_queued(const struct call *c)
{
	(void)c;
	return 0;
}

uint64_t call_bytes_out(const struct call *c)
{
	(void)c;
	return model->bytes_out;
}

/* A way like any other, thin enough to matter. */
int call_path(const struct call *c, struct net_path *out)
{
	(void)c;
	*out = (struct net_path){.rate = 1 << 20, .acked = model->bytes_out};
	return 0;
}

int call_unsent(const struct call *c, uint32_t bytes)
{
	(void)c;
	(void)bytes;
	return 0;
}

const char *call_address(const struct call *c)
{
	(void)c;
	return "10.0.0.5:6670";
}

/* ---- the pipe ---- */

struct sink *pipes_sink(const struct pipes *ps, const char *name)
{
	(void)ps;
	(void)name;
	return &model->sink;
}

void pipe_stopped_by(struct pipes *ps, struct pipe *p, const char *text,
		     bool asks_again)
{
	(void)ps;
	(void)asks_again;
	FUZZ_MUST(text[0]);
	p->row.state = PIPE_STOP;
}

void pipe_admitted(struct pipes *ps, struct pipe *p)
{
	(void)ps;
	p->row.state = PIPE_RUNNING;
}

void pipe_durable(struct pipes *ps, struct pipe *p, uint64_t serial)
{
	(void)ps;
	FUZZ_MUST(serial > model->durable && serial <= p->row.assigned);
	model->durable = serial;
}

void pipe_applied(struct pipes *ps, struct pipe *p, uint64_t serial)
{
	(void)ps;
	(void)p;
	FUZZ_MUST(serial > model->applied && serial <= model->durable);
	model->applied = serial;
}

void pipe_note(struct pipes *ps, struct pipe *p, enum note_cause cause,
	       const char *text)
{
	(void)ps;
	(void)p;
	(void)cause;
	FUZZ_MUST(text[0]);
}

void pipe_quarantine(struct pipes *ps, struct pipe *p,
		     const struct msg_quarantine *m)
{
	(void)ps;
	(void)p;
	FUZZ_MUST(m->id && m->serial);
}

void pipe_quarantine_begin(struct pipe *p)
{
	p->n_quarantined = 0;
}

void pipe_quarantine_end(struct pipes *ps, struct pipe *p)
{
	(void)ps;
	(void)p;
}

void pipe_waits(struct pipes *ps, struct pipe *p, const char *reason)
{
	(void)ps;
	(void)p;
	FUZZ_MUST(reason);
}

void pipe_n_quarantined(struct pipes *ps, struct pipe *p, uint32_t n)
{
	(void)ps;
	p->n_quarantined = n;
}

const char *pipe_state_text(enum pipe_state s)
{
	return s == PIPE_RUNNING ? "RUNNING" : "STOP";
}

void pipe_message(const struct pipes *ps, const struct pipe *p, struct buf *out)
{
	(void)ps;
	(void)p;
	buf_adds(out, "a message\n");
}

void pipe_progress(const struct pipes *ps, const struct pipe *p,
		   struct buf *out)
{
	(void)ps;
	buf_addf(out, "retries %llu\n", (unsigned long long)p->n_retries);
}

/* ---- catalog, spool, threads, loop ---- */

int outbox_entries(struct outbox *o, int64_t pipe, uint64_t serial, uint64_t n,
		   int (*fn)(void *arg, struct outbox_entry *en), void *arg,
		   struct err *e)
{
	int r = 0;

	(void)o;
	(void)pipe;
	(void)e;
	FUZZ_MUST(serial > 0 && n > 0);
	FUZZ_MUST(serial + n - 1 <= model->pipe.row.assigned);
	for (uint64_t i = 0; i < n && !model->has_lost; i++, r++) {
		struct outbox_entry en = {.entry = model_entry(serial + i),
					  .is_again = (serial + i) % 3 == 0};

		if (fn(arg, &en))
			break;
	}
	return r;
}

int outbox_nonce(struct outbox *o, int64_t pipe, uint64_t serial,
		 uint64_t *nonce, struct err *e)
{
	(void)o;
	(void)pipe;
	(void)e;
	*nonce = serial && serial <= model->pipe.row.assigned
			 ? model_nonce(serial)
			 : 0;
	return 0;
}

int outbox_forks(struct outbox *o, int64_t pipe, struct forks *out,
		 struct err *e)
{
	(void)o;
	(void)pipe;
	(void)e;
	out->n = 0;
	return 0;
}

int outbox_body(struct outbox *o, int64_t pipe, uint64_t serial,
		uint64_t offset, void *to, size_t n)
{
	(void)o;
	(void)pipe;
	(void)serial;
	(void)offset;
	memset(to, 0, n);
	return 0;
}

/* Nothing is gone in the model. */
struct kept *kept_ask(struct edge *e, struct pipe *p, struct buf *out)
{
	(void)e;
	(void)p;
	buf_adds(out, "");
	return NULL;
}

void kept_free(struct kept *k)
{
	FUZZ_MUST(!k);
}

void kept_answer(struct kept **k, const struct msg_kept *m)
{
	uint64_t first, last, before = 0;

	FUZZ_MUST(!*k);
	for (uint32_t i = 0; i < m->n; i++) {
		msg_kept_run(m, i, &first, &last);
		FUZZ_MUST(first > before && last >= first &&
			  last <= m->durable);
		before = last;
	}
}

void kept_unanswered(struct kept **k)
{
	FUZZ_MUST(!*k);
}

void lost_fill(struct edge *e, struct pipe *p, uint64_t serial, int err,
	       uint64_t beyond, const char *why)
{
	(void)e;
	(void)p;
	(void)serial; /* every entry of the model can be read */
	(void)err;
	(void)beyond;
	(void)why;
}

void outbox_gaps(struct outbox *o, int64_t pipe, struct buf *out)
{
	(void)o;
	(void)pipe;
	buf_adds(out, "");
}

void reader_init(struct reader *r)
{
	r->fd = r->mods_fd = -1;
}

void reader_close(struct reader *r)
{
	(void)r;
}

void reader_release(struct reader *r)
{
	(void)r;
}

void reader_run(struct job *j)
{
	(void)j; /* model_reads() does */
}

const struct volume *spool_volume(const struct spool *s, int64_t id)
{
	(void)id;
	return &s->volumes[0];
}

void events_add(struct events *ev, enum log_level level, const char *module,
		const struct log_about *about, const char *fmt, ...)
{
	(void)ev;
	(void)level;
	(void)module;
	(void)about;
	(void)fmt;
}

void worker_submit(struct worker *w, struct job *j)
{
	(void)w;
	FUZZ_MUST(model->n_jobs < MODEL_JOBS);
	model->jobs[model->n_jobs++] = CONTAINER_OF(j, struct read_job, job);
}

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t after_ms)
{
	(void)l;
	(void)after_ms;
	FUZZ_MUST(t->fn);
	t->slot = 1;
}

void loop_timer_stop(struct loop *l, struct loop_timer *t)
{
	(void)l;
	t->slot = 0;
}

void loop_defer(struct loop *l, struct loop_task *t)
{
	(void)l;
	t->queued = true;
	model->deferred = t;
}

void loop_undefer(struct loop *l, struct loop_task *t)
{
	(void)l;
	t->queued = false;
	model->deferred = NULL;
}
