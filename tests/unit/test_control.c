/* The server of the control socket: requests and answers, and what too many of them do. */
#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "control_fixture.h"
#include "ground/clock.h"

static void statements_are_answered(void)
{
	CLEANUP_CLOSE int fd = -1;

	start();
	fd = dial();
	CHECK_STR(say(fd, "show pipes\n"), PIPES);
	CHECK_STR(say(fd, "START PIPE p;\r\n"), DONE);
	CHECK_STR(say(fd, "DROP PIPE p\n"),
		  "8411-ENOENT\n8411 There is no existing pipe p.\\n?\n");
	CHECK_STR(say(fd, "STARTPIPE p\n") + 0,
		  "9401-EINVAL\n9401 Error occurred while parsing SQL to "
		  "physical plan: line 1:0 expected CREATE, ALTER, DROP, SHOW, "
		  "START, STOP, RESYNC, WAIT, ADMIT, FORGET, RETRY, SKIP or "
		  "LOAD, came 'STARTPIPE'\n");
	CHECK_STR(say(fd, "SHOW SENDERS\n"),
		  "8411-ENXIO\n8411 recvd answers this statement, not syncd\n");
	CHECK_STR(say(fd, "SHOW VERSION\n"),
		  "2000-daemon\tversion\n1000-syncd\t" TSFERRY_VERSION
		  "\n" DONE);
	CHECK_STR(say(fd, "\n  # nothing\n"), "0000 \n0000 \n");
	CHECK(begins(say(fd, "SHOW STATEMENTS\n"),
		     "2000-statement\tanswered by\tmeaning\n"
		     "1000-CREATE PIPESINK <name> AS IoTDB [("));
	CHECK(d.n_statements == 3);
	stop();
}

static void refusals_are_remembered(void)
{
	CLEANUP_CLOSE int fd = -1;
	const struct refusal *last;

	start();
	fd = dial();
	last = control_last_refusal(d.control);
	CHECK(last->code == 0);
	(void)say(fd, "DROP PIPE p\nSHOW PIPES\n.ls /no\n");
	CHECK(last->code == 411 && last->uid == getuid());
	CHECK(llabs(last->wall_ms - clock_wall_ms()) < 5000);
	CHECK_STR(last->statement, "DROP PIPE p");
	CHECK_STR(last->text, "There is no existing pipe p.\n\x1b");
	CHECK_STR(say(fd, ".note mkdir /pipes/x\t1\tUse\\tCREATE PIPE\n"),
		  "0000 Noted.\n");
	CHECK(last->code == 1);
	CHECK_STR(last->statement, "mkdir /pipes/x");
	CHECK_STR(last->text, "Use\tCREATE PIPE");
	CHECK(begins(say(fd, ".note x\n.note x\ty\tz\n.note x\t1000\tz\n"),
		     "9401-EINVAL\n9401 Expected .note"));
	CHECK(last->code == 1);
	stop();
}

static void lines_may_come_in_pieces_and_together(void)
{
	const char *text = "SHOW PIPES\nSTART PIPE p\nSHOW PIPES\n";
	char want[512] = PIPES DONE PIPES, got[512];
	CLEANUP_CLOSE int fd = -1;
	struct buf many;

	start();
	fd = dial();
	CHECK_STR(say(fd, text), want);
	got[0] = '\0';
	for (const char *p = text; *p; p++)
		(void)strcat(got, say_n(fd, p, 1));
	CHECK_STR(got, want);
	buf_init(&many, 100000);
	for (int i = 0; i < 3000; i++)
		buf_adds(&many, "START PIPE p\n");
	CHECK(begins(say_n(fd, buf_str(&many), many.len), DONE));
	buf_release(&many);
	RUN_UNTIL(d.n_statements == 3006);
	CHECK(d.n_statements == 3006);
	stop();
}

static void answers_may_come_later_and_in_order(void)
{
	CLEANUP_CLOSE int fd = -1, other = -1;

	start();
	fd = dial();
	other = dial();
	CHECK_STR(say(fd, "WAIT PIPE p\nSHOW PIPES\n"), "");
	CHECK(d.n_statements == 1 && d.held);
	CHECK_STR(d.held->text, "WAIT PIPE p");
	CHECK_STR(say(other, "SHOW PIPES\n"), PIPES);
	control_done(d.held);
	CHECK_STR(say(fd, ""), DONE PIPES);
	CHECK(d.n_gone == 0);
	stop();
}

