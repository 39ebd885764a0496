#include "ask.h"

/* One daemon's part of it. */
struct leg {
	struct ask_tree *ask;
	unsigned part, n; /* n: the request that is under way */
};

struct ask_tree {
	struct fs *fs;
	struct view view;
	struct leg leg[VIEW_PARTS];
	unsigned n_open; /* legs under way */
	bool is_answered;
	struct loop_timer patience;
	void (*done)(void *arg, struct view *v);
	void *arg;
};

static void leg_answered(void *arg, const struct reply *r, int err);

/* Puts the leg's n-th request. Returns whether there was one. */
static bool put(struct leg *lg)
{
	struct ask_tree *a = lg->ask;
	struct buf request CLEANUP(buf_release);

	buf_init(&request, VIEW_PATH_MAX + 16);
	if (!view_request(&a->view, lg->n, &request))
		return false;
	pool_ask(a->fs->pool, &(struct pool_question){
				      .daemon = lg->part,
				      .lane = LANE_TREE,
				      .as = "",
				      .request = buf_str(&request),
				      .timeout_ms = ASK_TREE_MS,
				      .done = leg_answered,
				      .arg = lg,
			      });
	return true;
}

static void answer(struct ask_tree *a)
{
	if (a->is_answered)
		return;
	a->is_answered = true;
	loop_timer_stop(a->fs->loop, &a->patience);
	a->done(a->arg, &a->view);
}

static void free_when_over(struct ask_tree *a)
{
	if (a->n_open)
		return;
	view_release(&a->view);
	free(a);
}

static void end_leg(struct leg *lg)
{
	struct ask_tree *a = lg->ask;

	a->n_open--;
	if (a->n_open == 0 || view_is_settled(&a->view, lg->part))
		answer(a);
	free_when_over(a);
}

static void leg_answered(void *arg, const struct reply *r, int err)
{
	struct leg *lg = arg;
	struct ask_tree *a = lg->ask;

	view_take(&a->view, lg->part, lg->n, r, err);
	lg->n++;
	if (a->view.part[lg->part].err || !put(lg))
		end_leg(lg);
}

static void out_of_patience(struct loop_timer *t)
{
	answer(CONTAINER_OF(t, struct ask_tree, patience));
}

int ask_tree(struct fs *fs, enum view_what what, const char *path,
	     void (*done)(void *arg, struct view *v), void *arg)
{
	struct ask_tree *a = xcalloc(1, sizeof *a);
	unsigned parts;
	int err = view_init(&a->view, what, path);

	if (err) {
		free(a);
		return err;
	}
	a->fs = fs;
	a->done = done;
	a->arg = arg;
	a->patience.fn = out_of_patience;
	if (what == VIEW_STAT && path[1] == '\0')
		loop_timer_set(fs->loop, &a->patience, ASK_ROOT_MS);
	parts = view_parts(&a->view);
	a->n_open =
		1; /* ours, so that no answer ends it before all are asked */
	for (unsigned i = 0; i < VIEW_PARTS; i++) {
		a->leg[i] = (struct leg){.ask = a, .part = i};
		if (!(parts & 1u << i))
			continue;
		a->n_open++;
		if (!put(&a->leg[i]))
			a->n_open--;
	}
	if (--a->n_open == 0)
		answer(a);
	free_when_over(a);
	return 0;
}
