/* syncd-ask: requests on stdin, answers on stdout (asker.h). --check is the doctor's. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asker.h"

#define PASSWORD_MAX 256
#define LIST_MS 300000 /* of one statement of a listing */
#define FLUSH_MS 120000
#define HELLO_MS 10000
#define DEVICES_MAX 65536
#define CODE_NOT_LOGGED_IN 802
#define CODE_NOT_LOGGED_IN_0_13 601
#define CODE_SESSION_0_13 415

/* ---- the connection ---- */

static int log_in(struct asker *a, const char *password,
		  struct rpc_reply *reply, struct err *e)
{
	const struct rpc_login login = {
		.host = a->addresses.at[a->at].host,
		.port = a->addresses.at[a->at].port,
		.user = a->user[0] ? a->user : NULL,
		.password = password,
	};

	return rpc_open(&a->rpc, &login, reply, e);
}

/* Each address once. A refused log-in is an answer. */
static int connect_any(struct asker *a, struct rpc_reply *reply, struct err *e)
{
	char password[PASSWORD_MAX];
	int r = rpc_password_read(a->password_file, password, sizeof password,
				  e);

	if (r < 0)
		return err_wrap(e, "iotdb_password_file");
	for (unsigned i = 0; i < a->addresses.n; i++) {
		r = log_in(a, password, reply, e);
		if (r >= 0 || r == -EREMOTEIO)
			break;
		a->at = (a->at + 1) % a->addresses.n;
	}
	explicit_bzero(password, sizeof password);
	return r;
}

static void disconnect(struct asker *a)
{
	rpc_close(a->rpc);
	a->rpc = NULL;
}

static bool is_session_over(int r, const struct rpc_reply *reply)
{
	return r == -EREMOTEIO && (reply->code == CODE_NOT_LOGGED_IN ||
				   reply->code == CODE_NOT_LOGGED_IN_0_13 ||
				   reply->code == CODE_SESSION_0_13);
}

/* ---- requests ---- */

struct request_line {
	char *words[5]; /* between tabs */
	unsigned n;
	struct asker_rows rows;
	struct buf devices;
};

static int say_hello(struct asker *a, struct buf *out)
{
	buf_addf(out, "\t%s\t%s\t%s", rpc_version(a->rpc),
		 rpc_precision(a->rpc), rpc_address(a->rpc));
	return 0;
}

static int dispatch(struct asker *a, const struct request_line *q,
		    struct buf *out, struct rpc_reply *reply, struct err *e)
{
	const char *what = q->words[0];

	if (strcmp(what, "hello") == 0)
		return say_hello(a, out);
	if (strcmp(what, "list") == 0 && q->n == 2) {
		rpc_set_limit(a->rpc, LIST_MS);
		return asker_list(a, q->words[1], out, reply, e);
	}
	if (strcmp(what, "flush") == 0) {
		rpc_set_limit(a->rpc, FLUSH_MS);
		return rpc_execute(a->rpc, "FLUSH", reply, e);
	}
	if (strcmp(what, "rows") == 0 && q->n == 4) {
		rpc_set_limit(a->rpc, HELLO_MS);
		return asker_rows(a, &q->rows, out, reply, e);
	}
	if (strcmp(what, "ttl") == 0 && q->n == 3) {
		rpc_set_limit(a->rpc, HELLO_MS);
		return asker_ttl(a, q->words[1], strtoll(q->words[2], NULL, 10),
				 out, reply, e);
	}
	return err_set(e, EPROTO, "%.40s is no request", what);
}

/* A connection that stood may have been dead for hours: then once more with another. */
static int try_twice(struct asker *a, const struct request_line *q,
		     struct buf *out, struct rpc_reply *reply, struct err *e)
{
	bool is_fresh = !a->rpc;
	int r = 0;

	for (;;) {
		if (!a->rpc)
			r = connect_any(a, reply, e);
		if (r >= 0)
			r = dispatch(a, q, out, reply, e);
		if (r >= 0 || (r == -EREMOTEIO && !is_session_over(r, reply)))
			return r;
		disconnect(a);
		if (is_fresh)
			return r;
		is_fresh = true;
		r = 0;
		err_clear(e);
		buf_clear(out);
		buf_adds(out, "ok");
	}
}

