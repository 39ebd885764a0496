/* Tags and attributes as SHOW TIMESERIES prints them, a JSON object of strings, to the pairs
 * of a listing (schema_line.h). Pairs with a control character are left out. Pure. */
#ifndef TSFERRY_ASK_TAGS_H
#define TSFERRY_ASK_TAGS_H

#include "ground/buf.h"

/* Adds the pairs, sorted; nothing for NULL, "" and "null". -EBADMSG: no such object. */
int ask_tags(const char *json, struct buf *out) MUST_CHECK;

#endif
