/* The edge's catalog: serials without holes, restarts, releases, windows. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "ground/loop.h"
#include "syncd/outbox.h"
#include "test.h"

/* Stands before the C library's, for SQLite as well. */
static bool fail_reads;

ssize_t pread64(int fildes, void *p, size_t n, off_t at)
{
	if (fail_reads) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pread64, fildes, p, n, at);
}

struct fixture {
	struct loop *loop;
	struct statedir state;
	struct outbox *outbox;
	char path[512];
	char dir[400];
};

static bool open_fixture(struct fixture *f, const char *name, struct err *e)
{
	(void)snprintf(f->dir, sizeof(f->dir), "%s/%s", test_dir(), name);
	(void)snprintf(f->path, sizeof(f->path), "%s/catalog.db", f->dir);
	if (statedir_open(&f->state, f->dir, "/nonexistent", e) ||
	    (f->state.is_new && statedir_found(&f->state, e)) ||
	    loop_new(&f->loop, e))
		return false;
	return outbox_open(&f->outbox, f->loop, f->path, &f->state, e) == 0;
}

static void close_fixture(struct fixture *f)
{
	outbox_close(f->outbox);
	loop_free(f->loop);
	statedir_close(&f->state);
}

struct step {
	struct outbox_job job;
	struct loop *loop;
	int (*fn)(struct outbox_writer *w, void *arg, struct err *e);
	void *arg;
};

static int run_step(struct outbox_job *j, struct outbox_writer *w)
{
	struct step *s = CONTAINER_OF(j, struct step, job);

	return s->fn(w, s->arg, &j->err);
}

static void step_done(struct outbox_job *j)
{
	loop_stop(CONTAINER_OF(j, struct step, job)->loop);
}

/* One transaction, waited for. */
static int transact(struct fixture *f,
		    int (*fn)(struct outbox_writer *w, void *arg,
			      struct err *e),
		    void *arg)
{
	struct step s = {.loop = f->loop, .fn = fn, .arg = arg};

	s.job.run = run_step;
	s.job.done = step_done;
	outbox_submit(f->outbox, &s.job);
	if (loop_run(f->loop))
		return -EIO;
	return s.job.result;
}

static struct pipe_row a_pipe(const char *name)
{
	struct pipe_row p = {.create_ms = 5,
			     .has_from = true,
			     .from = INT64_MIN,
			     .state = PIPE_STOP,
			     .sync_del_op = true};

	(void)snprintf(p.name, sizeof(p.name), "%s", name);
	(void)snprintf(p.sink, sizeof(p.sink), "s");
	(void)snprintf(p.query, sizeof(p.query), "select ** from root");
	memset(p.incarnation, 7, sizeof(p.incarnation));
	return p;
}

static int add_pipe(struct outbox_writer *w, void *arg, struct err *e)
{
	return outbox_add_pipe(w, arg, e);
}

/* n files of 100 bytes become entries, as capture does it. */
struct adding {
	int64_t pipe;
	unsigned n;
	bool fails;
};

static int add_entries(struct outbox_writer *w, void *arg, struct err *e)
{
	const struct adding *a = arg;
	struct outbox_entry en;
	uint64_t assigned, bytes;
	unsigned i;
	int r = outbox_live_pipe(w, a->pipe, &assigned, &bytes, e);

	if (r != 1)
		return r < 0 ? r : -ENOENT;
	for (i = 0; i < a->n; i++) {
		memset(&en, 0, sizeof(en));
		en.entry.serial = ++assigned;
		en.entry.nonce = 1000 + assigned;
		en.entry.kind = ENTRY_FILE;
		(void)snprintf(en.entry.file.database,
			       sizeof(en.entry.file.database), "root.sg");
		en.entry.file.partition = -1;
		en.entry.file.t = en.entry.file.v = assigned;
		en.entry.body_len = 100;
		en.volume = 3;
		en.captured_ms = 77;
		en.total = bytes += 100;
		r = outbox_add_entry(w, a->pipe, &en, e);
		if (r)
			return r;
	}
	r = outbox_set_assigned(w, a->pipe, assigned, bytes, e);
	return r ? r : a->fails ? -EIO : 0;
}

