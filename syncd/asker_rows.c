/* Whether rows of devices are left, and whether a TTL explains that none is. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "asker.h"
#include "ground/clock.h"
#include "iotdb/path.h"

#define TTLS_MAX 4096u

enum state {
	STATE_GONE = 1, /* no row is left, and no TTL was at work */
	STATE_THERE = 2,
	STATE_EXPIRED = 4, /* all of the range is older than its TTL */
	STATE_UNCLEAR = 8, /* a part of the range is */
};

/* A path and what is below it, and the first time that lives. */
struct ttl {
	char *path; /* owned, without what matches anything */
	int64_t cutoff;
};

struct looking_for {
	struct asker *a;
	const struct asker_rows *q;
	struct ttl *ttls; /* owned */
	size_t n_ttls;
	bool is_any; /* some count is not 0 */
	int64_t now, per_ms;
};

/* ---- TTL ---- */

static int take_ttl(void *arg, const struct rpc_row *row)
{
	struct looking_for *k = arg;
	const char *path = row->n > 1 ? row->cells[0] : NULL;
	const char *text = row->n > 1 ? row->cells[1] : NULL;
	int64_t ms;
	char *end, *star;

	if (!path || !text)
		return 0;
	errno = 0;
	ms = strtoll(text, &end, 10);
	if (errno || end == text || *end || ms <= 0 ||
	    ms > INT64_MAX / k->per_ms)
		return 0; /* INF, null */
	if (k->n_ttls == TTLS_MAX)
		return -E2BIG;
	k->ttls[k->n_ttls].path = xstrdup(path);
	star = strstr(k->ttls[k->n_ttls].path, ".*");
	if (star)
		*star = '\0';
	k->ttls[k->n_ttls++].cutoff = k->now - ms * k->per_ms;
	return 0;
}

static bool covers(const char *above, const char *device)
{
	size_t n = strlen(above);

	return strncmp(above, device, n) == 0 &&
	       (!device[n] || device[n] == '.');
}

/* Of several the longest time counts: what it leaves may not be said to have expired. */
static enum state ttl_state(const struct looking_for *k, const char *device)
{
	bool is_covered = false;
	int64_t cutoff = INT64_MAX;

	for (size_t i = 0; i < k->n_ttls; i++)
		if (covers(k->ttls[i].path, device)) {
			is_covered = true;
			if (k->ttls[i].cutoff < cutoff)
				cutoff = k->ttls[i].cutoff;
		}
	if (!is_covered || k->q->first >= cutoff)
		return STATE_GONE;
	return k->q->last < cutoff ? STATE_EXPIRED : STATE_UNCLEAR;
}

/* ---- rows ---- */

static int take_counts(void *arg, const struct rpc_row *row)
{
	struct looking_for *k = arg;

	for (unsigned i = 0; i < row->n; i++)
		if (row->cells[i] && strcmp(row->cells[i], "0") != 0 &&
		    strcmp(row->names[i], "Time") != 0)
			k->is_any = true;
	return 0;
}

static int count(struct looking_for *k, const char *device,
		 struct rpc_reply *reply, struct err *e)
{
	const struct rpc_visit visit = {.row = take_counts, .arg = k};
	CLEANUP(buf_release) struct buf sql;
	const char *word = " WHERE ";
	int r;

	buf_init(&sql, ASKER_LINE_MAX);
	buf_adds(&sql, "SELECT count(*) FROM ");
	r = sql_add_path(rpc_version_number(k->a->rpc), device, strlen(device),
			 &sql);
	/* The smallest number cannot be written. */
	if (k->q->first > INT64_MIN) {
		buf_addf(&sql, "%stime >= %" PRId64, word, k->q->first);
		word = " AND ";
	}
	if (k->q->last < INT64_MAX)
		buf_addf(&sql, "%stime <= %" PRId64, word, k->q->last);
	if (r >= 0)
		r = buf_end(&sql);
	if (r < 0)
		return err_set(e, EINVAL, "%s: no path", device);
	k->is_any = false;
	return rpc_query(k->a->rpc, buf_str(&sql), &visit, reply, e);
}

static const char *state_text(int states)
{
	switch (states) {
	case STATE_GONE:
		return "gone";
	case STATE_THERE:
		return "there";
	case STATE_EXPIRED:
		return "expired";
	}
	return "mixed";
}

static int look(struct looking_for *k, struct buf *out, struct rpc_reply *reply,
		struct err *e)
{
	const struct rpc_visit ttls = {.row = take_ttl, .arg = k};
	const char *device = k->q->devices;
	int r = rpc_query(k->a->rpc, "SHOW ALL TTL", &ttls, reply, e);
	int states = 0;

	for (unsigned i = 0; r >= 0 && i < k->q->n; i++) {
		r = count(k, device, reply, e);
		states |= k->is_any ? STATE_THERE : ttl_state(k, device);
		device += strlen(device) + 1;
	}
	if (r >= 0)
		buf_addf(out, "\t%s", state_text(states));
	return r;
}

int asker_rows(struct asker *a, const struct asker_rows *q, struct buf *out,
	       struct rpc_reply *reply, struct err *e)
{
	struct looking_for k = {.a = a, .q = q};
	const char *precision = rpc_precision(a->rpc);
	int r;

	k.per_ms = strcmp(precision, "us") == 0	  ? 1000
		   : strcmp(precision, "ns") == 0 ? 1000000
						  : 1;
	k.now = clock_wall_ms() * k.per_ms;
	k.ttls = xcalloc(TTLS_MAX, sizeof *k.ttls);
	r = look(&k, out, reply, e);
	for (size_t i = 0; i < k.n_ttls; i++)
		free(k.ttls[i].path);
	free(k.ttls);
	return r;
}
