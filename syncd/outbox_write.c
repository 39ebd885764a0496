/* What the catalog's thread writes. Every function binds all parameters of its
 * statement anew, so that none sees another's. */
#include <errno.h>
#include <string.h>

#include "outbox_sql.h"

static void bind_text(sqlite3_stmt *st, int i, const char *s)
{
	(void)sqlite3_bind_text(st, i, s, -1, SQLITE_STATIC);
}

static void bind_num(sqlite3_stmt *st, int i, int64_t v)
{
	(void)sqlite3_bind_int64(st, i, v);
}

static void bind_u64(sqlite3_stmt *st, int i, uint64_t v)
{
	(void)sqlite3_bind_int64(st, i, (int64_t)v);
}

static int run(struct outbox_writer *w, enum outbox_write which, struct err *e)
{
	return db_run(&w->db, w->st[which], e);
}

static int run_for_pipe(struct outbox_writer *w, enum outbox_write which,
			int64_t pipe, struct err *e)
{
	bind_num(w->st[which], 1, pipe);
	return run(w, which, e);
}

int outbox_put_sink(struct outbox_writer *w, const struct sink_row *s,
		    struct err *e)
{
	sqlite3_stmt *st = w->st[W_PUT_SINK];

	bind_text(st, 1, s->name);
	bind_text(st, 2, s->host);
	bind_num(st, 3, s->port);
	bind_text(st, 4, s->key);
	return run(w, W_PUT_SINK, e);
}

int outbox_remove_sink(struct outbox_writer *w, const char *name, struct err *e)
{
	bind_text(w->st[W_REMOVE_SINK], 1, name);
	return run(w, W_REMOVE_SINK, e);
}

int outbox_add_pipe(struct outbox_writer *w, struct pipe_row *p, struct err *e)
{
	sqlite3_stmt *st = w->st[W_ADD_PIPE];
	int r;

	bind_text(st, 1, p->name);
	bind_text(st, 2, p->sink);
	bind_num(st, 3, p->create_ms);
	(void)sqlite3_bind_blob(st, 4, p->incarnation, ID_LEN, SQLITE_STATIC);
	bind_num(st, 5, p->has_from);
	bind_num(st, 6, p->is_exclusive);
	bind_num(st, 7, p->from);
	bind_text(st, 8, p->query);
	bind_num(st, 9, p->sync_del_op);
	bind_num(st, 10, p->state);
	bind_text(st, 11, p->error);
	bind_num(st, 12, p->error_ms);
	bind_num(st, 13, p->is_started_once);
	bind_num(st, 14, p->is_superseded);
	bind_num(st, 15, p->is_told);
	bind_num(st, 16, p->is_resync);
	r = run(w, W_ADD_PIPE, e);
	if (r == 0)
		p->id = sqlite3_last_insert_rowid(w->db.h);
	return r;
}

int outbox_save_pipe(struct outbox_writer *w, const struct pipe_row *p,
		     struct err *e)
{
	sqlite3_stmt *st = w->st[W_SAVE_PIPE];

	bind_num(st, 1, p->id);
	bind_num(st, 2, p->state);
	bind_text(st, 3, p->error);
	bind_num(st, 4, p->error_ms);
	bind_num(st, 5, p->is_started_once);
	bind_num(st, 6, p->is_superseded);
	bind_num(st, 7, p->is_told);
	return run(w, W_SAVE_PIPE, e);
}

int outbox_save_progress(struct outbox_writer *w, int64_t pipe,
			 uint64_t durable, uint64_t applied, struct err *e)
{
	sqlite3_stmt *st = w->st[W_SAVE_PROGRESS];

	bind_num(st, 1, pipe);
	bind_u64(st, 2, durable);
	bind_u64(st, 3, applied);
	return run(w, W_SAVE_PROGRESS, e);
}

int outbox_forget_pipe(struct outbox_writer *w, int64_t pipe, struct err *e)
{
	int r = run_for_pipe(w, W_FORGET_ENTRIES, pipe, e);

	if (r == 0)
		r = run_for_pipe(w, W_FORGET_ALL_KNOWN, pipe, e);
	if (r == 0)
		r = run_for_pipe(w, W_FORGET_GAPS, pipe, e);
	if (r == 0)
		r = run_for_pipe(w, W_FORGET_FORKS, pipe, e);
	if (r == 0)
		r = run_for_pipe(w, W_FORGET_ALL_GONE, pipe, e);
	if (r == 0)
		r = outbox_forget_schema(w, pipe, e);
	return r ? r : run_for_pipe(w, W_FORGET_PIPE, pipe, e);
}

