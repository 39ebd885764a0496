#include "transfer.h"

#include <errno.h>
#include <unistd.h>

#include "call.h"
#include "ground/bytes.h"
#include "ground/clock.h"
#include "transfer_body.h"

#define REQUEST_VERSION 1
#define VERSION_FIRST 10200
#define VERSION_HANDSHAKE_V2 10300
#define PIECES_ON_THE_WAY 4
#define HEAD_MAX 1024

struct transfer {
	struct rpc *c; /* owned; not logged in */
	unsigned n_unanswered;
	struct buf body;
};

/* ---- one call ---- */

static int send_request(struct transfer *t, enum transfer_type type,
			uint64_t deadline_ms, struct err *e)
{
	WirePipeReq *req;
	struct call k;
	int r = buf_end(&t->body);

	if (r < 0)
		return err_set(e, -r, "a request of %zu bytes: %s", t->body.len,
			       err_words(-r));
	req = g_object_new(TYPE_WIRE_PIPE_REQ, "version", REQUEST_VERSION,
			   "type", (gint)type, NULL);
	req->body = g_byte_array_sized_new((guint)t->body.len);
	g_byte_array_append(req->body, buf_data(&t->body), (guint)t->body.len);
	req->__isset_body = TRUE;
	call_begin(&k, t->c, "pipeTransfer");
	r = call_send(&k,
		      wire_client_client_send_pipe_transfer(k.client, req,
							    &k.why),
		      deadline_ms, e);
	call_end(&k);
	g_object_unref(req);
	t->n_unanswered += r >= 0;
	return r;
}

/* The answer to the oldest call that has none. */
static int take_answer(struct transfer *t, uint64_t deadline_ms,
		       struct rpc_reply *reply, struct err *e)
{
	WirePipeResp *resp = g_object_new(TYPE_WIRE_PIPE_RESP, NULL);
	struct call k;
	int r;

	call_begin(&k, t->c, "pipeTransfer");
	r = call_receive(&k, deadline_ms, e);
	if (r >= 0)
		r = call_read(&k,
			      wire_client_client_recv_pipe_transfer(
				      k.client, &resp, &k.why),
			      e);
	if (r >= 0)
		r = call_status(t->c, resp->status, reply, e);
	call_end(&k);
	g_object_unref(resp);
	t->n_unanswered--;
	return r;
}

static int take_answers(struct transfer *t, unsigned leave,
			uint64_t deadline_ms, struct rpc_reply *reply,
			struct err *e)
{
	int r = 0;

	while (r >= 0 && t->n_unanswered > leave)
		r = take_answer(t, deadline_ms, reply, e);
	return r;
}

/* ---- the handshake ---- */

static int shake_hands(struct transfer *t, const struct rpc_login *login,
		       struct rpc_reply *reply, struct err *e)
{
	struct transfer_hello hello = {
		.version = t->c->number,
		.precision = t->c->precision,
		.user = login->user ? login->user : "root",
		.password = login->password ? login->password : "root",
	};
	uint64_t deadline_ms = clock_mono_ms() + t->c->connect_ms;
	bool is_v2 = t->c->number >= VERSION_HANDSHAKE_V2;
	int r;

	buf_clear(&t->body);
	if (is_v2)
		transfer_add_handshake_v2(&t->body, &hello);
	else
		transfer_add_handshake_v1(&t->body, hello.precision);
	r = send_request(t,
			 is_v2 ? TRANSFER_HANDSHAKE_V2 : TRANSFER_HANDSHAKE_V1,
			 deadline_ms, e);
	if (r >= 0)
		r = take_answers(t, 0, deadline_ms, reply, e);
	/* The password is in it. */
	explicit_bzero(buf_data(&t->body), t->body.len);
	return r;
}

int transfer_open(struct transfer **out, const struct rpc_login *login,
		  struct rpc_reply *reply, struct err *e)
{
	struct transfer *t = xcalloc(1, sizeof *t);
	int r;

	*out = NULL;
	*reply = (struct rpc_reply){0};
	buf_init(&t->body, TRANSFER_PIECE_BYTES + HEAD_MAX);
	r = rpc_connect(&t->c, login, e);
	if (r >= 0 && t->c->number < VERSION_FIRST)
		r = err_set(e, EOPNOTSUPP,
			    "IoTDB %s at %s takes no files over the network "
			    "(1.2 and later do): it has to see load_dir",
			    t->c->version, t->c->address);
	if (r >= 0)
		r = shake_hands(t, login, reply, e);
	if (r < 0)
		transfer_close(t);
	else
		*out = t;
	return r;
}

