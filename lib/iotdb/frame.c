#include "frame.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "ground/bytes.h"
#include "ground/clock.h"
#include "ground/net.h"

#define STEP (256u << 10)

/* Waiting */

static int wait_for(int fd, short events, uint64_t deadline_ms)
{
	for (;;) {
		uint64_t now = clock_mono_ms();
		struct pollfd p = {.fd = fd, .events = events};
		uint64_t left = deadline_ms > now ? deadline_ms - now : 0;
		int r = poll(&p, 1, left > 3600000 ? 3600000 : (int)left);

		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r == 0 && left == 0)
			return -ETIMEDOUT;
	}
}

int frame_connect(const char *host, unsigned port, unsigned limit_ms,
		  struct err *e)
{
	CLEANUP_CLOSE int fd = -1;
	struct net_addr to;
	char text[NET_ENDPOINT_LEN];
	int r = net_resolve(host, port, &to, e);

	if (r < 0)
		return r;
	fd = net_connect(&to);
	r = fd < 0 ? fd : wait_for(fd, POLLOUT, clock_mono_ms() + limit_ms);
	if (r >= 0)
		r = net_connect_result(fd);
	if (r < 0)
		return err_set(e, -r, "cannot connect to IoTDB at %s: %s",
			       net_endpoint(host, port, text), err_words(-r));
	return steal_fd(&fd);
}

/* Messages */

static int send_all(int fd, const uint8_t *p, size_t n, uint64_t deadline_ms)
{
	while (n) {
		ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
		int r;

		if (k > 0) {
			p += k;
			n -= (size_t)k;
			continue;
		}
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0 && errno != EAGAIN)
			return -errno;
		r = wait_for(fd, POLLOUT, deadline_ms);
		if (r < 0)
			return r;
	}
	return 0;
}

static int receive_all(int fd, uint8_t *p, size_t n, uint64_t deadline_ms)
{
	while (n) {
		ssize_t k = recv(fd, p, n, 0);
		int r;

		if (k > 0) {
			p += k;
			n -= (size_t)k;
			continue;
		}
		if (k == 0)
			return -ENODATA;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		r = wait_for(fd, POLLIN, deadline_ms);
		if (r < 0)
			return r;
	}
	return 0;
}

static int say(struct err *e, int r, const char *what)
{
	if (r == -ENODATA)
		return err_set(e, ENODATA,
			       "%s: the server closed the connection", what);
	if (r == -ETIMEDOUT)
		return err_set(e, ETIMEDOUT,
			       "%s: no answer within the time limit", what);
	return err_set(e, -r, "%s: %s", what, err_words(-r));
}

int frame_send(int fd, const void *p, size_t n, uint64_t deadline_ms,
	       struct err *e)
{
	uint8_t head[4];
	int r;

	if (n > FRAME_SEND_MAX)
		return err_set(e, E2BIG, "a message of %zu bytes is too long",
			       n);
	for (unsigned i = 0; i < 4; i++)
		head[i] = (uint8_t)(n >> (24 - 8 * i));
	r = send_all(fd, head, sizeof head, deadline_ms);
	if (r >= 0)
		r = send_all(fd, p, n, deadline_ms);
	return r < 0 ? say(e, r, "sending") : 0;
}

int frame_receive(int fd, struct buf *b, uint64_t deadline_ms, struct err *e)
{
	uint8_t head[4];
	size_t n;
	int r = receive_all(fd, head, sizeof head, deadline_ms);

	if (r < 0)
		return say(e, r, "waiting for the answer");
	n = (size_t)head[0] << 24 | (size_t)head[1] << 16 |
	    (size_t)head[2] << 8 | head[3];
	if (n == 0 || n > b->max)
		return err_set(
			e, EBADMSG,
			"expected a framed message of at most %zu bytes, "
			"got a length of %zu (is this IoTDB's RPC port, "
			"without thrift compression or SSL?)",
			b->max, n);
	/* In steps: memory follows what came, not what was announced. */
	while (n) {
		size_t step = n < STEP ? n : STEP;
		uint8_t *room = buf_room(b, step);

		if (!room)
			return err_set(e, ENOMEM, "no memory for an answer");
		r = receive_all(fd, room, step, deadline_ms);
		if (r < 0)
			return say(e, r, "reading the answer");
		buf_fill(b, step);
		n -= step;
	}
	return 0;
}

