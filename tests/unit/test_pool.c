#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "fs/pool.h"
#include "fs/statement.h"
#include "ground/clock.h"
#include "test.h"

/* A daemon in the same loop, and what was answered last. */
struct world {
	struct loop *loop;
	struct control *daemon[POOL_DAEMONS];
	char path[POOL_DAEMONS][108];
	struct fs fs;
	bool is_silent; /* statements are never answered */
	struct request *kept;
	int n_run; /* statements that reached the handler */
	int n_answers, code, sys, err;
	char text[SENTENCE_LEN_MAX], row[256];
	size_t n_rows;
	struct loop_timer limit;
};

static struct world w;

static int read_tree(void *arg, const char *path, struct tree_node *node,
		     struct buf *content)
{
	(void)arg;
	(void)content;
	node->kind = TREE_DIR;
	return strcmp(path, "/") == 0 ? 0 : -ENOENT;
}

static void on_statement(void *arg, struct request *rq)
{
	(void)arg;
	w.n_run++;
	if (w.is_silent) {
		rq->gone = control_done;
		return;
	}
	control_done(rq);
}

static void start(unsigned i)
{
	struct control_ops ops = {.statement = on_statement,
				  .tree = {.read = read_tree},
				  .home = i == POOL_SYNCD ? HOME_SYNCD
							  : HOME_RECVD};
	struct err e = {0};

	if (control_new(&w.daemon[i], w.loop, w.path[i], &ops, &e) < 0)
		test_fail(__FILE__, __LINE__, e.text);
}

static void stop(unsigned i)
{
	control_free(w.daemon[i]);
	w.daemon[i] = NULL;
}

static void out_of_time(struct loop_timer *t)
{
	(void)t;
	test_fail(__FILE__, __LINE__, "an answer comes");
	loop_stop(w.loop);
}

static void set_up(void)
{
	const char *sockets[POOL_DAEMONS];
	struct err e = {0};

	memset(&w, 0, sizeof w);
	if (loop_new(&w.loop, &e) < 0)
		test_fail(__FILE__, __LINE__, e.text);
	for (unsigned i = 0; i < POOL_DAEMONS; i++) {
		(void)snprintf(w.path[i], sizeof w.path[i], "%s/%u.sock",
			       test_dir(), i);
		sockets[i] = w.path[i];
	}
	w.limit.fn = out_of_time;
	w.fs.loop = w.loop;
	w.fs.own.last_error = "";
	w.fs.pool = pool_new(w.loop, sockets);
}

static void tear_down(void)
{
	pool_free(w.fs.pool);
	stop(POOL_SYNCD);
	stop(POOL_RECVD);
	free(w.fs.held);
	loop_timer_stop(w.loop, &w.limit);
	loop_free(w.loop);
}

static void keep(const struct reply *r)
{
	w.code = r->code;
	w.sys = r->sys;
	w.n_rows = r->n_rows;
	(void)snprintf(w.text, sizeof w.text, "%s", r->text);
	(void)snprintf(w.row, sizeof w.row, "%s", r->n_rows ? r->rows[0] : "");
}

static void answered(void *arg, const struct reply *r, int err)
{
	(void)arg;
	w.n_answers++;
	w.err = err;
	if (r)
		keep(r);
	loop_stop(w.loop);
}

static void ended(void *arg, const struct reply *r)
{
	(void)arg;
	w.n_answers++;
	keep(r);
	loop_stop(w.loop);
}

static void run(void)
{
	loop_timer_set(w.loop, &w.limit, 5000);
	if (loop_run(w.loop) < 0)
		test_fail(__FILE__, __LINE__, "the loop runs");
}

static void ask(enum pool_lane lane, const char *as, const char *request,
		unsigned timeout_ms)
{
	w.err = 0;
	w.code = -1;
	pool_ask(w.fs.pool, &(struct pool_question){.daemon = POOL_SYNCD,
						    .lane = lane,
						    .as = as,
						    .request = request,
						    .timeout_ms = timeout_ms,
						    .done = answered});
	run();
}

