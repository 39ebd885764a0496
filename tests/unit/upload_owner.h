/* The owner of an upload machine, for its unit tests. */
#ifndef TSFERRY_UPLOAD_OWNER_H
#define TSFERRY_UPLOAD_OWNER_H

#include <inttypes.h>
#include <stdarg.h>

#include "syncd/upload.h"
#include "test.h"

/* The machine with the simplest owner: a catalog that answers at once, reads that
 * answer when told, and every act as a word in `log`. */
struct owner {
	struct upload *u;
	uint64_t len[64]; /* payload by serial; beyond: 1 */
	struct upload_act reads[UPLOAD_READS];
	unsigned n_reads;
	char log[4096], text[SENTENCE_MAX + 1];
	struct digest digest; /* of the last entry or END */
	size_t n_entries, n_back;
	uint64_t max_fetch;
	bool is_mute, holds_fetch;
	uint64_t beyond;
	const char *databases; /* a letter for each serial from 1 on; NULL: one for all */
};

static uint8_t block[BLOCK_LEN];

static inline uint64_t nonce_of(uint64_t serial)
{
	return 1000 + serial;
}

static inline uint64_t len_of(const struct owner *o, uint64_t serial)
{
	return serial < ARRAY_LEN(o->len) ? o->len[serial] : 1;
}

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

static inline void answer_fetch(struct owner *o, uint64_t serial, uint64_t n)
{
	for (uint64_t i = serial; i < serial + n; i++) {
		struct entry en = {
			.serial = i, .nonce = nonce_of(i), .kind = ENTRY_FILE};

		en.body_len = len_of(o, i);
		(void)snprintf(en.file.database, sizeof(en.file.database),
			       "root.%c",
			       o->databases && i <= strlen(o->databases)
				       ? o->databases[i - 1]
				       : 'a');
		if (en.body_len == 0) {
			en.kind = ENTRY_RESTATE;
			en.devices = xstrdup("root.a.b");
		}
		upload_entry(o->u, &en);
	}
}

static inline void names_databases(struct owner *o, const char *letters)
{
	o->databases = letters;
}

static inline void sent(struct owner *o, const struct upload_act *a)
{
	if (a->kind == UP_SEND_LATER) {
		word(o, "later:%" PRIu64 " ", a->serial);
		return;
	}
	if (a->kind == UP_SEND_ENTRY) {
		o->n_entries++;
		word(o, "entry:%" PRIu64 "%s ", a->serial,
		     a->is_inline ? "i" : "");
	} else if (a->kind == UP_SEND_BLOCK) {
		word(o, "block:%" PRIu64 ".%" PRIu64 " ", a->serial, a->index);
	} else {
		word(o, "end:%" PRIu64 " ", a->serial);
	}
	o->n_back += a->data != NULL;
	o->digest = a->digest;
}

static inline void act_on(struct owner *o, const struct upload_act *a)
{
	if (a->text[0])
		(void)snprintf(o->text, sizeof(o->text), "%s", a->text);
	switch (a->kind) {
	case UP_SEND_HELLO:
		word(o, "hello:%" PRIu64 "/%" PRIu64 " ", a->n, a->serial);
		return;
	case UP_FETCH:
		word(o, "fetch:%" PRIu64 "+%" PRIu64 " ", a->serial, a->n);
		if (a->n > o->max_fetch)
			o->max_fetch = a->n;
		if (!o->holds_fetch)
			answer_fetch(o, a->serial, a->n);
		return;
	case UP_READ:
		word(o, "read:%" PRIu64 ".%" PRIu64 " ", a->serial, a->index);
		if (o->n_reads < UPLOAD_READS)
			o->reads[o->n_reads++] = *a;
		else
			word(o, "TOO-MANY-READS ");
		return;
	case UP_SEND_LATER:
	case UP_SEND_ENTRY:
	case UP_SEND_BLOCK:
	case UP_SEND_END:
		sent(o, a);
		return;
	case UP_NONCE:
		word(o, "nonce:%" PRIu64 " ", a->serial);
		return;
	case UP_DURABLE:
		word(o, "durable:%" PRIu64 " ", a->serial);
		return;
	case UP_APPLIED:
		word(o, "applied:%" PRIu64 " ", a->serial);
		return;
	case UP_ATTEMPT:
		word(o, "attempt:%" PRIu64 "x%" PRIu64 " ", a->serial, a->n);
		return;
	case UP_LOST:
		o->beyond = a->beyond;
		word(o, "lost:%" PRIu64 "/%d ", a->serial, (int)a->n);
		return;
	case UP_ERROR:
		word(o, "error ");
		return;
	case UP_CLOSE:
		word(o, "close:%d ", (int)a->why);
		return;
	case UP_NONE:
		word(o, "NONE ");
		return;
	}
}

