#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "domain/statedir.h"
#include "recvd/catalog.h"
#include "recvd/early.h"
#include "test.h"

/* Tasks run on the keeper as in the daemon; a test waits for its task in the loop. */

static char dir_path[600], db_path[700];
static int n_dirs;

struct env {
	struct loop *loop;
	struct statedir dir;
	struct catalog *catalog;
	struct catalog_reader reader;
};

static void env_paths(void)
{
	(void)snprintf(dir_path, sizeof dir_path, "%s/%d", test_dir(),
		       n_dirs++);
	(void)snprintf(db_path, sizeof db_path, "%s/catalog.db", dir_path);
}

static int env_open(struct env *v, struct err *e)
{
	int r = loop_new(&v->loop, e);

	if (r >= 0)
		r = statedir_open(&v->dir, dir_path, "/nowhere/machine-id", e);
	if (r >= 0 && v->dir.is_new)
		r = statedir_found(&v->dir, e);
	if (r >= 0)
		r = catalog_open(&v->catalog, v->loop, db_path, &v->dir, e);
	return r < 0 ? r : catalog_reader_open(&v->reader, db_path, e);
}

/* What the triggers count is what is there. */
static void check_counters(struct env *v)
{
	static const char wrong[] =
		"SELECT (SELECT count(*) FROM domain d WHERE n_entries <> "
		"(SELECT count(*) FROM entry WHERE domain = d.id) OR bytes <> "
		"(SELECT ifnull(sum(payload_len), 0) FROM entry WHERE domain = "
		"d.id) OR n_quarantined <> (SELECT count(*) FROM entry WHERE "
		"domain = d.id AND state = 1)) + (SELECT n <> (SELECT count(*) "
		"FROM retained) OR bytes <> (SELECT ifnull(sum(payload_len), "
		"0) "
		"FROM retained) FROM retained_sum)";
	sqlite3_stmt *st = NULL;

	CHECK(db_prepare(&v->reader.db, &st, wrong, NULL) == 0);
	CHECK(db_row(&v->reader.db, st, NULL) == 1 &&
	      sqlite3_column_int(st, 0) == 0);
	(void)sqlite3_finalize(st);
}

static void env_close(struct env *v)
{
	if (v->reader.db.h)
		check_counters(v);
	catalog_reader_close(&v->reader);
	catalog_close(v->catalog);
	statedir_close(&v->dir);
	loop_free(v->loop);
	memset(v, 0, sizeof *v);
}

struct step {
	struct catalog_task task;
	struct loop *loop;
	int (*fn)(struct catalog *c, void *arg, struct err *e);
	void *arg;
};

static int step_run(struct catalog_task *t, struct catalog *c, struct err *e)
{
	struct step *s = CONTAINER_OF(t, struct step, task);

	return s->fn(c, s->arg, e);
}

static void step_done(struct catalog_task *t)
{
	loop_stop(CONTAINER_OF(t, struct step, task)->loop);
}

/* One transaction, as a task. */
static int in_task(struct env *v,
		   int (*fn)(struct catalog *, void *, struct err *), void *arg)
{
	struct step s = {.loop = v->loop, .fn = fn, .arg = arg};

	s.task.run = step_run;
	s.task.done = step_done;
	catalog_submit(v->catalog, &s.task);
	return loop_run(v->loop) < 0 ? -EIO : s.task.result;
}

static struct entry_row an_entry(uint64_t serial, int64_t domain)
{
	struct entry_row row = {.incarnation = 1, .domain = domain};

	row.entry = (struct entry){
		.serial = serial, .nonce = serial + 7, .kind = ENTRY_FILE};
	(void)snprintf(row.entry.file.database, sizeof row.entry.file.database,
		       "root.sg");
	row.entry.file.region = 1;
	row.entry.file.t = row.entry.file.v = serial;
	row.entry.body_len = 5;
	row.data = "12345";
	row.data_len = 5;
	return row;
}

static int add_all(struct catalog *c, void *arg, struct err *e)
{
	struct sender_row s = {
		.state = SENDER_ADMITTED, .name = "edge", .first_seen_ms = 5};
	struct incarnation_row i = {.seq = 1, .pipe = "p", .create_time_ms = 9};
	int r = catalog_put_sender(c, &s, e);

	(void)arg;
	if (r >= 0)
		r = catalog_add_incarnation(c, &i, e);
	if (r >= 0)
		r = catalog_add_domain(c, 1, 1, "root.sg", e);
	for (uint64_t n = 1; r >= 0 && n <= 4; n++) {
		struct entry_row row = an_entry(n, 1);

		if (n == 3)
			row.data = NULL;
		r = catalog_add_entry(c, &row, e);
		if (r >= 0)
			r = catalog_set_durable(c, 1, n, n + 7, e);
	}
	return r;
}

