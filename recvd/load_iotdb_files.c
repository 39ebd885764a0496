#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ground/clock.h"
#include "iotdb_code.h"
#include "iotdb_sql.h"
#include "load_archive.h"
#include "load_iotdb.h"

/* FILE jobs. A run goes through: settle what an earlier one left, look at the files, hand
 * them over, LOAD, sort what was said. */

/* A statement that takes longer is asked again; recvd waits ten minutes for an answer. */
#define LOAD_LIMIT_MS 60000u
#define LOAD_LIMIT_MAX_MS 480000u
#define LOAD_BYTES_PER_MS 1024u
/* How long a server may still be busy with a file whose name was taken away. */
#define LATE_MS 1000u
#define LATE_MAX_MS 60000u
#define LATE_BYTES_PER_MS (32u << 10)
#define LATE_SURE_MS 10000
#define CODE_IDEMPOTENT 1111 /* of LOAD (iotdb-formats, section 7.5) */

unsigned iotdb_load_limit_ms(uint64_t bytes)
{
	uint64_t ms = LOAD_LIMIT_MS + bytes / LOAD_BYTES_PER_MS;

	return ms < LOAD_LIMIT_MAX_MS ? (unsigned)ms : LOAD_LIMIT_MAX_MS;
}

static uint64_t bytes_of(const struct iotdb_item *items, unsigned n)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += items[i].job.length + items[i].job.mods_length;
	return bytes;
}

/* ---- an earlier run whose answer was lost ---- */

enum job_result iotdb_disk_result(int r)
{
	switch (-r) {
	case EROFS:
	case EIO:
	case EACCES:
	case EPERM:
		return JOB_STOP;
	}
	return JOB_RETRY;
}

/* A file of the run that is not there any more was loaded. Deletion records that are still
 * there were not: the server was killed between the two, or it made rows of the file. They
 * are said as statements then. */
static enum job_result settle_one(struct iotdb *db, const struct handover *h,
				  const struct load_job *j, struct err *e)
{
	if (!j->mods_path || !handover_has_mods(h, j))
		return JOB_APPLIED;
	return iotdb_delete_beside(db, j, e);
}

static void settle_all(struct iotdb *db, const struct handover *h,
		       struct iotdb_item *items, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct load_job *j = &items[i].job;
		struct err e = {0};
		enum job_result result;

		if (!handover_is_taken(h, j))
			return; /* in order: what is behind it is not either */
		result = settle_one(db, h, j, &e);
		iotdb_say(db, &items[i], result, e.text);
		if (result != JOB_APPLIED)
			return;
	}
}

/* Whether files that a server loaded are gone from the run, and others are not. */
static bool tells_taken(const struct iotdb *db)
{
	return iotdb_is_remote(db) ||
	       sql_load_consumes(rpc_version_number(db->rpc));
}

/* Whoever counts the server's files finds here why one of them is there twice. */
static void tell_settled(const struct iotdb *db, const struct handover *h,
			 const struct iotdb_item *items, unsigned n)
{
	unsigned n_taken = 0, n_left = 0;

	for (unsigned i = 0; i < n; i++) {
		bool is_taken = handover_is_taken(h, &items[i].job);

		n_taken += is_taken && tells_taken(db);
		n_left += handover_has(h, &items[i].job) ||
			  (is_taken && !tells_taken(db));
	}
	/* Over the network the others were not sent. */
	if (iotdb_is_remote(db) && n_left)
		n_left = 1;
	if (n_taken + n_left == 0)
		return;
	(void)fprintf(stderr,
		      "warn recvd-load: %s, entries from %" PRIu64 " on: the "
		      "answer to a LOAD was lost; %u files are loaded, %u are "
		      "loaded again\n",
		      items[0].job.file.database, items[0].job.serial, n_taken,
		      n_left);
}

/* The server may still be busy with what it had begun when the name was taken away; ctime is
 * of then, or of the last file that it took. */
static void wait_late(const struct handover *h, uint64_t ms)
{
	int64_t age_ms = 0;
	struct stat st;

	if (fstat(h->fd, &st) == 0)
		age_ms = clock_wall_ms() - (int64_t)st.st_ctim.tv_sec * 1000 -
			 st.st_ctim.tv_nsec / 1000000;
	if (age_ms < LATE_SURE_MS + (int64_t)ms)
		(void)poll(NULL, 0, (int)ms);
}