/* What a message holds (Thrift's TBinaryProtocol, strict) */

enum wire_type {
	WIRE_STOP = 0,
	WIRE_BOOL = 2,
	WIRE_BYTE = 3,
	WIRE_DOUBLE = 4,
	WIRE_I16 = 6,
	WIRE_I32 = 8,
	WIRE_I64 = 10,
	WIRE_STRING = 11,
	WIRE_STRUCT = 12,
	WIRE_MAP = 13,
	WIRE_SET = 14,
	WIRE_LIST = 15,
};

static size_t fixed_size(uint8_t type)
{
	switch (type) {
	case WIRE_BOOL:
	case WIRE_BYTE:
		return 1;
	case WIRE_I16:
		return 2;
	case WIRE_I32:
		return 4;
	case WIRE_I64:
	case WIRE_DOUBLE:
		return 8;
	}
	return 0;
}

/* What the generated readers expect of a container: they believe a field's type, and of a
 * container's elements whatever they were made for. Other fields are passed over as they
 * say they are. */
enum shape {
	SHAPE_ANY,
	SHAPE_RESULT, /* of a call: field 0 holds what `inner` of the method says */
	SHAPE_STATUS,
	SHAPE_OPEN,
	SHAPE_EXECUTE,
	SHAPE_DATA_SET,
	SHAPE_FETCH,
	SHAPE_PIPE,
};

static const struct field {
	enum shape of;
	uint8_t id, type, element, value;
	enum shape inner; /* of a struct, or of a list's elements */
} fields[] = {
	{SHAPE_STATUS, 3, WIRE_LIST, WIRE_STRUCT, 0, SHAPE_STATUS},
	{SHAPE_OPEN, 1, WIRE_STRUCT, 0, 0, SHAPE_STATUS},
	{SHAPE_EXECUTE, 1, WIRE_STRUCT, 0, 0, SHAPE_STATUS},
	{SHAPE_EXECUTE, 3, WIRE_LIST, WIRE_STRING, 0, SHAPE_ANY},
	{SHAPE_EXECUTE, 6, WIRE_LIST, WIRE_STRING, 0, SHAPE_ANY},
	{SHAPE_EXECUTE, 7, WIRE_STRUCT, 0, 0, SHAPE_DATA_SET},
	{SHAPE_EXECUTE, 9, WIRE_MAP, WIRE_STRING, WIRE_I32, SHAPE_ANY},
	{SHAPE_DATA_SET, 2, WIRE_LIST, WIRE_STRING, 0, SHAPE_ANY},
	{SHAPE_DATA_SET, 3, WIRE_LIST, WIRE_STRING, 0, SHAPE_ANY},
	{SHAPE_FETCH, 1, WIRE_STRUCT, 0, 0, SHAPE_STATUS},
	{SHAPE_FETCH, 4, WIRE_STRUCT, 0, 0, SHAPE_DATA_SET},
	{SHAPE_PIPE, 1, WIRE_STRUCT, 0, 0, SHAPE_STATUS},
};

static const struct {
	const char *method;
	enum shape result;
} methods[] = {
	{"openSession", SHAPE_OPEN},	     {"closeSession", SHAPE_STATUS},
	{"executeStatement", SHAPE_EXECUTE}, {"fetchResults", SHAPE_FETCH},
	{"closeOperation", SHAPE_STATUS},    {"pipeTransfer", SHAPE_PIPE},
};

static enum shape result_of(const char *method)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (strcmp(methods[i].method, method) == 0)
			return methods[i].result;
	return SHAPE_ANY;
}

struct walk {
	struct rd r;
	enum shape result;
	uint32_t n_elements; /* of all containers together */
};

static void walk_value(struct walk *w, uint8_t type, enum shape shape,
		       unsigned depth);

/* Every element takes a byte at least, so a count is bounded by what is left; and each
 * becomes an object of a few hundred bytes. */
