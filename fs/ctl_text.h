/* What is written into a ctl, as text: what may be in it, and what the short forms
 * stand for. Knows no files and no daemons. */
#ifndef TSFERRY_CTL_TEXT_H
#define TSFERRY_CTL_TEXT_H

#include <stdbool.h>

#include "ground/buf.h"
#include "ground/err.h"

/* Which short forms a ctl takes: those of the whole tree (none), of a pipe, of the
 * server. From the directory that it stands in: "/", "/PIPE", "/server". */
enum ctl_scope { CTL_ROOT, CTL_PIPE, CTL_SERVER };

enum ctl_scope ctl_scope_of(const char *dir);

/* Refuses NUL and control bytes (tab, newline and carriage return are blanks): -EINVAL
 * with the place and the byte. */
int ctl_check_bytes(const void *p, size_t n, struct err *e) MUST_CHECK;

/* One statement of n bytes, as it is sent: on one line, without the `;` that ends it
 * and blanks around it, short forms completed:
 *	/PIPE/ctl	START  STOP  DROP  RESYNC [FROM t]  WAIT [s]
 *	/server/ctl	START  STOP  ADMIT x  FORGET x
 * Everything else passes as it is. Added to `out`; empty for a blank or a comment. */
void ctl_complete(struct buf *out, const char *dir, const char *text, size_t n);

/* What the parser says of a statement of several lines, with the line and column that it
 * was written at: -EINVAL. 0 for any other: on one line the places are the same. */
int ctl_check_lines(const char *dir, const char *text, size_t n, struct err *e) MUST_CHECK;

#endif
