#include <string.h>
#include <xxhash.h>

#include "proto_v1.h"

/* The decoder of version 1: bounds and order as its document has them. */

#define SERIAL_MAX ((uint64_t)INT64_MAX)

struct in {
	const uint8_t *p;
	size_t left;
	bool bad;
};

static const uint8_t *get(struct in *in, size_t n)
{
	const uint8_t *p = in->p;

	if (in->bad || n > in->left) {
		in->bad = true;
		return NULL;
	}
	in->p += n;
	in->left -= n;
	return p;
}

static uint64_t get_int(struct in *in, unsigned bytes)
{
	const uint8_t *p = get(in, bytes);
	uint64_t v = 0;

	for (unsigned i = 0; p && i < bytes; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static void get_copy(struct in *in, void *to, size_t n)
{
	const uint8_t *p = get(in, n);

	if (p)
		memcpy(to, p, n);
}

static void get_text(struct in *in, size_t n, char *to, size_t size)
{
	const uint8_t *p = get(in, n);

	if (!p || n >= size || memchr(p, 0, n)) {
		in->bad = true;
		return;
	}
	memcpy(to, p, n);
	to[n] = '\0';
}

static void get_str(struct in *in, char *to, size_t size)
{
	get_text(in, (size_t)get_int(in, 2), to, size);
}

static void must(struct in *in, bool is_so)
{
	in->bad |= !is_so;
}

int v1_take(struct v1_frame *f, const uint8_t *p, size_t n)
{
	static const uint32_t max[] = {0,      659, 46, 65564, 393233,
				       262177, 24,  8,	12,    1019,
				       7165,   1,   16, 1011};
	struct in in = {p, n, false};
	uint32_t sum;
	uint16_t flags;

	if (n < V1_HEAD)
		return 0;
	f->len = (uint32_t)get_int(&in, 4);
	f->type = (uint16_t)get_int(&in, 2);
	flags = (uint16_t)get_int(&in, 2);
	f->serial = get_int(&in, 8);
	f->bulk = (uint32_t)get_int(&in, 4);
	sum = (uint32_t)get_int(&in, 4);
	if (flags > 1 || f->len == 0 || f->bulk >= f->len)
		return -1;
	if (f->type == 0 || f->type > V1_BYE) {
		if (flags != 1 || f->len > 1u << 20)
			return -1;
	} else if (f->len > max[f->type]) {
		return -1;
	}
	f->p = in.p;
	if (in.left < f->len)
		return 0;
	if ((uint32_t)XXH3_64bits_withSeed(f->p, f->len - f->bulk,
					   XXH3_64bits(p, 20)) != sum)
		return -1;
	return (int)(V1_HEAD + f->len);
}

static void read_hello(struct v1_msg *m, struct in *in)
{
	m->version_min = (uint16_t)get_int(in, 2);
	m->version_max = (uint16_t)get_int(in, 2);
	m->flags = (uint32_t)get_int(in, 4);
	get_copy(in, m->sender_id, 32);
	get_str(in, m->sender, sizeof m->sender);
	get_str(in, m->program, sizeof m->program);
	get_str(in, m->pipe, sizeof m->pipe);
	get_copy(in, m->incarnation, 16);
	m->create_ms = (int64_t)get_int(in, 8);
	m->assigned = get_int(in, 8);
	m->released = get_int(in, 8);
	must(in, m->version_min >= 1 && m->version_min <= m->version_max);
	must(in,
	     m->flags <= 2 && m->sender[0] && (m->pipe[0] || m->flags == 1));
	must(in, m->released <= m->assigned && m->assigned <= SERIAL_MAX);
}

static void read_welcome(struct v1_msg *m, struct in *in)
{
	m->version = (uint16_t)get_int(in, 2);
	get_copy(in, m->instance, 16);
	m->durable = get_int(in, 8);
	m->nonce = get_int(in, 8);
	m->applied = get_int(in, 8);
	m->n = (uint32_t)get_int(in, 4);
	must(in, m->version == 1);
	must(in, m->applied <= m->durable && m->n <= 262144);
	must(in, (m->durable == 0) == (m->nonce == 0));
}

static void read_partial(struct v1_msg *m, struct in *in)
{
	m->serial = get_int(in, 8);
	m->nonce = get_int(in, 8);
	m->first = get_int(in, 8);
	m->n = (uint32_t)get_int(in, 4);
	must(in, m->serial && m->nonce && m->n >= 1 && m->n <= 4096);
	must(in, m->first + m->n <= 1u << 22);
	m->data = get(in, 16 * (size_t)m->n);
}

static void read_file(struct v1_entry *en, struct in *in)
{
	en->unsequence = (uint8_t)get_int(in, 1);
	en->region = (uint32_t)get_int(in, 4);
	en->partition = (int64_t)get_int(in, 8);
	en->t = get_int(in, 8);
	en->v = get_int(in, 8);
	en->i = get_int(in, 8);
	en->c = get_int(in, 8);
	en->body_len = get_int(in, 8);
	en->mods_form = (uint8_t)get_int(in, 1);
	en->mods_len = get_int(in, 8);
	must(in, en->unsequence <= 1 && en->mods_form <= 2);
	must(in, (en->t | en->v | en->i | en->c) <= SERIAL_MAX);
	must(in, en->body_len >= 1 && en->mods_len <= 64u << 20);
	must(in, (en->mods_form == 0) == (en->mods_len == 0));
}

static void read_range(struct v1_entry *en, struct in *in)
{
	en->region = (uint32_t)get_int(in, 4);
	en->first = (int64_t)get_int(in, 8);
	en->last = (int64_t)get_int(in, 8);
	get_text(in, (size_t)get_int(in, 4), en->devices, sizeof en->devices);
	must(in, en->first <= en->last);
}

static void read_head(struct v1_entry *en, struct in *in)
{
	en->serial = get_int(in, 8);
	en->nonce = get_int(in, 8);
	en->kind = (uint8_t)get_int(in, 1);
	get_str(in, en->database, sizeof en->database);
	must(in, en->serial && en->serial <= SERIAL_MAX && en->nonce);
	must(in, en->kind >= 1 && en->kind <= 4 && en->database[0]);
	if (in->bad)
		return;
	if (en->kind == 1) {
		read_file(en, in);
	} else if (en->kind == 2) {
		read_range(en, in);
		en->mods_form = (uint8_t)get_int(in, 1);
		en->body_len = get_int(in, 8);
		must(in, en->mods_form >= 1 && en->mods_form <= 2);
	} else if (en->kind == 3) {
		en->body_len = get_int(in, 8);
	} else {
		read_range(en, in);
		en->held = (uint8_t)get_int(in, 1);
		must(in, en->held <= 1);
	}
	must(in, en->kind == 4 || en->body_len > 0);
}

static void read_entry(struct v1_msg *m, struct in *in)
{
	uint8_t is_inline = (uint8_t)get_int(in, 1), own[16];
	uint64_t len;

	read_head(&m->entry, in);
	m->serial = m->entry.serial;
	m->is_inline = is_inline == 1;
	len = m->entry.body_len + m->entry.mods_len;
	must(in, is_inline <= 1 && (m->is_inline || len > 0));
	if (!m->is_inline || in->bad)
		return;
	must(in, len <= V1_BLOCK);
	get_copy(in, m->digest, 16);
	m->data_len = (uint32_t)len;
	m->data = get(in, m->data_len);
	if (in->bad)
		return;
	v1_entry_digest(m->data, m->data_len, own);
	must(in, memcmp(own, m->digest, 16) == 0);
}

static void read_block(struct v1_msg *m, struct in *in)
{
	uint8_t own[16];

	m->serial = get_int(in, 8);
	m->first = get_int(in, 8);
	m->how = (uint8_t)get_int(in, 1);
	get_copy(in, m->digest, 16);
	must(in, m->serial && m->first < 1u << 22 && m->how == 0);
	must(in, in->left >= 1 && in->left <= V1_BLOCK);
	m->data_len = (uint32_t)in->left;
	m->data = get(in, in->left);
	if (in->bad)
		return;
	v1_digest(m->data, m->data_len, own);
	must(in, memcmp(own, m->digest, 16) == 0);
}

static void read_quarantine(struct v1_msg *m, struct in *in)
{
	uint8_t is_over;

	m->id = get_int(in, 8);
	m->serial = get_int(in, 8);
	is_over = (uint8_t)get_int(in, 1);
	m->is_over = is_over == 1;
	get_str(in, m->text, sizeof m->text);
	must(in, m->id && m->serial && is_over <= 1);
}

static void read_status(struct v1_msg *m, struct in *in)
{
	get_str(in, m->state, sizeof m->state);
	get_str(in, m->text, sizeof m->text);
	get_str(in, m->progress, sizeof m->progress);
	get_str(in, m->gaps, sizeof m->gaps);
}

static void read_bye(struct v1_msg *m, struct in *in)
{
	m->why = (uint8_t)get_int(in, 1);
	m->serial = get_int(in, 8);
	get_str(in, m->text, sizeof m->text);
	must(in, m->why >= 1 && m->why <= 8);
}

static void read_serial(struct v1_msg *m, struct in *in)
{
	m->serial = get_int(in, 8);
	if (m->type == V1_APPLIED)
		m->n = (uint32_t)get_int(in, 4);
	if (m->type == V1_END)
		get_copy(in, m->digest, 16);
	must(in, m->serial || m->type == V1_APPLIED);
}

static void read_type(struct v1_msg *m, struct in *in)
{
	switch (m->type) {
	case V1_HELLO:
		read_hello(m, in);
		break;
	case V1_WELCOME:
		read_welcome(m, in);
		break;
	case V1_PARTIAL:
		read_partial(m, in);
		break;
	case V1_ENTRY:
		read_entry(m, in);
		break;
	case V1_BLOCK_MSG:
		read_block(m, in);
		break;
	case V1_END:
	case V1_DURABLE:
	case V1_APPLIED:
		read_serial(m, in);
		break;
	case V1_QUARANTINE:
		read_quarantine(m, in);
		break;
	case V1_STATUS:
		read_status(m, in);
		break;
	case V1_PONG:
		must(in, get_int(in, 1) == 0);
		break;
	case V1_DROP:
		get_copy(in, m->incarnation, 16);
		break;
	case V1_BYE:
		read_bye(m, in);
		break;
	default:
		in->bad = true;
	}
}

bool v1_read(struct v1_msg *m, const struct v1_frame *f)
{
	struct in in = {f->p, f->len, false};

	memset(m, 0, sizeof *m);
	m->type = f->type;
	read_type(m, &in);
	return !in.bad && in.left == 0 && m->serial == f->serial;
}