static void wait_over(struct iotdb *db, const struct handover *h, uint64_t ms)
{
	wait_late(h, ms);
	if (iotdb_is_remote(db))
		iotdb_wait_idle(db, LATE_MAX_MS);
	iotdb_tell_working(db);
}

/* Of jobs that come one by one, the run is asked for each. */
static bool is_all_of_it(const struct handover *h,
			 const struct iotdb_item *items, unsigned n)
{
	return items[n - 1].result != JOB_APPLIED ||
	       handover_last(h) <= items[n - 1].job.serial;
}

/* Returns false when the run cannot go on. */
static bool settle(struct iotdb *db, struct iotdb_item *items, unsigned n)
{
	uint64_t ms = LATE_MS + bytes_of(items, n) / LATE_BYTES_PER_MS;
	struct handover h;
	struct err e = {0};
	int r = handover_find(&db->root, &items[0].job, &h, &e);

	if (r > 0) {
		if (!tells_taken(db) || !handover_is_empty(&h))
			wait_over(db, &h, ms < LATE_MAX_MS ? ms : LATE_MAX_MS);
		tell_settled(db, &h, items, n);
		if (tells_taken(db))
			settle_all(db, &h, items, n);
		r = db->rpc && is_all_of_it(&h, items, n) ? handover_end(&h, &e)
							  : 0;
		handover_release(&h);
	}
	if (r < 0)
		iotdb_say(db, &items[0], iotdb_disk_result(r), e.text);
	return r >= 0 && db->rpc;
}

/* ---- LOAD ---- */

struct run {
	struct iotdb *db;
	struct iotdb_item *items;
	unsigned n;
	struct handover h;
};

static int load(struct run *run, const char *path, uint64_t bytes,
		struct rpc_reply *reply, struct err *e)
{
	const struct load_job *j = &run->items[0].job;
	struct sql_load text = {.path = path, .tables = iotdb_tables_of(j)};
	CLEANUP(buf_release) struct buf sql;
	int r = sql_level(j->file.database);

	buf_init(&sql, 65536);
	text.level = r > 0 ? (unsigned)r : 1;
	r = sql_load(rpc_version_number(run->db->rpc), &text, &sql);
	if (r < 0)
		return err_set(e, -r, "LOAD of %s: the statement is too long",
			       path);
	iotdb_tell_working(run->db);
	rpc_set_limit(run->db->rpc, iotdb_load_limit_ms(bytes));
	return rpc_execute(run->db->rpc, buf_str(&sql), reply, e);
}

static int load_file(struct run *run, const struct load_job *j,
		     struct rpc_reply *reply, struct err *e)
{
	char path[HANDOVER_PATH_MAX];
	int r;

	(void)handover_file(&run->h, j, path);
	r = load(run, path, j->length, reply, e);
	if (r != -EREMOTEIO || !iotdb_says_unmade(reply->text) ||
	    !handover_has(&run->h, j))
		return r;
	err_clear(e);
	return load(run, path, j->length, reply, e);
}

/* A refusal that gives no reason (before 1.3.3) may be the configuration node's that is away:
 * what needs it is asked then. */
static bool is_cluster_away(struct iotdb *db, const struct rpc_reply *reply)
{
	struct rpc_reply own;

	return iotdb_says_nothing(reply->text) &&
	       rpc_execute(db->rpc, "SHOW DATABASES", &own, NULL) == -EREMOTEIO;
}

void iotdb_say_loaded(struct iotdb *db, struct iotdb_item *it, int r,
		      const struct rpc_reply *reply, struct err *e)
{
	char series[512];
	enum job_result result;
	struct err named;

	if (r == -EREMOTEIO &&
	    iotdb_says_mismatch(reply->text, series, sizeof series)) {
		if (*series)
			it->paths = xstrdup(series);
		/* 1.3.3 names it at the end of a long sentence. */
		(void)err_set(&named, EINVAL,
			      "%.200s is of another type in the file: %.700s",
			      *series ? series : "a series", e->text);
		iotdb_say(db, it, JOB_MISMATCH, named.text);
		return;
	}
	result = r == -EREMOTEIO && is_cluster_away(db, reply)
			 ? JOB_RETRY
			 : iotdb_result(db, r, reply, e);
	/* "There already" is said of what a statement makes; a file is there when LOAD
	 * says so. */
	if (r < 0 && result == JOB_APPLIED && reply->code != CODE_IDEMPOTENT)
		result = JOB_QUARANTINE;
	iotdb_say(db, it, result, e->text);
}