static void state(const char *text)
{
	char nobody[] = "";
	struct caller who = {.as = nobody};

	w.code = -1;
	w.text[0] = '\0';
	statement_run(&w.fs, &who, text, ended, NULL);
	run();
}

static void a_question_is_answered(void)
{
	set_up();
	start(POOL_SYNCD);
	ask(LANE_TREE, "", ".stat /", 1000);
	CHECK(w.err == 0 && w.code == 0 && w.n_rows == 1);
	ask(LANE_TREE, "", ".stat /nix", 1000);
	CHECK(w.err == 0 && w.sys == ENOENT);
	tear_down();
}

static void nobody_is_there_and_then_somebody(void)
{
	set_up();
	ask(LANE_TREE, "", ".stat /", 1000);
	CHECK(pool_is_absent(w.err));
	start(POOL_SYNCD);
	ask(LANE_TREE, "", ".stat /", 1000);
	CHECK(w.err == 0 && w.code == 0);
	stop(POOL_SYNCD);
	ask(LANE_TREE, "", ".stat /", 1000);
	CHECK(pool_is_absent(w.err));
	start(POOL_SYNCD);
	ask(LANE_TREE, "", ".stat /", 1000);
	CHECK(w.err == 0 && w.code == 0);
	tear_down();
}

/* The daemon that comes back has not heard for whom a connection spoke. */
static void nobody_gains_rights_by_a_restart(void)
{
	static const char as[] = ".as 4000000 4000000";

	set_up();
	for (int i = 0; i < 3; i++) {
		start(POOL_SYNCD);
		ask(LANE_STATEMENT, as, "START PIPE p", 1000);
		CHECK(w.err == 0 && w.code == 8602 && w.sys == EACCES);
		ask(LANE_STATEMENT, as, "START PIPE p", 1000);
		CHECK(w.err == 0 && w.code == 8602);
		stop(POOL_SYNCD);
	}
	CHECK(w.n_run == 0);
	start(POOL_SYNCD);
	ask(LANE_STATEMENT, "", "START PIPE p", 1000);
	CHECK(w.code == 0 && w.n_run == 1);
	ask(LANE_STATEMENT, as, "START PIPE p", 1000);
	CHECK(w.code == 8602 && w.n_run == 1);
	tear_down();
}

static void a_statement_survives_a_restart_between(void)
{
	set_up();
	for (int i = 1; i < 4; i++) {
		start(POOL_SYNCD);
		ask(LANE_STATEMENT, "", "START PIPE p", 1000);
		CHECK(w.err == 0 && w.code == 0 && w.n_run == i);
		stop(POOL_SYNCD);
	}
	tear_down();
}

static void silence_has_a_limit(void)
{
	set_up();
	w.is_silent = true;
	start(POOL_SYNCD);
	ask(LANE_STATEMENT, "", "START PIPE p", 100);
	CHECK(w.err == -ETIMEDOUT && w.n_run == 1);
	ask(LANE_TREE, "", ".stat /", 1000);
	CHECK(w.err == 0);
	tear_down();
}

/* A socket that takes connections and never answers. */
static int hang(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&sa, sizeof sa) < 0 ||
	    listen(fd, 64) < 0)
		test_fail(__FILE__, __LINE__, "a socket that listens");
	return fd;
}

static void a_hung_daemon_is_paid_for_once(void)
{
	uint64_t begin;
	int fd;

	set_up();
	fd = hang(w.path[POOL_SYNCD]);
	ask(LANE_TREE, "", ".stat /", 100);
	CHECK(w.err == -ETIMEDOUT);
	begin = clock_mono_ms();
	for (int i = 0; i < 10; i++) {
		ask(LANE_TREE, "", ".stat /", 1000);
		CHECK(w.err == -ETIMEDOUT);
	}
	CHECK(clock_mono_ms() - begin < 500);
	(void)close(fd);
	(void)unlink(w.path[POOL_SYNCD]);
	tear_down();
}