static void keep_pipe(void *arg, const struct pipe_row *row)
{
	*(struct pipe_row *)arg = *row;
}

static uint64_t nonce_of(struct fixture *f, int64_t pipe, uint64_t serial)
{
	uint64_t nonce = 0;

	return outbox_nonce(f->outbox, pipe, serial, &nonce, NULL) == 0
		       ? nonce
		       : UINT64_MAX;
}

static struct pipe_row stored(struct fixture *f)
{
	struct pipe_row row = {.id = -1};
	struct err e = {0};

	if (outbox_each_pipe(f->outbox, keep_pipe, &row, &e) < 0)
		row.id = -2;
	return row;
}

static int count_entry(void *arg, struct outbox_entry *en)
{
	uint64_t *next = arg;

	if (en->entry.serial == *next)
		(*next)++;
	entry_release(&en->entry);
	return 0;
}

static void serials(void)
{
	struct fixture f = {0};
	struct pipe_row p = a_pipe("p");
	struct adding a = {.n = 3};
	uint64_t next = 1;
	struct err e = {0};

	CHECK(open_fixture(&f, "serials", &e));
	CHECK(transact(&f, add_pipe, &p) == 0);
	a.pipe = p.id;
	CHECK(transact(&f, add_entries, &a) == 0);
	a.fails = true; /* rolled back: no hole is left */
	CHECK(transact(&f, add_entries, &a) == -EIO);
	a.fails = false;
	CHECK(transact(&f, add_entries, &a) == 0);
	CHECK(stored(&f).assigned == 6 && stored(&f).assigned_bytes == 600);
	CHECK(outbox_entries(f.outbox, p.id, 1, 100, count_entry, &next, &e) ==
	      6);
	CHECK(next == 7);
	next = 4;
	CHECK(outbox_entries(f.outbox, p.id, 4, 2, count_entry, &next, &e) ==
	      2);
	CHECK(next == 6);
	CHECK(nonce_of(&f, p.id, 5) == 1005);
	CHECK(nonce_of(&f, p.id, 7) == 0);
	CHECK(outbox_total(f.outbox, p.id, 4, 0) == 400);
	CHECK(outbox_captured_ms(f.outbox, p.id, 4) == 77);
	close_fixture(&f);
}

/* What it knows it may not forget for a moment: the history would not fit, a sound entry would
 * be a lost one. */
static void what_can_not_be_read_is_not_what_is_not_there(void)
{
	struct fixture f = {0};
	struct pipe_row p = a_pipe("p");
	struct adding a = {.n = 3};
	struct err e = {0};
	uint64_t nonce;
	int r, body;
	char byte;

	CHECK(open_fixture(&f, "unreadable", &e));
	CHECK(transact(&f, add_pipe, &p) == 0);
	a.pipe = p.id;
	CHECK(transact(&f, add_entries, &a) == 0);
	fail_reads = true;
	r = outbox_nonce(f.outbox, p.id, 2, &nonce, &e);
	body = outbox_body(f.outbox, p.id, 2, 0, &byte, 1);
	fail_reads = false;
	CHECK(r < 0 && e.sys == -r && e.text[0]);
	CHECK(body < 0 && body != -ENOENT && body != -ENODATA);
	CHECK(nonce_of(&f, p.id, 2) == 1002);
	close_fixture(&f);
}

static void restart(void)
{
	struct fixture f = {0};
	struct pipe_row p = a_pipe("p"), got;
	struct adding a = {.n = 2};
	struct outbox_entry en;
	struct err e = {0};

	CHECK(open_fixture(&f, "restart", &e));
	CHECK(transact(&f, add_pipe, &p) == 0);
	a.pipe = p.id;
	CHECK(transact(&f, add_entries, &a) == 0);
	close_fixture(&f);
	memset(&f, 0, sizeof(f));
	CHECK(open_fixture(&f, "restart", &e));
	got = stored(&f);
	CHECK(got.id == p.id && got.assigned == 2 && got.state == PIPE_STOP);
	CHECK(got.has_from && got.from == INT64_MIN && got.sync_del_op);
	CHECK(memcmp(got.incarnation, p.incarnation, ID_LEN) == 0);
	CHECK_STR(got.query, p.query);
	CHECK(outbox_entry(f.outbox, p.id, 2, &en, &e) == 1);
	CHECK(en.entry.nonce == 1002 && en.entry.body_len == 100);
	CHECK(en.entry.file.partition == -1 && en.volume == 3);
	entry_release(&en.entry);
	CHECK(outbox_entry(f.outbox, p.id, 3, &en, &e) == 0);
	close_fixture(&f);
}