static int answer(struct asker *a, const struct request_line *q)
{
	struct rpc_reply reply = {0};
	struct err e = {0};
	CLEANUP(buf_release) struct buf out;
	int r;

	buf_init(&out, ASKER_LINE_MAX);
	buf_adds(&out, "ok");
	r = try_twice(a, q, &out, &reply, &e);
	if (r < 0) {
		buf_clear(&out);
		if (r == -EREMOTEIO)
			buf_addf(&out, "no\t%d\t%s", reply.code, e.text);
		else
			buf_addf(&out, "away\t%s", e.text);
	}
	for (char *p = (char *)(uintptr_t)buf_str(&out); *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	return printf("%s\n", buf_str(&out)) < 0 || fflush(stdout) ? -EIO : 0;
}

/* ---- lines ---- */

static int read_devices(struct request_line *q)
{
	char *line = NULL;
	size_t size = 0;
	long n = strtol(q->words[3], NULL, 10);
	int r = n < 0 || n > DEVICES_MAX ? -EBADMSG : 0;

	q->rows.first = strtoll(q->words[1], NULL, 10);
	q->rows.last = strtoll(q->words[2], NULL, 10);
	for (; r == 0 && q->rows.n < (unsigned)n; q->rows.n++) {
		ssize_t len = getline(&line, &size, stdin);

		if (len <= 0 || line[len - 1] != '\n') {
			r = -EBADMSG;
			break;
		}
		line[len - 1] = '\0';
		buf_add(&q->devices, line, (size_t)len);
	}
	free(line);
	q->rows.devices = buf_str(&q->devices);
	return r ? r : buf_end(&q->devices);
}

static int take_line(struct asker *a, char *line)
{
	struct request_line q = {.n = 0};
	int r = 0;

	buf_init(&q.devices, 64u << 20);
	while (line && q.n < ARRAY_LEN(q.words))
		q.words[q.n++] = strsep(&line, "\t");
	if (q.n == 4 && strcmp(q.words[0], "rows") == 0)
		r = read_devices(&q);
	if (r == 0)
		r = answer(a, &q);
	buf_release(&q.devices);
	return r;
}

static int serve(struct asker *a)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	int r = puts("ready") < 0 || fflush(stdout) ? -EIO : 0;

	while (r == 0 && (n = getline(&line, &size, stdin)) > 0) {
		if (line[n - 1] != '\n')
			break; /* cut off: syncd is gone */
		line[n - 1] = '\0';
		r = take_line(a, line);
	}
	free(line);
	disconnect(a);
	return r ? 1 : 0;
}

static int check(struct asker *a)
{
	struct rpc_reply reply = {0};
	struct err e = {0};

	if (connect_any(a, &reply, &e) < 0) {
		(void)printf("%s\n", e.text);
		return 1;
	}
	(void)printf("%s is IoTDB %s, times in %s\n", rpc_address(a->rpc),
		     rpc_version(a->rpc), rpc_precision(a->rpc));
	disconnect(a);
	return 0;
}

int main(int argc, char **argv)
{
	bool is_check = argc == 5 && strcmp(argv[1], "--check") == 0;
	char **arg = argv + 1 + is_check;
	struct asker a = {.at = 0};
	struct err e = {0};

	(void)signal(SIGPIPE, SIG_IGN);
	if (argc != 4 && !is_check) {
		(void)fputs("usage: syncd-ask HOST:PORT[,...] USER "
			    "PASSWORD_FILE\n(started by syncd(8))\n",
			    stderr);
		return 2;
	}
	a.user = arg[1];
	a.password_file = arg[2];
	if (rpc_addresses_parse(&a.addresses, arg[0], &e) < 0) {
		(void)printf("%siotdb_rpc: %s\n", is_check ? "" : "away\t",
			     e.text);
		return 1;
	}
	return is_check ? check(&a) : serve(&a);
}
