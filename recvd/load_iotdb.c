#include "load_iotdb.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ground/clock.h"
#include "iotdb_code.h"
#include "iotdb_sql.h"
#include "load_tables.h"

#define PASSWORD_MAX 256
#define CODE_DISPATCH 306 /* a node did not answer another one */

int iotdb_open(struct iotdb *db, const struct iotdb_settings *set,
	       struct err *e)
{
	int r;

	*db = (struct iotdb){.set = *set, .root.fd = -1};
	replicas_init(&db->replicas);
	marks_init(&db->marks, &db->root);
	r = rpc_addresses_parse(&db->addresses, set->rpc, e);
	if (r < 0)
		return err_wrap(e, "iotdb_rpc");
	return handover_open(&db->root, set->load_dir, e);
}

static void forget_databases(struct iotdb *db)
{
	for (size_t i = 0; i < db->n_databases; i++)
		free(db->databases[i]);
	free(db->databases);
	db->databases = NULL;
	db->n_databases = 0;
}

static void disconnect(struct iotdb *db)
{
	rpc_close(db->rpc);
	db->rpc = NULL;
	rpc_close(db->tables);
	db->tables = NULL;
	transfer_close(db->transfer);
	db->transfer = NULL;
	db->is_blind = false;
	types_forget(&db->types);
	replicas_forget(&db->replicas);
	forget_databases(db);
}

void iotdb_close(struct iotdb *db)
{
	disconnect(db);
	replicas_close(&db->replicas);
	marks_release(&db->marks);
	handover_close(&db->root);
}

/* ---- connecting ---- */

/* At the node whose turn it is, with the password as its file has it now: the caller wipes
 * `password`, which the login borrows. */
static int read_login(const struct iotdb *db, char password[PASSWORD_MAX],
		      struct rpc_login *login, struct err *e)
{
	int r = rpc_password_read(db->set.password_file, password, PASSWORD_MAX,
				  e);

	*login = (struct rpc_login){
		.host = db->addresses.at[db->at].host,
		.port = db->addresses.at[db->at].port,
		.user = db->set.user[0] ? db->set.user : NULL,
		.password = password,
	};
	return r < 0 ? err_wrap(e, "iotdb_password_file") : r;
}

int iotdb_transfer_open(struct iotdb *db, struct rpc_reply *reply,
			struct err *e)
{
	char password[PASSWORD_MAX];
	struct rpc_login login;
	int r = read_login(db, password, &login, e);

	if (r >= 0)
		r = transfer_open(&db->transfer, &login, reply, e);
	explicit_bzero(password, sizeof password);
	return r;
}

int iotdb_tables_open(struct iotdb *db, struct rpc_reply *reply, struct err *e)
{
	char password[PASSWORD_MAX];
	struct rpc_login login;
	int r;

	if (db->tables)
		return 0;
	r = read_login(db, password, &login, e);
	login.speaks_tables = true;
	if (r >= 0)
		r = rpc_open(&db->tables, &login, reply, e);
	explicit_bzero(password, sizeof password);
	return r;
}

/* Each node once; the first that answers is kept. A refused log-in is an answer. */
static int connect_any(struct iotdb *db, struct rpc_reply *reply, struct err *e)
{
	char password[PASSWORD_MAX];
	struct rpc_login login;
	int r = 0;

	for (unsigned i = 0; i < db->addresses.n; i++) {
		r = read_login(db, password, &login, e);
		if (r < 0)
			break;
		r = rpc_open(&db->rpc, &login, reply, e);
		if (r >= 0 || r == -EREMOTEIO)
			break;
		db->at = (db->at + 1) % db->addresses.n;
	}
	explicit_bzero(password, sizeof password);
	return r;
}

/* ---- results ---- */

void iotdb_tell_working(struct iotdb *db)
{
	uint64_t now = clock_mono_ms();

	if (!db->working || !db->job || now - db->told_ms < IOTDB_TELL_MS)
		return;
	db->told_ms = now;
	db->working(db->arg, db->job);
}