struct releasing {
	int64_t pipe;
	uint64_t until;
	struct outbox_gone gone[4];
	bool is_purge;
};

static int release(struct outbox_writer *w, void *arg, struct err *e)
{
	struct releasing *r = arg;

	if (r->is_purge)
		return outbox_purge(w, r->pipe, r->gone, 4, e);
	return outbox_release(w, r->pipe, r->until, r->gone, 4, e);
}

static int save_progress(struct outbox_writer *w, void *arg, struct err *e)
{
	return outbox_save_progress(w, *(int64_t *)arg, 5, 4, e);
}

static void releases(void)
{
	struct fixture f = {0};
	struct pipe_row p = a_pipe("p"), got;
	struct adding a = {.n = 10};
	struct releasing r = {.until = 6};
	struct err e = {0};

	CHECK(open_fixture(&f, "releases", &e));
	CHECK(transact(&f, add_pipe, &p) == 0);
	a.pipe = r.pipe = p.id;
	CHECK(transact(&f, add_entries, &a) == 0);
	CHECK(transact(&f, release, &r) == 4);
	CHECK(r.gone[0].serial == 1 && r.gone[3].serial == 4);
	CHECK(r.gone[3].nonce == 1004 && r.gone[3].volume == 3);
	got = stored(&f);
	CHECK(got.released == 4 && got.released_nonce == 1004);
	CHECK(got.released_bytes == 400);
	CHECK(transact(&f, release, &r) == 2);
	CHECK(transact(&f, release, &r) == 0);
	CHECK(stored(&f).released == 6);
	CHECK(nonce_of(&f, p.id, 6) == 0);
	CHECK(nonce_of(&f, p.id, 7) == 1007);
	CHECK(transact(&f, save_progress, &p.id) == 0);
	CHECK(stored(&f).durable == 5 && stored(&f).applied == 4);
	/* A dropped pipe: everything goes, the row's numbers stay. */
	r.is_purge = true;
	CHECK(transact(&f, release, &r) == 4);
	CHECK(transact(&f, release, &r) == 0);
	CHECK(stored(&f).released == 6);
	CHECK(nonce_of(&f, p.id, 10) == 0);
	close_fixture(&f);
}

static int know(struct outbox_writer *w, void *arg, struct err *e)
{
	struct fileid file = {.database = "root.sg", .partition = -1};

	file.t = file.v = 2;
	return outbox_is_known(w, *(int64_t *)arg, &file, e);
}

static int unknow(struct outbox_writer *w, void *arg, struct err *e)
{
	struct fileid file = {.database = "root.sg", .partition = -1};

	file.t = file.v = 2;
	return outbox_forget_known(w, *(int64_t *)arg, &file, e);
}

static void known(void)
{
	struct fixture f = {0};
	struct pipe_row p = a_pipe("p"), q = a_pipe("q");
	struct adding a = {.n = 3};
	struct releasing r = {.until = 3};
	struct err e = {0};

	CHECK(open_fixture(&f, "known", &e));
	CHECK(transact(&f, add_pipe, &p) == 0);
	CHECK(transact(&f, add_pipe, &q) == 0);
	a.pipe = r.pipe = p.id;
	CHECK(transact(&f, know, &p.id) == 0);
	CHECK(transact(&f, add_entries, &a) == 0);
	CHECK(transact(&f, know, &p.id) == 1);
	CHECK(transact(&f, know, &q.id) == 0);
	CHECK(transact(&f, release, &r) == 3);
	CHECK(transact(&f, know, &p.id) == 1); /* also when it has left */
	CHECK(transact(&f, unknow, &p.id) == 0);
	CHECK(transact(&f, know, &p.id) == 0);
	close_fixture(&f);
}

static int forget(struct outbox_writer *w, void *arg, struct err *e)
{
	return outbox_forget_pipe(w, *(int64_t *)arg, e);
}

