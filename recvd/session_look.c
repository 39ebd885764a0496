/* Half-received entries, read again behind the WELCOME: the edge hears of their blocks as the
 * lists have them, sends the others at once, and no entry is handed over for a commit before its
 * old blocks were read. So a restart costs the time of the lists, not of gigabytes.
 *
 * Pieces of some blocks each, so that a session that ends, and others that wait, lose
 * little. Where a block is not what its list says (a power cut, a sync that failed) the session
 * ends, and the next HELLO reads before it answers. */
#include <stdio.h>
#include <string.h>

#include "session.h"

#define LOOK_BLOCKS 64u /* in one piece */

struct look {
	struct job job;
	struct session *session;
	struct stage *stage;
	char dir[STAGE_DIR_MAX];
	bool from_disk;
	struct stage_partial *v; /* owned, with their lists */
	size_t n, at;		 /* the one that is read */
	uint64_t block;		 /* from which on */
	bool is_out;		 /* the looker has it */
	int result;
};

static void look_free(struct look *k)
{
	for (size_t i = 0; i < k->n; i++) {
		free(k->v[i].present);
		free(k->v[i].digests);
	}
	free(k->v);
	free(k);
}

static void look_run(struct job *j)
{
	struct look *k = CONTAINER_OF(j, struct look, job);

	k->result = stage_look(k->stage, k->dir, &k->v[k->at], k->block,
			       k->block + LOOK_BLOCKS,
			       k->from_disk && k->block == 0);
}

static void look_done(struct job *j);

static void look_on(struct look *k)
{
	k->job.run = look_run;
	k->job.done = look_done;
	k->is_out = true;
	k->session->n_jobs++;
	worker_submit(k->session->d->looker, &k->job);
}

static void look_ends(struct session *s)
{
	look_free(s->look);
	s->look = NULL;
	s->incarnation->is_read = true;
	if (!s->rx)
		return;
	receive_believed(s->rx);
	session_pump(s);
}

static void look_fails(struct session *s)
{
	char sentence[SENTENCE_MAX + 1];

	(void)snprintf(
		sentence, sizeof sentence,
		"a half-received block of entry %llu is not what it was "
		"when it came; all of them are read again before the "
		"edge is told which are here",
		(unsigned long long)s->look->v[s->look->at].entry.serial);
	s->incarnation->is_doubtful = true;
	session_failed(s, sentence);
}

static void look_done(struct job *j)
{
	struct look *k = CONTAINER_OF(j, struct look, job);
	struct session *s = k->session;

	k->is_out = false;
	if (s->look != k) {
		look_free(k);
	} else if (k->result) {
		look_fails(s);
	} else {
		k->block += LOOK_BLOCKS;
		if (k->block >= k->v[k->at].n_blocks) {
			k->at++;
			k->block = 0;
		}
		if (k->at < k->n)
			look_on(k);
		else
			look_ends(s);
	}
	session_job_returned(s);
}

static void copy_list(struct stage_partial *to, const struct stage_partial *p)
{
	size_t digests = p->n_blocks * sizeof *p->digests;

	*to = *p;
	to->entry.devices = NULL;
	to->present = xcalloc(p->n_blocks, 1);
	to->digests = xcalloc(p->n_blocks, sizeof *p->digests);
	memcpy(to->present, p->present, p->n_blocks);
	memcpy(to->digests, p->digests, digests);
}

void session_look(struct session *s)
{
	struct look *k;

	if (!s->n_partials) {
		s->incarnation->is_read = true;
		return;
	}
	k = xcalloc(1, sizeof *k);
	k->session = s;
	k->stage = &s->d->stage;
	(void)snprintf(k->dir, sizeof k->dir, "%s", s->incarnation->dir);
	k->from_disk = !s->incarnation->is_read;
	k->v = xcalloc(s->n_partials, sizeof *k->v);
	for (k->n = 0; k->n < s->n_partials; k->n++)
		copy_list(&k->v[k->n], &s->partials[k->n]);
	s->look = k;
	look_on(k);
}

void session_look_stop(struct session *s)
{
	struct look *k = s->look;

	s->look = NULL;
	if (k && !k->is_out)
		look_free(k);
}
