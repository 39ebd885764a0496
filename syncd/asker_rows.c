/* Whether rows of devices are left, and whether a TTL explains that none is. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "asker.h"
#include "iotdb/path.h"

enum state {
	STATE_GONE = 1, /* no row is left, and no TTL was at work */
	STATE_THERE = 2,
	STATE_EXPIRED = 4, /* all of the range is older than its TTL */
	STATE_UNCLEAR = 8, /* a part of the range is */
};

struct looking_for {
	struct asker *a;
	const struct asker_rows *q;
	struct asker_ttls ttls;
	bool is_any; /* some count is not 0 */
};

static enum state ttl_state(const struct looking_for *k, const char *device)
{
	int64_t cutoff;

	if (!asker_ttls_longest(&k->ttls, device, &cutoff) ||
	    k->q->first >= cutoff)
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
	const char *device = k->q->devices;
	int r = asker_ttls_read(k->a, &k->ttls, reply, e);
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
	int r = look(&k, out, reply, e);

	asker_ttls_release(&k.ttls);
	return r;
}
