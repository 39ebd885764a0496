/* What the loop reads: rows at start, then windows of entries. */
#include <errno.h>
#include <string.h>

#include "outbox_sql.h"

static uint64_t column_u64(sqlite3_stmt *st, int column)
{
	return (uint64_t)sqlite3_column_int64(st, column);
}

static int bad_row(struct err *e, const char *what)
{
	return err_set(e, EBADMSG,
		       "catalog.db: a row of %s is not as it was written "
		       "(restore the state directory, or move it and the "
		       "spools away and create the pipes again)",
		       what);
}

static int read_sink(sqlite3_stmt *st, struct sink_row *s)
{
	memset(s, 0, sizeof(*s));
	s->port = (unsigned)sqlite3_column_int(st, 2);
	if (db_text(st, 0, s->name, sizeof(s->name)) ||
	    db_text(st, 1, s->host, sizeof(s->host)) ||
	    db_text(st, 3, s->key, sizeof(s->key)))
		return -EBADMSG;
	return 0;
}

int outbox_each_sink(struct outbox *o,
		     void (*fn)(void *arg, const struct sink_row *), void *arg,
		     struct err *e)
{
	sqlite3_stmt *st;
	struct sink_row s;
	int r = db_prepare(
		&o->reader, &st,
		"SELECT name, host, port, key FROM sink ORDER BY name", e);

	if (r)
		return r;
	while ((r = db_row(&o->reader, st, e)) == 1) {
		if (read_sink(st, &s)) {
			r = bad_row(e, "sink");
			break;
		}
		fn(arg, &s);
	}
	(void)sqlite3_finalize(st);
	return r;
}

static const char pipe_columns[] =
	"SELECT id, name, sink, create_ms, incarnation, has_from, is_exclusive,"
	" from_time, query, sync_del_op, state, error, error_ms,"
	" is_started_once, is_superseded, is_told, assigned, assigned_bytes,"
	" durable, applied, released, released_nonce, released_bytes, "
	"is_resync"
	" FROM pipe ORDER BY id";

static int read_pipe(sqlite3_stmt *st, struct pipe_row *p)
{
	memset(p, 0, sizeof(*p));
	p->id = sqlite3_column_int64(st, 0);
	p->create_ms = sqlite3_column_int64(st, 3);
	p->has_from = sqlite3_column_int(st, 5) != 0;
	p->is_exclusive = sqlite3_column_int(st, 6) != 0;
	p->from = sqlite3_column_int64(st, 7);
	p->sync_del_op = sqlite3_column_int(st, 9) != 0;
	p->state = (enum pipe_state)sqlite3_column_int(st, 10);
	p->error_ms = sqlite3_column_int64(st, 12);
	p->is_started_once = sqlite3_column_int(st, 13) != 0;
	p->is_superseded = sqlite3_column_int(st, 14) != 0;
	p->is_told = sqlite3_column_int(st, 15) != 0;
	p->assigned = column_u64(st, 16);
	p->assigned_bytes = column_u64(st, 17);
	p->durable = column_u64(st, 18);
	p->applied = column_u64(st, 19);
	p->released = column_u64(st, 20);
	p->released_nonce = column_u64(st, 21);
	p->released_bytes = column_u64(st, 22);
	p->is_resync = sqlite3_column_int(st, 23) != 0;
	if (p->state < PIPE_RUNNING || p->state > PIPE_DROP ||
	    db_text(st, 1, p->name, sizeof(p->name)) ||
	    db_text(st, 2, p->sink, sizeof(p->sink)) ||
	    db_blob(st, 4, p->incarnation, ID_LEN) ||
	    db_text(st, 8, p->query, sizeof(p->query)) ||
	    db_text(st, 11, p->error, sizeof(p->error)))
		return -EBADMSG;
	return 0;
}

int outbox_each_pipe(struct outbox *o,
		     void (*fn)(void *arg, const struct pipe_row *), void *arg,
		     struct err *e)
{
	sqlite3_stmt *st;
	struct pipe_row p;
	int r = db_prepare(&o->reader, &st, pipe_columns, e);

	if (r)
		return r;
	while ((r = db_row(&o->reader, st, e)) == 1) {
		if (read_pipe(st, &p)) {
			r = bad_row(e, "pipe");
			break;
		}
		fn(arg, &p);
	}
	(void)sqlite3_finalize(st);
	return r;
}

static int read_entry(sqlite3_stmt *st, struct outbox_entry *out)
{
	const void *blob = sqlite3_column_blob(st, 0);
	struct rd r = rd_over(blob, (size_t)sqlite3_column_bytes(st, 0));

	memset(out, 0, sizeof(*out));
	if (entry_decode(&out->entry, &r))
		return -EBADMSG;
	if (rd_end(&r)) {
		entry_release(&out->entry);
		return -EBADMSG;
	}
	out->volume = sqlite3_column_int64(st, 1);
	out->captured_ms = sqlite3_column_int64(st, 2);
	out->total = column_u64(st, 3);
	out->is_loose = sqlite3_column_int(st, 4) != 0;
	out->is_again = sqlite3_column_int(st, 5) != 0;
	return 0;
}