/* The server goes on behind a file of the directory that it could not load: what it took
 * behind it came too early, and is loaded again, when that one is there. */
static void say_too_early(struct run *run, unsigned i)
{
	uint64_t last = run->items[i].job.serial;
	struct err e = {0};

	for (unsigned k = i; k < run->n; k++)
		if (handover_is_taken(&run->h, &run->items[k].job))
			last = run->items[k].job.serial;
	(void)err_set(&e, EAGAIN,
		      "entries %" PRIu64 " to %" PRIu64 " were taken before "
		      "one in front of them, which the server had refused; "
		      "they are loaded again",
		      run->items[i].job.serial, last);
	iotdb_say(run->db, &run->items[i], JOB_RETRY, e.text);
}

static void load_one_by_one(struct run *run)
{
	bool is_behind = false; /* one that was not taken */

	for (unsigned i = 0; i < run->n; i++) {
		struct iotdb_item *it = &run->items[i];
		bool is_taken = handover_is_taken(&run->h, &it->job);
		struct rpc_reply reply;
		struct err e = {0};
		int r;

		if (is_taken && is_behind) {
			say_too_early(run, i);
			return;
		}
		/* A part of the directory was loaded before the refusal. */
		if (is_taken) {
			iotdb_say(run->db, it, JOB_APPLIED, NULL);
			continue;
		}
		is_behind = true;
		r = load_file(run, &it->job, &reply, &e);
		if (r >= 0)
			r = handover_sync(&run->h, &e);
		iotdb_say_loaded(run->db, it, r, &reply, &e);
		if (it->result != JOB_APPLIED)
			return;
	}
}

static void say_all(struct run *run)
{
	for (unsigned i = 0; i < run->n; i++)
		iotdb_say(run->db, &run->items[i], JOB_APPLIED, NULL);
}

/* The server's word about a path that stands there: another host, a container, or a
 * directory that its user may not enter. */
static bool is_blind(const struct run *run, int r,
		     const struct rpc_reply *reply)
{
	return r == -EREMOTEIO && iotdb_says_not_found(reply->text) &&
	       handover_has(&run->h, &run->items[0].job);
}

static void say_blind(struct run *run, struct err *e)
{
	(void)err_hint(e,
		       "the server does not see load_dir %s: it is on another "
		       "host or in a container, or its user may not enter; "
		       "give it load_dir with the same path, mode 2770 and its "
		       "group, or set load_via=auto",
		       run->db->root.path);
	iotdb_say(run->db, &run->items[0], JOB_STOP, e->text);
}

/* Behind a file that went alone (run_of). */
static void say_records(struct run *run)
{
	struct iotdb_item *it = &run->items[0];
	struct err e = {0};
	enum job_result result;

	if (run->n > 1 || !iotdb_says_records(run->db, &it->job))
		return;
	result = iotdb_delete_beside(run->db, &it->job, &e);
	if (result != JOB_APPLIED)
		iotdb_say(run->db, it, result, e.text);
}

static void load_run(struct run *run)
{
	struct rpc_reply reply;
	struct err e = {0};
	int r;

	if (iotdb_is_remote(run->db)) {
		iotdb_transfer_run(run->db, &run->h, run->items, run->n);
		return;
	}
	if (run->n == 1)
		r = load_file(run, &run->items[0].job, &reply, &e);
	else
		r = load(run, run->h.path, bytes_of(run->items, run->n), &reply,
			 &e);
	if (r >= 0) {
		say_records(run);
		return;
	}
	if (is_blind(run, r, &reply) && iotdb_may_transfer(run->db))
		iotdb_transfer_run(run->db, &run->h, run->items, run->n);
	else if (is_blind(run, r, &reply))
		say_blind(run, &e);
	else if (r == -EREMOTEIO && run->n > 1)
		load_one_by_one(run);
	else
		iotdb_say_loaded(run->db, &run->items[0], r, &reply, &e);
}