static int fill(struct env *v)
{
	return in_task(v, add_all, NULL);
}

static int keep_incarnation(void *arg, const struct incarnation_row *row)
{
	*(struct incarnation_row *)arg = *row;
	return 0;
}

static int keep_domain(void *arg, const struct domain_row *row)
{
	*(struct domain_row *)arg = *row;
	return 0;
}

static int keep_sender(void *arg, const struct sender_row *row)
{
	*(struct sender_row *)arg = *row;
	return 0;
}

static int add_serial(void *arg, uint64_t serial)
{
	uint64_t *sum = arg;

	*sum = *sum * 10 + serial;
	return 0;
}

struct seen {
	char text[1024];
};

static int see_entry(void *arg, const struct entry_row *row)
{
	struct seen *s = arg;
	size_t n = strlen(s->text);

	(void)snprintf(s->text + n, sizeof s->text - n, "%llu%s%s ",
		       (unsigned long long)row->entry.serial,
		       row->data ? "" : "f",
		       row->state == ENTRY_QUARANTINED ? "q"
		       : row->state == ENTRY_RELEASED  ? "r"
						       : "");
	return 0;
}

static const char *entries(struct env *v)
{
	static struct seen s;

	s.text[0] = 0;
	return catalog_entries(&v->reader, 1, see_entry, &s, NULL) < 0
		       ? "failed"
		       : s.text;
}

static void what_is_committed_is_read_again(void)
{
	struct env v = {0};
	struct incarnation_row i = {0};
	struct domain_row d = {0};
	struct sender_row s = {0};
	uint64_t files = 0;

	env_paths();
	CHECK(env_open(&v, NULL) == 0 && fill(&v) >= 0);
	env_close(&v);
	CHECK(env_open(&v, NULL) == 0);
	CHECK(catalog_each_sender(&v.reader, keep_sender, &s, NULL) == 0);
	CHECK_STR(s.name, "edge");
	CHECK(catalog_each_incarnation(&v.reader, keep_incarnation, &i, NULL) ==
	      0);
	CHECK(i.durable == 4 && i.durable_nonce == 11 && i.applied == 0 &&
	      !i.dropped);
	CHECK_STR(i.pipe, "p");
	CHECK(catalog_each_domain(&v.reader, keep_domain, &d, NULL) == 0);
	CHECK(d.n_entries == 4 && d.n_quarantined == 0 && d.bytes == 20);
	CHECK_STR(entries(&v), "1 2 3f 4 ");
	CHECK(catalog_each_file(&v.reader, 1, add_serial, &files, NULL) == 0 &&
	      files == 3);
	env_close(&v);
}

static int add_twice(struct catalog *c, void *arg, struct err *e)
{
	struct entry_row five = an_entry(5, 1), four = an_entry(4, 1);
	int r = catalog_add_entry(c, &five, e);

	(void)arg;
	return r < 0 ? r : catalog_add_entry(c, &four, e);
}

static int durable_of_nobody(struct catalog *c, void *arg, struct err *e)
{
	(void)arg;
	return catalog_set_durable(c, 99, 1, 1, e);
}

static void a_failed_task_leaves_nothing(void)
{
	struct env v = {0};

	env_paths();
	CHECK(env_open(&v, NULL) == 0 && fill(&v) >= 0);
	CHECK(in_task(&v, add_twice, NULL) < 0);
	CHECK_STR(entries(&v), "1 2 3f 4 ");
	CHECK(in_task(&v, durable_of_nobody, NULL) == -ESTALE);
	env_close(&v);
}

static int end_2(struct catalog *c, void *arg, struct err *e)
{
	int r = catalog_end_entry(c, 1, 2, e);

	return r < 0 ? r : catalog_advance(c, 1, arg, e);
}

static int end_1(struct catalog *c, void *arg, struct err *e)
{
	int r = catalog_end_entry(c, 1, 1, e);

	return r < 0 ? r : catalog_advance(c, 1, arg, e);
}

static int end_rest(struct catalog *c, void *arg, struct err *e)
{
	int r = catalog_end_entry(c, 1, 3, e);

	if (r >= 0)
		r = catalog_end_entry(c, 1, 4, e);
	return r < 0 ? r : catalog_advance(c, 1, arg, e);
}