static void a_client_may_leave(void)
{
	int fd;

	start();
	fd = dial();
	(void)say(fd, "WAIT PIPE p\nSTART PIPE q\n");
	(void)close(fd);
	run(10);
	CHECK(d.n_gone == 1 && d.control->n_conns == 0);
	show_rows(d.held, 3);
	run(10);
	CHECK(d.n_statements == 1);

	/* Sent and gone: it was asked all the same. */
	fd = dial();
	CHECK(write(fd, "START PIPE p\n", 13) == 13);
	(void)close(fd);
	run(10);
	CHECK(d.n_statements == 2 && d.control->n_conns == 0);

	/* With a request open when the daemon ends. */
	fd = dial();
	(void)say(fd, "WAIT PIPE p\n");
	control_free(d.control);
	CHECK(d.n_gone == 2);
	control_done(d.held);
	d.control = NULL;
	CHECK_STR(say(fd, ""), "EOF");
	(void)close(fd);
	stop();
}

static void half_closed_clients_get_their_answers(void)
{
	CLEANUP_CLOSE int fd = -1, half = -1;

	start();
	fd = dial();
	CHECK(write(fd, "SHOW PIPES\nWAIT PIPE p\n", 23) == 23);
	CHECK(shutdown(fd, SHUT_WR) == 0);
	CHECK_STR(say(fd, ""), PIPES);
	CHECK(d.n_gone == 0);
	control_done(d.held);
	CHECK_STR(say(fd, ""), DONE "EOF");

	half = dial();
	CHECK(write(half, "DROP PIPE prod", 14) == 14);
	CHECK(shutdown(half, SHUT_WR) == 0);
	CHECK_STR(say(half, ""),
		  "9401-EINVAL\n9401 The request ends without a newline, so it "
		  "may be half of one: nothing was done.\nEOF");
	CHECK(d.n_statements == 2);
	stop();
}

static void the_tree_is_answered(void)
{
	CLEANUP_CLOSE int fd = -1;
	const char *got;

	start();
	fd = dial();
	CHECK_STR(say(fd, ".stat /\n"), "1000-d 755 0 1648673910689\n0000 \n");
	CHECK_STR(say(fd, ".stat /p/status\n"),
		  "1000-f 444 5 1648673910689\n0000 \n");
	CHECK_STR(say(fd, ".cat /p/status\n"), "1001-STOP\n0000 \n");
	CHECK_STR(say(fd, ".cat /p/two lines\n"),
		  "1001-a\n1001-\n1001-b\n0000 \n");
	CHECK_STR(say(fd, ".cat /p/empty\n"), "0000 \n");
	CHECK_STR(say(fd, ".cat /p/sink\n"), "1001-../sinks/s\n0000 \n");
	CHECK_STR(say(fd, ".ls /p\n"),
		  "1000-f 444 5 1648673910689 status\n"
		  "1000-f 444 4 1648673910689 two lines\n"
		  "1000-l 444 10 1648673910689 sink\n0000 \n");
	CHECK_STR(say(fd, ".cat /p\n"),
		  "8411-EISDIR\n8411 /p: Is a directory\n");
	CHECK_STR(say(fd, ".cat /no\n"),
		  "8411-ENOENT\n8411 /no: No such file or directory\n");
	CHECK_STR(say(fd, ".ls p\n"),
		  "8411-ENOENT\n8411 p: No such file or directory\n");
	CHECK_STR(say(fd, ".ls /p/status\n"),
		  "8411-ENOTDIR\n8411 /p/status: Not a directory\n");
	got = say(fd, ".rm /p\n");
	CHECK_STR(got, "9401-EINVAL\n9401 Expected a statement, .as, .ls, "
		       ".cat, .stat or .note.\n");
	stop();
}

static void too_much_is_refused(void)
{
	char *text = xcalloc(1, SQL_STATEMENT_MAX + 100);
	CLEANUP_CLOSE int fd = -1, zero = -1;

	start();
	fd = dial();
	memset(text, ' ', SQL_STATEMENT_MAX + 1);
	memcpy(text, "SHOW PIPES", 10);
	text[SQL_STATEMENT_MAX] = '\n';
	CHECK_STR(say_n(fd, text, SQL_STATEMENT_MAX + 1), PIPES);
	text[SQL_STATEMENT_MAX] = ' ';
	CHECK_STR(say_n(fd, text, SQL_STATEMENT_MAX + 1),
		  "8401-E2BIG\n8401 A request is one line of at most 65536 "
		  "bytes.\nEOF");
	zero = dial();
	CHECK(begins(say_n(zero, "SHOW\0PIPES\n", 11), "9401-EINVAL\n"));
	CHECK_STR(say(zero, "SHOW PIPES\n"), PIPES);
	free(text);
	stop();
}