void iotdb_say(struct iotdb *db, struct iotdb_item *it, enum job_result r,
	       const char *text)
{
	if (it->result != JOB_NONE)
		return;
	it->result = r;
	if (r == JOB_APPLIED)
		marks_add(&db->marks, &it->job);
	if (text && *text && r != JOB_APPLIED)
		it->text = xstrdup(text);
	db->done(db->arg, it);
}

enum job_result iotdb_result(struct iotdb *db, int r,
			     const struct rpc_reply *reply, struct err *e)
{
	if (r >= 0)
		return JOB_APPLIED;
	if (r != -EREMOTEIO) {
		disconnect(db);
		replicas_note_away(&db->replicas);
		return JOB_STOP;
	}
	if (reply->code == CODE_DISPATCH)
		replicas_note_away(&db->replicas);
	switch (iotdb_code_means(db->rpc ? rpc_version_number(db->rpc) : 0,
				 reply->code, reply->may_retry, reply->text)) {
	case MEANS_APPLIED:
	case MEANS_ALREADY:
		return JOB_APPLIED;
	case MEANS_RETRY:
		return JOB_RETRY;
	case MEANS_QUARANTINE:
		return JOB_QUARANTINE;
	case MEANS_STOP:
		(void)err_hint(e, "nothing is applied until this is mended");
		return JOB_STOP;
	}
	return JOB_QUARANTINE;
}

/* ---- databases ---- */

const char *iotdb_tables_of(const struct load_job *j)
{
	return sql_is_tree(j->file.database) ? NULL : j->file.database;
}

enum job_result iotdb_knows(const struct iotdb *db, const struct load_job *j,
			    struct err *e)
{
	if (!iotdb_tables_of(j) || rpc_version_number(db->rpc) >= IOTDB_2_0)
		return JOB_APPLIED;
	(void)err_set(e, ENOTSUP,
		      "database %s is one of tables, which IoTDB %s does not "
		      "know (SKIP it, use loader=archive, or IoTDB 2)",
		      j->file.database, rpc_version(db->rpc));
	return JOB_QUARANTINE;
}

static bool is_known(const struct iotdb *db, const char *database)
{
	for (size_t i = 0; i < db->n_databases; i++)
		if (strcmp(db->databases[i], database) == 0)
			return true;
	return false;
}

static void add_known(struct iotdb *db, const char *database)
{
	char **more = xcalloc(db->n_databases + 1, sizeof *more);

	if (db->n_databases)
		memcpy(more, db->databases, db->n_databases * sizeof *more);
	more[db->n_databases] = xstrdup(database);
	free(db->databases);
	db->databases = more;
	db->n_databases++;
}

/* Its existence is asked once a connection: who drops it between two files finds that LOAD
 * makes it again, of the level that LOAD is told. */
enum job_result iotdb_make_database(struct iotdb *db, const char *database,
				    struct err *e)
{
	CLEANUP(buf_release) struct buf sql = {0};
	struct rpc_reply reply;
	enum job_result result;
	int r;

	if (is_known(db, database))
		return JOB_APPLIED;
	if (!sql_is_tree(database)) {
		result = tables_make_database(db, database, e);
		if (result == JOB_APPLIED)
			add_known(db, database);
		return result;
	}
	buf_init(&sql, 65536);
	r = sql_create_database(rpc_version_number(db->rpc), database, &sql);
	if (r < 0) {
		(void)err_set(e, EINVAL, "%s is no path of a database",
			      database);
		return JOB_QUARANTINE;
	}
	rpc_set_limit(db->rpc, RPC_REPLY_MS);
	r = rpc_execute(db->rpc, buf_str(&sql), &reply, e);
	result = iotdb_result(db, r, &reply, e);
	if (result == JOB_APPLIED && r < 0)
		iotdb_exists(db, buf_str(&sql), reply.text);
	if (result == JOB_APPLIED)
		add_known(db, database);
	return result;
}

/* ---- a batch ---- */

