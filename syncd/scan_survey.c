/* The survey of captured files (survey.h) in the gaps of everything else. */
#include <string.h>

#include "capture.h"
#include "scan_inside.h"

#define QUIET_MS 500 /* since the first capture of what is not read */
#define NEXT_MS 20   /* between two batches */

static void set_timer(struct scan *s, uint64_t ms)
{
	s->is_survey_set = !s->edge->is_ending;
	if (s->is_survey_set)
		loop_timer_set(s->edge->loop, &s->survey, ms);
}

void scan_want_survey(struct scan *s, struct partition *p)
{
	p->has_unread = true;
	if (!s->is_survey_set)
		set_timer(s, QUIET_MS);
}

struct pick {
	struct partition *of;
};

static void pick_unread(void *arg, struct partition *p)
{
	struct pick *pick = arg;

	if (!pick->of && p->has_unread && p->is_clean && !p->is_listing &&
	    !p->n_lists && !p->is_dirty && !p->is_leaving)
		pick->of = p;
}

static void survey_done(struct job *j)
{
	struct listing *l = CONTAINER_OF(j, struct listing, job);
	struct scan *s = l->arg;
	struct partition *p = l->of;
	size_t i;

	s->is_listing = false;
	p->is_listing = false;
	p->has_unread = l->has_unread;
	for (i = 0; l->result == 0 && i < l->n_pipes; i++)
		scan_submit_plan(s, p, &l->pipes[i]);
	listing_release(l);
	free(l);
	if (p->is_again) {
		p->is_again = false;
		scan_mark_dirty(s, p);
	}
	set_timer(s, NEXT_MS);
	scan_pump(s);
}

static void time_to_survey(struct loop_timer *t)
{
	struct scan *s = CONTAINER_OF(t, struct scan, survey);
	struct pick pick = {NULL};
	struct listing *l;

	s->is_survey_set = false;
	partitions_each(&s->partitions, pick_unread, &pick);
	if (!pick.of || s->edge->is_ending)
		return; /* the next capture sets the timer again */
	if (s->is_listing || s->walk || s->first_dirty ||
	    capture_waiting(s->edge->capture) ||
	    capture_is_paused(s->edge->capture)) {
		set_timer(s, QUIET_MS);
		return;
	}
	l = scan_new_listing(s, pick.of);
	l->is_survey = true;
	l->job.done = survey_done;
	worker_submit(s->worker, &l->job);
}

void scan_survey_begin(struct scan *s)
{
	s->survey.fn = time_to_survey;
}

void scan_survey_end(struct scan *s)
{
	loop_timer_stop(s->edge->loop, &s->survey);
}
