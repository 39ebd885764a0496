#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "fuzz.h"
#include "ground/bytes.h"
#include "iotdb/call.h"
#include "iotdb/mend.h"

/* The input is what a server that can say anything answers to a query, and to what follows it:
 * chunks of u8 kind, u16 length and bytes. Kind 0 to 3: the body of an answer, which gets its
 * head and frame here; 4: an exception; others: as it is. Rows are whole and not more than
 * were asked for; no answer makes another call for ever. What Thrift's generated readers leave behind when they
 * fail is not ours. */

#define ROWS_MAX 1000u
#define CALLS_MAX 64u

const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static void add_answer(struct buf *b, unsigned kind, const uint8_t *p, size_t n)
{
	static const char *const names[] = {"executeStatement", "fetchResults",
					    "closeOperation",
					    "executeStatement"};
	const char *name = names[kind & 3];
	size_t len = strlen(name);

	wr_be32(b, (uint32_t)(12 + len + n));
	wr_be32(b, kind == 4 ? 0x80010003u : 0x80010002u);
	wr_be32(b, (uint32_t)len);
	buf_add(b, name, len);
	wr_be32(b, 0);
	buf_add(b, p, n);
}

/* How many chunks there are. */
static unsigned answers_of(const uint8_t *data, size_t size, struct buf *b)
{
	struct rd r = rd_over(data, size);
	unsigned n = 0;

	while (rd_left(&r) > 3 && n < CALLS_MAX) {
		unsigned kind = rd_u8(&r) % 6;
		size_t len = rd_u16(&r);
		const uint8_t *p;

		len = len < rd_left(&r) ? len : rd_left(&r);
		p = rd_bytes(&r, len);
		if (kind < 5)
			add_answer(b, kind, p, len);
		else
			buf_add(b, p, len);
		n++;
	}
	return n;
}

struct heard {
	uint64_t n;
};

static int hear(void *arg, const struct rpc_row *row)
{
	struct heard *h = arg;

	FUZZ_MUST(row->n > 0 && row->n <= RPC_COLUMNS_MAX);
	for (unsigned i = 0; i < row->n; i++) {
		FUZZ_MUST(row->names[i]);
		if (row->cells[i])
			FUZZ_MUST(strlen(row->cells[i]) <= 2u << 20);
	}
	(void)rpc_cell(row, "database");
	FUZZ_MUST(++h->n <= ROWS_MAX);
	return 0;
}

static void check(const struct rpc *c, int r, const struct rpc_reply *reply,
		  const struct err *e)
{
	if (r == -EREMOTEIO)
		FUZZ_MUST(reply->text[0] && !strchr(reply->text, '\n'));
	else if (r < 0)
		FUZZ_MUST(c->is_lost || r == -EBADMSG || r == -E2BIG ||
			  r == -ENOTSUP || r == -EOPNOTSUPP);
	if (r < 0)
		FUZZ_MUST(e->text[0]);
}

static void talk(struct rpc *c)
{
	struct heard h = {0};
	struct rpc_visit visit = {.row = hear, .arg = &h, .max_rows = ROWS_MAX};
	struct rpc_reply reply;
	struct err e = {0};
	int r = rpc_query(c, "SHOW DATABASES", &visit, &reply, &e);

	check(c, r, &reply, &e);
	for (unsigned i = 0; i < 3 && !c->is_lost; i++) {
		err_clear(&e);
		check(c, rpc_execute(c, "FLUSH", &reply, &e), &reply, &e);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rpc c = {.connect_ms = 1000, .reply_ms = 1000};
	CLEANUP(buf_release) struct buf b = {.max = 2u << 20};
	int fds[2];

	if (size < 2)
		return 0;
	mend_types();
	c.number = data[0] & 1 ? 10303 : 1300;
	if (answers_of(data + 1, size - 1, &b) == 0 || buf_end(&b) ||
	    b.len > 64u << 10)
		return 0; /* a socket takes so much at once */
	FUZZ_MUST(socketpair(AF_UNIX,
			     SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
			     fds) == 0);
	c.fd = fds[0];
	FUZZ_MUST(send(fds[1], buf_data(&b), b.len, 0) == (ssize_t)b.len);
	FUZZ_MUST(shutdown(fds[1], SHUT_WR) == 0);
	talk(&c);
	(void)close(fds[0]);
	(void)close(fds[1]);
	return 0;
}
