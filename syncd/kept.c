#include "kept.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gap_line.h"
#include "link.h"
#include "lost.h"
#include "resync.h"

struct run {
	uint64_t first, last;
};

enum why {
	WHY_NOT_KEPT,
	WHY_NOT_SAID,
	WHY_NEVER,
	N_WHY
};

static const char *const why_text[N_WHY] = {
	[WHY_NOT_KEPT] = "and the receiver did not retain it",
	[WHY_NOT_SAID] =
		"and the receiver does not tell whether it retained it",
	[WHY_NEVER] = "and had not been sent before RESYNC",
};

/* One line to be: what is missing of a partition for one reason. */
struct missing {
	struct fileid first;
	struct tsfile_range range;
	bool is_range_known; /* of each */
	size_t n;
};

struct kept {
	struct outbox_job job;
	struct edge *edge;
	int64_t pipe;
	int64_t first_time; /* rows before it do not travel */
	uint8_t origin[ID_LEN];
	bool is_answered;
	uint64_t durable;
	struct run *runs; /* owned */
	size_t n_runs, n_gaps;
	struct spool spool; /* a copy */
	struct missing missing[N_WHY];
};

struct kept *kept_ask(struct edge *e, struct pipe *p, struct buf *out)
{
	struct msg_ask_kept m;
	struct kept *k;

	if (!outbox_gone_origin(e->outbox, p->row.id, m.incarnation))
		return NULL;
	k = xcalloc(1, sizeof(*k));
	k->edge = e;
	k->pipe = p->row.id;
	k->first_time = pipe_first_time(&p->row);
	memcpy(k->origin, m.incarnation, ID_LEN);
	msg_ask_kept_encode(&m, out);
	return k;
}

void kept_free(struct kept *k)
{
	if (!k)
		return;
	free(k->runs);
	free(k);
}

/* ---- on the catalog's thread ---- */

static int compare_run(const void *gone, const void *run)
{
	const struct gone_row *g = gone;
	const struct run *of = run;

	return g->serial > of->last ? 1 : g->serial < of->first ? -1 : 0;
}

/* All entries that the file came from. */
static bool is_kept(const struct kept *k, const struct gone_row *g)
{
	const struct run *run;

	if (g->fate == GONE_WAITED && g->serial <= k->durable)
		return true;
	run = k->n_runs ? bsearch(g, k->runs, k->n_runs, sizeof(*run),
				  compare_run)
			: NULL;
	return run && run->first <= g->serial_low;
}

static void add_missing(struct missing *m, const struct gone_row *g)
{
	if (!m->n++) {
		m->first = g->file;
		m->range = g->range;
		m->is_range_known = g->range.any;
		return;
	}
	m->is_range_known &= g->range.any;
	if (g->range.any && g->range.first < m->range.first)
		m->range.first = g->range.first;
	if (g->range.any && g->range.last > m->range.last)
		m->range.last = g->range.last;
}

static int write_line(struct kept *k, struct outbox_writer *w, enum why why)
{
	struct missing *m = &k->missing[why];
	struct gap g = {.file = &m->first, .w = w};
	CLEANUP(buf_release) struct buf line = {0};
	char file[FILEID_PATH_MAX];

	if (!m->n)
		return 0;
	if (m->is_range_known)
		g.range = m->range;
	buf_init(&line, OUTBOX_GAP_LEN);
	(void)fileid_path(&m->first, file);
	if (m->n == 1)
		gap_line(&g, &line, "%s is gone at the edge, %s", file,
			 why_text[why]);
	else
		gap_line(&g, &line,
			 "each of %zu files from %s on is gone at the edge, %s",
			 m->n, file, why_text[why]);
	m->n = 0;
	k->n_gaps++;
	return outbox_add_gap(w, k->pipe, buf_str(&line), true, &k->job.err);
}

static int write_lines(struct kept *k, struct outbox_writer *w)
{
	int i, r = 0;

	for (i = 0; r == 0 && i < N_WHY; i++)
		r = write_line(k, w, (enum why)i);
	return r;
}

static bool is_of_another_partition(const struct kept *k,
				    const struct fileid *f)
{
	size_t i;

	for (i = 0; i < N_WHY; i++) {
		const struct fileid *had = &k->missing[i].first;

		if (k->missing[i].n &&
		    (had->region != f->region ||
		     had->partition != f->partition ||
		     strcmp(had->database, f->database) != 0))
			return true;
	}
	return false;
}

static int judge(struct kept *k, struct outbox_writer *w,
		 const struct gone_row *g)
{
	bool is_before = g->range.any && g->range.last < k->first_time;
	bool is_there = resync_stands(&k->spool, &g->file);
	bool is_missing = !is_there && !is_before && !is_kept(k, g);
	int r = 0;

	if (is_of_another_partition(k, &g->file))
		r = write_lines(k, w);
	if (is_missing)
		add_missing(&k->missing[g->fate == GONE_NEVER ? WHY_NEVER
					: k->is_answered      ? WHY_NOT_KEPT
							      : WHY_NOT_SAID],
			    g);
	return r ? r
		 : outbox_settle_gone(w, k->pipe, k->origin, &g->file,
				      is_there || is_missing, &k->job.err);
}

static int run_settle(struct outbox_job *j, struct outbox_writer *w)
{
	struct kept *k = CONTAINER_OF(j, struct kept, job);
	struct gone_row g = {.serial = 0};
	int r;

	while ((r = outbox_next_gone(w, k->pipe, k->origin, &g, &j->err)) ==
	       1) {
		r = judge(k, w, &g);
		if (r < 0)
			return r;
	}
	return r ? r : write_lines(k, w);
}

/* ---- on the loop ---- */

static void settled(struct outbox_job *j)
{
	struct kept *k = CONTAINER_OF(j, struct kept, job);
	struct pipe *p = pipes_by_id(k->edge->pipes, k->pipe);

	if (j->result < 0)
		edge_note(k->edge, NOTE_CATALOG, j->err.text);
	if (p && j->result >= 0) {
		if (k->n_gaps)
			lost_note(k->edge, p);
		if (p->link)
			link_ask_kept(p->link); /* of an older one, too */
	}
	kept_free(k);
}

static void settle(struct kept **k)
{
	struct kept *it = *k;

	*k = NULL;
	it->spool = it->edge->spool;
	it->job.run = run_settle;
	it->job.done = settled;
	outbox_submit(it->edge->outbox, &it->job);
}

void kept_answer(struct kept **k, const struct msg_kept *m)
{
	struct kept *it = *k;
	uint32_t i;

	if (!it || memcmp(it->origin, m->incarnation, ID_LEN) != 0)
		return;
	it->is_answered = true;
	it->durable = m->durable;
	if (!it->runs)
		it->runs = xcalloc(KEPT_RUNS, sizeof(*it->runs));
	for (i = 0; i < m->n && it->n_runs < KEPT_RUNS; i++) {
		struct run *run = &it->runs[it->n_runs++];

		msg_kept_run(m, i, &run->first, &run->last);
	}
	if (m->is_last)
		settle(k);
}

void kept_unanswered(struct kept **k)
{
	if (*k && !(*k)->is_answered)
		settle(k);
}
