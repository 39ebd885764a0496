/* inotify as the scan hears it, on real directories. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "ground/fileio.h"
#include "syncd/journal.h"
#include "syncd/watch.h"
#include "test.h"

struct heard {
	int n_resources, n_outputs, n_journals_here, n_journals_gone, n_tree,
		n_lost;
	uint64_t last_v;
	int64_t last_partition;
	char database[64];
};

static struct loop *loop;
static struct watch *w;
static struct heard heard;

static void on_resource(void *arg, const struct watch_dir *d,
			const struct fileid *id)
{
	struct heard *h = arg;

	h->n_resources++;
	h->last_v = id->v;
	h->last_partition = d->partition;
	(void)snprintf(h->database, sizeof(h->database), "%s", d->database);
}

static void on_journal(void *arg, const struct watch_dir *d, const char *name,
		       bool is_there)
{
	struct heard *h = arg;

	(void)d;
	if (!journal_is_one(name))
		return;
	if (is_there)
		h->n_journals_here++;
	else
		h->n_journals_gone++;
}

static void on_output(void *arg, const struct watch_dir *d)
{
	struct heard *h = arg;

	(void)d;
	h->n_outputs++;
}

static void on_tree(void *arg)
{
	((struct heard *)arg)->n_tree++;
}

static void on_lost(void *arg)
{
	((struct heard *)arg)->n_lost++;
}

static void time_up(struct loop_timer *t)
{
	(void)t;
	loop_stop(loop);
}

/* Lets the loop hear what is there to hear, however late it comes to it. */
static void listen_once(void)
{
	int n_bytes = 0;

	do {
		struct loop_timer t = {.fn = time_up};

		loop_timer_set(loop, &t, 20);
		if (loop_run(loop) ||
		    ioctl(watch_fd(w), FIONREAD, &n_bytes) < 0)
			abort();
	} while (n_bytes);
}

static const char *at(const char *name)
{
	static char path[500];

	(void)snprintf(path, sizeof(path), "%s/%s", test_dir(), name);
	return path;
}

static void touch(const char *name)
{
	int fd = open(at(name), O_WRONLY | O_CREAT, 0644);

	if (fd < 0 || close(fd))
		abort();
}

static void make(const char *name)
{
	if (mkdir(at(name), 0755))
		abort();
}

static int learn(const char *name, bool is_partition, int64_t partition)
{
	struct watch_dir d = {.is_partition = is_partition,
			      .partition = partition};

	d.wd = watch_add(watch_fd(w), at(name), is_partition);
	if (is_partition)
		d.database = xstrdup("root.sg");
	watch_learn(w, &d, 1);
	return d.wd;
}

static void prepare(void)
{
	const struct watch_ops ops = {.resource = on_resource,
				      .journal = on_journal,
				      .output = on_output,
				      .mods = on_output,
				      .tree_changed = on_tree,
				      .lost = on_lost,
				      .arg = &heard};
	struct err e = {0};

	if (loop_new(&loop, &e) || watch_new(&w, loop, &ops, &e))
		abort();
	make("r");
	make("r/7");
	make("r/8");
}

static void sealing(void)
{
	char from[500];

	memset(&heard, 0, sizeof(heard));
	CHECK(learn("r/7", true, 7) >= 0 && learn("r/8", true, -8) >= 0);
	touch("r/7/1-5-0-0.tsfile");
	touch("r/7/1-5-0-0.tsfile.resource.temp");
	touch("r/7/other.resource");
	listen_once();
	CHECK(heard.n_resources == 0);
	(void)snprintf(from, sizeof(from), "%s",
		       at("r/7/1-5-0-0.tsfile.resource.temp"));
	CHECK(rename(from, at("r/8/1-6-0-0.tsfile.resource")) == 0);
	listen_once();
	CHECK(heard.n_resources == 1 && heard.last_v == 6);
	CHECK(heard.last_partition == -8);
	CHECK_STR(heard.database, "root.sg");
	touch("r/7/1-5-0-0.tsfile.resource"); /* made by link(2) or a copy */
	listen_once();
	CHECK(heard.n_resources == 2 && heard.last_v == 5);
	CHECK(heard.n_tree == 0 && heard.n_lost == 0);
}

static void journals(void)
{
	memset(&heard, 0, sizeof(heard));
	touch("r/7/1-1-1-0.inner.inner-compaction.log");
	listen_once();
	CHECK(heard.n_journals_here == 1 && heard.n_journals_gone == 0);
	touch("r/7/1-1-1-0.inner");
	touch("r/7/x.inner");
	listen_once();
	CHECK(heard.n_outputs == 1);
	CHECK(unlink(at("r/7/1-1-1-0.inner.inner-compaction.log")) == 0);
	listen_once();
	CHECK(heard.n_journals_gone == 1);
}

static void trees(void)
{
	size_t n = watch_count(w);
	int wd = learn("r", false, 0);

	memset(&heard, 0, sizeof(heard));
	CHECK(wd >= 0 && watch_count(w) == n + 1);
	CHECK(learn("r", false, 0) == wd && watch_count(w) == n + 1);
	make("r/9");
	listen_once();
	CHECK(heard.n_tree >= 1);
	touch("r/file");
	memset(&heard, 0, sizeof(heard));
	listen_once();
	CHECK(heard.n_tree == 0); /* files beside directories are nothing */
	CHECK(rmdir(at("r/9")) == 0);
	listen_once();
	CHECK(heard.n_tree >= 1);
}

static void gone(void)
{
	size_t n = watch_count(w);

	memset(&heard, 0, sizeof(heard));
	CHECK(unlink(at("r/8/1-6-0-0.tsfile.resource")) == 0);
	CHECK(rmdir(at("r/8")) == 0);
	listen_once();
	CHECK(heard.n_tree >= 1 && watch_count(w) == n - 1);
}

static void unknown(void)
{
	memset(&heard, 0, sizeof(heard));
	make("r/10");
	listen_once();
	memset(&heard, 0, sizeof(heard));
	/* Watched by a walk that has not come back yet. */
	CHECK(watch_add(watch_fd(w), at("r/10"), true) >= 0);
	touch("r/10/1-1-0-0.tsfile.resource");
	listen_once();
	CHECK(heard.n_resources == 0 && heard.n_tree >= 1);
}

static void overflow(void)
{
	int i;

	memset(&heard, 0, sizeof(heard));
	for (i = 0; i < 20000; i++) {
		touch("r/7/1-7-0-0.tsfile.resource");
		if (unlink(at("r/7/1-7-0-0.tsfile.resource")))
			abort();
	}
	listen_once();
	CHECK(heard.n_lost == 1);
	CHECK(watch_add(watch_fd(w), at("nowhere"), true) == -ENOENT);
}

int main(void)
{
	prepare();
	test_run("a resource that appears is told, with its file", sealing);
	test_run("journals are told when they come, are whole, and go",
		 journals);
	test_run("directories that come or go ask for a walk", trees);
	test_run("a watched directory that goes is forgotten", gone);
	test_run("an event of an unknown watch asks for a walk", unknown);
	test_run("lost events are told once", overflow);
	watch_free(w);
	loop_free(loop);
	return test_end();
}
