/* Lines of the loader's protocol, for both of its ends (tsferry-loader(7)).
 *
 * A line is fields `key=value` between tabs; in a value \t, \n and \\ stand for
 * themselves. The first field of a job and of an answer is `job=ID`; a line `end` ends a
 * batch. Nothing here blocks. */
#ifndef TSFERRY_JOB_LINE_H
#define TSFERRY_JOB_LINE_H

#include "ground/buf.h"

#define JOB_FIELDS_MAX 32u
#define JOB_LINE_MAX (256u << 10)
#define JOB_BATCH_MAX 256u /* jobs between two `end` */

/* MISMATCH: quarantined because types differ; a later SCHEMA may be the cure. */
enum job_result {
	JOB_NONE,
	JOB_APPLIED,
	JOB_RETRY,
	JOB_QUARANTINE,
	JOB_STOP,
	JOB_HELD,
	JOB_MISMATCH
};

/* A result that is none: the loader is at work on the job. */
#define JOB_AT_WORK "working"

struct job_fields {
	unsigned n;
	struct {
		char *key, *value; /* borrowed from the line */
	} f[JOB_FIELDS_MAX];
};

/* Cuts a line (without its newline) in place. -EBADMSG: no fields, too many, or no `=`. */
int job_line_parse(char *line, struct job_fields *fields) MUST_CHECK;
const char *job_field(const struct job_fields *fields, const char *key); /* NULL: none */
/* A decimal field; -EINVAL when it is missing or none. */
int job_field_int(const struct job_fields *fields, const char *key, int64_t *to) MUST_CHECK;

/* Adds a field to the line at the end of b; the first one of a line is `job`. */
void job_add(struct buf *b, const char *key, const char *value);
void job_addf(struct buf *b, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);

const char *job_result_text(enum job_result r);
enum job_result job_result_parse(const char *text); /* JOB_NONE: none of them */

#endif