int outbox_entries(struct outbox *o, int64_t pipe, uint64_t serial, uint64_t n,
		   int (*fn)(void *arg, struct outbox_entry *en), void *arg,
		   struct err *e)
{
	sqlite3_stmt *st = o->read[R_ENTRIES];
	struct outbox_entry en;
	int r, n_rows = 0;

	(void)sqlite3_bind_int64(st, 1, pipe);
	(void)sqlite3_bind_int64(st, 2, (int64_t)serial);
	(void)sqlite3_bind_int64(st, 3, (int64_t)n);
	while ((r = db_row(&o->reader, st, e)) == 1) {
		if (read_entry(st, &en)) {
			(void)sqlite3_reset(st);
			return bad_row(e, "entry");
		}
		n_rows++;
		if (fn(arg, &en)) {
			(void)sqlite3_reset(st);
			break;
		}
	}
	return r < 0 ? r : n_rows;
}

static int take_one(void *arg, struct outbox_entry *en)
{
	struct outbox_entry *out = arg;

	*out = *en;
	return 1;
}

int outbox_entry(struct outbox *o, int64_t pipe, uint64_t serial,
		 struct outbox_entry *out, struct err *e)
{
	int r = outbox_entries(o, pipe, serial, 1, take_one, out, e);

	if (r == 1 && out->entry.serial != serial) {
		entry_release(&out->entry);
		return 0;
	}
	return r;
}

/* One row of numbers: 1 when it is there, and then it must be reset. */
static int find_entry(struct outbox *o, int64_t pipe, uint64_t serial,
		      struct err *e)
{
	sqlite3_stmt *st = o->read[R_ENTRY];

	(void)sqlite3_bind_int64(st, 1, pipe);
	(void)sqlite3_bind_int64(st, 2, (int64_t)serial);
	return db_row(&o->reader, st, e);
}

static uint64_t take_number(struct outbox *o, int column)
{
	uint64_t v = column_u64(o->read[R_ENTRY], column);

	(void)sqlite3_reset(o->read[R_ENTRY]);
	return v;
}

int outbox_nonce(struct outbox *o, int64_t pipe, uint64_t serial,
		 uint64_t *nonce, struct err *e)
{
	int r = find_entry(o, pipe, serial, e);

	*nonce = r == 1 ? take_number(o, 0) : 0;
	return r < 0 ? r : 0;
}

int64_t outbox_captured_ms(struct outbox *o, int64_t pipe, uint64_t serial)
{
	return find_entry(o, pipe, serial, NULL) == 1
		       ? (int64_t)take_number(o, 1)
		       : 0;
}

uint64_t outbox_total(struct outbox *o, int64_t pipe, uint64_t serial,
		      uint64_t fallback)
{
	return find_entry(o, pipe, serial, NULL) == 1 ? take_number(o, 2)
						      : fallback;
}

int outbox_body(struct outbox *o, int64_t pipe, uint64_t serial,
		uint64_t offset, void *to, size_t n)
{
	sqlite3_stmt *st = o->read[R_BODY];
	size_t len;
	int r;

	(void)sqlite3_bind_int64(st, 1, pipe);
	(void)sqlite3_bind_int64(st, 2, (int64_t)serial);
	r = db_row(&o->reader, st, NULL);
	if (r != 1)
		return r < 0 ? r : -ENOENT;
	len = (size_t)sqlite3_column_bytes(st, 0);
	r = offset > len || n > len - offset ? -ENODATA : 0;
	if (r == 0 && n)
		memcpy(to, (const uint8_t *)sqlite3_column_blob(st, 0) + offset,
		       n);
	(void)sqlite3_reset(st);
	return r;
}

uint64_t outbox_count_gaps(struct outbox *o, int64_t pipe)
{
	sqlite3_stmt *st = o->read[R_COUNT_GAPS];
	uint64_t n;

	(void)sqlite3_bind_int64(st, 1, pipe);
	if (db_row(&o->reader, st, NULL) != 1)
		return 0;
	n = column_u64(st, 0);
	(void)sqlite3_reset(st);
	return n;
}

void outbox_gaps(struct outbox *o, int64_t pipe, struct buf *out)
{
	sqlite3_stmt *st = o->read[R_GAPS];
	struct err e = {0};
	char line[1024];
	int r;

	(void)sqlite3_bind_int64(st, 1, pipe);
	while ((r = db_row(&o->reader, st, &e)) == 1) {
		if (db_text(st, 0, line, sizeof(line)) == 0)
			buf_addf(out, "%s\n", line);
	}
	if (r < 0)
		buf_addf(out, "%s\n", e.text);
}