static void applied_is_below_the_lowest_that_waits(void)
{
	struct env v = {0};
	uint64_t applied = 99;

	env_paths();
	CHECK(env_open(&v, NULL) == 0 && fill(&v) >= 0);
	CHECK(in_task(&v, end_2, &applied) >= 0 && applied == 0);
	CHECK(in_task(&v, end_1, &applied) >= 0 && applied == 2);
	CHECK(in_task(&v, end_rest, &applied) >= 0 && applied == 4);
	CHECK_STR(entries(&v), "");
	env_close(&v);
}

static int quarantine_3(struct catalog *c, void *arg, struct err *e)
{
	return catalog_quarantine(c, 1, 3, 1000, "it does not fit", NULL, arg,
				  e);
}

static int release_3(struct catalog *c, void *arg, struct err *e)
{
	(void)arg;
	return catalog_release_entry(c, 1, 3, e);
}

static int find_row(struct catalog *c, void *arg, struct err *e)
{
	struct quarantine_row *row = arg;

	return catalog_find_quarantine(c, row->id, row, e);
}

static int count_row(void *arg, const struct quarantine_row *row)
{
	(void)row;
	++*(int *)arg;
	return 0;
}

static void a_quarantine_keeps_its_number(void)
{
	struct env v = {0};
	struct quarantine_row row = {0};
	int64_t id = 0, again = 0;
	int n = 0;

	env_paths();
	CHECK(env_open(&v, NULL) == 0 && fill(&v) >= 0);
	CHECK(in_task(&v, quarantine_3, &id) >= 0 && id > 0);
	CHECK_STR(entries(&v), "1 2 3fq 4 ");
	row.id = id;
	CHECK(in_task(&v, find_row, &row) == 1);
	CHECK(row.serial == 3 && row.incarnation == 1 && row.domain == 1 &&
	      row.since_ms == 1000);
	CHECK_STR(row.reason, "it does not fit");
	CHECK_STR(row.entry, "FILE root.sg sequence/1/0/3-3-0-0.tsfile");
	CHECK(in_task(&v, release_3, NULL) >= 0);
	CHECK_STR(entries(&v), "1 2 3fr 4 ");
	CHECK(in_task(&v, quarantine_3, &again) >= 0 && again == id);
	CHECK(catalog_each_quarantine(&v.reader, 1, 0, count_row, &n, NULL) ==
		      0 &&
	      n == 1);
	CHECK(catalog_each_quarantine(&v.reader, 2, 0, count_row, &n, NULL) ==
		      0 &&
	      n == 1);
	row.id = 4711;
	CHECK(in_task(&v, find_row, &row) == 0);
	env_close(&v);
}

static int add_newer(struct catalog *c, void *arg, struct err *e)
{
	struct incarnation_row i = {.seq = 2, .id = {1}, .pipe = "p"};

	(void)arg;
	return catalog_add_incarnation(c, &i, e);
}

static int count_dropped(void *arg, const struct incarnation_row *row)
{
	if (row->dropped)
		*(int64_t *)arg += row->seq;
	return 0;
}

static void a_newer_incarnation_drops_the_older(void)
{
	struct env v = {0};
	int64_t dropped = 0;

	env_paths();
	CHECK(env_open(&v, NULL) == 0 && fill(&v) >= 0);
	CHECK(in_task(&v, add_newer, NULL) >= 0);
	CHECK(catalog_each_incarnation(&v.reader, count_dropped, &dropped,
				       NULL) == 0);
	CHECK(dropped == 1);
	CHECK(in_task(&v, add_newer, NULL) < 0);
	env_close(&v);
}

static void another_instance_is_refused(void)
{
	struct env v = {0};
	struct err e = {0};
	char other[700];

	env_paths();
	CHECK(env_open(&v, NULL) == 0);
	env_close(&v);
	(void)snprintf(other, sizeof other, "%s", db_path);
	env_paths();
	CHECK(mkdir(dir_path, 0700) == 0);
	CHECK(env_open(&v, NULL) == 0);
	env_close(&v);
	CHECK(rename(other, db_path) == 0);
	CHECK(env_open(&v, &e) == -ESTALE);
	CHECK(strstr(e.text, "belongs to instance"));
	statedir_close(&v.dir);
	loop_free(v.loop);
}

static int retain_and_end(struct catalog *c, void *arg, struct err *e)
{
	int r = 0;

	for (uint64_t n = 1; r >= 0 && n <= 4; n++) {
		r = catalog_retain_entry(c, 1, n, e);
		if (r >= 0)
			r = catalog_end_entry(c, 1, n, e);
	}
	return r < 0 ? r : catalog_advance(c, 1, arg, e);
}

struct moved {
	struct retained_row rows[4];
	uint64_t bytes;
	int64_t after, last;
	size_t max;
};

