/* inotify over <data_dir>/{sequence,unsequence}/<database>/<region>/<partition>.
 *
 * The watch only makes the scan faster: whatever it misses, the next walk and listing
 * find. Watches are set by the walk (watch first, then list), on the scan's thread;
 * here is the table of what each watch stands for, and the events, on the loop. An
 * event of a watch that the table does not know yet asks for another walk. */
#ifndef TSFERRY_WATCH_H
#define TSFERRY_WATCH_H

#include "domain/fileid.h"
#include "ground/loop.h"

struct watch;

/* A watched directory. Of those that are no partitions only `wd` counts. */
struct watch_dir {
	int wd;
	bool is_partition;
	uint8_t volume;
	bool unsequence;
	char *database; /* owned */
	uint32_t region;
	int64_t partition;
	int64_t mtime_ns; /* as the walk saw it */
	uint64_t mods_stamp; /* of its deletion files; 0 = not looked at */
};

struct watch_ops {
	/* `.resource` of this file appeared (T, V, I, C are in id). */
	void (*resource)(void *arg, const struct watch_dir *d,
			 const struct fileid *id);
	/* A compaction journal appeared, or went. */
	void (*journal)(void *arg, const struct watch_dir *d, const char *name,
			bool is_there);
	/* A compaction begins to write: its journal is whole. */
	void (*output)(void *arg, const struct watch_dir *d);
	/* A deletion file was written, and is closed. */
	void (*mods)(void *arg, const struct watch_dir *d);
	void (*tree_changed)(void *arg); /* directories came or went: walk */
	void (*lost)(
		void *arg); /* events were lost: walk and list everything */
	void *arg;
};

/* Without inotify (fs.inotify.max_user_instances) there is a watch that hears nothing:
 * its descriptor is -1. */
int watch_new(struct watch **out, struct loop *l, const struct watch_ops *ops,
	      struct err *e) MUST_CHECK;
void watch_free(struct watch *w);

/* For the walk, on any thread: the watch descriptor, or -errno (-ENOSPC: the limit
 * fs.inotify.max_user_watches). Adding again answers the same descriptor. */
int watch_add(int inotify_fd, const char *path, bool is_partition) MUST_CHECK;
int watch_fd(const struct watch *w);

/* Takes the directories that a walk saw: their names are the table's from now on. */
void watch_learn(struct watch *w, struct watch_dir *dirs, size_t n);
size_t watch_count(const struct watch *w);

#endif