int outbox_live_pipe(struct outbox_writer *w, int64_t pipe, uint64_t *assigned,
		     uint64_t *assigned_bytes, struct err *e)
{
	sqlite3_stmt *st = w->st[W_LIVE_PIPE];
	int r;

	bind_num(st, 1, pipe);
	r = db_row(&w->db, st, e);
	if (r != 1)
		return r;
	*assigned = (uint64_t)sqlite3_column_int64(st, 0);
	*assigned_bytes = (uint64_t)sqlite3_column_int64(st, 1);
	(void)sqlite3_reset(st);
	return 1;
}

static void bind_blob(sqlite3_stmt *st, int i, const struct buf *b)
{
	if (b)
		(void)sqlite3_bind_blob64(st, i, buf_data(b), b->len,
					  SQLITE_STATIC);
	else
		(void)sqlite3_bind_null(st, i);
}

int outbox_add_known(struct outbox_writer *w, int64_t pipe,
		     const struct outbox_entry *en, struct err *e)
{
	int r;

	outbox_bind_file(w->st[W_ADD_KNOWN], pipe, &en->entry.file);
	bind_u64(w->st[W_ADD_KNOWN], 10, en->entry.serial);
	bind_u64(w->st[W_ADD_KNOWN], 11, en->mods_seen);
	bind_blob(w->st[W_ADD_KNOWN], 12, en->covered);
	if (en->range && en->range->any) {
		bind_num(w->st[W_ADD_KNOWN], 13, en->range->first);
		bind_num(w->st[W_ADD_KNOWN], 14, en->range->last);
	}
	bind_num(w->st[W_ADD_KNOWN], 15, en->is_loose);
	r = run(w, W_ADD_KNOWN, e);
	(void)sqlite3_clear_bindings(w->st[W_ADD_KNOWN]);
	return r;
}

int outbox_add_entry(struct outbox_writer *w, int64_t pipe,
		     const struct outbox_entry *en, struct err *e)
{
	sqlite3_stmt *st = w->st[W_ADD_ENTRY];
	CLEANUP(buf_release) struct buf head;
	int r;

	buf_init(&head, ENTRY_HEAD_MAX);
	entry_encode(&en->entry, &head);
	r = buf_end(&head);
	if (r)
		return err_set(e, -r, "the head of an entry is too long");
	bind_num(st, 1, pipe);
	bind_u64(st, 2, en->entry.serial);
	bind_u64(st, 3, en->entry.nonce);
	(void)sqlite3_bind_blob(st, 4, buf_data(&head), (int)head.len,
				SQLITE_STATIC);
	bind_num(st, 5, en->volume);
	bind_num(st, 6, en->captured_ms);
	bind_u64(st, 7, en->total);
	bind_blob(st, 8, en->body);
	bind_num(st, 9, en->is_loose);
	bind_num(st, 10, en->is_again);
	r = run(w, W_ADD_ENTRY, e);
	(void)sqlite3_clear_bindings(st);
	if (r == 0 && en->entry.kind == ENTRY_FILE)
		r = outbox_add_known(w, pipe, en, e);
	return r;
}

int outbox_set_assigned(struct outbox_writer *w, int64_t pipe,
			uint64_t assigned, uint64_t assigned_bytes,
			struct err *e)
{
	sqlite3_stmt *st = w->st[W_SET_ASSIGNED];

	bind_num(st, 1, pipe);
	bind_u64(st, 2, assigned);
	bind_u64(st, 3, assigned_bytes);
	return run(w, W_SET_ASSIGNED, e);
}

int outbox_is_known(struct outbox_writer *w, int64_t pipe,
		    const struct fileid *file, struct err *e)
{
	int r;

	outbox_bind_file(w->st[W_IS_KNOWN], pipe, file);
	r = db_row(&w->db, w->st[W_IS_KNOWN], e);
	if (r == 1)
		(void)sqlite3_reset(w->st[W_IS_KNOWN]);
	return r;
}

int outbox_was_entry(struct outbox_writer *w, int64_t pipe,
		     const struct fileid *file, struct err *e)
{
	sqlite3_stmt *st = w->st[W_IS_KNOWN];
	int r;

	outbox_bind_file(st, pipe, file);
	r = db_row(&w->db, st, e);
	if (r != 1)
		return r;
	r = sqlite3_column_int(st, 0);
	(void)sqlite3_reset(st);
	return r;
}

int outbox_forget_known(struct outbox_writer *w, int64_t pipe,
			const struct fileid *file, struct err *e)
{
	outbox_bind_file(w->st[W_FORGET_KNOWN], pipe, file);
	return run(w, W_FORGET_KNOWN, e);
}