/* Acts are taken; what they were since the last time, as words. */
static inline const char *acts(struct owner *o)
{
	struct upload_act a;

	while (upload_next(o->u, &a))
		act_on(o, &a);
	while (upload_take_unused(o->u))
		o->n_back++;
	return o->log;
}

static inline const char *fresh(struct owner *o)
{
	o->log[0] = '\0';
	return acts(o);
}

static inline void read_answers(struct owner *o, int err)
{
	struct upload_act a = o->reads[0];

	o->n_reads--;
	memmove(o->reads, o->reads + 1, o->n_reads * sizeof(a));
	upload_block(o->u, a.serial, a.index, digest_block(block, a.len), block,
		     a.len, err);
}

static inline void answer_all(struct owner *o)
{
	(void)acts(o);
	while (o->n_reads) {
		read_answers(o, 0);
		(void)acts(o);
	}
}

static inline void begin(struct owner *o, uint64_t assigned, uint64_t released,
			 uint64_t durable)
{
	memset(o, 0, sizeof(*o));
	for (size_t i = 0; i < ARRAY_LEN(o->len); i++)
		o->len[i] = 10;
	o->u = upload_new(assigned, released, released ? nonce_of(released) : 0,
			  durable, 3);
}

static inline void end(struct owner *o)
{
	upload_cut(o->u);
	while (upload_take_unused(o->u))
		o->n_back++;
	upload_free(o->u);
}

static inline void welcome(struct owner *o, uint64_t durable, uint64_t applied,
			   uint32_t n)
{
	struct msg_welcome m = {
		.version = 1,
		.durable = durable,
		.durable_nonce = durable ? nonce_of(durable) : 0,
		.applied = applied,
		.n_partials = n,
	};

	upload_welcome(o->u, &m);
}

static inline void connect(struct owner *o, uint64_t durable, uint64_t applied)
{
	upload_connected(o->u);
	(void)acts(o);
	welcome(o, durable, applied, 0);
	o->log[0] = '\0';
}

static inline void durable(struct owner *o, uint64_t serial)
{
	upload_durable(o->u, &(struct msg_durable){serial});
}

static inline void applied(struct owner *o, uint64_t serial)
{
	upload_applied(o->u, &(struct msg_applied){.serial = serial});
}

static inline void bye(struct owner *o, enum bye_why why, uint64_t serial)
{
	struct msg_bye m = {.why = why, .serial = serial, .text = "because"};

	upload_bye(o->u, &m);
}

static inline void partial(struct owner *o, uint64_t serial, uint64_t nonce,
			   uint64_t first, uint32_t n)
{
	uint8_t digests[8 * DIGEST_LEN];
	struct digest d = digest_block(block, BLOCK_LEN);

	for (uint32_t i = 0; i < n; i++)
		memcpy(digests + i * DIGEST_LEN, d.b, DIGEST_LEN);
	upload_partial(o->u,
		       &(struct msg_partial){serial, nonce, first, n, digests});
}

#endif