static int drop(struct outbox_writer *w, void *arg, struct err *e)
{
	struct pipe_row *p = arg;

	p->state = PIPE_DROP;
	(void)snprintf(p->error, sizeof(p->error), "why");
	p->error_ms = 9;
	return outbox_save_pipe(w, p, e);
}

static void dropped(void)
{
	struct fixture f = {0};
	struct pipe_row p = a_pipe("p"), got;
	struct adding a = {.n = 3};
	struct err e = {0};

	CHECK(open_fixture(&f, "dropped", &e));
	CHECK(transact(&f, add_pipe, &p) == 0);
	a.pipe = p.id;
	CHECK(transact(&f, add_entries, &a) == 0);
	CHECK(transact(&f, drop, &p) == 0);
	/* What was pinned for it meanwhile is not committed any more. */
	CHECK(transact(&f, add_entries, &a) == -ENOENT);
	got = stored(&f);
	CHECK(got.state == PIPE_DROP && got.assigned == 3);
	CHECK_STR(got.error, "why");
	CHECK(transact(&f, forget, &p.id) == 0);
	CHECK(stored(&f).id == -1);
	CHECK(nonce_of(&f, p.id, 1) == 0);
	close_fixture(&f);
}

static int put_sink(struct outbox_writer *w, void *arg, struct err *e)
{
	return outbox_put_sink(w, arg, e);
}

static int remove_sink(struct outbox_writer *w, void *arg, struct err *e)
{
	return outbox_remove_sink(w, arg, e);
}

static void keep_sink(void *arg, const struct sink_row *s)
{
	*(struct sink_row *)arg = *s;
}

static int keep_volume(void *arg, int64_t id, const char *data_dir,
		       const char *spool_dir)
{
	(void)data_dir;
	(void)spool_dir;
	*(int64_t *)arg += id;
	return 0;
}

static void sinks_and_volumes(void)
{
	struct fixture f = {0};
	struct sink_row s = {.name = "s", .host = "h", .port = 6670};
	struct sink_row got = {.port = 1};
	char name[] = "s";
	int64_t one, two, again, sum = 0;
	struct err e = {0};

	CHECK(open_fixture(&f, "sinks", &e));
	CHECK(outbox_volume(f.outbox, "/a", "/a/s", &one, &e) == 0);
	CHECK(outbox_volume(f.outbox, "/b", "/b/s", &two, &e) == 0);
	CHECK(outbox_volume(f.outbox, "/a", "/a/s", &again, &e) == 0);
	CHECK(one == again && one != two);
	CHECK(outbox_each_volume(f.outbox, keep_volume, &sum, &e) == 0);
	CHECK(sum == one + two);
	CHECK(transact(&f, put_sink, &s) == 0);
	s.port = 7;
	memset(s.key, 'a', sizeof(s.key) - 1);
	CHECK(transact(&f, put_sink, &s) == 0);
	CHECK(outbox_each_sink(f.outbox, keep_sink, &got, &e) == 0);
	CHECK(got.port == 7);
	CHECK_STR(got.key, s.key);
	CHECK(transact(&f, remove_sink, name) == 0);
	got.port = 1;
	CHECK(outbox_each_sink(f.outbox, keep_sink, &got, &e) == 0);
	CHECK(got.port == 1);
	close_fixture(&f);
}

static int add_gap(struct outbox_writer *w, void *arg, struct err *e)
{
	int r = outbox_add_gap(w, *(int64_t *)arg, "b: lost", true, e);

	if (r == 0)
		r = outbox_add_gap(w, *(int64_t *)arg, "a: lost", true, e);
	return r ? r : outbox_add_gap(w, *(int64_t *)arg, "b: lost", true, e);
}

static void gaps(void)
{
	struct fixture f = {0};
	CLEANUP(buf_release) struct buf b;
	int64_t pipe = 1, other = 2;
	struct err e = {0};

	buf_init(&b, 4096);
	CHECK(open_fixture(&f, "gaps", &e));
	CHECK(transact(&f, add_gap, &pipe) == 0);
	outbox_gaps(f.outbox, other, &b);
	CHECK(b.len == 0);
	outbox_gaps(f.outbox, pipe, &b);
	CHECK_STR(buf_str(&b), "a: lost\nb: lost\n");
	close_fixture(&f);
}

