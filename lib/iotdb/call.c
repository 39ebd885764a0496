#include "call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <thrift/c_glib/protocol/thrift_binary_protocol.h>
#include <thrift/c_glib/thrift_application_exception.h>

#include "frame.h"
#include "ground/clock.h"

/* Success, and "another node would be nearer" (iotdb-formats, section 7.5). */
#define CODE_SUCCESS 200
#define CODE_REDIRECT 400
#define CODE_REDIRECT_0_13 707
#define CODE_MULTIPLE 302
#define CODE_MULTIPLE_0_13 506
#define VERSION_1_0 10000

static ThriftMemoryBuffer *memory(void)
{
	return g_object_new(THRIFT_TYPE_MEMORY_BUFFER, "buf_size",
			    (guint)FRAME_SEND_MAX, NULL);
}

static ThriftProtocol *protocol(ThriftMemoryBuffer *m)
{
	return g_object_new(THRIFT_TYPE_BINARY_PROTOCOL, "transport", m, NULL);
}

void call_begin(struct call *k, struct rpc *c, const char *method)
{
	*k = (struct call){.c = c, .method = method};
	k->out = memory();
	k->in = memory();
	k->out_protocol = protocol(k->out);
	k->in_protocol = protocol(k->in);
	k->client = g_object_new(TYPE_WIRE_CLIENT_CLIENT, "input_protocol",
				 k->in_protocol, "output_protocol",
				 k->out_protocol, NULL);
}

void call_end(struct call *k)
{
	g_clear_error(&k->why);
	g_object_unref(k->client);
	g_object_unref(k->in_protocol);
	g_object_unref(k->out_protocol);
	g_object_unref(k->in);
	g_object_unref(k->out);
}

static int send_out(struct call *k, gboolean is_sent, uint64_t deadline_ms,
		    struct err *e)
{
	if (!is_sent)
		return err_set(e, EPROTO, "writing a call: %s",
			       k->why ? k->why->message : "no reason given");
	if (k->c->is_lost)
		return err_set(e, ENOTCONN, "the connection was lost before");
	return frame_send(k->c->fd, k->out->buf->data, k->out->buf->len,
			  deadline_ms, e);
}

static int receive_in(struct call *k, uint64_t deadline_ms, struct err *e)
{
	CLEANUP(buf_release) struct buf in;
	int r;

	buf_init(&in, RPC_FRAME_MAX);
	r = frame_receive(k->c->fd, &in, deadline_ms, e);
	if (r >= 0)
		r = frame_check(buf_data(&in), in.len, k->method, e);
	if (r >= 0)
		g_byte_array_append(k->in->buf, buf_data(&in), (guint)in.len);
	return r;
}

static int lose(struct call *k, int r, struct err *e)
{
	if (r >= 0)
		return r;
	k->c->is_lost = true;
	(void)err_wrap(e, "IoTDB at %s: %s", k->c->address, k->method);
	return r;
}

int call_send(struct call *k, gboolean is_sent, uint64_t deadline_ms,
	      struct err *e)
{
	return lose(k, send_out(k, is_sent, deadline_ms, e), e);
}

int call_receive(struct call *k, uint64_t deadline_ms, struct err *e)
{
	return lose(k, receive_in(k, deadline_ms, e), e);
}

int call_exchange(struct call *k, gboolean is_sent, unsigned limit_ms,
		  struct err *e)
{
	uint64_t deadline_ms = clock_mono_ms() + limit_ms;
	int r = call_send(k, is_sent, deadline_ms, e);

	return r < 0 ? r : call_receive(k, deadline_ms, e);
}

int call_read(struct call *k, gboolean is_read, struct err *e)
{
	bool is_unknown;

	if (is_read)
		return 0;
	is_unknown = k->why &&
		     g_error_matches(
			     k->why, THRIFT_APPLICATION_EXCEPTION_ERROR,
			     THRIFT_APPLICATION_EXCEPTION_ERROR_UNKNOWN_METHOD);
	k->c->is_lost = k->c->is_lost || !is_unknown;
	return err_set(e, is_unknown ? EOPNOTSUPP : EPROTO,
		       "IoTDB at %s: %s: %s", k->c->address, k->method,
		       k->why ? k->why->message : "an answer without content");
}

static bool is_yes(const struct rpc *c, int code)
{
	return code == CODE_SUCCESS ||
	       code == (c->number < VERSION_1_0 ? CODE_REDIRECT_0_13
						: CODE_REDIRECT);
}

/* Several statuses in one: the first refusal says most. */
static const WireStatus *first_refusal(const struct rpc *c, const WireStatus *s)
{
	int multiple =
		c->number < VERSION_1_0 ? CODE_MULTIPLE_0_13 : CODE_MULTIPLE;

	if (s->code != multiple || !s->__isset_subStatus)
		return s;
	for (guint i = 0; i < s->subStatus->len; i++) {
		const WireStatus *sub = g_ptr_array_index(s->subStatus, i);

		if (sub && !is_yes(c, sub->code))
			return sub;
	}
	return s;
}

#define FRONT 140u /* of a sentence that is too long */
#define GAP " ... "

static bool is_inside(const char *p)
{
	return ((unsigned char)*p & 0xc0) == 0x80;
}

/* One line. Of a long one the middle goes, between characters: servers begin with the statement
 * and end with what is wrong with it. */
static void take_text(char *to, size_t size, const char *text)
{
	size_t n = strlen(text), front = FRONT, back;

	if (n < size) {
		memcpy(to, text, n + 1);
	} else {
		back = n - (size - sizeof GAP - front);
		while (front && is_inside(text + front))
			front--;
		while (back < n && is_inside(text + back))
			back++;
		memcpy(to, text, front);
		memcpy(to + front, GAP, sizeof GAP - 1);
		memcpy(to + front + sizeof GAP - 1, text + back, n - back + 1);
	}
	for (char *p = to; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
}

int call_status(const struct rpc *c, const WireStatus *s,
		struct rpc_reply *reply, struct err *e)
{
	struct rpc_reply own;

	reply = reply ? reply : &own;
	if (!s || !s->__isset_code)
		return err_set(e, EBADMSG,
			       "IoTDB at %s: an answer without a status",
			       c->address);
	s = first_refusal(c, s);
	reply->code = s->code;
	reply->may_retry = s->__isset_needRetry && s->needRetry;
	take_text(reply->text, sizeof reply->text,
		  s->__isset_message && s->message && *s->message
			  ? s->message
			  : "(the server gave no sentence)");
	if (is_yes(c, s->code))
		return 0;
	return err_set(e, EREMOTEIO, "IoTDB at %s: %d: %s", c->address, s->code,
		       reply->text);
}
