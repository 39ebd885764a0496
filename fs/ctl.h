/* One open of a ctl: statements in, answers out.
 *
 * Bytes gather until a statement is complete; it runs inside the WRITE that completes
 * it, which is answered when the statement is: with all bytes written, or with the errno
 * of the first statement that failed, after which the rest of that WRITE is forgotten.
 * What has no end yet runs when the file is read (the reader wants the answer), in the
 * FLUSH of the process that opened it if it is whole by then (close(2) reports it), and
 * at last in RELEASE. Requests of one open file run in order.
 *
 * A read gives the answers since the last read on this open file; on one that nothing was
 * written to, the last answer of the user, for which it waits up to a second while a
 * statement of his runs in RELEASE. Offsets of writes mean nothing; those of reads
 * count from where the answer's first byte was read.
 * A WRITE that was handed to a daemon is never answered EINTR (interrupts are ignored);
 * statement.h has its time limit. At most 64 KiB without an end: E2BIG. */
#ifndef TSFERRY_CTL_H
#define TSFERRY_CTL_H

#include "files.h"

/* `path`: of the ctl; the requester opens it. */
struct open_file *ctl_open(struct fs *fs, struct node *nd, fuse_req_t req);

void ctl_write(struct open_file *f, fuse_req_t req, const char *p, size_t n);
void ctl_read(struct open_file *f, fuse_req_t req, size_t size, uint64_t offset);
void ctl_flush(struct open_file *f, fuse_req_t req);

/* Answers req (which may be NULL) at once; what is left runs after it. */
void ctl_release(struct open_file *f, fuse_req_t req);

/* Size and time that a user sees. */
void ctl_stat(const struct fs *fs, unsigned uid, const char *path, struct view_entry *en);

#endif