static int set_loose(struct outbox_writer *w, void *arg, struct err *e)
{
	return outbox_set_loose(w, *(int64_t *)arg, 2, e);
}

/* Serial 2 is loose: another entry stands there afterwards, of the same total. */
static int fill_it(struct outbox_writer *w, void *arg, struct err *e)
{
	struct entry fill = {.nonce = 9, .kind = ENTRY_RESTATE};
	char line[OUTBOX_GAP_LEN];
	struct outbox_entry en;
	int r = outbox_next(w, *(int64_t *)arg, 2, &en, line, e);

	if (r != 1 || en.entry.serial != 2 || !en.is_loose || line[0])
		return r < 0 ? r : -EPROTO;
	fill.serial = 2;
	fill.file = en.entry.file;
	entry_release(&en.entry);
	r = outbox_fill(w, *(int64_t *)arg, &fill, e);
	if (r == 0)
		r = outbox_fork(w, *(int64_t *)arg, 2, e);
	if (r == 0)
		r = outbox_next(w, *(int64_t *)arg, 2, &en, line, e);
	if (r != 1 || en.entry.kind != ENTRY_RESTATE || en.is_loose)
		return r < 0 ? r : -EPROTO;
	entry_release(&en.entry);
	return outbox_next(w, *(int64_t *)arg, 4, &en, line, e);
}

static int count_pin(void *arg, int64_t pipe, uint64_t serial, uint64_t nonce)
{
	uint64_t *serials = arg;

	(void)pipe;
	*serials = *serials * 10 + (nonce == 1000 + serial ? serial : 9);
	return 0;
}

static int list_pins(struct outbox_writer *w, void *arg, struct err *e)
{
	return outbox_each_durable_pin(w, 3, count_pin, arg, e);
}

static void loose(void)
{
	struct fixture f = {0};
	struct pipe_row p = a_pipe("p");
	struct adding a = {.n = 3};
	struct outbox_entry en;
	uint64_t pins = 0;
	struct err e = {0};

	CHECK(open_fixture(&f, "loose", &e));
	CHECK(transact(&f, add_pipe, &p) == 0);
	a.pipe = p.id;
	CHECK(transact(&f, add_entries, &a) == 0);
	CHECK(transact(&f, list_pins, &pins) == 0 && pins == 0);
	CHECK(transact(&f, save_progress, &p.id) == 0);
	CHECK(transact(&f, list_pins, &pins) == 0 && pins == 123);
	CHECK(transact(&f, set_loose, &p.id) == 0);
	pins = 0;
	CHECK(transact(&f, list_pins, &pins) == 0 && pins == 13);
	CHECK(transact(&f, fill_it, &p.id) == 0);
	CHECK(outbox_entry(f.outbox, p.id, 2, &en, &e) == 1);
	CHECK(en.entry.kind == ENTRY_RESTATE && en.entry.nonce == 9);
	CHECK(!en.entry.held && !en.entry.devices && !en.is_loose);
	CHECK(en.total == 200 && en.volume == 0);
	CHECK(nonce_of(&f, p.id, 2) == 9);
	CHECK(outbox_count_gaps(f.outbox, p.id) == 0);
	close_fixture(&f);
}

/* An older copy of the catalog knows 1001 and so on of every serial. */
static void forks(void)
{
	struct fixture f = {0};
	struct pipe_row p = a_pipe("p");
	struct adding a = {.n = 3};
	struct releasing rel = {.until = 3};
	struct forks forks;
	struct err e = {0};

	CHECK(open_fixture(&f, "forks", &e));
	CHECK(transact(&f, add_pipe, &p) == 0);
	a.pipe = rel.pipe = p.id;
	CHECK(transact(&f, add_entries, &a) == 0);
	CHECK(outbox_forks(f.outbox, p.id, &forks, &e) == 0 && forks.n == 0);
	CHECK(forks_nonce(&forks, 3, 1003) == 1003);
	CHECK(transact(&f, set_loose, &p.id) == 0);
	CHECK(transact(&f, fill_it, &p.id) == 0);
	CHECK(transact(&f, add_entries, &a) == 0);
	close_fixture(&f);
	CHECK(open_fixture(&f, "forks", &e));
	CHECK(outbox_forks(f.outbox, p.id, &forks, &e) == 0 && forks.n == 1);
	CHECK(forks_nonce(&forks, 1, 1001) == 1001);
	CHECK(forks_nonce(&forks, 3, 1003) != 1003);
	CHECK(forks_nonce(&forks, 4, 1004) == 1004);	/* assigned later */
	CHECK(nonce_of(&f, p.id, 3) == 1003); /* its pin's name */
	CHECK(transact(&f, release, &rel) == 3);
	CHECK(rel.gone[2].nonce == 1003);
	CHECK(stored(&f).released_nonce == forks_nonce(&forks, 3, 1003));
	CHECK(transact(&f, forget, &p.id) == 0);
	CHECK(outbox_forks(f.outbox, p.id, &forks, &e) == 0 && forks.n == 0);
	close_fixture(&f);
}

