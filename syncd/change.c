#include "change.h"

#include <errno.h>

struct turns *turns_new(void)
{
	struct turns *t = xcalloc(1, sizeof(*t));

	t->last = &t->first;
	return t;
}

static void next_turn(struct turns *t);

static void finish(struct change *c, const struct err *e)
{
	struct turns *t = c->edge->turns;

	if (e)
		control_fail(c->rq, e);
	else
		control_done(c->rq);
	free(c);
	t->is_taken = false;
	next_turn(t);
}

static int run_commit(struct outbox_job *j, struct outbox_writer *w)
{
	struct change *c = CONTAINER_OF(j, struct change, job);

	return c->commit(c, w, &j->err);
}

static void committed(struct outbox_job *j)
{
	struct change *c = CONTAINER_OF(j, struct change, job);

	if (j->result < 0) {
		finish(c, &j->err);
		return;
	}
	c->effect(c);
	finish(c, NULL);
}

static void take_turn(struct change *c)
{
	struct err e = {0};

	if (c->edge->is_ending)
		(void)err_set(&e, ESHUTDOWN, "syncd is stopping");
	else
		(void)c->check(c, &e);
	if (e.sys) {
		finish(c, &e);
	} else if (c->is_nothing) {
		finish(c, NULL);
	} else {
		c->job.run = run_commit;
		c->job.done = committed;
		outbox_submit(c->edge->outbox, &c->job);
	}
}

static void next_turn(struct turns *t)
{
	struct change *c = t->first;

	if (t->is_taken || !c)
		return;
	t->first = c->next;
	if (!t->first)
		t->last = &t->first;
	t->is_taken = true;
	take_turn(c);
}

struct change *change_new(struct edge *e, struct request *rq)
{
	struct change *c = xcalloc(1, sizeof(*c));

	c->edge = e;
	c->rq = rq;
	return c;
}

void change_begin(struct change *c)
{
	struct turns *t = c->edge->turns;

	c->next = NULL;
	*t->last = c;
	t->last = &c->next;
	next_turn(t);
}

void turns_free(struct turns *t)
{
	if (!t)
		return;
	while (t->first) {
		struct change *c = t->first;
		struct err e = {0};

		t->first = c->next;
		(void)err_set(&e, ESHUTDOWN, "syncd is stopping");
		control_fail(c->rq, &e);
		free(c);
	}
	free(t);
}
