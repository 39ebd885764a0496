#include "pool.h"

#include <errno.h>
#include <string.h>

static const size_t lane_max[POOL_LANES] = {
	[LANE_TREE] = 8,
	[LANE_STATEMENT] = 16,
	[LANE_WAIT] = 32,
};

#define IDLE_MAX 4
#define LATE_MS 1000

struct conn {
	struct client *client;
	struct lane *lane;
	struct ask *ask; /* NULL = idle */
	char *as; /* for whom the daemon believes it to be; "" = ourselves */
	bool is_kept; /* it has answered before */
	struct conn *next;
};

struct ask {
	struct pool *pool;
	struct lane *lane;
	struct conn *conn;	 /* NULL: waits in line, or fails soon */
	struct ask *next, *prev; /* all of the pool */
	struct ask *next_waiting;
	struct loop_timer timer; /* while it waits */
	struct loop_task failing;
	int err; /* of failing */
	char *as, *request;
	uint64_t due_ms;
	bool was_repeated;
	void (*done)(void *arg, const struct reply *r, int err);
	void *arg;
};

struct lane {
	struct pool *pool;
	struct daemon *daemon;
	enum pool_lane kind;
	size_t n_conns, max;
	struct conn *idle;
	size_t n_idle;
	struct ask *first, **last; /* waiting */
};

struct daemon {
	const char *socket; /* borrowed */
	uint64_t late_until_ms;
	struct lane lane[POOL_LANES];
};

struct pool {
	struct loop *loop;
	struct daemon daemon[POOL_DAEMONS];
	struct ask *asks;
	struct conn *dead;
	struct loop_task bury;
	bool is_closing;
};

static void serve(struct lane *ln);

bool pool_is_absent(int err)
{
	return err == -ENOENT || err == -ECONNREFUSED || err == -EAGAIN;
}

/* ---- connections ---- */

static void free_conn(struct conn *c)
{
	client_free(c->client);
	free(c->as);
	free(c);
}

static void bury_dead(struct loop_task *t)
{
	struct pool *p = CONTAINER_OF(t, struct pool, bury);
	struct conn *c;

	while ((c = p->dead)) {
		p->dead = c->next;
		free_conn(c);
	}
}

/* Later, because it may be this connection that is calling us. */
static void drop_conn(struct conn *c)
{
	struct pool *p = c->lane->pool;

	c->lane->n_conns--;
	c->next = p->dead;
	p->dead = c;
	loop_defer(p->loop, &p->bury);
}

static int connect_lane(struct lane *ln, struct conn **out)
{
	struct client *client;
	int err = client_new(&client, ln->pool->loop, ln->daemon->socket);

	if (err)
		return err;
	client_stay(client);
	*out = xcalloc(1, sizeof **out);
	(*out)->client = client;
	(*out)->lane = ln;
	(*out)->as = xstrdup("");
	ln->n_conns++;
	return 0;
}

/* An idle connection that speaks for `as`, or that can be told to. */
static struct conn *take_idle(struct lane *ln, const char *as)
{
	struct conn **p = &ln->idle, *c;

	while (*p && strcmp((*p)->as, as) != 0)
		p = &(*p)->next;
	c = *p;
	if (!c)
		return NULL;
	*p = c->next;
	ln->n_idle--;
	return c;
}

/* Makes room for a connection for somebody else. */
static bool drop_idle(struct lane *ln)
{
	struct conn *c = ln->idle;

	if (!c)
		return false;
	ln->idle = c->next;
	ln->n_idle--;
	drop_conn(c);
	return true;
}

static void keep_conn(struct conn *c)
{
	struct lane *ln = c->lane;

	c->ask = NULL;
	c->is_kept = true;
	if (ln->n_idle >= IDLE_MAX || !client_is_idle(c->client)) {
		drop_conn(c);
		return;
	}
	c->next = ln->idle;
	ln->idle = c;
	ln->n_idle++;
}

/* ---- questions ---- */

