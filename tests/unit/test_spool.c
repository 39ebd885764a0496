/* The spools against the catalog: whose they are, what is swept, what is missing. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "ground/loop.h"
#include "syncd/spool.h"
#include "test.h"

static char dir[300];

#define AT_LEN 396

static const char *at(const char *name)
{
	static char path[AT_LEN];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void touch(const char *name)
{
	int fd = open(at(name), O_WRONLY | O_CREAT, 0600);

	if (fd < 0 || close(fd))
		abort();
}

struct world {
	struct loop *loop;
	struct statedir state;
	struct outbox *outbox;
	struct spool spool;
	struct outbox_job job;
	struct spool_sweep found;
	int64_t pipe;
};

static int add(struct outbox_job *j, struct outbox_writer *w)
{
	struct world *wd = CONTAINER_OF(j, struct world, job);
	struct pipe_row p = {.name = "p", .sink = "s", .state = PIPE_STOP};
	struct outbox_entry en = {.volume = wd->spool.volumes[0].id};
	int r = outbox_add_pipe(w, &p, &j->err);

	wd->pipe = p.id;
	en.entry = (struct entry){.serial = 1,
				  .nonce = 0x10,
				  .kind = ENTRY_FILE,
				  .file = {.database = "root.sg"},
				  .body_len = 20};
	if (r == 0)
		r = outbox_add_entry(w, p.id, &en, &j->err);
	en.entry.serial = 2;
	en.entry.nonce = 0x20;
	en.entry.file.v = 1;
	return r ? r : outbox_add_entry(w, p.id, &en, &j->err);
}

static int sweep(struct outbox_job *j, struct outbox_writer *w)
{
	struct world *wd = CONTAINER_OF(j, struct world, job);

	return spool_sweep(&wd->spool, w, &wd->found, &j->err);
}

static void job_done(struct outbox_job *j)
{
	loop_stop(CONTAINER_OF(j, struct world, job)->loop);
}

static int run(struct world *w,
	       int (*fn)(struct outbox_job *j, struct outbox_writer *w))
{
	memset(&w->job, 0, sizeof(w->job));
	w->job.run = fn;
	w->job.done = job_done;
	w->job.is_bare = fn == sweep;
	outbox_submit(w->outbox, &w->job);
	return loop_run(w->loop) ? -EIO : w->job.result;
}

static bool open_world(struct world *w, struct err *e)
{
	struct settings *set = xcalloc(1, sizeof(*set));
	char state_dir[340], path[400];
	bool is_open;

	(void)snprintf(dir, sizeof(dir), "%s", test_dir());
	(void)snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
	(void)snprintf(path, sizeof(path), "%s/catalog.db", state_dir);
	(void)mkdir(at("data"), 0755);
	(void)snprintf(set->facts.dirs[0], sizeof(set->facts.dirs[0]), "%s",
		       at("data"));
	set->facts.n_dirs = 1;
	is_open = statedir_open(&w->state, state_dir, "/nonexistent", e) == 0 &&
		  (!w->state.is_new || statedir_found(&w->state, e) == 0) &&
		  loop_new(&w->loop, e) == 0 &&
		  outbox_open(&w->outbox, w->loop, path, &w->state, e) == 0 &&
		  spool_load(&w->spool, set, w->outbox, e) == 0;
	free(set);
	return is_open;
}

static void sweeping(void)
{
	struct world w = {0};
	struct err e = {0};

	CHECK(open_world(&w, &e));
	CHECK(w.spool.n_configured == 1);
	CHECK(spool_check_all(&w.spool, &w.state, &e) == 0);
	CHECK(spool_check(&w.spool.volumes[0], &w.state, &e) == 0);
	CHECK(access(at("data/.tsferry-spool/instance"), F_OK) == 0);
	CHECK(run(&w, add) == 0);
	touch("data/.tsferry-spool/0000000000000010.tsfile");
	touch("data/.tsferry-spool/0000000000000010.tsfile.mods");
	touch("data/.tsferry-spool/0000000000000030.tsfile");
	touch("data/.tsferry-spool/0000000000000040.tsfile.mods2");
	touch("data/.tsferry-spool/notes.txt");
	CHECK(run(&w, sweep) == 0);
	CHECK(w.found.n_removed == 2);
	CHECK(w.found.n_missing == 1 && w.found.first_missing.serial == 2);
	CHECK(w.found.first_missing_pipe == w.pipe);
	CHECK(!access(at("data/.tsferry-spool/0000000000000010.tsfile"), F_OK));
	CHECK(!access(at("data/.tsferry-spool/0000000000000010.tsfile.mods"),
		      F_OK));
	CHECK(access(at("data/.tsferry-spool/0000000000000030.tsfile"), F_OK));
	CHECK(access(at("data/.tsferry-spool/0000000000000040.tsfile.mods2"),
		     F_OK));
	CHECK(!access(at("data/.tsferry-spool/notes.txt"), F_OK));
	outbox_close(w.outbox);
	loop_free(w.loop);
	statedir_close(&w.state);
}

static void another(void)
{
	struct world w = {0};
	struct err e = {0};
	FILE *f;

	CHECK(open_world(&w, &e));
	f = fopen(at("data/.tsferry-spool/instance"), "w");
	CHECK(f && fputs("00112233445566778899aabbccddeeff\n", f) > 0);
	CHECK(fclose(f) == 0);
	CHECK(spool_check_all(&w.spool, &w.state, &e) == -ESTALE);
	CHECK(strstr(e.text, "00112233445566778899aabbccddeeff"));
	outbox_close(w.outbox);
	loop_free(w.loop);
	statedir_close(&w.state);
}

static void no_data_dir(void)
{
	struct volume v = {.data_dir = "/nonexistent",
			   .spool_dir = "/nonexistent/spool"};
	struct statedir none = {.fd = -1};
	struct err e = {0};

	CHECK(spool_check(&v, &none, &e) == -ENOENT);
	CHECK(strstr(e.text, "/nonexistent") && !v.is_ready);
}

int main(void)
{
	test_run("files without an entry go, entries without a file are told",
		 sweeping);
	test_run("another instance's spool is refused", another);
	test_run("a data directory that is away makes no spool", no_data_dir);
	return test_end();
}
