/* What the edge's surroundings do: capture, the reader's and the catalog's answers,
 * releases, and time that passes between two tries. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "sim.h"

/* A file that IoTDB has and this incarnation does not, else something new. */
static void capture_one(struct sim *s, struct sim_edge *e, struct sim_pipe *p)
{
	bool is_file = sim_chance(s, 750);
	uint32_t content;

	if (p->n_captured < e->n_files) {
		content = e->files[p->n_captured++];
	} else {
		e->n_new--;
		content = sim_content_new(s, is_file);
		if (is_file) {
			edge_add_file(e, content);
			p->n_captured++;
		}
	}
	(void)edge_assign(s, e, content);
}

static bool try_capture(struct sim *s, struct sim_edge *e)
{
	struct sim_pipe *p = edge_pipe(e);
	uint64_t n = s->is_burst ? 1 + sim_random(s, 60) : 1 + sim_random(s, 3);

	if (!p || (p->n_captured == e->n_files && e->n_new == 0))
		return false;
	for (; n > 0 && (p->n_captured < e->n_files || e->n_new > 0); n--)
		capture_one(s, e, p);
	if (e->u) {
		upload_assigned(e->u, p->assigned);
		edge_pump(s, e);
	}
	return true;
}

bool edge_step_capture(struct sim *s)
{
	return sim_any_edge(s, try_capture);
}

static uint64_t patience_clock(const struct sim *s)
{
	return s->plant == PLANT_WALL_CLOCK ? (uint64_t)s->wall_ms : s->mono_ms;
}

/* The link broke, or there was none. */
void edge_away(struct sim *s, struct sim_edge *e)
{
	uint64_t now = patience_clock(s);
	uint16_t random = (uint16_t)sim_random(s, 65536);
	bool is_due;

	patience_offline(&e->patience, now);
	if (!e->is_away)
		e->away_ms = s->mono_ms;
	e->is_away = true;
	if (e->error != EDGE_FINE) {
		e->retry_ms = s->mono_ms + patience_error_pause(random);
		return;
	}
	is_due = s->limit_ms && s->mono_ms - e->away_ms >= s->limit_ms;
	if (patience_is_over(&e->patience, now, s->limit_ms) != is_due)
		sim_broken(s, "deadlines follow the steady clock",
			   "%s after %" PRIu64 " ms of %" PRIu64,
			   is_due ? "the pipe goes on" : "the pipe is stopped",
			   s->mono_ms - e->away_ms, s->limit_ms);
	if (is_due) {
		s->stats[STAT_IMPATIENT]++;
		edge_stop_pipe(s, e);
		return;
	}
	e->retry_ms = s->mono_ms + patience_pause(&e->patience, random);
}

static bool try_connect(struct sim *s, struct sim_edge *e)
{
	if (!e->u || e->link || s->mono_ms < e->retry_ms)
		return false;
	if (!s->cloud.is_up) {
		edge_away(s, e);
		return true;
	}
	e->link = link_open(s, e);
	if (!e->link)
		return false;
	s->stats[STAT_CONNECTS]++;
	sim_say(s, "edge %u connects: link %u", e->index, e->link->id);
	e->has_room = true;
	upload_room(e->u, true);
	upload_connected(e->u);
	edge_pump(s, e);
	return true;
}

bool edge_step_connect(struct sim *s)
{
	return sim_any_edge(s, try_connect);
}

/* Nothing to do before the next try. */
static bool try_wait(struct sim *s, struct sim_edge *e)
{
	uint64_t ms;

	if (!e->u || e->link || s->mono_ms >= e->retry_ms)
		return false;
	ms = e->retry_ms - s->mono_ms;
	s->mono_ms += ms;
	s->wall_ms += (int64_t)ms;
	return true;
}

bool edge_step_wait(struct sim *s)
{
	return sim_any_edge(s, try_wait);
}

