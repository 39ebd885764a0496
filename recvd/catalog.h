/* The receiver's catalog (state_dir/catalog.db): senders, incarnations, the entries
 * that are durable and not applied, and what is quarantined.
 *
 * Two sides. The keeper, one thread, owns the only writing connection: everything that
 * changes the catalog is a task that catalog_submit() hands to it, and each task is one
 * transaction. When `done` is called with result >= 0, what it wrote survives a power
 * cut; that transaction is the only commit point of the receiver (design, section 3).
 * The functions that take a `struct catalog` are for a task's run() (or for the start,
 * before the first task), those that take a `struct catalog_reader` for whoever owns
 * the reader.
 *
 * Numbers are made by the loop, not by the database: incarnations and domains are
 * numbered by their owner (senders.h), an entry's key is (incarnation, serial) in one
 * integer. Rows that do not decode are -EBADMSG: they are not what we wrote. */
#ifndef TSFERRY_CATALOG_H
#define TSFERRY_CATALOG_H

#include "domain/proto.h"
#include "domain/statedir.h"
#include "ground/db.h"
#include "ground/net.h"
#include "ground/worker.h"

#define CATALOG_SERIAL_MAX ((1ull << 40) - 1)
#define CATALOG_INCARNATION_MAX ((1ll << 22) - 1)

/* WAITING: its key knocked while admit=known; FORGOTTEN: its name is free again. */
enum sender_state { SENDER_WAITING = 0, SENDER_ADMITTED = 1, SENDER_FORGOTTEN = 2 };

/* RELEASED: an operator said RETRY; holds do not apply to it any more. */
enum entry_state { ENTRY_WAITING = 0, ENTRY_QUARANTINED = 1, ENTRY_RELEASED = 2 };

struct sender_row {
	uint8_t id[SENDER_ID_LEN];
	enum sender_state state;
	int64_t first_seen_ms, last_seen_ms;
	char name[NAME_LEN_MAX + 1];
	char address[NET_TEXT_LEN];
	char version[64];
};

struct incarnation_row {
	int64_t seq; /* order of appearance, over all senders */
	uint8_t sender[SENDER_ID_LEN];
	uint8_t id[ID_LEN];
	char pipe[NAME_LEN_MAX + 1];
	int64_t create_time_ms;
	uint64_t durable, durable_nonce, applied;
	bool dropped;
};

/* A database of an incarnation: what is applied in strict order. */
struct domain_row {
	int64_t id, incarnation;
	char database[DATABASE_MAX + 1];
	bool delivered; /* a FILE of it was applied: DELETE and RESTATE may touch it */
	uint64_t n_entries, n_quarantined, bytes; /* as the catalog counts them */
};

struct entry_row {
	int64_t incarnation, domain;
	enum entry_state state;
	struct digest digest;
	struct entry entry;  /* borrowed by the callee of catalog_entries() */
	const void *data;    /* NULL: in a staged file */
	uint32_t data_len;
};

struct quarantine_row {
	int64_t id, incarnation, domain;
	uint64_t serial;
	int64_t since_ms;
	enum entry_state state; /* QUARANTINED, or RELEASED while it is tried again */
	uint64_t payload_len;
	char entry[512];	/* entry_text() */
	char reason[SENTENCE_MAX + 1];
};

struct catalog;

/* Opens and migrates; a new one gets the directory's instance. -ESTALE with a sentence
 * when it carries another one, or none although the directory is not new. Blocks. */
int catalog_open(struct catalog **out, struct loop *l, const char *path,
		 const struct statedir *dir, struct err *e) MUST_CHECK;
void catalog_close(struct catalog *c); /* after the tasks that were submitted */

struct catalog_task {
	struct job job;
	struct catalog *catalog;
	/* On the keeper. `prepare` (or NULL) runs before the transaction begins. */
	int (*prepare)(struct catalog_task *t, struct catalog *c, struct err *e);
	int (*run)(struct catalog_task *t, struct catalog *c, struct err *e);
	/* On the loop; may free the task. result and err as run() or the commit gave them;
	 * on failure nothing of the task is in the catalog. */
	void (*done)(struct catalog_task *t);
	int result;
	struct err err;
};

void catalog_submit(struct catalog *c, struct catalog_task *t);
size_t catalog_pending(const struct catalog *c);

/* ---- in a task ---- */

