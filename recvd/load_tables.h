/* Databases of tables (the table model of IoTDB 2): what is said to the server in their own
 * dialect, over a session of its own. Their files go as all others do, with the database
 * named (sql_load, transfer_file).
 *
 * A DELETE entry names devices as the index of a file has them: the table and the values
 * of its tags, joined by dots, null as "null" (domain/tsfile_index.h). That is no name which
 * a statement could use, so the server is asked for the devices of the table, and those that
 * read like this are named with their own tags, some to a statement: rows of other
 * gateways in the same table stay. Two devices that read alike are refused, and so are
 * records of single columns, which no statement can carry.
 *
 * Blocks on the server; at most TABLES_STATEMENTS_MAX bytes of statements are held. */
#ifndef TSFERRY_LOAD_TABLES_H
#define TSFERRY_LOAD_TABLES_H

#include "load_iotdb.h"

#define TABLES_STATEMENTS_MAX (16u << 20)
#define TABLES_TAGS_MAX 256u

/* JOB_APPLIED: it is there. */
enum job_result tables_make_database(struct iotdb *db, const char *database,
				     struct err *e);

/* A DELETE: `records` are its. A RESTATE: NULL, and every row of its devices in its times. */
enum job_result tables_delete(struct iotdb *db, const struct load_job *j,
			      const struct buf *records, struct err *e);

/* The records beside a FILE, each device within the times that the file has of it. */
enum job_result tables_delete_beside(struct iotdb *db, const struct load_job *j,
				     const struct buf *records, struct err *e);

#endif