static void answer_read(struct sim *s, struct sim_edge *e,
			const struct sim_read *rd, uint8_t *data)
{
	const struct sim_pipe *p = edge_live(e);
	/* What others pass is lost now and then where older copies know it. */
	bool is_lost = s->is_edge_put_back && rd->index > 0 &&
		       sim_content_of(s, rd->nonce)->len > UPLOAD_LATER_MIN &&
		       sim_chance(s, 60);
	int err = 0;

	if (is_lost)
		e->rotten = rd->nonce;
	if (rd->serial <= e->gone[p->id])
		err = -ENOENT;
	else if (s->fail_read)
		err = sim_chance(s, 500) ? -EIO : -EMFILE;
	else if (rd->nonce == e->rotten)
		err = -EIO;
	if (err) {
		s->stats[STAT_READ_ERRORS]++;
		if (err == -EIO && s->fail_read &&
		    sim_chance(s, e->has_old ? 900 : 300))
			e->rotten = rd->nonce;
		s->fail_read = s->fail_read && err == -ENOENT;
		upload_block(e->u, rd->serial, rd->index, (struct digest){{0}},
			     data, 0, err);
		return;
	}
	sim_fill(sim_content_of(s, rd->nonce), rd->index, data);
	upload_block(e->u, rd->serial, rd->index, digest_block(data, rd->len),
		     data, rd->len, 0);
}

static bool try_read(struct sim *s, struct sim_edge *e)
{
	struct sim_read rd;
	uint8_t *data;

	if (!e->u || e->n_reads == 0)
		return false;
	rd = e->reads[e->first_read];
	e->first_read = (e->first_read + 1) % UPLOAD_READS;
	e->n_reads--;
	data = xcalloc(1, BLOCK_LEN);
	e->n_buffers++;
	answer_read(s, e, &rd, data);
	edge_pump(s, e);
	return true;
}

bool edge_step_read(struct sim *s)
{
	return sim_any_edge(s, try_read);
}

/* The catalog answers what it was asked. */
static bool try_catalog(struct sim *s, struct sim_edge *e)
{
	const struct sim_pipe *p;
	struct sim_read f;
	uint64_t n, nonce;

	if (!e->u || (e->n_fetches == 0 && e->nonce_asked == 0))
		return false;
	p = edge_live(e);
	n = e->nonce_asked;
	f = e->fetches[0];
	if (n) {
		e->nonce_asked = 0;
		nonce = n < p->released	   ? 0
			: n == p->released ? p->released_nonce
			: n <= p->assigned ? p->nonces[n]
					   : 0;
		upload_nonce(e->u, n, nonce);
	} else {
		e->n_fetches--;
		memmove(e->fetches, e->fetches + 1, e->n_fetches * sizeof(f));
		edge_answer_fetch(s, e, f.serial, f.index);
	}
	edge_pump(s, e);
	return true;
}

bool edge_step_catalog(struct sim *s)
{
	return sim_any_edge(s, try_catalog);
}

static bool try_release(struct sim *s, struct sim_edge *e)
{
	struct sim_pipe *p = edge_pipe(e);
	uint64_t n, was;

	if (!p || !e->u || e->releasable <= p->released)
		return false;
	was = p->released;
	n = was + 1 + sim_random(s, e->releasable - was);
	for (uint64_t i = was + 1; i <= n; i++) {
		const struct sim_truth *t = sim_truth_of(s, p->nonces[i]);

		if (!t->is_applied && !t->is_skipped &&
		    e->told_epoch == s->cloud.epoch)
			sim_broken(s, "released is applied",
				   "entry %" PRIu64
				   " was neither applied nor skipped",
				   i);
	}
	p->released = n;
	p->released_nonce = p->nonces[n];
	if (n > p->durable)
		p->durable = n;
	e->gone[p->id] = n;
	return true;
}

bool edge_step_release(struct sim *s)
{
	return sim_any_edge(s, try_release);
}
