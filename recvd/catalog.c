#include "catalog.h"

#include <errno.h>
#include <string.h>

#include "catalog_schema.h"

/* The writing half. Statements are prepared once; a task is prepare (outside), BEGIN,
 * run, COMMIT, and a failure anywhere rolls back all of it. */

enum {
	SET_META,
	PUT_SENDER,
	DEL_SENDER,
	DROP_OLDER,
	DROP_ALL,
	ADD_INCARNATION,
	DROP_INCARNATION,
	ADD_DOMAIN,
	SET_DELIVERED,
	ADD_ENTRY,
	SET_DURABLE,
	RETAIN,
	DEL_ENTRY,
	DEL_QUARANTINE,
	LOWEST,
	SET_APPLIED,
	GET_APPLIED,
	SET_STATE,
	RELEASE,
	PUT_QUARANTINE,
	GET_QUARANTINE_ID,
	GET_QUARANTINE,
	NEXT_QUARANTINE,
	N_STATEMENTS
};

static const char *const statements[N_STATEMENTS] = {
	[SET_META] = "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET "
		     "value = excluded.value",
	[PUT_SENDER] =
		"INSERT OR REPLACE INTO sender VALUES (?, ?, ?, ?, ?, ?, ?)",
	[DEL_SENDER] = "DELETE FROM sender WHERE id = ?",
	[DROP_OLDER] = "UPDATE incarnation SET dropped = 1 WHERE sender = ? "
		       "AND seq < ?",
	[DROP_ALL] = "UPDATE incarnation SET dropped = 1 WHERE sender = ?",
	[ADD_INCARNATION] =
		"INSERT INTO incarnation (seq, id, sender, pipe, create_time) "
		"VALUES (?, ?, ?, ?, ?)",
	[DROP_INCARNATION] = "UPDATE incarnation SET dropped = 1 WHERE seq = ?",
	[ADD_DOMAIN] = "INSERT OR IGNORE INTO domain (id, incarnation, "
		       "database) VALUES (?, ?, ?)",
	[SET_DELIVERED] = "UPDATE domain SET delivered = 1 WHERE id = ?",
	[ADD_ENTRY] = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[SET_DURABLE] = "UPDATE incarnation SET durable = ?, durable_nonce = ? "
			"WHERE seq = ?",
	[RETAIN] = "INSERT INTO retained (entry, domain, payload_len, kind, "
		   "digest, head, data, file) SELECT id, domain, payload_len, "
		   "kind, digest, head, data, file FROM entry WHERE id = ?",
	[DEL_ENTRY] = "DELETE FROM entry WHERE id = ?",
	[DEL_QUARANTINE] = "DELETE FROM quarantine WHERE entry = ?",
	[LOWEST] = "SELECT min(id) FROM entry WHERE id >= ? AND id <= ?",
	[SET_APPLIED] =
		"UPDATE incarnation SET applied = min(ifnull(?, durable), "
		"durable) "
		"WHERE seq = ?",
	[GET_APPLIED] = "SELECT applied FROM incarnation WHERE seq = ?",
	[SET_STATE] = "UPDATE entry SET state = ? WHERE id = ?",
	[RELEASE] = "UPDATE entry SET state = 2 WHERE id = ? AND state = 1",
	[PUT_QUARANTINE] =
		"INSERT INTO quarantine (entry, since, reason, paths) VALUES "
		"(?, ?, ?, ?) "
		"ON CONFLICT (entry) DO UPDATE SET since = excluded.since, "
		"reason = excluded.reason, paths = excluded.paths",
	[GET_QUARANTINE_ID] = "SELECT id FROM quarantine WHERE entry = ?",
	[GET_QUARANTINE] = CATALOG_QUARANTINE_COLUMNS "WHERE q.id = ?",
	[NEXT_QUARANTINE] = CATALOG_QUARANTINE_COLUMNS
	"WHERE q.id > ? ORDER BY q.id LIMIT 1",
};

struct catalog {
	struct db db;
	struct worker *keeper;		/* owned */
	sqlite3_stmt *st[N_STATEMENTS]; /* owned */
};

/* Bigger than SQLite's own 1000 pages: a checkpoint is two fsyncs and writes every page
 * again. secure_delete is on in Debian's build and would write zeros over each
 * applied entry. */
static const char pragmas[] = "PRAGMA wal_autocheckpoint = 8192;"
			      "PRAGMA secure_delete = OFF;"
			      "PRAGMA cache_size = -1024;"
			      "PRAGMA journal_size_limit = 67108864;";

