/* The tree of /pipes as it is seen: what the daemons on this host have, joined.
 *
 * A question (struct view) is about one path. It says which requests each daemon is to
 * be asked (view_request), takes in the answers (view_take), and then gives one result.
 * It does no I/O, so that pipefs asks in its loop, pipectl with blocking calls, and both
 * show the same bytes. A part that is absent or late is simply not there.
 *
 * Joined from both: directories (their children), `log` (by time), `metrics` (by
 * family), `last_error` (the younger). Ours: `ctl`, `help`, and `last_error` when no
 * daemon has one. Everything else is the first part's that has it.
 * Tree: statement reference, section 3; requests: domain/control.h. */
#ifndef TSFERRY_VIEW_H
#define TSFERRY_VIEW_H

#include <stdbool.h>

#include "domain/control.h"

#define VIEW_PARTS 2
#define VIEW_PATH_MAX 2048
#define VIEW_TEXT_MAX (CONTROL_REPLY_MAX * VIEW_PARTS)
#define VIEW_SYNCD 0u
#define VIEW_RECVD 1u

enum view_what { VIEW_STAT, VIEW_LIST, VIEW_READ };

struct view_entry {
	struct tree_node node;
	uint64_t size;
};

/* What one daemon said. */
struct view_part {
	int err; /* 0, or -errno of the first request that failed */
	bool has_entry;
	struct view_entry entry;
	struct buf text;
	struct view_entry *entries; /* owned */
	size_t n_entries;
};

struct view {
	enum view_what what;
	char path[VIEW_PATH_MAX];
	struct view_part part[VIEW_PARTS];
};

/* What is there without any daemon. */
struct view_own {
	int64_t start_ms;	/* mtime of what never changes */
	const char *last_error; /* a refusal that no daemon could be told; "" = none */
	int64_t last_error_ms;
};

/* -ENAMETOOLONG, or -ENOENT for a path that no tree can have (control bytes). The view
 * needs no release then. */
int view_init(struct view *v, enum view_what what, const char *path) MUST_CHECK;
void view_release(struct view *v);

/* Which parts can have the path: bits 1 << VIEW_SYNCD, 1 << VIEW_RECVD. 0: it is ours. */
unsigned view_parts(const struct view *v);

/* The n-th request for a daemon (from 0) into `out`; false: no more. Each is asked only
 * when the one before succeeded. */
bool view_request(const struct view *v, unsigned n, struct buf *out);

/* Its answer; NULL with -errno when there is none. */
void view_take(struct view *v, unsigned part, unsigned n, const struct reply *r, int err);

/* Whether this part's complete answer is the whole answer. */
bool view_is_settled(const struct view *v, unsigned part);

int view_stat(const struct view *v, const struct view_own *own, struct view_entry *out) MUST_CHECK;
int view_read(const struct view *v, const struct view_own *own, struct buf *out) MUST_CHECK;

/* Sorted by name (bytes); the caller frees *out. */
int view_list(const struct view *v, const struct view_own *own, struct view_entry **out, size_t *n)
	MUST_CHECK;

/* "/ctl", "/server/ctl", "/PIPE/ctl"; and the files that grow: "/log", "/PIPE/events". */
bool view_is_ctl(const char *path);
bool view_is_growing(const char *path);

/* The fixed texts: the table of statements, and what `cat ctl` says before any answer,
 * with the short forms that the ctl at `path` takes. */
void view_help(struct buf *out);
const char *view_usage(const char *path);

#endif
