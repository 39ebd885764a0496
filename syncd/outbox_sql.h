/* The outbox's own: its schema and every statement that it prepares. Included by
 * outbox*.c only. */
#ifndef TSFERRY_OUTBOX_SQL_H
#define TSFERRY_OUTBOX_SQL_H

#include "outbox.h"

enum outbox_write {
	W_PUT_SINK,
	W_REMOVE_SINK,
	W_ADD_PIPE,
	W_SAVE_PIPE,
	W_SAVE_PROGRESS,
	W_FORGET_PIPE,
	W_FORGET_ENTRIES,
	W_FORGET_ALL_KNOWN,
	W_FORGET_GAPS,
	W_LIVE_PIPE,
	W_ADD_ENTRY,
	W_ADD_KNOWN,
	W_SET_ASSIGNED,
	W_IS_KNOWN,
	W_FORGET_KNOWN,
	W_OWE,
	W_ADD_DEVICE,
	W_ADD_DERIVED,
	W_PUT_COMPACTION,
	W_DROP_COMPACTION,
	W_LEARN,
	W_SET_MODS,
	W_GET_COVERED,
	W_ADD_GAP,
	W_DURABLE_PINS,
	W_SET_LOOSE,
	W_NEXT_ENTRY,
	W_TIMES,
	W_NOTE_GONE,
	W_CARRY_GAPS,
	W_CARRY_GONE,
	W_LATE_GONE,
	W_EACH_KNOWN,
	W_NEXT_GONE,
	W_SETTLE_GONE,
	W_END_GONE,
	W_FORGET_GONE,
	W_FORGET_ALL_GONE,
	W_DEVICES,
	W_PRODUCT_OF,
	W_FILL,
	W_FORKS,
	W_BOUNDS,
	W_SET_FORKS,
	W_FORGET_FORKS,
	W_LOWEST,
	W_REMOVE_ENTRIES,
	W_SET_RELEASED,
	W_GET_VOLUME,
	W_ADD_VOLUME,
	W_EACH_PINNED,
	W_PUT_SERIES,
	W_FORGET_SERIES,
	W_FORGET_ALL_SERIES,
	W_SET_LISTED,
	W_FORGET_LISTED,
	N_OUTBOX_WRITE
};

enum outbox_read {
	R_ENTRIES,
	R_ENTRY,
	R_BODY,
	R_FORKS,
	R_GAPS,
	R_GONE_ORIGIN,
	R_COUNT_GAPS,
	N_OUTBOX_READ
};

struct outbox_writer {
	struct db db;
	sqlite3_stmt *st[N_OUTBOX_WRITE];
};

struct outbox {
	struct worker *worker;	     /* one thread: the catalog's */
	struct outbox_writer writer; /* that thread's, once open */
	struct db reader;	     /* the loop's */
	sqlite3_stmt *read[N_OUTBOX_READ];
};

extern const char *const outbox_steps[];
extern const int outbox_n_steps;
extern const char *const outbox_write_sql[N_OUTBOX_WRITE];
extern const char *const outbox_read_sql[N_OUTBOX_READ];

/* Parameters 1 to 9: the key of a captured file. */
void outbox_bind_file(sqlite3_stmt *st, int64_t pipe, const struct fileid *f);

#endif