/* Rows are there; what is left is to make that durable, to say it, and to clean up: as long as
 * it is not said the directory tells of it. A lost answer leaves everything for settle(). */
static void end_run(struct run *run)
{
	struct err e = {0};
	bool is_refused = run->items[0].result != JOB_NONE;
	int r;

	if (!run->db->rpc) {
		handover_release(&run->h);
		return;
	}
	r = handover_sync(&run->h, &e);
	if (r >= 0 && !is_refused)
		say_all(run);
	if (r >= 0)
		r = handover_remove(&run->h, &e);
	else
		handover_release(&run->h);
	if (r < 0)
		iotdb_say(run->db, &run->items[0], iotdb_disk_result(r),
			  e.text);
}

/* ---- handing over ---- */

bool iotdb_says_records(const struct iotdb *db, const struct load_job *j)
{
	unsigned version = rpc_version_number(db->rpc);

	return j->mods_path &&
	       ((iotdb_is_remote(db) && version < TRANSFER_MODS_FROM) ||
		replicas_forget_records(&db->replicas, version));
}

/* Its deletions may become statements, for which the file is read again. */
static bool is_read_again(const struct iotdb *db, const struct load_job *j)
{
	return iotdb_says_records(db, j) ||
	       (j->mods_path && iotdb_may_transfer(db) &&
		rpc_version_number(db->rpc) < TRANSFER_MODS_FROM);
}

/* Looks at a file and adds it. False: it was decided instead. */
static bool add_one(struct run *run, struct iotdb_item *it,
		    const struct iotdb_care *care)
{
	struct handover_change change = {
		.mods = care->has_mods ? &care->mods : NULL,
		.kind = care->kind,
		.order = care->must_order ? sql_compare_segments : NULL,
	};
	struct load_job j = it->job;
	struct err e = {0};
	int r;

	j.take = j.take && !is_read_again(run->db, &j);
	r = handover_add(&run->h, &j, &change, &e);
	if (r < 0)
		iotdb_say(run->db, it, iotdb_disk_result(r), e.text);
	return r >= 0;
}

/* Servers that would not tell of a type that differs, or would convert it, or lose its rows. */
static bool must_compare(const struct iotdb *db)
{
	unsigned version = rpc_version_number(db->rpc);

	return version < IOTDB_1_3_3 || version >= IOTDB_1_3_4;
}

static enum job_result compare_types(struct iotdb *db, const struct load_job *j,
				     struct iotdb_care *care, struct err *e)
{
	struct rpc_reply reply = {0};
	bool is_tree = sql_is_tree(j->file.database);
	int r = is_tree ? 0 : iotdb_tables_open(db, &reply, e);

	iotdb_tell_working(db);
	if (r >= 0)
		r = types_check(&db->types, is_tree ? db->rpc : db->tables, j,
				care->mismatch, sizeof care->mismatch, &reply,
				e);

	if (r > 0)
		return JOB_MISMATCH;
	if (r == -EBADMSG)
		return JOB_QUARANTINE;
	return r == 0 ? JOB_APPLIED : iotdb_result(db, r, &reply, e);
}

/* JOB_APPLIED: it may be handed over as `care` says. */
static enum job_result look(struct iotdb *db, const struct load_job *j,
			    struct iotdb_care *care, struct err *e)
{
	enum job_result result = archive_check(j, e);

	*care = (struct iotdb_care){0};
	buf_init(&care->mods, MODS_MAX);
	if (result == JOB_APPLIED)
		result = iotdb_look(rpc_version_number(db->rpc), j, care, e);
	if (result == JOB_APPLIED && must_compare(db))
		result = compare_types(db, j, care, e);
	return result;
}

/* What is before a bad one goes first. */
static void say_bad(struct run *run, const struct iotdb_care *care,
		    enum job_result result, const struct err *e)
{
	struct iotdb_item *it = &run->items[run->n];

	if (run->n)
		return;
	if (result == JOB_MISMATCH)
		it->paths = xstrdup(care->mismatch);
	iotdb_say(run->db, it, result, e->text);
}

/* Files of the run, as many as can be loaded together: up to one that is bad. False: none is
 * left to load. */
