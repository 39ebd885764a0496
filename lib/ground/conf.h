/* Configuration files: `key=value` lines as in iotdb-engine.properties.
 *
 * `#` and `!` begin comment lines; blanks around key and value go; one table of
 * keys drives parsing, defaults, the doctor's listing and the man page's test.
 * Unknown, duplicate and out-of-range keys are errors that begin with FILE:LINE:;
 * all of them are gathered (one per line of the sentence), none is fatal by
 * itself, and the target is unchanged if there was any. A file has at most 1 MiB.
 * conf_load() may block on a disk. */
#ifndef TSFERRY_CONF_H
#define TSFERRY_CONF_H

#include <stdbool.h>

#include "buf.h"
#include "err.h"

enum conf_type {
	CONF_TEXT,   /* char [size] */
	CONF_INT,    /* int64_t, min..max */
	CONF_BYTES,  /* int64_t with K, M, G, T suffixes (1024), min..max */
	CONF_TIME,   /* int64_t milliseconds, with ms, s, m, h, d suffixes; bare = seconds */
	CONF_BOOL,   /* bool: yes, no, true, false */
	CONF_CHOICE, /* int: index into `choices`, a blank-separated list */
	CONF_SHARE,  /* char [size]: bytes as above, or a share in percent ("25%") */
};

struct conf_key {
	const char *name;
	const char *alias; /* or NULL */
	enum conf_type type;
	size_t offset; /* of the field in the target */
	size_t size;   /* CONF_TEXT, CONF_SHARE */
	int64_t min, max; /* both 0: no upper bound */
	const char *choices;
	const char *fallback; /* default, as text; "" = empty, and 0 for numbers */
	bool hot;	      /* LOAD CONFIGURATION takes effect at once */
	const char *help;
};

/* Defaults, then the file. `given`, if not NULL, gets one bool per key. */
int conf_load(const char *path, const struct conf_key *keys, size_t n_keys, void *target,
	      bool *given, struct err *e) MUST_CHECK;

/* The same from memory; `name` stands in the sentences. */
int conf_parse(const char *name, const void *text, size_t n, const struct conf_key *keys,
	       size_t n_keys, void *target, bool *given, struct err *e) MUST_CHECK;

/* The value of a key in `target` as it would be written in a file. */
void conf_show(const struct conf_key *key, const void *target, struct buf *out);

/* What a CONF_SHARE that was accepted means where there are `total` bytes. */
uint64_t conf_share(const char *text, uint64_t total);

/* Of a target's field: how many bytes it takes, for taking over; whether two targets that
 * were read have the same. */
size_t conf_field_len(const struct conf_key *key);
bool conf_is_same(const struct conf_key *key, const void *a, const void *b);

#endif
