/* The table is an array sorted by watch descriptor. The kernel hands descriptors out
 * in rising order, so that learning appends. */
#include "watch.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>

#include "journal.h"

#define RESOURCE_SUFFIX ".tsfile.resource"
#define READ_LEN 65536u
#define READS_PER_TURN 8

#define DIR_MASK                                               \
	(IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | \
	 IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define PARTITION_MASK                                          \
	(IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_CLOSE_WRITE | \
	 IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct watch {
	struct watch_ops ops;
	struct loop_io io;
	int fd;
	struct watch_dir *dirs; /* owned, with their names */
	size_t n, cap;
	char *events; /* owned, READ_LEN */
};

int watch_fd(const struct watch *w)
{
	return w->fd;
}

size_t watch_count(const struct watch *w)
{
	return w->n;
}

int watch_add(int inotify_fd, const char *path, bool is_partition)
{
	int wd = inotify_add_watch(inotify_fd, path,
				   is_partition ? PARTITION_MASK : DIR_MASK);

	return wd < 0 ? -errno : wd;
}

/* Where wd is, or would stand. */
static size_t place_of(const struct watch *w, int wd)
{
	size_t low = 0, high = w->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (w->dirs[mid].wd < wd)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct watch_dir *find(struct watch *w, int wd)
{
	size_t at = place_of(w, wd);

	return at < w->n && w->dirs[at].wd == wd ? &w->dirs[at] : NULL;
}

static void grow(struct watch *w)
{
	size_t cap = w->cap ? w->cap * 2 : 64;
	struct watch_dir *more = xcalloc(cap, sizeof(*more));

	if (w->n)
		memcpy(more, w->dirs, w->n * sizeof(*more));
	free(w->dirs);
	w->dirs = more;
	w->cap = cap;
}

static void learn_one(struct watch *w, struct watch_dir *d)
{
	size_t at = place_of(w, d->wd);

	if (at < w->n && w->dirs[at].wd == d->wd) {
		free(w->dirs[at].database);
	} else {
		if (w->n == w->cap)
			grow(w);
		memmove(&w->dirs[at + 1], &w->dirs[at],
			(w->n - at) * sizeof(*w->dirs));
		w->n++;
	}
	w->dirs[at] = *d;
	d->database = NULL;
}

void watch_learn(struct watch *w, struct watch_dir *dirs, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (dirs[i].wd >= 0)
			learn_one(w, &dirs[i]);
	}
}

static void forget(struct watch *w, int wd)
{
	struct watch_dir *d = find(w, wd);
	size_t at;

	if (!d)
		return;
	at = (size_t)(d - w->dirs);
	free(d->database);
	memmove(d, d + 1, (w->n - at - 1) * sizeof(*d));
	w->n--;
}

static bool is_resource(const char *name, struct fileid *id)
{
	size_t n = strlen(name), len = strlen(RESOURCE_SUFFIX);
	char file[160];

	if (n <= len || n >= sizeof(file) ||
	    strcmp(name + n - len, RESOURCE_SUFFIX) != 0)
		return false;
	memcpy(file, name, n + 1);
	file[n - strlen(".resource")] = '\0';
	return fileid_parse_name(id, file) == 0;
}

/* A deletion file. One that is written anew is renamed into place. */
static bool is_mods(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && dot - name > 7 && strncmp(dot - 7, ".tsfile", 7) == 0 &&
	       (strcmp(dot, ".mods") == 0 || strcmp(dot, ".mods2") == 0);
}

static void in_partition(struct watch *w, const struct watch_dir *d,
			 uint32_t mask, const char *name)
{
	struct fileid id = {0};

	if (mask & (IN_DELETE_SELF | IN_MOVE_SELF))
		w->ops.tree_changed(w->ops.arg);
	else if (journal_is_one(name) && !(mask & IN_CLOSE_WRITE))
		w->ops.journal(w->ops.arg, d, name, (mask & IN_DELETE) == 0);
	else if ((mask & IN_CREATE) && journal_is_output(name))
		w->ops.output(w->ops.arg, d);
	else if ((mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) && is_mods(name))
		w->ops.mods(w->ops.arg, d);
	else if ((mask & (IN_CREATE | IN_MOVED_TO)) && is_resource(name, &id))
		w->ops.resource(w->ops.arg, d, &id);
}

static void one_event(struct watch *w, const struct inotify_event *ev)
{
	const struct watch_dir *d;

	if (ev->mask & IN_Q_OVERFLOW) {
		w->ops.lost(w->ops.arg);
		return;
	}
	if (ev->mask & IN_IGNORED) {
		forget(w, ev->wd);
		w->ops.tree_changed(w->ops.arg);
		return;
	}
	d = find(w, ev->wd);
	if (d && d->is_partition)
		in_partition(w, d, ev->mask, ev->len ? ev->name : "");
	else if (!d || (ev->mask & (IN_ISDIR | IN_DELETE_SELF | IN_MOVE_SELF |
				    IN_UNMOUNT)))
		w->ops.tree_changed(w->ops.arg);
}

static void readable(struct loop_io *io, uint32_t ready)
{
	struct watch *w = CONTAINER_OF(io, struct watch, io);
	int i;

	(void)ready;
	for (i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = read(w->fd, w->events, READ_LEN);
		size_t at = 0;

		if (n <= 0)
			return; /* EAGAIN: level triggering brings us back */
		while (at + sizeof(struct inotify_event) <= (size_t)n) {
			const struct inotify_event *ev =
				(const void *)(w->events + at);

			one_event(w, ev);
			at += sizeof(*ev) + ev->len;
		}
	}
}

int watch_new(struct watch **out, struct loop *l, const struct watch_ops *ops,
	      struct err *e)
{
	struct watch *w = xcalloc(1, sizeof(*w));

	w->ops = *ops;
	w->events = xcalloc(1, READ_LEN);
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd >= 0) {
		int r = loop_add(l, &w->io, w->fd, EPOLLIN, readable);

		if (r) {
			watch_free(w);
			return err_set(e, -r, "inotify: %s", err_words(-r));
		}
	}
	*out = w;
	return 0;
}

void watch_free(struct watch *w)
{
	size_t i;

	if (!w)
		return;
	if (w->io.loop)
		loop_del(&w->io);
	if (w->fd >= 0)
		(void)close(w->fd);
	for (i = 0; i < w->n; i++)
		free(w->dirs[i].database);
	free(w->dirs);
	free(w->events);
	free(w);
}