static uint32_t walk_count(struct walk *w)
{
	uint32_t n = rd_be32(&w->r);

	if (n > rd_left(&w->r) || n > FRAME_ELEMENTS_MAX - w->n_elements)
		w->r.bad = true;
	if (w->r.bad)
		return 0;
	w->n_elements += n;
	return n;
}

static void walk_list(struct walk *w, const struct field *f, unsigned depth)
{
	uint8_t type = rd_u8(&w->r);
	uint32_t n = walk_count(w);

	if (n && f && f->element != type)
		w->r.bad = true;
	for (uint32_t i = 0; i < n && !w->r.bad; i++)
		walk_value(w, type, f ? f->inner : SHAPE_ANY, depth);
}

static void walk_map(struct walk *w, const struct field *f, unsigned depth)
{
	uint8_t key = rd_u8(&w->r), value = rd_u8(&w->r);
	uint32_t n = walk_count(w);

	if (n && f && (f->element != key || f->value != value))
		w->r.bad = true;
	for (uint32_t i = 0; i < n && !w->r.bad; i++) {
		walk_value(w, key, SHAPE_ANY, depth);
		walk_value(w, value, SHAPE_ANY, depth);
	}
}

static const struct field *find_field(enum shape of, uint16_t id, uint8_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (fields[i].of == of && fields[i].id == id &&
		    fields[i].type == type)
			return &fields[i];
	return NULL;
}

static void walk_container(struct walk *w, uint8_t type, const struct field *f,
			   unsigned depth)
{
	if (depth == FRAME_DEPTH_MAX)
		w->r.bad = true;
	else if (type == WIRE_MAP)
		walk_map(w, f, depth + 1);
	else if (type == WIRE_LIST || type == WIRE_SET)
		walk_list(w, f, depth + 1);
	else
		w->r.bad = true;
}

static void walk_struct(struct walk *w, enum shape shape, unsigned depth)
{
	uint8_t type;

	while ((type = rd_u8(&w->r)) != WIRE_STOP && !w->r.bad) {
		uint16_t id = (uint16_t)(rd_u8(&w->r) << 8);
		const struct field *f;

		id = (uint16_t)(id | rd_u8(&w->r));
		f = find_field(shape, id, type);
		if (shape == SHAPE_RESULT && id == 0)
			walk_value(w, type, w->result, depth);
		else if (f && type != WIRE_STRUCT)
			walk_container(w, type, f, depth);
		else
			walk_value(w, type, f ? f->inner : SHAPE_ANY, depth);
	}
}

static void walk_value(struct walk *w, uint8_t type, enum shape shape,
		       unsigned depth)
{
	size_t n = fixed_size(type);

	if (n)
		(void)rd_bytes(&w->r, n);
	else if (type == WIRE_STRING)
		(void)rd_bytes(&w->r, rd_be32(&w->r));
	else if (type == WIRE_STRUCT && depth < FRAME_DEPTH_MAX)
		walk_struct(w, shape, depth + 1);
	else
		walk_container(w, type, NULL, depth);
}

#define MESSAGE_REPLY 0x80010002u
#define MESSAGE_EXCEPTION 0x80010003u

int frame_check(const void *p, size_t n, const char *method, struct err *e)
{
	struct walk w = {.r = rd_over(p, n), .result = result_of(method)};
	uint32_t kind = rd_be32(&w.r);
	uint32_t len = rd_be32(&w.r);
	const uint8_t *name = rd_bytes(&w.r, len);

	(void)rd_be32(
		&w.r); /* the call's number: there is one call at a time */
	if (w.r.bad || (kind != MESSAGE_REPLY && kind != MESSAGE_EXCEPTION) ||
	    len != strlen(method) || memcmp(name, method, len) != 0)
		return err_set(e, EBADMSG,
			       "expected an answer to %s, got something else "
			       "(is this IoTDB's RPC port?)",
			       method);
	walk_struct(&w, kind == MESSAGE_REPLY ? SHAPE_RESULT : SHAPE_ANY, 0);
	if (rd_end(&w.r) < 0)
		return err_set(e, EBADMSG, "the answer to %s is damaged",
			       method);
	return 0;
}
