#include "fileid.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SUFFIX ".tsfile"

/* Bytes of one valid UTF-8 character, 0 if there is none: no surrogates, no longer
 * form than needed, nothing above U+10FFFF. A NUL is no continuation byte, so that
 * nothing behind the string's end is looked at. */
static size_t utf8_len(const uint8_t *s)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t n;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* C1 controls (U+0080 to U+009F) steer terminals as C0 does. A NUL is one too. */
static bool is_control(const uint8_t *s)
{
	return s[0] < 0x20 || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0);
}

/* What is wrong with `name` as the name of one directory, or NULL. */
static const char *name_fault(const char *name)
{
	const uint8_t *s = (const uint8_t *)name;

	if (!*s)
		return "it is empty";
	if (strnlen(name, DATABASE_MAX + 1) > DATABASE_MAX)
		return "it is longer than 255 bytes";
	if (*s == '.')
		return "it begins with a dot";
	while (*s) {
		size_t n = utf8_len(s);

		if (n == 0)
			return "it is not UTF-8";
		if (is_control(s))
			return "it has a control character";
		if (*s == '/')
			return "it has a slash";
		s += n;
	}
	return NULL;
}

bool name_is_plain(const char *name)
{
	return !name_fault(name);
}

char *name_shown(char *to, size_t size, const char *p, size_t n)
{
	uint8_t *s = (uint8_t *)to;

	if (n > size - 1)
		n = size - 1;
	memcpy(to, p, n);
	to[n] = '\0';
	for (size_t i = 0; i < n;) {
		size_t len = utf8_len(s + i), step = len ? len : 1;

		if (len == 0 || is_control(s + i))
			memset(s + i, '?', step);
		i += step;
	}
	return to;
}

int database_check(const char *database, struct err *e)
{
	const char *fault = name_fault(database);
	char shown[DATABASE_MAX + 1];

	if (!fault)
		return 0;
	return err_set(e, EINVAL, "'%s' is no name of a database: %s",
		       name_shown(shown, sizeof shown, database,
				  strlen(database)),
		       fault);
}

bool database_is_tree(const char *database)
{
	return strncmp(database, "root", 4) == 0 &&
	       (database[4] == '.' || !database[4]);
}

bool database_is_internal(const char *database)
{
	return strcmp(database, "root.__system") == 0 ||
	       strcmp(database, "root.__audit") == 0;
}

/* Digits up to the first other byte; *end is there. No sign, no leading zero: a name
 * that we would not write ourselves could stand beside the one that we would. */
static int parse_digits(const char *s, uint64_t max, uint64_t *out,
			const char **end)
{
	uint64_t v = 0;
	const char *p = s;

	for (; *p >= '0' && *p <= '9'; p++) {
		unsigned digit = (unsigned)(*p - '0');

		if (v > max / 10 || v * 10 > max - digit)
			return -EINVAL;
		v = v * 10 + digit;
	}
	if (p == s || (*s == '0' && p != s + 1))
		return -EINVAL;
	*out = v;
	*end = p;
	return 0;
}

int fileid_parse_name(struct fileid *id, const char *name)
{
	static const char after[] = "---.";
	uint64_t part[4];
	const char *p = name;

	for (size_t k = 0; k < 4; k++) {
		if (parse_digits(p, INT64_MAX, &part[k], &p) < 0 ||
		    *p != after[k])
			return -EINVAL;
		if (k < 3)
			p++;
	}
	if (strcmp(p, SUFFIX) != 0)
		return -EINVAL;
	id->t = part[0];
	id->v = part[1];
	id->i = part[2];
	id->c = part[3];
	return 0;
}

