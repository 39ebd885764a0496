/* Open files of the mount: what they have in common, and those that hold a text.
 *
 * A text is frozen when it is opened, so that a reader in many steps sees one state.
 * Reading from the beginning again takes a new one, as sysfs does. A file that grows
 * (log, events) goes on behind its end instead: what is new since is put behind, also
 * when the daemon has forgotten the beginning meanwhile. Text never shrinks under a
 * reader, so that `tail -f` follows. */
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
	uint64_t opened_ms;
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

/* The size to show for a node of which texts are open, where `size` is what the daemon
 * says now: a text that was just opened is what its reader will get. */
uint64_t text_size(const struct node *nd, uint64_t size, uint64_t now_ms);

/* Whether it has more than was read of it, when `now` is what it holds by now. */
bool text_has_more(const struct open_file *f, const struct buf *now);

#endif