int catalog_set_meta(struct catalog *c, const char *name, const char *value, struct err *e)
	MUST_CHECK;
int catalog_put_sender(struct catalog *c, const struct sender_row *s, struct err *e) MUST_CHECK;
int catalog_del_sender(struct catalog *c, const uint8_t id[SENDER_ID_LEN], struct err *e)
	MUST_CHECK;
/* A new incarnation; every older one of its sender is dropped with it. */
int catalog_add_incarnation(struct catalog *c, const struct incarnation_row *i, struct err *e)
	MUST_CHECK;
int catalog_drop_incarnation(struct catalog *c, int64_t seq, struct err *e) MUST_CHECK;
int catalog_add_domain(struct catalog *c, int64_t id, int64_t incarnation, const char *database,
		       struct err *e) MUST_CHECK; /* again: no change */
/* A FILE of it was applied. */
int catalog_set_delivered(struct catalog *c, int64_t domain, struct err *e) MUST_CHECK;

/* data == NULL: its payload is a staged file. */
int catalog_add_entry(struct catalog *c, const struct entry_row *row, struct err *e) MUST_CHECK;
int catalog_set_durable(struct catalog *c, int64_t incarnation, uint64_t serial, uint64_t nonce,
			struct err *e) MUST_CHECK;

/* ---- how far it is durable (catalog_early.c) ---- */

/* Where one incarnation stands, while a group is stored; begins with zeros. */
struct catalog_reach {
	int64_t incarnation; /* 0: none yet */
	struct early_one durable; /* the highest serial without a hole below it */
	struct early_one next;	  /* the lowest above it; serial 0: none */
	bool has_moved, has_passed;
};

/* Behind catalog_add_entry(): it is durable. 0: so far as at->durable says now, which may
 * be further than the entry; 1: it is early, something of a lower serial is not here. */
int catalog_reach(struct catalog *c, struct catalog_reach *at, int64_t incarnation,
		  const struct early_one *one, struct err *e) MUST_CHECK;
/* It only fills a serial (entry_only_fills); the FILLS_MAX highest of them are remembered. */
int catalog_fills(struct catalog *c, int64_t incarnation, const struct early_one *one, struct err *e)
	MUST_CHECK;
/* Stores it; at the end, too. */
int catalog_reach_end(struct catalog *c, struct catalog_reach *at, struct err *e) MUST_CHECK;

/* Applied or skipped: the entry and its quarantine are gone. */
int catalog_end_entry(struct catalog *c, int64_t incarnation, uint64_t serial, struct err *e)
	MUST_CHECK;
/* The lowest serial that is not applied, minus one, and not above the durable one; stored and
 * answered. */
int catalog_advance(struct catalog *c, int64_t incarnation, uint64_t *applied, struct err *e)
	MUST_CHECK;
/* Quarantines an entry, or gives a quarantined one a new reason; *id is its number.
 * paths: of a type mismatch, which a SCHEMA entry may cure; NULL: it is none. */
int catalog_quarantine(struct catalog *c, int64_t incarnation, uint64_t serial, int64_t since_ms,
		       const char *reason, const char *paths, int64_t *id,
		       struct err *e) MUST_CHECK;
/* The number of a quarantined entry: 1, or 0 when it is not. */
int catalog_quarantine_id(struct catalog *c, int64_t incarnation, uint64_t serial, int64_t *id,
			  struct err *e) MUST_CHECK;
/* The row of an id: 1, or 0 when there is none. */
int catalog_find_quarantine(struct catalog *c, int64_t id, struct quarantine_row *row,
			    struct err *e) MUST_CHECK;
/* The next one behind an id, of all incarnations; 1 or 0. */
int catalog_next_quarantine(struct catalog *c, int64_t after, struct quarantine_row *row,
			    struct err *e) MUST_CHECK;
/* 1, or 0 when it is not (or not any more) quarantined. */
int catalog_release_entry(struct catalog *c, int64_t incarnation, uint64_t serial, struct err *e)
	MUST_CHECK;

/* ---- retained entries (catalog_retain.c) ---- */

#define RETAINED_COST 512u /* what a row counts besides its payload */

struct retained_row {
	int64_t seq; /* in the order of applying */
	int64_t incarnation, domain;
	uint64_t serial, payload_len;
	enum entry_kind kind;
	enum mods_kind mods_kind; /* of a FILE that has mods */
	bool is_row;		  /* its payload is in the row, not in a staged file */
};