void transfer_close(struct transfer *t)
{
	if (!t)
		return;
	rpc_close(t->c);
	buf_release(&t->body);
	free(t);
}

bool transfer_takes_mods(const struct transfer *t)
{
	return t->c->number >= TRANSFER_MODS_FROM;
}

/* ---- a file ---- */

static int add_bytes(struct transfer *t, const struct transfer_part *part,
		     uint64_t offset, uint32_t n, struct err *e)
{
	uint8_t *room = buf_room(&t->body, n);
	uint32_t got = 0;

	if (!room)
		return err_set(e, ENOMEM, "no memory for a piece");
	while (got < n) {
		ssize_t k = pread(part->fd, room + got, n - got,
				  (off_t)(offset + got));

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_set(e, errno, "%s: %s", part->name,
				       err_words(errno));
		if (k == 0)
			return err_set(e, EIO,
				       "%s: expected %llu bytes, it ends at "
				       "%llu",
				       part->name,
				       (unsigned long long)part->length,
				       (unsigned long long)(offset + got));
		got += (uint32_t)k;
	}
	buf_fill(&t->body, n);
	return 0;
}

/* Each piece has a time limit of its own. */
static int send_part(struct transfer *t, const struct transfer_file *f,
		     const struct transfer_part *part, enum transfer_type type,
		     struct rpc_reply *reply, struct err *e)
{
	uint64_t at = 0;
	int r;

	/* An empty one takes a piece too: it makes the file. */
	do {
		uint64_t deadline_ms = clock_mono_ms() + RPC_REPLY_MS;
		uint64_t left = part->length - at;
		uint32_t n = left < TRANSFER_PIECE_BYTES ? (uint32_t)left
							 : TRANSFER_PIECE_BYTES;

		buf_clear(&t->body);
		transfer_add_piece_head(&t->body, part->name, at, n);
		r = add_bytes(t, part, at, n, e);
		if (r >= 0)
			r = send_request(t, type, deadline_ms, e);
		if (r >= 0)
			r = take_answers(t, PIECES_ON_THE_WAY, deadline_ms,
					 reply, e);
		if (f->sent)
			f->sent(f->arg);
		at += n;
	} while (r >= 0 && at < part->length);
	return r;
}

/* The older seal tells one name and nothing else. */
static bool is_with_more(const struct transfer_file *f)
{
	return f->mods || f->tables;
}

/* Sent behind the pieces without waiting for their answers: a server that refused one finds
 * the length wrong, and loads nothing. The first refusal is what is told. */
static int seal(struct transfer *t, const struct transfer_file *f,
		struct rpc_reply *reply, struct err *e)
{
	uint64_t deadline_ms = clock_mono_ms() + RPC_REPLY_MS + f->load_ms;
	struct transfer_seal seal = {
		.mods_name = f->mods ? f->mods->name : NULL,
		.mods_length = f->mods ? f->mods->length : 0,
		.name = f->file.name,
		.length = f->file.length,
		.tables = f->tables,
	};
	int r;

	buf_clear(&t->body);
	if (is_with_more(f))
		transfer_add_seal_with_mods(&t->body, &seal);
	else
		transfer_add_seal(&t->body, f->file.name, f->file.length);
	r = send_request(
		t, is_with_more(f) ? TRANSFER_SEAL_WITH_MODS : TRANSFER_SEAL,
		deadline_ms, e);
	return r < 0 ? r : take_answers(t, 0, deadline_ms, reply, e);
}

int transfer_file(struct transfer *t, const struct transfer_file *f,
		  struct rpc_reply *reply, struct err *e)
{
	enum transfer_type type =
		is_with_more(f) ? TRANSFER_PIECE_WITH_MODS : TRANSFER_PIECE;
	int r = 0;

	*reply = (struct rpc_reply){0};
	if (f->mods)
		r = send_part(t, f, f->mods, type, reply, e);
	if (r >= 0)
		r = send_part(t, f, &f->file, type, reply, e);
	return r < 0 ? r : seal(t, f, reply, e);
}
