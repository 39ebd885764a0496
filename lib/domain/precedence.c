#include "precedence.h"

#include <errno.h>

#define VERSION_PARTS 3

/* Numbers between dots at the front of `s`; what follows must not go on with a letter.
 * Returns how many there are, 0 when this is no version. */
static size_t parse_parts(const char *s, unsigned part[VERSION_PARTS])
{
	size_t n = 0;

	for (;;) {
		unsigned v = 0;

		if (*s < '0' || *s > '9')
			return 0;
		for (; *s >= '0' && *s <= '9'; s++) {
			if (v > 99999)
				return 0;
			v = v * 10 + (unsigned)(*s - '0');
		}
		if (n < VERSION_PARTS)
			part[n++] = v;
		if (*s != '.')
			break;
		s++;
	}
	return *s == '\0' || *s == '-' || *s == '+' || *s == '_' || *s == ' '
		       ? n
		       : 0;
}

int precedence_of_version(const char *version, enum precedence *out)
{
	static const unsigned first[VERSION_PARTS] = {1, 3, 3};
	unsigned part[VERSION_PARTS] = {0};
	size_t n = parse_parts(version, part);

	if (n < 2)
		return -EINVAL;
	for (size_t k = 0; k < n; k++) {
		if (part[k] == first[k])
			continue;
		*out = part[k] < first[k] ? PRECEDENCE_BY_VERSION
					  : PRECEDENCE_UNSEQUENCE_WINS;
		return 0;
	}
	if (n < VERSION_PARTS)
		return -EINVAL; /* "1.3" may be either */
	*out = PRECEDENCE_UNSEQUENCE_WINS;
	return 0;
}

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Behind V and T the server no longer decides by file; a compaction's product stands
 * behind what it was made from, so that the order is total. */
int precedence_compare(enum precedence rule, const struct fileid *a,
		       const struct fileid *b)
{
	int by_space = compare(a->unsequence, b->unsequence);
	int order = rule == PRECEDENCE_UNSEQUENCE_WINS ? by_space : 0;

	if (!order)
		order = compare(a->v, b->v);
	if (!order)
		order = compare(a->t, b->t);
	if (!order)
		order = by_space;
	if (!order)
		order = compare(a->c, b->c);
	return order ? order : compare(a->i, b->i);
}