static void more_questions_than_connections(void)
{
	set_up();
	start(POOL_SYNCD);
	for (int i = 0; i < 199; i++)
		pool_ask(w.fs.pool,
			 &(struct pool_question){.daemon = POOL_SYNCD,
						 .lane = LANE_TREE,
						 .as = "",
						 .request = ".stat /",
						 .timeout_ms = 2000,
						 .done = answered});
	while (w.n_answers < 199 && !test_now.what)
		run();
	CHECK(w.n_answers == 199 && w.err == 0);
	tear_down();
}

static void closing_ends_what_is_under_way(void)
{
	set_up();
	w.is_silent = true;
	start(POOL_SYNCD);
	for (int i = 0; i < 100; i++)
		pool_ask(w.fs.pool,
			 &(struct pool_question){.daemon = POOL_SYNCD,
						 .lane = LANE_STATEMENT,
						 .as = "",
						 .request = "START PIPE p",
						 .timeout_ms = 60000,
						 .done = answered});
	pool_close(w.fs.pool);
	CHECK(w.n_answers == 100 && w.err == -ECANCELED);
	pool_ask(w.fs.pool, &(struct pool_question){.lane = LANE_TREE,
						    .as = "",
						    .request = ".stat /",
						    .done = answered});
	CHECK(w.n_answers == 101 && w.err == -ECANCELED);
	tear_down();
}

static void statements_find_their_daemon(void)
{
	set_up();
	start(POOL_SYNCD);
	state("START PIPE p");
	CHECK(w.code == 0 && w.n_run == 1);
	state("START PIPESERVER");
	CHECK(w.code == 8411 && w.sys == ENXIO);
	CHECK_STR(w.text, "recvd is not running on this host");
	CHECK_STR(control_last_refusal(w.daemon[POOL_SYNCD])->statement,
		  "START PIPESERVER");
	start(POOL_RECVD);
	state("START PIPESERVER");
	CHECK(w.code == 0 && w.n_run == 2);
	state("SHOW VERSION");
	CHECK(w.code == 0 && w.n_rows == 2);
	CHECK(strncmp(w.row, "syncd", 5) == 0);
	state("SHOW STATEMENTS");
	CHECK(w.code == 0 && w.n_rows == sql_n_statements);
	tear_down();
}

static void refusals_of_ours_are_noted(void)
{
	set_up();
	state("FROBNICATE");
	CHECK(w.code == 9401 && w.sys == EINVAL);
	CHECK(strstr(w.fs.own.last_error, "statement FROBNICATE\n") != NULL);
	state("SHOW VERSION");
	CHECK(w.sys == ENXIO);
	start(POOL_RECVD);
	state("START PIPE");
	CHECK(w.code == 9401);
	CHECK_STR(control_last_refusal(w.daemon[POOL_RECVD])->statement,
		  "START PIPE");
	CHECK(control_last_refusal(w.daemon[POOL_RECVD])->code == 401);
	tear_down();
}

int main(void)
{
	test_run("a question is answered", a_question_is_answered);
	test_run("nobody is there, and then somebody",
		 nobody_is_there_and_then_somebody);
	test_run("nobody gains rights by a restart",
		 nobody_gains_rights_by_a_restart);
	test_run("a statement survives a restart before it",
		 a_statement_survives_a_restart_between);
	test_run("silence has a limit", silence_has_a_limit);
	test_run("a hung daemon is paid for once",
		 a_hung_daemon_is_paid_for_once);
	test_run("more questions than connections",
		 more_questions_than_connections);
	test_run("closing ends what is under way",
		 closing_ends_what_is_under_way);
	test_run("statements find their daemon", statements_find_their_daemon);
	test_run("refusals of ours are noted", refusals_of_ours_are_noted);
	return test_end();
}