struct batch {
	struct iotdb *db;
	struct iotdb_item *items;
	unsigned n;
	bool is_stopped;
};

static bool same_domain(const struct load_job *a, const struct load_job *b)
{
	return strcmp(a->sender, b->sender) == 0 &&
	       strcmp(a->file.database, b->file.database) == 0;
}

/* After a refusal: the later ones of the domain, or all of them. */
static void hold_behind(struct batch *b, unsigned at)
{
	const struct iotdb_item *refused = &b->items[at];
	bool is_all = refused->result == JOB_STOP;

	for (unsigned i = at + 1; i < b->n; i++)
		if (is_all || same_domain(&b->items[i].job, &refused->job))
			iotdb_say(b->db, &b->items[i], JOB_HELD, NULL);
}

static bool same_pipe(const struct load_job *a, const struct load_job *b)
{
	const char *x = strrchr(a->path, '/'), *y = strrchr(b->path, '/');

	return x && y && x - a->path == y - b->path &&
	       strncmp(a->path, b->path, (size_t)(x - a->path)) == 0;
}

/* How many FILEs from `at` on go together. */
static unsigned run_length(const struct batch *b, unsigned at)
{
	const struct load_job *first = &b->items[at].job;
	uint64_t bytes = first->length + first->mods_length;
	unsigned n = 1;

	while (at + n < b->n && n < RUN_FILES_MAX) {
		const struct load_job *j = &b->items[at + n].job;

		bytes += j->length + j->mods_length;
		if (j->kind != ENTRY_FILE || !same_domain(j, first) ||
		    !same_pipe(j, first) || bytes > RUN_BYTES_MAX ||
		    j->serial <= b->items[at + n - 1].job.serial)
			break;
		n++;
	}
	return n;
}

static void do_statement(struct batch *b, struct iotdb_item *it)
{
	struct err e = {0};
	bool is_schema = it->job.kind == ENTRY_SCHEMA;
	enum job_result result = is_schema ? iotdb_schema(b->db, &it->job, &e)
					   : iotdb_delete(b->db, &it->job, &e);

	if (is_schema) {
		types_forget(&b->db->types);
		iotdb_forget_delete(b->db);
	}
	replicas_note_passed(&b->db->replicas);
	if (it->job.kind == ENTRY_SCHEMA)
		forget_databases(b->db); /* one may have been dropped */
	iotdb_say(b->db, it, result, e.text);
}

/* Decides one item at least. */
static void step(struct batch *b, unsigned at)
{
	struct iotdb_item *it = &b->items[at];
	unsigned n = 1;

	b->db->job = &it->job;
	if (it->job.kind == ENTRY_FILE) {
		n = run_length(b, at);
		iotdb_files(b->db, it, n);
		iotdb_forget_delete(b->db);
	} else {
		do_statement(b, it);
	}
	for (unsigned i = at; i < at + n; i++) {
		if (b->items[i].result == JOB_APPLIED)
			continue;
		if (b->items[i].result != JOB_NONE)
			hold_behind(b, i);
		break;
	}
}

void iotdb_batch(struct iotdb *db, struct iotdb_item *items, unsigned n)
{
	struct batch b = {.db = db, .items = items, .n = n};
	struct rpc_reply reply = {0};
	struct err e = {0};
	int r = db->rpc ? 0 : connect_any(db, &reply, &e);

	if (r < 0 && n) {
		iotdb_say(db, &items[0], JOB_STOP, e.text);
		hold_behind(&b, 0);
		return;
	}
	marks_begin(&db->marks);
	db->told_ms = clock_mono_ms();
	for (unsigned i = 0; i < n; i++) {
		if (!db->is_swept && items[i].job.path) {
			handover_sweep(&db->root, &items[i].job);
			db->is_swept = true;
		}
		if (items[i].result != JOB_NONE)
			continue;
		if (marks_has(&db->marks, &items[i].job))
			iotdb_say(db, &items[i], JOB_APPLIED, NULL);
		else
			step(&b, i);
	}
	db->job = NULL;
}