static int match_instance(struct catalog *c, const struct statedir *dir,
			  struct err *e)
{
	struct catalog_reader own = {.db = c->db};
	char text[2 * ID_LEN + 1];
	uint8_t have[ID_LEN];
	int found = catalog_meta(&own, "instance", text, sizeof text, e), r;

	if (found < 0)
		return found;
	if (found > 0 && id_parse(text, have) < 0)
		return err_set(e, EBADMSG,
			       "catalog: its instance \"%s\" is none", text);
	r = statedir_match_catalog(dir, found > 0 ? have : NULL, e);
	if (r < 0 || found > 0)
		return r;
	id_text(dir->instance, text);
	r = catalog_set_meta(c, "instance", text, e);
	return r < 0 ? r : statedir_match_catalog(dir, dir->instance, e);
}

int catalog_open(struct catalog **out, struct loop *l, const char *path,
		 const struct statedir *dir, struct err *e)
{
	struct catalog *c = xcalloc(1, sizeof *c);
	int r = db_open(&c->db, path, catalog_steps, catalog_n_steps, e);

	if (r >= 0)
		r = db_exec(&c->db, pragmas, e);
	for (int i = 0; r >= 0 && i < N_STATEMENTS; i++)
		r = db_prepare(&c->db, &c->st[i], statements[i], e);
	if (r >= 0)
		r = match_instance(c, dir, e);
	if (r >= 0)
		r = worker_new(&c->keeper, l, 1, "keeper", e);
	if (r < 0) {
		catalog_close(c);
		return r;
	}
	*out = c;
	return 0;
}

void catalog_close(struct catalog *c)
{
	if (!c)
		return;
	if (c->keeper)
		worker_free(c->keeper);
	for (int i = 0; i < N_STATEMENTS; i++)
		(void)sqlite3_finalize(c->st[i]);
	db_close(&c->db);
	free(c);
}

static int run_transaction(struct catalog_task *t, struct catalog *c)
{
	int r = t->prepare ? t->prepare(t, c, &t->err) : 0;

	if (r < 0)
		return r;
	r = db_begin(&c->db, &t->err);
	if (r < 0)
		return r;
	r = t->run(t, c, &t->err);
	if (r >= 0) {
		int committed = db_commit(&c->db, &t->err);

		if (committed >= 0)
			return r;
		r = committed;
	}
	db_rollback(&c->db);
	return r;
}

static void task_run(struct job *j)
{
	struct catalog_task *t = CONTAINER_OF(j, struct catalog_task, job);

	t->result = run_transaction(t, t->catalog);
}

static void task_done(struct job *j)
{
	struct catalog_task *t = CONTAINER_OF(j, struct catalog_task, job);

	t->done(t);
}

void catalog_submit(struct catalog *c, struct catalog_task *t)
{
	t->catalog = c;
	t->job.run = task_run;
	t->job.done = task_done;
	worker_submit(c->keeper, &t->job);
}

size_t catalog_pending(const struct catalog *c)
{
	return worker_pending(c->keeper);
}

/* ---- binding ---- */

static void bind_text(sqlite3_stmt *st, int at, const char *text)
{
	(void)sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
}

static void bind_blob(sqlite3_stmt *st, int at, const void *p, size_t n)
{
	(void)sqlite3_bind_blob64(st, at, p, n, SQLITE_STATIC);
}

static void bind_int(sqlite3_stmt *st, int at, int64_t v)
{
	(void)sqlite3_bind_int64(st, at, v);
}

/* Runs a statement; what was bound is borrowed only until here. */
static int run(struct catalog *c, int which, struct err *e)
{
	int r = db_run(&c->db, c->st[which], e);

	(void)sqlite3_clear_bindings(c->st[which]);
	return r;
}

int catalog_set_meta(struct catalog *c, const char *name, const char *value,
		     struct err *e)
{
	bind_text(c->st[SET_META], 1, name);
	bind_text(c->st[SET_META], 2, value);
	return run(c, SET_META, e);
}

int catalog_put_sender(struct catalog *c, const struct sender_row *s,
		       struct err *e)
{
	sqlite3_stmt *st = c->st[PUT_SENDER];

	bind_blob(st, 1, s->id, sizeof s->id);
	bind_text(st, 2, s->name);
	bind_int(st, 3, s->state);
	bind_int(st, 4, s->first_seen_ms);
	bind_int(st, 5, s->last_seen_ms);
	bind_text(st, 6, s->address);
	bind_text(st, 7, s->version);
	return run(c, PUT_SENDER, e);
}