static int evict(struct catalog *c, void *arg, struct err *e)
{
	struct moved *m = arg;

	return catalog_evict(c, m->bytes, m->rows, m->max, e);
}

static int put_back(struct catalog *c, void *arg, struct err *e)
{
	struct moved *m = arg;
	const uint8_t sender[SENDER_ID_LEN] = {0};

	return catalog_put_back(c, sender, m->after, &m->last, m->rows, m->max,
				e);
}

/* Digits: serials; 0 on failure. */
static uint64_t kept_of(struct env *v, int64_t incarnation)
{
	uint64_t sum = 0;
	int r = catalog_each_kept(&v->reader, incarnation, add_serial, &sum,
				  NULL);

	return r < 0 ? 0 : sum;
}

static int put_back_of_another(struct catalog *c, void *arg, struct err *e)
{
	struct moved *m = arg;
	const uint8_t sender[SENDER_ID_LEN] = {9};

	return catalog_put_back(c, sender, 0, &m->last, m->rows, m->max, e);
}

static void retained_entries_go_oldest_first_and_come_back_in_order(void)
{
	struct env v = {0};
	struct moved m = {.bytes = 1, .max = 4};
	uint64_t applied = 0, bytes = 0, files = 0;

	env_paths();
	CHECK(env_open(&v, NULL) == 0 && fill(&v) >= 0);
	CHECK(in_task(&v, retain_and_end, &applied) >= 0 && applied == 4);
	CHECK_STR(entries(&v), "");
	CHECK(catalog_retained_bytes(&v.reader, &bytes, NULL) == 0 &&
	      bytes == 4 * (5 + RETAINED_COST));
	CHECK(catalog_each_file(&v.reader, 1, add_serial, &files, NULL) == 0 &&
	      files == 3);
	CHECK(kept_of(&v, 1) == 1234 && kept_of(&v, 2) == 0);
	/* one byte to go is one row to go */
	CHECK(in_task(&v, evict, &m) == 1 && m.rows[0].serial == 1 &&
	      m.rows[0].is_row && m.rows[0].payload_len == 5);
	CHECK(in_task(&v, put_back_of_another, &m) == 0);
	m.last = 0;
	m.max = 2;
	CHECK(in_task(&v, put_back, &m) == 2 && m.rows[0].serial == 2 &&
	      m.rows[1].serial == 3 && !m.rows[1].is_row);
	CHECK_STR(entries(&v), "2 3f ");
	CHECK(kept_of(&v, 1) == 234); /* two that wait, and one */
	m.after = m.rows[1].seq;
	CHECK(in_task(&v, put_back, &m) == 1 && m.rows[0].serial == 4);
	CHECK_STR(entries(&v), "2 3f 4 ");
	CHECK(catalog_retained_bytes(&v.reader, &bytes, NULL) == 0 &&
	      bytes == 0);
	env_close(&v);
}

/* Entries of two incarnations in one group, as the commit stores them. */
struct group {
	struct {
		int64_t incarnation;
		uint64_t serial;
		bool only_fills;
	} of[8];

	size_t n;
	int is_early[8];
	struct early_one reached[8];
};

static int add_two(struct catalog *c, void *arg, struct err *e)
{
	struct incarnation_row i = {.pipe = "p"};
	int r = 0;

	(void)arg;
	for (i.seq = 1; r >= 0 && i.seq <= 2; i.seq++) {
		i.sender[0] = i.id[0] = (uint8_t)i.seq;
		r = catalog_add_incarnation(c, &i, e);
	}
	return r;
}

static int reach(struct catalog *c, void *arg, struct err *e)
{
	struct group *g = arg;
	struct catalog_reach at = {0};
	int r = 0;

	for (size_t k = 0; r >= 0 && k < g->n; k++) {
		struct early_one one = {g->of[k].serial, g->of[k].serial + 7};

		if (g->of[k].only_fills)
			r = catalog_fills(c, g->of[k].incarnation, &one, e);
		if (r >= 0)
			r = catalog_reach(c, &at, g->of[k].incarnation, &one,
					  e);
		g->is_early[k] = r;
		g->reached[k] = at.durable;
	}
	return r < 0 ? r : catalog_reach_end(c, &at, e);
}

static int see_early(void *arg, int64_t incarnation,
		     const struct early_one *one, bool only_fills)
{
	struct seen *s = arg;
	size_t n = strlen(s->text);

	(void)snprintf(s->text + n, sizeof s->text - n, "%lld.%llu%s%s ",
		       (long long)incarnation, (unsigned long long)one->serial,
		       only_fills ? "f" : "",
		       one->nonce == one->serial + 7 ? "" : "!");
	return 0;
}