static bool fill(struct run *run, unsigned n)
{
	bool go_on = true;

	for (run->n = 0; go_on && run->n < n;) {
		struct iotdb_item *it = &run->items[run->n];
		struct iotdb_care care;
		struct err e = {0};
		enum job_result result = look(run->db, &it->job, &care, &e);

		if (result != JOB_APPLIED)
			say_bad(run, &care, result, &e);
		go_on = result == JOB_APPLIED && add_one(run, it, &care);
		run->n += go_on;
		buf_release(&care.mods);
	}
	return run->n > 0 && run->items[0].result == JOB_NONE;
}

/* One LOAD of some of the files. */
static void one_run(struct iotdb *db, struct iotdb_item *items, unsigned n)
{
	struct run run = {.db = db, .items = items};
	struct err e = {0};
	int r = handover_begin(&db->root, &items[0].job, &run.h, &e);

	run.h.wants_mods = sql_load_wants_mods(rpc_version_number(db->rpc));
	if (r >= 0 && !fill(&run, n)) {
		(void)!handover_end(&run.h, &e);
		return;
	}
	if (r >= 0)
		r = handover_show(&run.h, &e);
	if (r < 0) {
		handover_release(&run.h);
		iotdb_say(db, &items[0], iotdb_disk_result(r), e.text);
		return;
	}
	load_run(&run);
	end_run(&run);
}

/* How many files one LOAD takes. Servers before 1.3.3 do not tell which files of a directory
 * they took, and records that have to be said stand right behind their file. */
static unsigned run_of(const struct iotdb *db, const struct iotdb_item *items,
		       unsigned n)
{
	unsigned k = 0;

	if (!tells_taken(db))
		return 1;
	while (k < n &&
	       (iotdb_is_remote(db) || !iotdb_says_records(db, &items[k].job)))
		k++;
	return k ? k : 1;
}

/* Not while another file or a deletion is still on its way among a cluster's nodes. */
bool iotdb_may_load(struct iotdb *db, struct iotdb_item *it)
{
	struct rpc_reply reply = {0};
	struct err e = {0};
	int r = replicas_may_load(&db->replicas, db->rpc, &db->addresses,
				  &reply, &e);

	if (r)
		iotdb_say(db, it,
			  r > 0 ? JOB_RETRY : iotdb_result(db, r, &reply, &e),
			  e.text);
	return r == 0;
}

/* 1.3.4 and later do not refuse a file when they are read-only: they try for seconds to make
 * rows of it, and when they may write again meanwhile they do, without its deletion records. */
static bool may_write(struct iotdb *db, struct iotdb_item *it)
{
	struct rpc_reply reply = {0};
	struct err e = {0};
	int r = rpc_version_number(db->rpc) >= IOTDB_1_3_4
			? rpc_is_read_only(db->rpc, &e)
			: 0;

	if (r > 0)
		(void)err_set(
			&e, EROFS,
			"IoTDB at %s is read-only: its disk is full, or "
			"somebody said so (SET SYSTEM TO RUNNING ends it)",
			rpc_address(db->rpc));
	if (r)
		iotdb_say(db, it,
			  r > 0 ? JOB_RETRY : iotdb_result(db, r, &reply, &e),
			  e.text);
	return r == 0;
}

void iotdb_files(struct iotdb *db, struct iotdb_item *items, unsigned n)
{
	struct err e = {0};
	enum job_result result;
	unsigned at = 0;

	result = iotdb_knows(db, &items[0].job, &e);
	if (result != JOB_APPLIED) {
		iotdb_say(db, &items[0], result, e.text);
		return;
	}
	if (!settle(db, items, n) || !iotdb_may_load(db, &items[0]) ||
	    !may_write(db, &items[0]))
		return;
	result = iotdb_make_database(db, items[0].job.file.database, &e);
	if (result != JOB_APPLIED) {
		iotdb_say(db, &items[0], result, e.text);
		return;
	}
	while (at < n && db->rpc) {
		if (items[at].result == JOB_NONE)
			one_run(db, &items[at], run_of(db, &items[at], n - at));
		while (at < n && items[at].result == JOB_APPLIED)
			at++;
		if (at < n && items[at].result != JOB_NONE)
			return;
	}
}
