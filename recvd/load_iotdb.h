/* The IoTDB loader: files by LOAD, the rest as statements (design, section 5).
 *
 * One session, made when it is needed and made again at the next batch when it broke; of
 * several addresses the next one then. What a server says is sorted by iotdb_code.h, and its
 * sentence is the answer's text, word for word. A refusal holds the later jobs of its domain;
 * a server that is away, or refuses us, stops the batch.
 *
 * Runs of small files go as one LOAD of a directory, in ascending serials; nothing of it is
 * loaded when one is bad, then they go one by one. To a server that does not see load_dir
 * they go over the network (load_transfer.c), with the same directories for what is under
 * way. A LOAD whose answer was lost is settled
 * before its domain goes on (load_handover.h), and what was said to be applied is not done again when
 * recvd did not keep that (load_marks.h). Where both fail: loading the newest file of a domain twice
 * changes no answer; so done twice is done once.
 *
 * Blocks on the server and on the disk; one thread. */
#ifndef TSFERRY_LOAD_IOTDB_H
#define TSFERRY_LOAD_IOTDB_H

#include "iotdb/rpc.h"
#include "iotdb/transfer.h"
#include "load_handover.h"
#include "load_job.h"
#include "load_marks.h"
#include "load_replicas.h"
#include "load_types.h"

#define RUN_FILES_MAX JOB_BATCH_MAX
#define RUN_BYTES_MAX (64u << 20)

struct iotdb_item {
	struct load_job job;
	enum job_result result; /* JOB_NONE: not yet */
	char *text;		/* owned; NULL = none */
	char *paths;		/* owned; of a MISMATCH; NULL = none named */
};

struct iotdb_settings {
	const char *load_dir, *rpc, *user, *password_file;
	const char *via; /* "auto", "path", "transfer" */
};

struct iotdb {
	struct iotdb_settings set; /* borrowed */
	struct handover_root root;
	struct rpc_addresses addresses;
	unsigned at;	    /* which one is next */
	struct rpc *rpc;    /* owned; NULL = not connected */
	struct rpc *tables; /* owned; speaks of tables; NULL = not needed yet */
	struct transfer *transfer; /* owned; NULL = none, or lost */
	char **databases;	   /* owned; that exist for sure */
	size_t n_databases;
	bool is_blind; /* the server does not see load_dir: files go over the network */
	bool is_swept;
	struct types types; /* of this connection */
	char *last_delete; /* owned; done, and nothing else was since; NULL = none */
	struct replicas replicas;
	struct marks marks;
	void (*done)(void *arg,
		     struct iotdb_item *it); /* an item's result is final */
	/* It takes long; NULL = nobody wants to know. */
	void (*working)(void *arg, const struct load_job *j);
	void *arg;
	const struct load_job *job; /* borrowed; the one that is worked on */
	uint64_t told_ms;	    /* when that was told last; monotonic */
};

int iotdb_open(struct iotdb *db, const struct iotdb_settings *set,
	       struct err *e) MUST_CHECK;
void iotdb_close(struct iotdb *db);

/* Applies a batch, and calls `done` for each item, durable, in the order of decisions. */
void iotdb_batch(struct iotdb *db, struct iotdb_item *items, unsigned n);

/* ---- between the load_iotdb_*.c ---- */

/* To be called before whatever may take minutes: recvd waits ten of them for a sign of life. */
#define IOTDB_TELL_MS 30000u
void iotdb_tell_working(struct iotdb *db);
/* Decides an item: once. */
void iotdb_say(struct iotdb *db, struct iotdb_item *it, enum job_result r,
	       const char *text);
/* A refusal or a lost connection as a result; 0 is JOB_APPLIED. */
enum job_result iotdb_result(struct iotdb *db, int r,
			     const struct rpc_reply *reply, struct err *e);
/* JOB_APPLIED: it is there. */
enum job_result iotdb_make_database(struct iotdb *db, const char *database,
				    struct err *e);

