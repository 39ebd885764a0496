/* One value of a configuration file: text to number, and the words for what was
 * expected. Private to conf.c; conf_show() stands in conf_value.c as well, because
 * what is shown must be readable again. */
#ifndef TSFERRY_CONF_VALUE_H
#define TSFERRY_CONF_VALUE_H

#include "ground/conf.h"

/* Checks the text, and answers the number of it for every type but the texts: 0 or
 * 1 for CONF_BOOL, the index for CONF_CHOICE. -EINVAL for what is none, -ERANGE and
 * -E2BIG (text) for what is out of bounds. */
int conf_value_parse(const struct conf_key *k, const char *text, int64_t *out) MUST_CHECK;

/* Adds "a number from 1 to 64" and the like. */
void conf_value_expected(struct buf *b, const struct conf_key *k);

#endif