/* Every incarnation of a sender. */
int catalog_drop_all(struct catalog *c, const uint8_t sender[SENDER_ID_LEN], struct err *e)
	MUST_CHECK;
/* Keeps an entry beyond its end; right before catalog_end_entry(). */
int catalog_retain_entry(struct catalog *c, int64_t incarnation, uint64_t serial, struct err *e)
	MUST_CHECK;
/* The oldest are forgotten until so many bytes are, at most `max` rows; they are answered
 * in `rows`, how many is returned. */
int catalog_evict(struct catalog *c, uint64_t bytes, struct retained_row *rows, size_t max,
		  struct err *e) MUST_CHECK;
/* Retained entries of a sender behind seq `after` wait again; as above. *last: no further than
 * that seq; 0: becomes the newest there is. */
int catalog_put_back(struct catalog *c, const uint8_t sender[SENDER_ID_LEN], int64_t after,
		     int64_t *last, struct retained_row *rows, size_t max,
		     struct err *e) MUST_CHECK;

/* ---- reading ---- */

struct catalog_reader {
	struct db db;
	sqlite3_stmt *entries, *quarantine; /* owned */
};

int catalog_reader_open(struct catalog_reader *r, const char *path, struct err *e) MUST_CHECK;
void catalog_reader_close(struct catalog_reader *r);

/* Each calls fn until it answers non-zero, which is returned. */
int catalog_each_sender(struct catalog_reader *r, int (*fn)(void *, const struct sender_row *),
			void *arg, struct err *e) MUST_CHECK;
int catalog_each_incarnation(struct catalog_reader *r,
			     int (*fn)(void *, const struct incarnation_row *), void *arg,
			     struct err *e) MUST_CHECK; /* oldest first */
int catalog_each_domain(struct catalog_reader *r, int (*fn)(void *, const struct domain_row *),
			void *arg, struct err *e) MUST_CHECK;
/* What is early of all incarnations, and what was remembered to have only filled a serial. */
int catalog_each_early(struct catalog_reader *r,
		       int (*fn)(void *, int64_t incarnation, const struct early_one *one,
				 bool only_fills),
		       void *arg, struct err *e) MUST_CHECK;
/* Serials of an incarnation whose payload is a staged file, ascending; retained ones too. */
int catalog_each_file(struct catalog_reader *r, int64_t incarnation,
		      int (*fn)(void *, uint64_t serial), void *arg, struct err *e) MUST_CHECK;
/* Serials of an incarnation that are still here, waiting or retained, ascending. */
int catalog_each_kept(struct catalog_reader *r, int64_t incarnation,
		      int (*fn)(void *, uint64_t serial), void *arg, struct err *e) MUST_CHECK;
/* Entries of a domain in serial order. The row is the reader's. */
int catalog_entries(struct catalog_reader *r, int64_t domain,
		    int (*fn)(void *, const struct entry_row *), void *arg, struct err *e)
	MUST_CHECK;
/* Quarantined entries with an id above `after`, of one incarnation or (0) of all. */
int catalog_each_quarantine(struct catalog_reader *r, int64_t incarnation, int64_t after,
			    int (*fn)(void *, const struct quarantine_row *), void *arg,
			    struct err *e) MUST_CHECK;
/* Quarantined type mismatches of a domain: the paths that the loader named, "" for all. */
int catalog_each_mismatch(struct catalog_reader *r, int64_t domain,
			  int (*fn)(void *, uint64_t serial, const char *paths), void *arg,
			  struct err *e) MUST_CHECK;
/* SCHEMA entries of a domain behind a serial, in order. The row is the reader's. */
int catalog_each_schema(struct catalog_reader *r, int64_t domain, int64_t incarnation,
			uint64_t after, int (*fn)(void *, const struct entry_row *), void *arg,
			struct err *e) MUST_CHECK;
/* Of all retained entries, each with RETAINED_COST. */
int catalog_retained_bytes(struct catalog_reader *r, uint64_t *bytes, struct err *e) MUST_CHECK;
/* 1 and the value, or 0. */
int catalog_meta(struct catalog_reader *r, const char *name, char *to, size_t size, struct err *e)
	MUST_CHECK;

#endif