int fileid_parse_partition(int64_t *partition, const char *name)
{
	bool is_negative = *name == '-';
	uint64_t max = is_negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX, v;
	const char *end;

	if (parse_digits(name + is_negative, max, &v, &end) < 0 || *end ||
	    (is_negative && v == 0))
		return -EINVAL;
	*partition = is_negative ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

int fileid_parse_region(uint32_t *region, const char *name)
{
	const char *end;
	uint64_t v;

	if (parse_digits(name, UINT32_MAX, &v, &end) < 0 || *end)
		return -EINVAL;
	*region = (uint32_t)v;
	return 0;
}

/* Cuts the first component off *path into `to`; -EINVAL when there is no slash behind
 * it or it is longer than a file name can be. */
static int take_component(const char **path, char to[DATABASE_MAX + 1])
{
	const char *slash =
		memchr(*path, '/', strnlen(*path, DATABASE_MAX + 1));
	size_t n;

	if (!slash)
		return -EINVAL;
	n = (size_t)(slash - *path);
	memcpy(to, *path, n);
	to[n] = '\0';
	*path = slash + 1;
	return 0;
}

int fileid_parse_path(struct fileid *id, const char *path)
{
	char part[DATABASE_MAX + 1];
	struct fileid new = {0};

	if (take_component(&path, part) < 0)
		return -EINVAL;
	new.unsequence = strcmp(part, "unsequence") == 0;
	if (!new.unsequence && strcmp(part, "sequence") != 0)
		return -EINVAL;
	if (take_component(&path, new.database) < 0 ||
	    !name_is_plain(new.database))
		return -EINVAL;
	if (take_component(&path, part) < 0 ||
	    fileid_parse_region(&new.region, part) < 0)
		return -EINVAL;
	if (take_component(&path, part) < 0 ||
	    fileid_parse_partition(&new.partition, part) < 0)
		return -EINVAL;
	if (fileid_parse_name(&new, path) < 0)
		return -EINVAL;
	*id = new;
	return 0;
}

const char *fileid_space(const struct fileid *id)
{
	return id->unsequence ? "unsequence" : "sequence";
}

const char *fileid_dir(const struct fileid *id, char *to)
{
	(void)snprintf(to, FILEID_PATH_MAX, "%s/%s/%" PRIu32 "/%" PRId64,
		       fileid_space(id), id->database, id->region,
		       id->partition);
	return to;
}

static void write_name(const struct fileid *id, char *to, size_t size)
{
	(void)snprintf(to, size,
		       "%" PRIu64 "-%" PRIu64 "-%" PRIu64 "-%" PRIu64 SUFFIX,
		       id->t, id->v, id->i, id->c);
}

const char *fileid_name(const struct fileid *id, char *to)
{
	write_name(id, to, FILEID_PATH_MAX);
	return to;
}

const char *fileid_path(const struct fileid *id, char *to)
{
	size_t n = strlen(fileid_dir(id, to));

	to[n++] = '/';
	write_name(id, to + n, FILEID_PATH_MAX - n);
	return to;
}

bool fileid_equal(const struct fileid *a, const struct fileid *b)
{
	return strcmp(a->database, b->database) == 0 &&
	       a->unsequence == b->unsequence && a->region == b->region &&
	       a->partition == b->partition && a->t == b->t && a->v == b->v &&
	       a->i == b->i && a->c == b->c;
}

void fileid_encode(const struct fileid *id, struct buf *out)
{
	wr_u8(out, id->unsequence);
	wr_u32(out, id->region);
	wr_i64(out, id->partition);
	wr_u64(out, id->t);
	wr_u64(out, id->v);
	wr_u64(out, id->i);
	wr_u64(out, id->c);
}

bool fileid_decode(struct fileid *id, struct rd *r)
{
	uint8_t unsequence = rd_u8(r);

	id->unsequence = unsequence == 1;
	id->region = rd_u32(r);
	id->partition = rd_i64(r);
	id->t = rd_u64(r);
	id->v = rd_u64(r);
	id->i = rd_u64(r);
	id->c = rd_u64(r);
	return !r->bad && unsequence <= 1 && id->t <= INT64_MAX &&
	       id->v <= INT64_MAX && id->i <= INT64_MAX && id->c <= INT64_MAX;
}
