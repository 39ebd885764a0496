/* poll(2) on the files of the mount.
 *
 * A file that grows (log, events) is readable when it has more than its reader has read;
 * until then who polls is woken within WAKE_MS of a new line. Everything else is always
 * readable, and ctl writable. While nobody polls, nothing is asked. */
#ifndef TSFERRY_WAKE_H
#define TSFERRY_WAKE_H

#include "files.h"

#define WAKE_MS 200

struct wake;

struct wake *wake_new(struct fs *fs);
void wake_free(struct wake *p); /* wakes nobody */

/* Answers req. Owns ph, which may be NULL. */
void wake_poll(struct open_file *f, fuse_req_t req, struct fuse_pollhandle *ph);

/* The file is being closed. */
void wake_forget(struct open_file *f);

#endif
