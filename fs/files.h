/* Open files of the mount: what they have in common, and those that hold a text.
 *
 * A text is frozen when it is opened, so that a reader in many steps sees one state.
 * Reading from the beginning again takes a new one, as sysfs does. A file that grows
 * (log, events) goes on behind its end instead: what is new since is put behind, also
 * when the daemon has forgotten the beginning meanwhile. Text never shrinks under a
 * reader, so that `tail -f` follows.
 *
 * Size and mtime are frozen with it, for the process that opened it: tar, which looks at
 * a file before and after it reads it, must not see it change meanwhile. They move again
 * when that process has met the end of the file, as `tail -f` does before it waits, or
 * has not read for a second. */
#ifndef TSFERRY_FILES_H
#define TSFERRY_FILES_H

#include "fs.h"
#include "fuse.h"

enum file_kind { FILE_TEXT, FILE_CTL, FILE_DIR };

struct open_file {
	struct fs *fs;
	enum file_kind kind;
	struct node *node; /* it lives as long as we are in its list */
	struct open_file *next; /* of the node */
	int opener; /* the process; 0: nobody knows */
	uint64_t opened_ms, read_ms;
	bool was_ended; /* its reader has met the end */
	bool is_shown;	/* shown is what the opener was told of it */
	struct view_entry shown;
};

void file_attach(struct open_file *f, struct fs *fs, struct node *nd, enum file_kind kind);
void file_detach(struct open_file *f); /* may free the node */

static inline struct open_file *file_of(const struct fuse_file_info *fi)
{
	return (struct open_file *)(uintptr_t)fi->fh; // NOLINT(performance-no-int-to-ptr)
}

/* Takes the text out of `text`. */
struct open_file *text_open(struct fs *fs, struct node *nd, struct buf *text);
void text_read(struct open_file *f, fuse_req_t req, size_t size, uint64_t offset);
/* The last of it: wake_forget() has been called. Reads under way are still answered. */
void text_release(struct open_file *f);

/* The attributes of a node of which files are open, for process `pid`; `en` holds what
 * the daemon says now. To others a text that was just opened has the size that its
 * reader will get: programs with threads open in one and ask in another. */
void file_stat(struct node *nd, int pid, uint64_t now_ms, struct view_entry *en);

/* The open text of a growing node that process `pid` follows: it has been told the size
 * and waits for more. Its size is that of what it holds, so it takes in what the daemons
 * say now; `en` gets what the process is told. */
struct open_file *text_followed(const struct node *nd, int pid, uint64_t now_ms);
void text_grow(struct open_file *f, const struct buf *now, int64_t wall_ms,
	       struct view_entry *en);

/* Whether it has more than was read of it, when `now` is what it holds by now. */
bool text_has_more(const struct open_file *f, const struct buf *now);

#endif
