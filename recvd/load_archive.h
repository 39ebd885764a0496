/* The archive loader: files, as the edge had them, below one directory.
 *
 *	<archive_dir>/<sender>/<database>/{sequence,unsequence}/<region>/<partition>/
 *		T-V-I-C.tsfile and its .mods or .mods2
 *	<archive_dir>/<sender>/<database>/schema.sql
 *
 * A reader that honours deletion files sees the truth: a DELETE or a RESTATE becomes
 * records in the deletion file of every file of its database and region that has rows in its times
 * (load_times.h), written anew and renamed, all of a job behind one sync (load_group.h; a torn or malformed line would disable a
 * whole text file). The filter by
 * device is the record's own path, the filter by time cuts the record; that a record
 * stands beside a file without such rows changes nothing.
 *
 * A SCHEMA that drops the database becomes such records for all times, beside every file of it; the
 * files stay.
 *
 * Everything is done again without harm: recvd repeats a batch whose end it did not
 * hear. Nothing is answered as applied before it is synced. Blocks on the disk; one
 * thread. */
#ifndef TSFERRY_LOAD_ARCHIVE_H
#define TSFERRY_LOAD_ARCHIVE_H

#include "load_job.h"

#define ARCHIVE_TEMPORARY ".tsferry-new"
#define ARCHIVE_TMP_LEN 32
#define SCHEMA_FILE "schema.sql"
#define SCHEMA_FILE_MAX (256u << 20)

struct archive_times;

struct archive {
	int fd;	    /* owned */
	int tmp_fd; /* owned; the directory of temporaries, while there are any; -1 */
	unsigned n_tmp;
	bool is_dirty; /* something is not synced */
	bool is_taken_synced; /* files that this batch may take */
	char last_dir[NAME_LEN_MAX + 2 + FILEID_PATH_MAX];
	int last_fd; /* owned; of last_dir; -1 */
	struct archive_times *times; /* owned; made when it is needed */
};

/* Makes the directory when it is missing, and removes temporaries of an earlier run. */
int archive_open(struct archive *a, const char *path, struct err *e) MUST_CHECK;
void archive_close(struct archive *a);

/* What became of a job; e holds why it is not applied. Until archive_sync() it is not
 * durable, but what is seen under its name is whole, even after a power cut. The files of
 * all jobs of a batch are there before the first one is applied. */
enum job_result archive_apply(struct archive *a, const struct load_job *j, struct err *e);

/* At the end of a batch. */
int archive_sync(struct archive *a, struct err *e) MUST_CHECK;

/* Whether the staged file is a whole TsFile and its deletion records are whole: JOB_APPLIED
 * when they are, else why not. */
enum job_result archive_check(const struct load_job *j, struct err *e);

/* ---- between load_archive.c, load_group.c and load_delete.c ---- */

/* Refusals: JOB_RETRY for what may pass (a full disk), JOB_QUARANTINE for bad bytes,
 * JOB_STOP for what concerns every job (a disk that is read-only or broken). */
enum job_result archive_failed(int r, const char *what, struct err *e);
/* In the directory of temporaries, not synced. */
int archive_write_temporary(struct archive *a, const void *p, size_t n, char name[ARCHIVE_TMP_LEN])
	MUST_CHECK;
enum job_result archive_delete(struct archive *a, const struct load_job *j, struct err *e);
/* All rows of the job's database, of every region. */
enum job_result archive_drop(struct archive *a, const struct load_job *j, struct err *e);

#endif