static void free_ask(struct ask *a)
{
	struct pool *p = a->pool;

	loop_timer_stop(p->loop, &a->timer);
	loop_undefer(p->loop, &a->failing);
	if (a->prev)
		a->prev->next = a->next;
	else
		p->asks = a->next;
	if (a->next)
		a->next->prev = a->prev;
	free(a->as);
	free(a->request);
	free(a);
}

static void finish(struct ask *a, const struct reply *r, int err)
{
	void (*done)(void *, const struct reply *, int) = a->done;
	void *arg = a->arg;

	free_ask(a);
	done(arg, r, err);
}

static void fail_now(struct loop_task *t)
{
	struct ask *a = CONTAINER_OF(t, struct ask, failing);

	finish(a, NULL, a->err);
}

static void fail_soon(struct ask *a, int err)
{
	a->err = err;
	loop_defer(a->pool->loop, &a->failing);
}

static void leave_line(struct ask *a)
{
	struct lane *ln = a->lane;
	struct ask **p = &ln->first;

	while (*p && *p != a)
		p = &(*p)->next_waiting;
	if (!*p)
		return;
	*p = a->next_waiting;
	if (!*p)
		ln->last = p;
	a->next_waiting = NULL;
	loop_timer_stop(a->pool->loop, &a->timer);
}

static void join_line(struct ask *a, uint64_t now_ms)
{
	struct lane *ln = a->lane;

	*ln->last = a;
	ln->last = &a->next_waiting;
	loop_timer_set(a->pool->loop, &a->timer,
		       a->due_ms > now_ms ? a->due_ms - now_ms : 0);
}

static void waited_too_long(struct loop_timer *t)
{
	struct ask *a = CONTAINER_OF(t, struct ask, timer);

	leave_line(a);
	finish(a, NULL, -ETIMEDOUT);
}

static int left_ms(const struct ask *a)
{
	uint64_t now = loop_now_ms(a->pool->loop);

	if (a->due_ms <= now)
		return 1;
	return a->due_ms - now > INT32_MAX ? INT32_MAX : (int)(a->due_ms - now);
}

static void answered(void *arg, const struct reply *r, int err);

/* Of a request that is answered EPIPE nothing was read. Anything else may have been
 * done. */
static bool may_repeat(const struct ask *a, const struct conn *c, int err)
{
	if (!c->is_kept || a->was_repeated || a->pool->is_closing)
		return false;
	if (err == -ETIMEDOUT || err == -ECANCELED)
		return false;
	return a->lane->kind == LANE_TREE || err == -EPIPE;
}

static void lost(struct ask *a, struct conn *c, int err)
{
	struct lane *ln = a->lane;

	a->conn = NULL;
	c->ask = NULL;
	drop_conn(c);
	if (err == -ETIMEDOUT && ln->kind == LANE_TREE)
		ln->daemon->late_until_ms =
			loop_now_ms(a->pool->loop) + LATE_MS;
	if (may_repeat(a, c, err)) {
		a->was_repeated = true;
		join_line(a, loop_now_ms(a->pool->loop));
	} else {
		finish(a, NULL, err);
	}
	serve(ln);
}

static void answered(void *arg, const struct reply *r, int err)
{
	struct conn *c = arg;
	struct ask *a = c->ask;
	struct lane *ln = c->lane;

	if (!a)
		return;
	if (!r) {
		lost(a, c, err ? err : -EIO);
		return;
	}
	keep_conn(c);
	finish(a, r, 0);
	serve(ln);
}

/* The daemon took, or refused, our word for whom we speak. */
static void introduced(void *arg, const struct reply *r, int err)
{
	struct conn *c = arg;
	struct ask *a = c->ask;
	struct lane *ln = c->lane;

	if (!a)
		return;
	if (!r) {
		lost(a, c, err ? err : -EIO);
		return;
	}
	if (r->code) {
		c->ask = NULL;
		drop_conn(c);
		finish(a, r, 0);
		serve(ln);
		return;
	}
	free(c->as);
	c->as = xstrdup(a->as);
	client_ask(c->client, a->request, left_ms(a), answered, c);
}