int catalog_del_sender(struct catalog *c, const uint8_t id[SENDER_ID_LEN],
		       struct err *e)
{
	bind_blob(c->st[DEL_SENDER], 1, id, SENDER_ID_LEN);
	return run(c, DEL_SENDER, e);
}

int catalog_add_incarnation(struct catalog *c, const struct incarnation_row *i,
			    struct err *e)
{
	sqlite3_stmt *st = c->st[ADD_INCARNATION];
	int r;

	bind_blob(c->st[DROP_OLDER], 1, i->sender, sizeof i->sender);
	bind_int(c->st[DROP_OLDER], 2, i->seq);
	r = run(c, DROP_OLDER, e);
	if (r >= 0)
		r = catalog_forget_early(c, e);
	if (r < 0)
		return r;
	bind_int(st, 1, i->seq);
	bind_blob(st, 2, i->id, sizeof i->id);
	bind_blob(st, 3, i->sender, sizeof i->sender);
	bind_text(st, 4, i->pipe);
	bind_int(st, 5, i->create_time_ms);
	return run(c, ADD_INCARNATION, e);
}

int catalog_drop_incarnation(struct catalog *c, int64_t seq, struct err *e)
{
	int r;

	bind_int(c->st[DROP_INCARNATION], 1, seq);
	r = run(c, DROP_INCARNATION, e);
	return r < 0 ? r : catalog_forget_early(c, e);
}

int catalog_add_domain(struct catalog *c, int64_t id, int64_t incarnation,
		       const char *database, struct err *e)
{
	sqlite3_stmt *st = c->st[ADD_DOMAIN];

	bind_int(st, 1, id);
	bind_int(st, 2, incarnation);
	bind_text(st, 3, database);
	return run(c, ADD_DOMAIN, e);
}

int catalog_set_delivered(struct catalog *c, int64_t domain, struct err *e)
{
	bind_int(c->st[SET_DELIVERED], 1, domain);
	return run(c, SET_DELIVERED, e);
}

int catalog_add_entry(struct catalog *c, const struct entry_row *row,
		      struct err *e)
{
	sqlite3_stmt *st = c->st[ADD_ENTRY];
	CLEANUP(buf_release) struct buf head;

	buf_init(&head, ENTRY_HEAD_MAX);
	entry_encode(&row->entry, &head);
	if (buf_end(&head) < 0)
		return err_set(e, E2BIG,
			       "the head of entry %llu is longer than %u bytes",
			       (unsigned long long)row->entry.serial,
			       ENTRY_HEAD_MAX);
	bind_int(st, 1, catalog_key(row->incarnation, row->entry.serial));
	bind_int(st, 2, row->domain);
	bind_int(st, 3, row->state);
	bind_blob(st, 4, row->digest.b, sizeof row->digest.b);
	bind_int(st, 5, (int64_t)entry_payload_len(&row->entry));
	bind_int(st, 6, row->entry.kind);
	bind_blob(st, 7, buf_data(&head), head.len);
	if (row->data)
		bind_blob(st, 8, row->data, row->data_len);
	else if (row->entry.kind == ENTRY_FILE)
		bind_int(st, 9, catalog_file_key(&row->entry.file));
	return run(c, ADD_ENTRY, e);
}

int catalog_set_durable(struct catalog *c, int64_t incarnation, uint64_t serial,
			uint64_t nonce, struct err *e)
{
	sqlite3_stmt *st = c->st[SET_DURABLE];
	int r;

	bind_int(st, 1, (int64_t)serial);
	bind_int(st, 2, (int64_t)nonce);
	bind_int(st, 3, incarnation);
	r = run(c, SET_DURABLE, e);
	if (r >= 0 && sqlite3_changes(c->db.h) != 1)
		return err_set(e, ESTALE,
			       "catalog: there is no incarnation %lld",
			       (long long)incarnation);
	return r;
}

struct db *catalog_db(struct catalog *c)
{
	return &c->db;
}

int catalog_drop_all(struct catalog *c, const uint8_t sender[SENDER_ID_LEN],
		     struct err *e)
{
	bind_blob(c->st[DROP_ALL], 1, sender, SENDER_ID_LEN);
	return run(c, DROP_ALL, e);
}

int catalog_retain_entry(struct catalog *c, int64_t incarnation,
			 uint64_t serial, struct err *e)
{
	bind_int(c->st[RETAIN], 1, catalog_key(incarnation, serial));
	return run(c, RETAIN, e);
}

