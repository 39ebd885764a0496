#include "entry.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The encoding, little endian; what a kind does not have is not there:
 *
 *	u64 serial, u64 nonce, u8 kind, str database, then
 *	FILE	u8 unsequence, u32 region, i64 partition, u64 T V I C,
 *		u64 body_len, u8 mods_kind, u64 mods_len
 *	DELETE	u32 region, i64 time_min, i64 time_max, u32 n, n bytes of devices,
 *		u8 mods_kind, u64 body_len
 *	SCHEMA	u64 body_len
 *	RESTATE	u32 region, i64 time_min, i64 time_max, u32 n, n bytes of devices, u8 held
 */

uint64_t entry_payload_len(const struct entry *en)
{
	return en->body_len + en->mods_len;
}

bool entry_only_fills(const struct entry *en)
{
	return en->kind == ENTRY_RESTATE && (!en->devices || !*en->devices);
}

const char *entry_kind_text(enum entry_kind kind)
{
	switch (kind) {
	case ENTRY_FILE:
		return "FILE";
	case ENTRY_DELETE:
		return "DELETE";
	case ENTRY_SCHEMA:
		return "SCHEMA";
	case ENTRY_RESTATE:
		return "RESTATE";
	}
	return "?";
}

void entry_release(struct entry *en)
{
	free(en->devices);
	memset(en, 0, sizeof *en);
}

static void encode_file(const struct entry *en, struct buf *out)
{
	fileid_encode(&en->file, out);
	wr_u64(out, en->body_len);
	wr_u8(out, en->mods_len ? (uint8_t)en->mods_kind : MODS_NONE);
	wr_u64(out, en->mods_len);
}

static void encode_range(const struct entry *en, struct buf *out)
{
	size_t n = en->devices ? strlen(en->devices) : 0;

	assert(n <= ENTRY_DEVICES_MAX);
	wr_u32(out, en->file.region);
	wr_i64(out, en->time_min);
	wr_i64(out, en->time_max);
	wr_u32(out, (uint32_t)n);
	if (n)
		buf_add(out, en->devices, n);
}

void entry_encode(const struct entry *en, struct buf *out)
{
	wr_u64(out, en->serial);
	wr_u64(out, en->nonce);
	wr_u8(out, (uint8_t)en->kind);
	wr_str(out, en->file.database);
	switch (en->kind) {
	case ENTRY_FILE:
		encode_file(en, out);
		return;
	case ENTRY_DELETE:
		encode_range(en, out);
		wr_u8(out, (uint8_t)en->mods_kind);
		wr_u64(out, en->body_len);
		return;
	case ENTRY_SCHEMA:
		wr_u64(out, en->body_len);
		return;
	case ENTRY_RESTATE:
		encode_range(en, out);
		wr_u8(out, en->held);
		return;
	}
}

/* A byte that is 0 or 1. */
static bool decode_bool(struct rd *r)
{
	uint8_t v = rd_u8(r);

	if (v > 1)
		(void)rd_bytes(r, SIZE_MAX);
	return v == 1;
}

static enum mods_kind decode_mods_kind(struct rd *r)
{
	uint8_t v = rd_u8(r);

	if (v <= MODS_BINARY)
		return (enum mods_kind)v;
	(void)rd_bytes(r, SIZE_MAX);
	return MODS_NONE;
}

static bool decode_file(struct entry *en, struct rd *r)
{
	if (!fileid_decode(&en->file, r))
		return false;
	en->body_len = rd_u64(r);
	en->mods_kind = decode_mods_kind(r);
	en->mods_len = rd_u64(r);
	if (en->body_len == 0 || en->body_len > ENTRY_PAYLOAD_MAX - MODS_MAX)
		return false;
	return en->mods_len <= MODS_MAX &&
	       (en->mods_len > 0) == (en->mods_kind != MODS_NONE);
}

/* Lines of printable bytes; no NUL, because they become a C string. */
static bool are_lines(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)p[i] < 0x20 && p[i] != '\n') ||
		    p[i] == 0x7f)
			return false;
	return true;
}

static bool decode_range(struct entry *en, struct rd *r)
{
	const char *p;
	size_t n;

	en->file.region = rd_u32(r);
	en->time_min = rd_i64(r);
	en->time_max = rd_i64(r);
	n = rd_u32(r);
	if (r->bad || n > ENTRY_DEVICES_MAX || en->time_min > en->time_max)
		return false;
	p = rd_bytes(r, n);
	if (n == 0)
		return true;
	if (!p || !are_lines(p, n))
		return false;
	en->devices = strndup(p, n);
	return en->devices != NULL;
}

static bool decode_kind(struct entry *en, struct rd *r)
{
	switch (en->kind) {
	case ENTRY_FILE:
		return decode_file(en, r);
	case ENTRY_DELETE:
		if (!decode_range(en, r))
			return false;
		en->mods_kind = decode_mods_kind(r);
		en->body_len = rd_u64(r);
		return en->mods_kind != MODS_NONE && en->body_len &&
		       en->body_len <= MODS_MAX;
	case ENTRY_SCHEMA:
		en->body_len = rd_u64(r);
		return en->body_len && en->body_len <= ENTRY_STATEMENTS_MAX;
	case ENTRY_RESTATE:
		if (!decode_range(en, r))
			return false;
		en->held = decode_bool(r);
		return true;
	}
	return false;
}

int entry_decode(struct entry *en, struct rd *r)
{
	memset(en, 0, sizeof *en);
	en->serial = rd_u64(r);
	en->nonce = rd_u64(r);
	en->kind = (enum entry_kind)rd_u8(r);
	rd_str(r, en->file.database, sizeof en->file.database);
	if (!r->bad && en->serial && en->serial <= ENTRY_SERIAL_MAX &&
	    en->nonce && name_is_plain(en->file.database) &&
	    !database_is_internal(en->file.database) && decode_kind(en, r) &&
	    !r->bad)
		return 0;
	entry_release(en);
	return -EBADMSG;
}

/* Room for two times and the words around them. */
#define RANGE_TEXT_MAX 80

static const char *range_text(const struct entry *en, char to[RANGE_TEXT_MAX])
{
	(void)snprintf(to, RANGE_TEXT_MAX,
		       "region %" PRIu32 " times %" PRId64 "..%" PRId64,
		       en->file.region, en->time_min, en->time_max);
	return to;
}

const char *entry_text(const struct entry *en, char *to, size_t size)
{
	const struct fileid *f = &en->file;
	char name[FILEID_PATH_MAX], range[RANGE_TEXT_MAX];

	switch (en->kind) {
	case ENTRY_FILE:
		(void)snprintf(to, size,
			       "FILE %s %s/%" PRIu32 "/%" PRId64 "/%s",
			       f->database, fileid_space(f), f->region,
			       f->partition, fileid_name(f, name));
		return to;
	case ENTRY_DELETE:
		(void)snprintf(to, size, "DELETE %s %s", f->database,
			       range_text(en, range));
		return to;
	case ENTRY_SCHEMA:
		(void)snprintf(to, size, "SCHEMA %s", f->database);
		return to;
	case ENTRY_RESTATE:
		(void)snprintf(to, size, "RESTATE %s %s%s", f->database,
			       range_text(en, range),
			       en->held ? " (held)" : "");
		return to;
	}
	(void)snprintf(to, size, "?");
	return to;
}