static void fork_bounds(void)
{
	struct forks f = {.n = 0}, g;
	struct fork k = {.salt = 1};
	struct buf b;

	for (uint64_t i = 1; i <= FORKS_MAX + 9; i++) {
		k.first = 10 * i;
		k.last = 5000;
		forks_add(&f, 0, &k);
	}
	CHECK(f.n == FORKS_MAX && f.at[0].first == 10 && f.at[0].last == 19);
	CHECK(forks_nonce(&f, 15, 1) == 1); /* 0 is no nonce */
	CHECK(forks_nonce(&f, 15, 0) == 0); /* nor the salt that of an entry which is gone */
	CHECK(forks_nonce(&f, 15, 2) == 3);
	buf_init(&b, FORKS_LEN);
	forks_encode(&f, &b);
	CHECK(buf_end(&b) == 0 && b.len == FORKS_LEN);
	CHECK(forks_decode(&g, buf_data(&b), b.len) == 0 && g.n == FORKS_MAX);
	CHECK(forks_decode(&g, buf_data(&b), b.len - 1) < 0 && g.n == 0);
	buf_data(&b)[0] = 255; /* the first begins behind its last */
	CHECK(forks_decode(&g, buf_data(&b), b.len) < 0 && g.n == 0);
	buf_release(&b);
	k = (struct fork){.first = 1000, .last = 6000, .salt = 4};
	forks_add(&f, 990, &k);
	CHECK(f.n == 2 && f.at[0].last == 999 && f.at[1].last == 6000);
	k.first = 1;
	forks_add(&f, 0, &k); /* of a history that was put back */
	CHECK(f.n == 1 && f.at[0].first == 1);
}

static void other_instance(void)
{
	struct fixture f = {0}, g = {0};
	char from[600], to[600];
	struct err e = {0};

	CHECK(open_fixture(&f, "one", &e));
	close_fixture(&f);
	CHECK(open_fixture(&g, "two", &e));
	close_fixture(&g);
	(void)snprintf(from, sizeof(from), "%s/one/catalog.db", test_dir());
	(void)snprintf(to, sizeof(to), "%s/two/catalog.db", test_dir());
	CHECK(rename(from, to) == 0);
	memset(&g, 0, sizeof(g));
	CHECK(!open_fixture(&g, "two", &e));
	CHECK(e.sys == ESTALE && e.text[0]);
	loop_free(g.loop);
	statedir_close(&g.state);
}

int main(void)
{
	test_run("serials have no holes, windows are in order", serials);
	test_run("what can not be read is not what is not there",
		 what_can_not_be_read_is_not_what_is_not_there);
	test_run("a restart finds everything as it was", restart);
	test_run("released entries go in batches, and the row follows",
		 releases);
	test_run("what is known is known to one pipe, until forgotten", known);
	test_run("a dropped pipe takes no entries, a forgotten one has none",
		 dropped);
	test_run("sinks are put and removed, volumes keep their ids",
		 sinks_and_volumes);
	test_run("gaps are lines, each once", gaps);
	test_run("a loose entry gives its serial to another", loose);
	test_run("behind a filled serial another nonce travels", forks);
	test_run("forks are bounded, and go with what is released",
		 fork_bounds);
	test_run("another instance's catalog is refused", other_instance);
	return test_end();
}