int catalog_end_entry(struct catalog *c, int64_t incarnation, uint64_t serial,
		      struct err *e)
{
	int64_t key = catalog_key(incarnation, serial);
	int r;

	bind_int(c->st[DEL_QUARANTINE], 1, key);
	r = run(c, DEL_QUARANTINE, e);
	if (r < 0)
		return r;
	bind_int(c->st[DEL_ENTRY], 1, key);
	return run(c, DEL_ENTRY, e);
}

int catalog_advance(struct catalog *c, int64_t incarnation, uint64_t *applied,
		    struct err *e)
{
	sqlite3_stmt *low = c->st[LOWEST], *set = c->st[SET_APPLIED],
		     *get = c->st[GET_APPLIED];
	int r;

	bind_int(low, 1, catalog_key(incarnation, 0));
	bind_int(low, 2, catalog_key(incarnation, CATALOG_SERIAL_MAX));
	r = db_row(&c->db, low, e);
	if (r < 0)
		return r;
	if (r > 0 && sqlite3_column_type(low, 0) != SQLITE_NULL)
		bind_int(set, 1,
			 (int64_t)catalog_key_serial(
				 sqlite3_column_int64(low, 0)) -
				 1);
	(void)sqlite3_reset(low);
	bind_int(set, 2, incarnation);
	r = run(c, SET_APPLIED, e);
	if (r < 0)
		return r;
	bind_int(get, 1, incarnation);
	r = db_row(&c->db, get, e);
	if (r > 0)
		*applied = (uint64_t)sqlite3_column_int64(get, 0);
	(void)sqlite3_reset(get);
	return r < 0 ? r : 0;
}

static int set_state(struct catalog *c, int64_t key, enum entry_state state,
		     struct err *e)
{
	bind_int(c->st[SET_STATE], 1, state);
	bind_int(c->st[SET_STATE], 2, key);
	return run(c, SET_STATE, e);
}

int catalog_quarantine_id(struct catalog *c, int64_t incarnation,
			  uint64_t serial, int64_t *id, struct err *e)
{
	sqlite3_stmt *st = c->st[GET_QUARANTINE_ID];
	int r;

	bind_int(st, 1, catalog_key(incarnation, serial));
	r = db_row(&c->db, st, e);
	if (r > 0)
		*id = sqlite3_column_int64(st, 0);
	(void)sqlite3_reset(st);
	return r;
}

int catalog_quarantine(struct catalog *c, int64_t incarnation, uint64_t serial,
		       int64_t since_ms, const char *reason, const char *paths,
		       int64_t *id, struct err *e)
{
	sqlite3_stmt *put = c->st[PUT_QUARANTINE];
	int64_t key = catalog_key(incarnation, serial);
	int r = set_state(c, key, ENTRY_QUARANTINED, e);

	if (r < 0)
		return r;
	bind_int(put, 1, key);
	bind_int(put, 2, since_ms);
	bind_text(put, 3, reason);
	if (paths)
		bind_text(put, 4, paths);
	r = run(c, PUT_QUARANTINE, e);
	if (r < 0)
		return r;
	r = catalog_quarantine_id(c, incarnation, serial, id, e);
	return r < 0 ? r : 0;
}

static int quarantine_row(struct catalog *c, int which, int64_t id,
			  struct quarantine_row *row, struct err *e)
{
	sqlite3_stmt *st = c->st[which];
	int r;

	bind_int(st, 1, id);
	r = db_row(&c->db, st, e);
	if (r > 0 && catalog_quarantine_columns(st, row) < 0)
		r = err_set(e, EBADMSG,
			    "catalog: row %lld of quarantine is damaged",
			    (long long)id);
	(void)sqlite3_reset(st);
	return r;
}

int catalog_find_quarantine(struct catalog *c, int64_t id,
			    struct quarantine_row *row, struct err *e)
{
	return quarantine_row(c, GET_QUARANTINE, id, row, e);
}

int catalog_next_quarantine(struct catalog *c, int64_t after,
			    struct quarantine_row *row, struct err *e)
{
	return quarantine_row(c, NEXT_QUARANTINE, after, row, e);
}

int catalog_release_entry(struct catalog *c, int64_t incarnation,
			  uint64_t serial, struct err *e)
{
	sqlite3_stmt *st = c->st[RELEASE];
	int r;

	bind_int(st, 1, catalog_key(incarnation, serial));
	r = run(c, RELEASE, e);
	return r < 0 ? r : sqlite3_changes(c->db.h) > 0;
}
