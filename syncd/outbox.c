/* Opening, the catalog's thread, and its jobs. The writing connection is touched by
 * this file before the thread gets its first job and after it ended, else only inside
 * run_job(). */
#include <errno.h>
#include <string.h>

#include "outbox_sql.h"

static int prepare_all(struct db *db, sqlite3_stmt **to, const char *const *sql,
		       int n, struct err *e)
{
	int i, r = 0;

	for (i = 0; r == 0 && i < n; i++)
		r = db_prepare(db, &to[i], sql[i], e);
	return r;
}

static void finalize_all(sqlite3_stmt **st, int n)
{
	int i;

	for (i = 0; i < n; i++)
		(void)sqlite3_finalize(st[i]);
}

static int put_instance(struct db *db, const uint8_t instance[ID_LEN],
			struct err *e)
{
	sqlite3_stmt *st;
	int r = db_prepare(db, &st, "INSERT INTO meta VALUES('instance', ?1)",
			   e);

	if (r)
		return r;
	(void)sqlite3_bind_blob(st, 1, instance, ID_LEN, SQLITE_STATIC);
	r = db_run(db, st, e);
	(void)sqlite3_finalize(st);
	return r;
}

static int check_instance(struct db *db, const struct statedir *state,
			  struct err *e)
{
	uint8_t have[ID_LEN];
	sqlite3_stmt *st;
	int r = db_prepare(db, &st,
			   "SELECT value FROM meta WHERE key = 'instance'", e);

	if (r)
		return r;
	r = db_row(db, st, e);
	if (r == 1 && db_blob(st, 0, have, ID_LEN))
		r = err_set(e, EBADMSG,
			    "catalog.db: its instance cannot be "
			    "read (restore the state directory)");
	(void)sqlite3_finalize(st);
	if (r < 0)
		return r;
	if (r == 1)
		return statedir_match_catalog(state, have, e);
	r = statedir_match_catalog(state, NULL, e);
	if (r == 0)
		r = put_instance(db, state->instance, e);
	return r ? r : statedir_match_catalog(state, state->instance, e);
}

int outbox_reader_open(struct db *db, const char *path, struct err *e)
{
	int r = db_open_reader(db, path, e);

	return r ? r : db_exec(db, "PRAGMA cache_size = -256", e);
}

static int open_both(struct outbox *o, const char *path,
		     const struct statedir *state, struct err *e)
{
	int r = db_open(&o->writer.db, path, outbox_steps, outbox_n_steps, e);

	if (r == 0)
		r = db_exec(&o->writer.db, "PRAGMA cache_size = -1024", e);
	if (r == 0)
		r = check_instance(&o->writer.db, state, e);
	if (r == 0)
		r = prepare_all(&o->writer.db, o->writer.st, outbox_write_sql,
				N_OUTBOX_WRITE, e);
	if (r == 0)
		r = outbox_reader_open(&o->reader, path, e);
	if (r == 0)
		r = prepare_all(&o->reader, o->read, outbox_read_sql,
				N_OUTBOX_READ, e);
	return r;
}

int outbox_open(struct outbox **out, struct loop *l, const char *path,
		const struct statedir *state, struct err *e)
{
	struct outbox *o = xcalloc(1, sizeof(*o));
	int r = open_both(o, path, state, e);

	if (r == 0)
		r = worker_new(&o->worker, l, 1, "catalog", e);
	if (r) {
		outbox_close(o);
		return r;
	}
	*out = o;
	return 0;
}

void outbox_end_jobs(struct outbox *o)
{
	if (o->worker)
		worker_free(o->worker);
	o->worker = NULL;
}

void outbox_close(struct outbox *o)
{
	if (!o)
		return;
	outbox_end_jobs(o);
	finalize_all(o->read, N_OUTBOX_READ);
	finalize_all(o->writer.st, N_OUTBOX_WRITE);
	db_close(&o->reader);
	db_close(&o->writer.db);
	free(o);
}

static void run_job(struct job *job)
{
	struct outbox_job *j = CONTAINER_OF(job, struct outbox_job, job);
	struct outbox_writer *w = &j->outbox->writer;

	if (j->is_bare) {
		j->result = j->run(j, w);
		return;
	}
	j->result = outbox_begin(w, &j->err);
	if (j->result < 0)
		return;
	j->result = j->run(j, w);
	if (j->result >= 0) {
		int r = outbox_commit(w, &j->err);

		if (r == 0)
			return;
		j->result = r;
	}
	outbox_rollback(w);
}

static void job_done(struct job *job)
{
	struct outbox_job *j = CONTAINER_OF(job, struct outbox_job, job);

	j->done(j);
}

void outbox_submit(struct outbox *o, struct outbox_job *j)
{
	j->outbox = o;
	j->job.run = run_job;
	j->job.done = job_done;
	worker_submit(o->worker, &j->job);
}

int outbox_begin(struct outbox_writer *w, struct err *e)
{
	return db_begin(&w->db, e);
}

int outbox_commit(struct outbox_writer *w, struct err *e)
{
	return db_commit(&w->db, e);
}

void outbox_rollback(struct outbox_writer *w)
{
	db_rollback(&w->db);
}

static int find_volume(struct outbox_writer *w, const char *data_dir,
		       const char *spool_dir, int64_t *id, struct err *e)
{
	sqlite3_stmt *st = w->st[W_GET_VOLUME];
	int r;

	(void)sqlite3_bind_text(st, 1, data_dir, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(st, 2, spool_dir, -1, SQLITE_STATIC);
	r = db_row(&w->db, st, e);
	if (r == 1) {
		*id = sqlite3_column_int64(st, 0);
		(void)sqlite3_reset(st);
	}
	return r;
}

int outbox_volume(struct outbox *o, const char *data_dir, const char *spool_dir,
		  int64_t *id, struct err *e)
{
	sqlite3_stmt *st = o->writer.st[W_ADD_VOLUME];
	int r = find_volume(&o->writer, data_dir, spool_dir, id, e);

	if (r)
		return r < 0 ? r : 0;
	(void)sqlite3_bind_text(st, 1, data_dir, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(st, 2, spool_dir, -1, SQLITE_STATIC);
	r = db_run(&o->writer.db, st, e);
	if (r == 0)
		*id = sqlite3_last_insert_rowid(o->writer.db.h);
	return r;
}

int outbox_each_volume(struct outbox *o,
		       int (*fn)(void *arg, int64_t id, const char *data_dir,
				 const char *spool_dir),
		       void *arg, struct err *e)
{
	char data_dir[512], spool_dir[512];
	sqlite3_stmt *st;
	int r = db_prepare(&o->reader, &st,
			   "SELECT id, data_dir, spool_dir FROM volume"
			   " ORDER BY id",
			   e);

	if (r)
		return r;
	while ((r = db_row(&o->reader, st, e)) == 1) {
		r = db_text(st, 1, data_dir, sizeof(data_dir));
		if (r == 0)
			r = db_text(st, 2, spool_dir, sizeof(spool_dir));
		if (r == 0)
			r = fn(arg, sqlite3_column_int64(st, 0), data_dir,
			       spool_dir);
		if (r)
			break;
	}
	(void)sqlite3_finalize(st);
	return r;
}
