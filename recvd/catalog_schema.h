/* The tables of the receiver's catalog, as migration steps for db_open(), and how an
 * entry's key is packed. Used by catalog.c and catalog_read.c only. */
#ifndef TSFERRY_CATALOG_SCHEMA_H
#define TSFERRY_CATALOG_SCHEMA_H

#include "catalog.h"

extern const char *const catalog_steps[];
extern const int catalog_n_steps;

/* entry.id: 23 bits of incarnation, 40 bits of serial. One integer key instead of an
 * index of its own, because every insert is on the way of an acknowledgement. */
int64_t catalog_key(int64_t incarnation, uint64_t serial);
int64_t catalog_key_incarnation(int64_t key);
uint64_t catalog_key_serial(int64_t key);
/* A file's identity in one integer, for an index; who looks compares the identity. */
int64_t catalog_file_key(const struct fileid *file);

/* The writing connection, for the parts of catalog.h that stand in files of their own; on the
 * keeper, inside of a task. */
struct db *catalog_db(struct catalog *c);

/* catalog_early.c: nobody asks what is early, or only fills, of incarnations that are dropped. */
int catalog_forget_early(struct catalog *c, struct err *e) MUST_CHECK;

/* A quarantine's row from columns id, entry, domain, since, reason, state, head. */
int catalog_quarantine_columns(sqlite3_stmt *st, struct quarantine_row *row) MUST_CHECK;

#define CATALOG_QUARANTINE_COLUMNS                                                        \
	"SELECT q.id, q.entry, e.domain, q.since, q.reason, e.state, e.head "              \
	"FROM quarantine q JOIN entry e ON e.id = q.entry "

#endif