static void put(struct ask *a, struct conn *c)
{
	a->conn = c;
	c->ask = a;
	if (strcmp(a->as, c->as) != 0)
		client_ask(c->client, a->as, left_ms(a), introduced, c);
	else
		client_ask(c->client, a->request, left_ms(a), answered, c);
}

/* A connection for this question: 1; 0: it has to wait; or why there is none. A
 * repeated question trusts no kept one. */
static int find_conn(struct ask *a, struct conn **out)
{
	struct lane *ln = a->lane;
	int err;

	if (a->was_repeated) {
		while (drop_idle(ln))
			;
	}
	*out = take_idle(ln, a->as);
	if (*out)
		return 1;
	if (ln->n_conns >= ln->max && !drop_idle(ln))
		return 0;
	err = connect_lane(ln, out);
	return err ? err : 1;
}

static bool is_late(const struct lane *ln)
{
	return ln->kind == LANE_TREE &&
	       loop_now_ms(ln->pool->loop) < ln->daemon->late_until_ms;
}

/* Puts as many of the waiting questions as there are connections for. */
static void serve(struct lane *ln)
{
	struct ask *a;
	int r;

	while ((a = ln->first)) {
		struct conn *c = NULL;

		if (ln->pool->is_closing) {
			r = -ECANCELED;
		} else if (is_late(ln)) {
			r = -ETIMEDOUT;
		} else {
			r = find_conn(a, &c);
		}
		if (r == 0)
			return;
		leave_line(a);
		if (c)
			put(a, c);
		else
			fail_soon(a, r);
	}
}

void pool_ask(struct pool *p, const struct pool_question *q)
{
	struct ask *a;

	if (p->is_closing) {
		q->done(q->arg, NULL, -ECANCELED);
		return;
	}
	a = xcalloc(1, sizeof *a);
	a->pool = p;
	a->lane = &p->daemon[q->daemon].lane[q->lane];
	a->timer.fn = waited_too_long;
	a->failing.fn = fail_now;
	a->as = xstrdup(q->as);
	a->request = xstrdup(q->request);
	a->due_ms = loop_now_ms(p->loop) + q->timeout_ms;
	a->done = q->done;
	a->arg = q->arg;
	a->next = p->asks;
	if (p->asks)
		p->asks->prev = a;
	p->asks = a;
	join_line(a, loop_now_ms(p->loop));
	serve(a->lane);
}

/* ---- the pool ---- */

static void init_lane(struct pool *p, struct daemon *d, enum pool_lane kind)
{
	struct lane *ln = &d->lane[kind];

	ln->pool = p;
	ln->daemon = d;
	ln->kind = kind;
	ln->max = lane_max[kind];
	ln->last = &ln->first;
}

struct pool *pool_new(struct loop *l, const char *const sockets[POOL_DAEMONS])
{
	struct pool *p = xcalloc(1, sizeof *p);

	p->loop = l;
	p->bury.fn = bury_dead;
	for (unsigned i = 0; i < POOL_DAEMONS; i++) {
		p->daemon[i].socket = sockets[i];
		init_lane(p, &p->daemon[i], LANE_TREE);
		init_lane(p, &p->daemon[i], LANE_STATEMENT);
		init_lane(p, &p->daemon[i], LANE_WAIT);
	}
	return p;
}

void pool_close(struct pool *p)
{
	struct ask *a;

	p->is_closing = true;
	while ((a = p->asks)) {
		struct conn *c = a->conn;

		if (c) {
			c->ask = NULL;
			drop_conn(c);
		} else {
			leave_line(a);
		}
		finish(a, NULL, -ECANCELED);
	}
	for (unsigned i = 0; i < POOL_DAEMONS; i++) {
		for (unsigned k = 0; k < POOL_LANES; k++) {
			while (drop_idle(&p->daemon[i].lane[k]))
				;
		}
	}
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pool_close(p);
	loop_undefer(p->loop, &p->bury);
	bury_dead(&p->bury);
	free(p);
}