static void long_answers_say_what_they_lack(void)
{
	struct reply r;
	pid_t pid;
	int status;

	start();
	pid = fork();
	if (pid == 0) {
		int e = control_ask(d.path, "SHOW PIPESINKS", 10000, &r);

		_exit(e == 0 && r.code == 8411 && r.sys == E2BIG &&
				      r.n_rows > 100000 &&
				      strstr(r.text, "rows are left out")
			      ? 0
			      : 1);
	}
	for (int i = 0; i < 500 && waitpid(pid, &status, WNOHANG) == 0; i++)
		run(20);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	stop();
}

static void slow_readers_cost_one_reply(void)
{
	CLEANUP_CLOSE int fd = -1;

	start();
	fd = dial();
	for (int i = 0; i < 100; i++)
		CHECK(write(fd, "SHOW PIPESINKS\n", 15) == 15);
	run(100);
	CHECK(d.n_statements == 1);
	CHECK(d.control->queued > 0 && d.control->queued <= CONTROL_REPLY_MAX);
	CHECK(d.control->conns->stuck.slot != 0);
	/* Its time is over. */
	loop_timer_set(d.loop, &d.control->conns->stuck, 1);
	run(20);
	CHECK(d.control->n_conns == 0 && d.control->queued == 0);
	stop();
}

static void rubbish_harms_nothing(void)
{
	unsigned seed = 1;

	start();
	for (int round = 0; round < 200; round++) {
		char junk[600];
		int fd = dial();

		for (size_t i = 0; i < sizeof junk; i++) {
			seed = seed * 1103515245u + 12345u;
			junk[i] = (char)(seed >> 16);
			if (seed >> 28 == 0)
				junk[i] = '\n';
			if (seed >> 28 == 1)
				junk[i] = '.';
		}
		CHECK(write(fd, junk, sizeof junk) == (ssize_t)sizeof junk);
		if (round % 2)
			run(1);
		(void)close(fd);
	}
	RUN_UNTIL(d.control->n_conns == 0);
	CHECK(d.control->n_conns == 0);
	stop();
}

static void many_clients_are_served(void)
{
	static int fds[1500];
	struct rlimit rl = {4096, 4096};
	size_t n = 0;

	if (setrlimit(RLIMIT_NOFILE, &rl) < 0)
		(void)getrlimit(RLIMIT_NOFILE, &rl);
	start();
	for (; n < ARRAY_LEN(fds) && 2 * n + 100 < rl.rlim_cur; n++) {
		fds[n] = dial();
		if (n % 100 == 0)
			run(1);
	}
	RUN_UNTIL(d.control->n_conns == n);
	CHECK(d.control->n_conns == n && n >= 100);
	for (size_t i = 0; i < n; i += 7)
		CHECK(write(fds[i], "SHOW PIPES\n", 11) == 11);
	RUN_UNTIL(d.n_statements == (int)((n + 6) / 7));
	for (size_t i = 0; i < n; i += 7) {
		char got[256] = "";

		CHECK(recv(fds[i], got, sizeof got - 1, MSG_DONTWAIT) > 0);
		CHECK_STR(got, PIPES);
	}
	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
	RUN_UNTIL(d.control->n_conns == 0);
	CHECK(d.control->n_conns == 0);
	stop();
}

/* Without descriptors nobody is accepted, and the daemon must not spin. */
static void it_waits_for_descriptors(void)
{
	struct rlimit old, rl;
	CLEANUP_CLOSE int fd = -1, probe = -1;

	CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
	start();
	fd = dial();
	probe = dup(fd);
	rl = (struct rlimit){(rlim_t)probe, old.rlim_max};
	CHECK(setrlimit(RLIMIT_NOFILE, &rl) == 0);
	run(10);
	CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
	CHECK(d.control->accept_again.slot != 0 && d.control->n_conns == 0);
	RUN_UNTIL(d.control->n_conns == 1);
	CHECK_STR(say(fd, "SHOW PIPES\n"), PIPES);
	stop();
}

int main(void)
{
	test_run("statements are answered", statements_are_answered);
	test_run("refusals are remembered", refusals_are_remembered);
	test_run("lines may come in pieces and together",
		 lines_may_come_in_pieces_and_together);
	test_run("answers may come later and in order",
		 answers_may_come_later_and_in_order);
	test_run("a client may leave", a_client_may_leave);
	test_run("half-closed clients get their answers",
		 half_closed_clients_get_their_answers);
	test_run("the tree is answered", the_tree_is_answered);
	test_run("too much is refused", too_much_is_refused);
	test_run("long answers say what they lack",
		 long_answers_say_what_they_lack);
	test_run("slow readers cost one reply", slow_readers_cost_one_reply);
	test_run("rubbish harms nothing", rubbish_harms_nothing);
	test_run("many clients are served", many_clients_are_served);
	test_run("it waits for descriptors", it_waits_for_descriptors);
	return test_end();
}