int outbox_add_gap(struct outbox_writer *w, int64_t pipe, const char *line,
		   bool is_final, struct err *e)
{
	bind_num(w->st[W_ADD_GAP], 3, is_final);
	bind_num(w->st[W_ADD_GAP], 1, pipe);
	bind_text(w->st[W_ADD_GAP], 2, line);
	return run(w, W_ADD_GAP, e);
}

/* Only for who keeps it: a head that is none is no FILE's. */
static void read_file(sqlite3_stmt *st, struct outbox_gone *out)
{
	struct rd head = rd_over(sqlite3_column_blob(st, 4),
				 (size_t)sqlite3_column_bytes(st, 4));
	struct entry en = {0};

	out->body_len = 0;
	if (entry_decode(&en, &head) < 0)
		return;
	if (en.kind == ENTRY_FILE) {
		out->body_len = en.body_len;
		out->file = en.file;
	}
	entry_release(&en);
}

static int read_lowest(struct outbox_writer *w, int64_t pipe, uint64_t serial,
		       struct outbox_gone *out, size_t n, struct err *e)
{
	sqlite3_stmt *st = w->st[W_LOWEST];
	int r, n_rows = 0;

	bind_num(st, 1, pipe);
	bind_u64(st, 2, serial);
	bind_num(st, 3, (int64_t)n);
	while ((r = db_row(&w->db, st, e)) == 1) {
		out[n_rows].serial = (uint64_t)sqlite3_column_int64(st, 0);
		out[n_rows].nonce = (uint64_t)sqlite3_column_int64(st, 1);
		out[n_rows].volume = sqlite3_column_int64(st, 2);
		out[n_rows].total = (uint64_t)sqlite3_column_int64(st, 3);
		read_file(st, &out[n_rows]);
		n_rows++;
	}
	return r < 0 ? r : n_rows;
}

static int remove_entries(struct outbox_writer *w, int64_t pipe,
			  uint64_t serial, struct err *e)
{
	bind_num(w->st[W_REMOVE_ENTRIES], 1, pipe);
	bind_u64(w->st[W_REMOVE_ENTRIES], 2, serial);
	return run(w, W_REMOVE_ENTRIES, e);
}

int outbox_release(struct outbox_writer *w, int64_t pipe, uint64_t serial,
		   struct outbox_gone *out, size_t n, struct err *e)
{
	sqlite3_stmt *st = w->st[W_SET_RELEASED];
	struct forks forks;
	int r = outbox_forks_written(w, pipe, &forks, e),
	    n_rows = r ? r : read_lowest(w, pipe, serial, out, n, e);

	if (n_rows <= 0)
		return n_rows;
	for (int i = 0; i < n_rows; i++)
		out[i].wire_nonce =
			forks_nonce(&forks, out[i].serial, out[i].nonce);
	r = remove_entries(w, pipe, out[n_rows - 1].serial, e);
	if (r)
		return r;
	bind_num(st, 1, pipe);
	bind_u64(st, 2, out[n_rows - 1].serial);
	bind_u64(st, 3, out[n_rows - 1].wire_nonce);
	bind_u64(st, 4, out[n_rows - 1].total);
	r = run(w, W_SET_RELEASED, e);
	return r ? r : n_rows;
}

int outbox_purge(struct outbox_writer *w, int64_t pipe, struct outbox_gone *out,
		 size_t n, struct err *e)
{
	int r, n_rows = read_lowest(w, pipe, INT64_MAX, out, n, e);

	if (n_rows < 0)
		return n_rows;
	if (n_rows > 0)
		r = remove_entries(w, pipe, out[n_rows - 1].serial, e);
	else
		r = run_for_pipe(w, W_FORGET_ALL_KNOWN, pipe, e);
	if (r == 0 && n_rows == 0)
		r = run_for_pipe(w, W_FORGET_ALL_GONE, pipe, e);
	if (r == 0 && n_rows == 0)
		r = outbox_forget_schema(w, pipe, e);
	return r ? r : n_rows;
}

int outbox_each_pinned(struct outbox_writer *w,
		       int (*fn)(void *arg, int64_t pipe,
				 const struct outbox_gone *en),
		       void *arg, struct err *e)
{
	sqlite3_stmt *st = w->st[W_EACH_PINNED];
	struct outbox_gone en;
	int r;

	while ((r = db_row(&w->db, st, e)) == 1) {
		en.serial = (uint64_t)sqlite3_column_int64(st, 1);
		en.nonce = (uint64_t)sqlite3_column_int64(st, 2);
		en.volume = sqlite3_column_int64(st, 3);
		en.total = 0;
		en.is_loose = sqlite3_column_int(st, 4) != 0;
		r = fn(arg, sqlite3_column_int64(st, 0), &en);
		if (r) {
			(void)sqlite3_reset(st);
			break;
		}
	}
	return r;
}
