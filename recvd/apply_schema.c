#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apply_batch.h"
#include "ground/fileio.h"
#include "schema_text.h"

/* SCHEMA entries and what they mean for the order (design, section 5): one that speaks of
 * the paths of a type mismatch may pass the hold, and the mismatch is tried again behind
 * it. What leaves its database waits for an operator. */

int apply_payload(struct apply_batch *b, const struct apply_pick *pick,
		  const struct entry_row *row, struct buf *bytes,
		  const void **p, size_t *n)
{
	char name[STAGE_NAME_MAX], path[STAGE_DIR_MAX + STAGE_NAME_MAX + 1];
	int r;

	*p = row->data;
	*n = row->data_len;
	if (row->data)
		return 0;
	stage_body_name(&row->entry, name);
	(void)snprintf(path, sizeof path, "%s/%s", pick->dir, name);
	r = file_read_all(b->stage->fd, path, bytes);
	if (r < 0)
		return err_set(&b->err, -r, "%s/%s: %s", b->stage->path, path,
			       err_words(-r));
	*p = buf_data(bytes);
	*n = bytes->len;
	return 0;
}

static char *stray_reason(const struct entry *en, const char *word)
{
	char text[DATABASE_MAX + 512];

	(void)snprintf(text, sizeof text,
		       "a SCHEMA of database %s speaks of %.200s, which is "
		       "outside of it (RETRY applies it all the same, SKIP "
		       "leaves it out)",
		       en->file.database, word);
	return xstrdup(text);
}

static char *removal_reason(const struct entry *en)
{
	char text[DATABASE_MAX + 256];

	(void)snprintf(
		text, sizeof text,
		"a SCHEMA takes away what is in database %s, of which "
		"this sender delivered no file: it may be another "
		"sender's (RETRY applies it all the same, SKIP leaves it "
		"out)",
		en->file.database);
	return xstrdup(text);
}

/* A whole database goes: not where another sender's data goes with it, and not where
 * an operator wants to see such things first. */
static char *drop_reason(const struct apply_batch *b,
			 const struct apply_pick *pick, const struct entry *en)
{
	char text[DATABASE_MAX + 256];

	if (pick->is_shared)
		(void)snprintf(text, sizeof text,
			       "database %s was dropped at the edge, and "
			       "another sender has data in it here (RETRY "
			       "drops it all the same, SKIP keeps it)",
			       en->file.database);
	else if (b->hold_deletes != HOLD_NONE)
		(void)snprintf(text, sizeof text,
			       "hold_deletes: database %s was dropped at the "
			       "edge, and waits for RETRY or SKIP here",
			       en->file.database);
	else
		return NULL;
	return xstrdup(text);
}

int apply_schema_stray(struct apply_batch *b, const struct apply_pick *pick,
		       const struct entry_row *row, bool is_delivered,
		       char **reason)
{
	CLEANUP(buf_release) struct buf bytes;
	const struct entry *en = &row->entry;
	char word[256];
	const void *p;
	size_t n;
	int r;

	buf_init(&bytes, ENTRY_STATEMENTS_MAX);
	r = apply_payload(b, pick, row, &bytes, &p, &n);
	if (r < 0)
		return r;
	if (schema_strays(p, n, en->file.database, word, sizeof word))
		*reason = stray_reason(en, word);
	else if (!is_delivered && schema_removes(p, n))
		*reason = removal_reason(en);
	else if (schema_drops(p, n))
		*reason = drop_reason(b, pick, en);
	return 0;
}

struct looking {
	struct apply_batch *b;
	const struct apply_pick *pick;
	const void *text;
	size_t n;
	struct apply_item *it;
	uint64_t serial; /* of the mismatch whose paths are looked for */
	char *paths;	 /* owned */
	int (*take)(void *arg, const struct entry_row *row);
	void *arg;
};

static int add_cure(void *arg, uint64_t serial, const char *paths)
{
	struct looking *k = arg;
	struct apply_item *it = k->it;
	uint64_t *more;

	if (!schema_touches(k->text, k->n, paths))
		return 0;
	more = realloc(it->cures, (it->n_cures + 1) * sizeof *more);
	if (!more)
		return -ENOMEM;
	it->cures = more;
	it->cures[it->n_cures++] = serial;
	return 0;
}

int apply_schema_cures(struct apply_batch *b, const struct entry_row *row,
		       struct apply_item *it)
{
	CLEANUP(buf_release) struct buf bytes;
	struct looking k = {.b = b, .it = it};
	int r;

	buf_init(&bytes, ENTRY_STATEMENTS_MAX);
	r = apply_payload(b, it->pick, row, &bytes, &k.text, &k.n);
	return r < 0 ? r
		     : catalog_each_mismatch(b->reader, it->pick->id, add_cure,
					     &k, &b->err);
}

static int keep_paths(void *arg, uint64_t serial, const char *paths)
{
	struct looking *k = arg;

	if (serial != k->serial)
		return 0;
	k->paths = xstrdup(paths);
	return 1;
}

static int take_cure(void *arg, const struct entry_row *row)
{
	struct looking *k = arg;
	CLEANUP(buf_release) struct buf bytes = {0};
	int r;

	if (row->state == ENTRY_QUARANTINED)
		return 0;
	buf_init(&bytes, ENTRY_STATEMENTS_MAX);
	r = apply_payload(k->b, k->pick, row, &bytes, &k->text, &k->n);
	/* The end of a database never comes before what was in it. */
	if (r < 0 || !schema_touches(k->text, k->n, k->paths) ||
	    schema_drops(k->text, k->n))
		return r < 0 ? r : 0;
	r = k->take(k->arg, row);
	return r < 0 ? r : 1;
}

int apply_schema_pass(struct apply_batch *b, const struct apply_pick *pick,
		      const struct entry_row *row,
		      int (*take)(void *arg, const struct entry_row *row),
		      void *arg)
{
	struct looking k = {.b = b,
			    .pick = pick,
			    .serial = row->entry.serial,
			    .take = take,
			    .arg = arg};
	int r = catalog_each_mismatch(b->reader, pick->id, keep_paths, &k,
				      &b->err);

	if (r > 0)
		r = catalog_each_schema(b->reader, pick->id, pick->seq,
					row->entry.serial, take_cure, &k,
					&b->err);
	free(k.paths);
	return r;
}
