/* The owner of a receive machine, for its unit tests. */
#ifndef TSFERRY_RECEIVE_OWNER_H
#define TSFERRY_RECEIVE_OWNER_H

#include <inttypes.h>
#include <stdarg.h>

#include "recvd/receive.h"
#include "test.h"

/* The machine with an owner that writes every act as a word into `log` and answers
 * nothing by itself. */
struct owner {
	struct receive *r;
	char log[8192];
	struct msg_welcome welcome;
	struct msg_bye bye;
	struct receive_act last; /* of RX_WRITE or RX_STAGE */
	size_t n_staged;
	bool is_mute;
};

static uint8_t payload[5 * BLOCK_LEN];

static inline void word(struct owner *o, const char *fmt, ...)
	PRINTF_LIKE(2, 3);

static inline void word(struct owner *o, const char *fmt, ...)
{
	size_t at = strlen(o->log);
	va_list ap;

	if (o->is_mute)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(o->log + at, sizeof(o->log) - at, fmt, ap);
	va_end(ap);
}

static inline void act_on(struct owner *o, const struct receive_act *a)
{
	switch (a->kind) {
	case RX_LOOKUP:
		word(o, "lookup:%s ", a->hello->pipe);
		return;
	case RX_WELCOME:
		o->welcome = a->welcome;
		word(o, "welcome ");
		return;
	case RX_PARTIAL:
		word(o, "partial:%" PRIu64 ".%" PRIu64 "+%u ",
		     a->partial.serial, a->partial.first, a->partial.n);
		return;
	case RX_EARLY:
		word(o, "early:%zu", a->n_early);
		for (size_t i = 0; i < a->n_early; i++)
			word(o, ",%" PRIu64, a->early[i].serial);
		word(o, " ");
		return;
	case RX_OPEN:
		word(o, "open:%" PRIu64 " ", a->entry->serial);
		return;
	case RX_WRITE:
		o->last = *a;
		word(o, "write:%" PRIu64 ".%" PRIu64 " ", a->serial, a->index);
		return;
	case RX_FETCH:
		o->last = *a;
		word(o, "fetch:%" PRIu64 ".%" PRIu64 " ", a->serial, a->index);
		return;
	case RX_WANT:
		word(o, "want:%" PRIu64 ".%" PRIu64 " ", a->serial, a->index);
		return;
	case RX_STAGE:
	case RX_STAGE_FILE:
		o->last = *a;
		o->n_staged++;
		word(o, "%s:%" PRIu64 " ",
		     a->kind == RX_STAGE ? "stage" : "file", a->entry->serial);
		return;
	case RX_DURABLE:
		word(o, "durable:%" PRIu64 " ", a->serial);
		return;
	case RX_APPLIED:
		word(o, "applied:%" PRIu64 "/%u ", a->applied.serial,
		     a->applied.n_quarantined);
		return;
	case RX_DISCARD:
		word(o, "discard:%" PRIu64 "-%" PRIu64 " ", a->serial,
		     a->nonce);
		return;
	case RX_DROP:
		word(o, "drop ");
		return;
	case RX_BYE:
		o->bye = a->bye;
		word(o, "bye:%d ", (int)a->bye.why);
		return;
	case RX_NONE:
		word(o, "NONE ");
		return;
	}
}

static inline const char *acts(struct owner *o)
{
	struct receive_act a;

	o->log[0] = '\0';
	while (receive_next(o->r, &a))
		act_on(o, &a);
	return o->log;
}

static inline void begin(struct owner *o)
{
	memset(o, 0, sizeof(*o));
	o->r = receive_new();
	for (size_t i = 0; i < sizeof(payload); i += 97)
		payload[i] = (uint8_t)(i / 97 + 1);
}

static inline void end(struct owner *o)
{
	receive_free(o->r);
}

static inline struct msg_hello a_hello(void)
{
	return (struct msg_hello){
		.version_min = 1,
		.version_max = 1,
		.sender_name = "edge",
		.pipe = "p",
		.incarnation = {1},
		.assigned = 100,
	};
}

static inline void hello(struct owner *o)
{
	struct msg_hello m = a_hello();

	receive_hello(o->r, &m);
	(void)acts(o);
}

static inline void known(struct owner *o, uint64_t durable, uint64_t applied,
			 struct receive_partial *p, size_t n)
{
	struct receive_known k = {
		.instance = {7},
		.durable = durable,
		.durable_nonce = durable ? durable + 1000 : 0,
		.applied = applied,
		.partials = p,
		.n_partials = n,
	};

	receive_known(o->r, &k);
}

static inline void live(struct owner *o)
{
	begin(o);
	hello(o);
	known(o, 0, 0, NULL, 0);
	(void)acts(o);
}

static inline struct entry an_entry(uint64_t serial, uint64_t len)
{
	struct entry en = {
		.serial = serial, .nonce = serial + 1000, .kind = ENTRY_FILE};

	(void)snprintf(en.file.database, sizeof(en.file.database), "root.a");
	en.body_len = len;
	return en;
}

static inline struct digest list_of(uint64_t len)
{
	struct digest_list list;
	struct digest d;

	digest_list_init(&list);
	for (uint64_t i = 0; i < block_count(len); i++) {
		d = digest_block(payload + i * BLOCK_LEN, block_len(len, i));
		digest_list_add(&list, block_len(len, i), &d);
	}
	return digest_list_end(&list);
}

static inline void send_inline(struct owner *o, uint64_t serial, uint32_t len)
{
	struct msg_entry m = {
		.entry = an_entry(serial, len),
		.is_inline = true,
		.digest = list_of(len),
		.data = payload,
		.data_len = len,
	};

	receive_entry(o->r, &m);
}

static inline void send_entry(struct owner *o, uint64_t serial, uint64_t len)
{
	struct msg_entry m = {.entry = an_entry(serial, len)};

	receive_entry(o->r, &m);
}

static inline void send_block(struct owner *o, uint64_t serial, uint64_t index,
			      uint64_t len)
{
	struct msg_block m = {
		.serial = serial,
		.index = index,
		.data = payload + index * BLOCK_LEN,
		.data_len = block_len(len, index),
	};

	m.digest = digest_block(m.data, m.data_len);
	receive_block(o->r, &m);
}

static inline void send_end(struct owner *o, uint64_t serial, uint64_t len)
{
	receive_end(o->r, &(struct msg_end){serial, list_of(len)});
}

static inline struct receive_partial a_partial(uint64_t serial, uint64_t len,
					       const char *present)
{
	struct receive_partial p = {.entry = an_entry(serial, len)};

	p.n_blocks = block_count(len);
	p.present = xcalloc(p.n_blocks, 1);
	p.digests = xcalloc(p.n_blocks, sizeof(*p.digests));
	for (uint64_t i = 0; i < p.n_blocks; i++) {
		p.present[i] = present[i] == '1';
		p.digests[i] = digest_block(payload + i * BLOCK_LEN,
					    block_len(len, i));
	}
	return p;
}

#endif