static const char *early_rows(struct env *v)
{
	static struct seen s;

	s.text[0] = 0;
	return catalog_each_early(&v->reader, see_early, &s, NULL) < 0
		       ? "failed"
		       : s.text;
}

static int keep_durable(void *arg, const struct incarnation_row *row)
{
	uint64_t *durable = arg;

	durable[row->seq] = row->durable;
	return row->durable_nonce == row->durable + 7 ? 0 : -EBADMSG;
}

static void check_durable(struct env *v, uint64_t first, uint64_t second)
{
	uint64_t is[3] = {0};

	CHECK(catalog_each_incarnation(&v->reader, keep_durable, is, NULL) ==
	      0);
	CHECK(is[1] == first && is[2] == second);
}

static int drop_1(struct catalog *c, void *arg, struct err *e)
{
	(void)arg;
	return catalog_drop_incarnation(c, 1, e);
}

static void what_passes_a_hole_is_early_until_it_is_closed(void)
{
	struct group first = {.of = {{1, 3, false},
				     {2, 1, false},
				     {1, 4, false},
				     {1, 1, false},
				     {2, 3, true}},
			      .n = 5};
	struct group again = {.of = {{1, 2, true}, {1, 7, false}}, .n = 2};
	struct group twice = {.of = {{1, 7, false}}, .n = 1};
	struct group below = {.of = {{1, 3, false}}, .n = 1};
	struct env v = {0};

	env_paths();
	CHECK(env_open(&v, NULL) >= 0 && in_task(&v, add_two, NULL) >= 0);
	CHECK(in_task(&v, reach, &first) >= 0);
	CHECK(first.is_early[0] == 1 && first.is_early[1] == 0 &&
	      first.is_early[3] == 0 && first.is_early[4] == 1);
	CHECK(first.reached[1].serial == 1 && first.reached[3].serial == 1);
	check_durable(&v, 1, 1);
	CHECK_STR(early_rows(&v), "2.3f 1.3 1.4 2.3 ");
	CHECK(in_task(&v, reach, &again) >= 0);
	CHECK(again.reached[0].serial == 4 && again.is_early[1] == 1);
	check_durable(&v, 4, 1);
	CHECK_STR(early_rows(&v), "2.3f 1.2f 1.7 2.3 ");
	/* Nothing becomes durable twice, and a group that fails leaves nothing. */
	CHECK(in_task(&v, reach, &twice) < 0);
	CHECK(in_task(&v, reach, &below) == -ESTALE);
	check_durable(&v, 4, 1);
	CHECK_STR(early_rows(&v), "2.3f 1.2f 1.7 2.3 ");
	env_close(&v);
	CHECK(env_open(&v, NULL) >= 0);
	CHECK(in_task(&v, drop_1, NULL) >= 0);
	CHECK_STR(early_rows(&v), "2.3f 2.3 ");
	env_close(&v);
}

static void so_many_fills_are_remembered(void)
{
	struct env v = {0};
	uint64_t last = FILLS_MAX + 3;
	char text[32];

	env_paths();
	CHECK(env_open(&v, NULL) >= 0 && in_task(&v, add_two, NULL) >= 0);
	for (uint64_t n = 1; n <= last; n++) {
		struct group g = {.of = {{1, n, true}}, .n = 1};

		CHECK(in_task(&v, reach, &g) >= 0);
	}
	CHECK(!strstr(early_rows(&v), "1.3f "));
	(void)snprintf(text, sizeof text, "1.%lluf ", (unsigned long long)last);
	CHECK(strncmp(early_rows(&v), text, strlen(text)) == 0);
	env_close(&v);
}

int main(void)
{
	test_run("what is committed is read again",
		 what_is_committed_is_read_again);
	test_run("a failed task leaves nothing", a_failed_task_leaves_nothing);
	test_run("applied is below the lowest serial that waits",
		 applied_is_below_the_lowest_that_waits);
	test_run("a quarantine keeps its number",
		 a_quarantine_keeps_its_number);
	test_run("a newer incarnation drops the older",
		 a_newer_incarnation_drops_the_older);
	test_run("a catalog of another instance is refused",
		 another_instance_is_refused);
	test_run("retained entries go oldest first, and come back in order",
		 retained_entries_go_oldest_first_and_come_back_in_order);
	test_run("what passes a hole is early until that is closed",
		 what_passes_a_hole_is_early_until_it_is_closed);
	test_run("so many entries that only fill are remembered",
		 so_many_fills_are_remembered);
	return test_end();
}
