/* The clients of the control socket: the one in a loop, and the one that blocks. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "control_fixture.h"

struct asked {
	int n, err, code;
	char text[SENTENCE_LEN_MAX];
	bool free_it, ask_again;
	struct client *client;
};

static void on_done(void *arg, const struct reply *r, int err)
{
	struct asked *a = arg;

	a->n++;
	a->err = err;
	a->code = r ? r->code : -1;
	if (r)
		(void)snprintf(a->text, sizeof a->text, "%s", r->text);
	if (a->free_it)
		client_free(a->client);
	else if (a->ask_again) {
		a->ask_again = false;
		client_ask(a->client, "START PIPE p", 1000, on_done, a);
	}
}

static void a_client_asks_in_a_loop(void)
{
	struct asked a = {0};

	start();
	CHECK(client_new(&a.client, d.loop, d.path) == 0);
	CHECK(client_is_idle(a.client));
	client_ask(a.client, "CREATE PIPE p\nTO s\n-- why\n;", 1000, on_done,
		   &a);
	CHECK(a.n == 0 && !client_is_idle(a.client));
	run(10);
	CHECK(a.n == 1 && a.err == 0 && a.code == 0);
	client_ask(a.client, "DROP PIPE x", 1000, on_done, &a);
	run(10);
	CHECK(a.n == 2 && a.code == 8411);
	CHECK_STR(a.text, "There is no existing pipe x.\n?");
	a.ask_again = true;
	client_ask(a.client, "SHOW PIPES", 1000, on_done, &a);
	run(10);
	CHECK(a.n == 4 && d.control->n_conns == 1);
	a.free_it = true;
	client_ask(a.client, "SHOW PIPES", 1000, on_done, &a);
	run(10);
	CHECK(a.n == 5 && d.control->n_conns == 0);
	stop();
}

static void late_answers_are_given_up(void)
{
	struct asked a = {0};

	start();
	CHECK(client_new(&a.client, d.loop, d.path) == 0);
	client_ask(a.client, "WAIT PIPE p", 20, on_done, &a);
	run(60);
	CHECK(a.n == 1 && a.err == -ETIMEDOUT && client_is_idle(a.client));
	CHECK(d.n_gone == 1);
	control_done(d.held);
	client_ask(a.client, "SHOW PIPES", 1000, on_done, &a);
	run(10);
	CHECK(a.n == 2 && a.err == 0);
	/* Freed while it waits: nothing is called. */
	client_ask(a.client, "WAIT PIPE p", 60000, on_done, &a);
	run(5);
	client_free(a.client);
	run(40);
	CHECK(a.n == 2 && d.n_gone == 2);
	control_done(d.held);
	stop();
}

static void a_client_finds_the_daemon_again(void)
{
	struct asked a = {0};
	struct err e = {0};
	char *big = xcalloc(1, SQL_STATEMENT_MAX + 10);

	start();
	CHECK(client_new(&a.client, d.loop, d.path) == 0);
	client_ask(a.client, "SHOW PIPES", 1000, on_done, &a);
	run(10);
	CHECK(a.n == 1 && a.err == 0);
	/* Restarted, and the client's loop did not turn. */
	control_free(d.control);
	CHECK(control_new(&d.control, d.loop, d.path, &ops, &e) == 0);
	client_ask(a.client, "SHOW PIPES", 1000, on_done, &a);
	run(10);
	CHECK(a.n == 2 && a.err == 0);
	/* Gone in the middle of a request. */
	client_ask(a.client, "WAIT PIPE p", 1000, on_done, &a);
	run(10);
	control_free(d.control);
	control_done(d.held);
	run(10);
	CHECK(a.n == 3 && a.err == -ECONNRESET);
	client_ask(a.client, "SHOW PIPES", 1000, on_done, &a);
	CHECK(a.n == 3);
	run(10);
	CHECK(a.n == 4 && a.err == -ENOENT);
	CHECK(control_new(&d.control, d.loop, d.path, &ops, &e) == 0);
	memset(big, 'x', SQL_STATEMENT_MAX + 1);
	client_ask(a.client, big, 1000, on_done, &a);
	run(10);
	CHECK(a.n == 5 && a.err == -E2BIG);
	client_ask(a.client, ".ls /p\n.ls /q", 1000, on_done, &a);
	run(10);
	CHECK(a.n == 6 && a.err == -EINVAL);
	client_ask(a.client, "SHOW PIPES", 1000, on_done, &a);
	run(10);
	CHECK(a.n == 7 && a.err == 0);
	client_free(a.client);
	free(big);
	stop();
}

/* Who has said .as on a connection must not be carried to another one. */
static void a_client_that_stays_is_told_of_the_break(void)
{
	struct asked a = {0};
	struct err e = {0};

	start();
	CHECK(client_new(&a.client, d.loop, d.path) == 0);
	client_stay(a.client);
	client_ask(a.client, ".as 1000 8", 1000, on_done, &a);
	run(10);
	CHECK(a.n == 1 && a.err == 0 && a.code == 0);
	control_free(d.control);
	CHECK(control_new(&d.control, d.loop, d.path, &ops, &e) == 0);
	for (int i = 2; i < 4; i++) {
		client_ask(a.client, "START PIPE p", 1000, on_done, &a);
		run(10);
		CHECK(a.n == i && a.err == -EPIPE && d.n_statements == 0);
	}
	client_free(a.client);
	stop();
}

/* A server that is none of ours. */
static void strange_servers_are_left(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct asked a = {0};
	CLEANUP_CLOSE int fd = -1, conn = -1;

	start();
	(void)snprintf(sa.sun_path, sizeof sa.sun_path, "%s/odd", test_dir());
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0);
	CHECK(listen(fd, 1) == 0);
	CHECK(client_new(&a.client, d.loop, sa.sun_path) == 0);
	client_ask(a.client, "SHOW PIPES", 1000, on_done, &a);
	conn = accept(fd, NULL, NULL);
	CHECK(write(conn, "SSH-2.0\n", 8) == 8);
	run(10);
	CHECK(a.n == 1 && a.err == -EBADMSG);
	client_free(a.client);
	stop();
}

static void asking_blocks_until_answered(void)
{
	struct reply r;
	char path[128];

	start();
	(void)strcpy(path, d.path);
	/* Nobody turns the loop: connected, never answered. */
	CHECK(control_ask(path, "SHOW PIPES", 30, &r) == -ETIMEDOUT);
	CHECK(control_ask("/nonexistent", "SHOW PIPES", 30, &r) == -ENOENT);
	CHECK(ask_as_child(getuid(), getgid(), "SHOW PIPES") == 0);
	CHECK(ask_as_child(getuid(), getgid(), "DROP PIPE x") == 411 % 250);
	stop();
	CHECK(control_ask(path, "SHOW PIPES", 30, &r) == -ENOENT);
}

int main(void)
{
	test_run("a client asks in a loop", a_client_asks_in_a_loop);
	test_run("late answers are given up", late_answers_are_given_up);
	test_run("a client finds the daemon again",
		 a_client_finds_the_daemon_again);
	test_run("a client that stays is told of the break",
		 a_client_that_stays_is_told_of_the_break);
	test_run("strange servers are left", strange_servers_are_left);
	test_run("asking blocks until answered", asking_blocks_until_answered);
	return test_end();
}
