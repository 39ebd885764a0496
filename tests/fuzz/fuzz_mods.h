/* What must hold of deletion records in either form; fuzz_mods.c and fuzz_mods2.c. */
#ifndef TSFERRY_FUZZ_MODS_H
#define TSFERRY_FUZZ_MODS_H

#include <errno.h>
#include <string.h>

#include "domain/records.h"
#include "fuzz.h"

/* A cut can be added behind whole records. */
static inline void check_cut(enum mods_kind kind, const uint8_t *p,
			     size_t whole)
{
	CLEANUP(buf_release) struct buf b;
	size_t again;

	buf_init(&b, whole + 128);
	buf_add(&b, p, whole);
	mods_add_cut(kind, -1, &b);
	FUZZ_MUST(buf_end(&b) == 0);
	FUZZ_MUST(mods_whole(kind, buf_data(&b), b.len, &again, NULL) == 0);
	FUZZ_MUST(again == b.len);
}

/* One record clipped and written in one of the forms is a record, or nothing. */
static inline void check_clipped(const struct record *rec, enum mods_kind kind)
{
	CLEANUP(buf_release) struct buf b;
	struct record again;
	size_t whole;

	buf_init(&b, 2 * rec->raw_len + 256);
	if (records_add_clipped(rec, -100, 1700000000000, kind, &b) < 0) {
		FUZZ_MUST(kind == MODS_TEXT);
		FUZZ_MUST(rec->is_table ||
			  !mods_is_path(rec->path, rec->path_len));
		return;
	}
	FUZZ_MUST(buf_end(&b) == 0);
	if (b.len == 0)
		return;
	FUZZ_MUST(mods_whole(kind, buf_data(&b), b.len, &whole, NULL) == 0);
	FUZZ_MUST(whole == b.len);
	FUZZ_MUST(records_next(kind, buf_data(&b), b.len, &again) ==
		  (ssize_t)b.len);
	FUZZ_MUST(again.start >= -100 && again.start >= rec->start);
	FUZZ_MUST(again.end <= 1700000000000 && again.end <= rec->end);
	FUZZ_MUST(again.start <= again.end);
	FUZZ_MUST(again.path_len == rec->path_len &&
		  memcmp(again.path, rec->path, rec->path_len) == 0);
}

/* The loader's reader finds the same records one by one. */
static inline void check_records(enum mods_kind kind, const uint8_t *p,
				 size_t whole)
{
	struct record rec;
	size_t at = 0;
	ssize_t n;

	while ((n = records_next(kind, p + at, whole - at, &rec)) > 0) {
		FUZZ_MUST((size_t)n <= whole - at);
		at += (size_t)n;
		if (!rec.path)
			continue;
		FUZZ_MUST(rec.path_len > 0 && rec.path_len <= rec.raw_len);
		check_clipped(&rec, MODS_TEXT);
		check_clipped(&rec, MODS_BINARY);
	}
	FUZZ_MUST(n == 0 && at == whole);
	(void)records_delete_database(kind, p, whole, "root.a");
}

/* Whole records are whole again when they stand alone, and a longer input never has fewer.
 * Returns the length of the whole records; 0 when there are none, or one is refused. */
static inline size_t check_mods(enum mods_kind kind, const uint8_t *p, size_t n)
{
	struct err e = {0};
	size_t whole, again;

	if (mods_whole(kind, p, n, &whole, &e) < 0) {
		FUZZ_MUST(e.sys > 0 && e.text[0] && whole == 0);
		for (const char *s = e.text; *s; s++)
			FUZZ_MUST((uint8_t)*s >= 0x20 && *s != 0x7f);
		return 0;
	}
	FUZZ_MUST(whole <= n);
	FUZZ_MUST(mods_whole(kind, p, whole, &again, NULL) == 0);
	FUZZ_MUST(again == whole);
	if (whole) {
		FUZZ_MUST(mods_whole(kind, p, whole - 1, &again, NULL) == 0);
		FUZZ_MUST(again < whole);
	}
	check_cut(kind, p, whole);
	check_records(kind, p, whole);
	return whole;
}

#endif