/* False: the item was told to wait (load_replicas.h). */
bool iotdb_may_load(struct iotdb *db, struct iotdb_item *it);

/* What one file's LOAD came to, decided. `r` and `reply` as rpc.h has them. */
void iotdb_say_loaded(struct iotdb *db, struct iotdb_item *it, int r,
		      const struct rpc_reply *reply, struct err *e);
/* The database of a job when it is one of tables; NULL otherwise. */
const char *iotdb_tables_of(const struct load_job *j);
/* JOB_APPLIED, unless it is one of tables and the server knows none. */
enum job_result iotdb_knows(const struct iotdb *db, const struct load_job *j,
			    struct err *e);
/* How long a LOAD of so many bytes may take. */
unsigned iotdb_load_limit_ms(uint64_t bytes);
/* A failed system call of ours as a result. */
enum job_result iotdb_disk_result(int r);

/* A run of FILEs of one domain: decides them, up to the first that is not applied. */
void iotdb_files(struct iotdb *db, struct iotdb_item *items, unsigned n);

/* Whether files go over the network: so configured, or the server said that it sees none. */
bool iotdb_is_remote(const struct iotdb *db);
bool iotdb_may_transfer(const struct iotdb *db);
/* Logs in at the node that is connected to, with the password as its file has it now. */
int iotdb_transfer_open(struct iotdb *db, struct rpc_reply *reply,
			struct err *e) MUST_CHECK;
/* The same for the session that speaks of tables; nothing when there is one. */
int iotdb_tables_open(struct iotdb *db, struct rpc_reply *reply,
		      struct err *e) MUST_CHECK;
/* Whether the records beside a file that was loaded have to be said as statements. */
bool iotdb_says_records(const struct iotdb *db, const struct load_job *j);
/* Files of a run over the network, one by one: decides each, up to the first that is not
 * applied. Applied ones are gone from the run. */
void iotdb_transfer_run(struct iotdb *db, struct handover *h,
			struct iotdb_item *items, unsigned n);
/* After a lost answer: waits until the server works on no LOAD any more, at most so long. */
void iotdb_wait_idle(struct iotdb *db, unsigned limit_ms);

/* DELETE, RESTATE, SCHEMA. */
enum job_result iotdb_delete(struct iotdb *db, const struct load_job *j,
			     struct err *e);
enum job_result iotdb_schema(struct iotdb *db, const struct load_job *j,
			     struct err *e);
/* A statement that makes something was answered "there already", with the sentence `said`:
 * looks whether it is what it says, and tells each other one with both definitions on
 * stderr (load_exists.c). What is there stays. */
void iotdb_exists(struct iotdb *db, const char *sql, const char *said);
/* ALTER TIMESERIES without the alias that it gives; false when nothing is left. */
bool iotdb_drop_alias(const char *sql, struct buf *out);
/* Something else than a deletion is done: the last one would not be done with any more. */
void iotdb_forget_delete(struct iotdb *db);
/* The deletion records of a FILE as statements, because its server could not take them. */
enum job_result iotdb_delete_beside(struct iotdb *db, const struct load_job *j,
				    struct err *e);

/* What of a file this version would get wrong, and how to hand it over. */
struct iotdb_care {
	bool must_order; /* its index cannot be searched by this server as it stands */
	char mismatch[512]; /* of a MISMATCH: the series */
	bool has_mods;	    /* `mods` are the records to hand over, of `kind` */
	enum mods_kind kind;
	struct buf mods; /* owned */
};

/* JOB_APPLIED: `care` is filled, to be released with buf_release(&care->mods). */
enum job_result iotdb_look(unsigned version, const struct load_job *j,
			   struct iotdb_care *care, struct err *e);
/* -ENOTSUP: deletion records that hold for the first part of the file only, and the rest has
 * such rows too (load_offsets.c). */
int iotdb_check_offsets(const struct load_job *j, const struct buf *records,
			struct err *e) MUST_CHECK;

#endif
