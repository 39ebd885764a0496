#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "apply_batch.h"
#include "domain/records.h"

/* On the applier's thread: entries out of the catalog, rows made into files, lines for
 * the loader. What an operator's hold keeps back is decided here, before any loader
 * sees it, so that no loader can forget it. */

struct walk {
	struct apply_batch *b;
	struct apply_pick *pick;
	unsigned n;
	bool has_file; /* a FILE is taken: what follows it may touch its database */
};

static void add_paths(struct apply_batch *b, const struct apply_pick *pick,
		      const struct entry *en)
{
	char name[STAGE_NAME_MAX], path[sizeof b->stage->path + STAGE_DIR_MAX +
					STAGE_NAME_MAX + 4];

	stage_body_name(en, name);
	if (name[0]) {
		(void)snprintf(path, sizeof path, "%s/%s/%s", b->stage->path,
			       pick->dir, name);
		job_add(&b->lines, "path", path);
		job_addf(&b->lines, "length", "%llu",
			 (unsigned long long)en->body_len);
	}
	stage_mods_name(en, name);
	if (name[0]) {
		(void)snprintf(path, sizeof path, "%s/%s/%s", b->stage->path,
			       pick->dir, name);
		job_add(&b->lines, "mods", path);
		job_addf(&b->lines, "mods_length", "%llu",
			 (unsigned long long)en->mods_len);
	}
	if (en->mods_kind != MODS_NONE)
		job_add(&b->lines, "mods_kind",
			en->mods_kind == MODS_TEXT ? "text" : "binary");
}

static void add_file_fields(struct buf *lines, const struct entry *en)
{
	const struct fileid *f = &en->file;

	job_add(lines, "space", fileid_space(&en->file));
	job_addf(lines, "partition", "%lld", (long long)en->file.partition);
	job_addf(lines, "name", "%llu-%llu-%llu-%llu", (unsigned long long)f->t,
		 (unsigned long long)f->v, (unsigned long long)f->i,
		 (unsigned long long)f->c);
}

static void add_range_fields(struct buf *lines, const struct entry *en)
{
	job_addf(lines, "time_min", "%lld", (long long)en->time_min);
	job_addf(lines, "time_max", "%lld", (long long)en->time_max);
	job_add(lines, "devices", en->devices ? en->devices : "");
}

/* Within it a serial is an entry's own. */
static void add_incarnation(struct apply_batch *b,
			    const struct apply_pick *pick)
{
	char name[STAGE_DIR_MAX];

	(void)snprintf(name, sizeof name, "%s", pick->dir);
	for (char *c = name; *c; c++)
		if (*c == '/')
			*c = '-';
	job_add(&b->lines, "incarnation", name);
}

static void add_line(struct apply_batch *b, const struct apply_pick *pick,
		     const struct entry_row *row)
{
	const struct entry *en = &row->entry;
	char digest[DIGEST_TEXT_LEN];

	job_addf(&b->lines, "job", "%u", b->n_items);
	job_add(&b->lines, "kind", entry_kind_text(en->kind));
	job_add(&b->lines, "sender", pick->sender);
	add_incarnation(b, pick);
	job_add(&b->lines, "database", en->file.database);
	job_addf(&b->lines, "serial", "%llu", (unsigned long long)en->serial);
	job_addf(&b->lines, "region", "%u", en->file.region);
	if (en->kind == ENTRY_FILE)
		add_file_fields(&b->lines, en);
	else if (en->kind != ENTRY_SCHEMA)
		add_range_fields(&b->lines, en);
	add_paths(b, pick, en);
	job_add(&b->lines, "digest", digest_text(&row->digest, digest));
	job_add(&b->lines, "take", row->data ? "yes" : "no");
	buf_adds(&b->lines, "\n");
}

static int make_files(struct apply_batch *b, const struct apply_pick *pick,
		      const struct entry_row *row)
{
	struct entry en = row->entry;
	struct stage_file *f;
	int r;

	en.devices = NULL;
	f = stage_file_new(pick->dir, &en);
	r = stage_file_whole(b->stage, f, row->data, row->data_len, &b->err);
	stage_file_free(f);
	b->bytes += row->data_len;
	return r;
}

/* The records of a DELETE: 1 when one of them is about the whole database. */
static int deletes_database(struct apply_batch *b,
			    const struct apply_pick *pick,
			    const struct entry_row *row)
{
	CLEANUP(buf_release) struct buf bytes;
	const void *p;
	size_t n;
	int r;

	buf_init(&bytes, MODS_MAX);
	r = apply_payload(b, pick, row, &bytes, &p, &n);
	return r < 0 ? r
		     : records_delete_database(row->entry.mods_kind, p, n,
					       row->entry.file.database);
}

/* What an operator wants to see first: why, or NULL. */
static const char *hold_reason(struct apply_batch *b,
			       const struct apply_pick *pick,
			       const struct entry_row *row)
{
	const struct entry *en = &row->entry;

	if (en->kind == ENTRY_RESTATE && en->held)
		return "files vanished at the edge and nothing there says why; "
		       "RETRY deletes their "
		       "rows here too, SKIP keeps them";
	if (b->hold_deletes == HOLD_ALL &&
	    (en->kind == ENTRY_DELETE || en->kind == ENTRY_RESTATE))
		return "hold_deletes=all: deletions wait for RETRY";
	if (b->hold_deletes == HOLD_DATABASE && en->kind == ENTRY_DELETE &&
	    deletes_database(b, pick, row) > 0)
		return "hold_deletes=database: a deletion of a whole database "
		       "waits for RETRY";
	return NULL;
}

static char *not_delivered(const struct entry *en)
{
	char text[DATABASE_MAX + 256];

	(void)snprintf(text, sizeof text,
		       "a %s of database %s, of which this sender delivered no "
		       "file: it may be another sender's (RETRY applies it all "
		       "the same, SKIP leaves it out)",
		       entry_kind_text(en->kind), en->file.database);
	return xstrdup(text);
}

/* Why an entry waits for an operator; *reason stays NULL when it does not. */
static int judge(struct apply_batch *b, const struct walk *w,
		 const struct entry_row *row, char **reason)
{
	enum entry_kind kind = row->entry.kind;
	bool is_delivered = w->pick->is_delivered || w->has_file;
	const char *hold;

	if (row->state == ENTRY_RELEASED || kind == ENTRY_FILE ||
	    entry_only_fills(&row->entry))
		return 0;
	hold = hold_reason(b, w->pick, row);
	if (hold)
		*reason = xstrdup(hold);
	else if (kind == ENTRY_SCHEMA)
		return apply_schema_stray(b, w->pick, row, is_delivered,
					  reason);
	else if (!is_delivered)
		*reason = not_delivered(&row->entry);
	return 0;
}

static struct apply_item *new_item(struct walk *w, const struct entry_row *row)
{
	struct apply_item *it = &w->b->items[w->b->n_items];
	const struct entry *en = &row->entry;

	*it = (struct apply_item){.pick = w->pick};
	it->parts = (struct stage_parts){
		.serial = en->serial,
		.kind = en->kind,
		.has_body = en->body_len > 0,
		.mods_kind = en->mods_len ? en->mods_kind : MODS_NONE,
	};
	it->payload_len = entry_payload_len(en);
	it->was_quarantined = row->state == ENTRY_RELEASED;
	it->is_row = row->data != NULL;
	return it;
}

static bool is_full(const struct apply_batch *b, const struct walk *w)
{
	return b->n_items >= b->n_max || w->n >= w->pick->n_max ||
	       b->lines.len >= APPLY_TEXT_MAX || b->bytes >= APPLY_BYTES_MAX;
}

static int send_item(struct walk *w, const struct entry_row *row,
		     struct apply_item *it)
{
	struct apply_batch *b = w->b;
	int r = row->data ? make_files(b, w->pick, row) : 0;

	if (r >= 0 && row->entry.kind == ENTRY_SCHEMA)
		r = apply_schema_cures(b, row, it);
	if (r < 0)
		return r;
	add_line(b, w->pick, row);
	it->is_sent = true;
	w->has_file |= row->entry.kind == ENTRY_FILE;
	b->n_sent++;
	return 0;
}

/* Negative: trouble; 1: enough of this domain; 0: go on. */
static int take_ready(void *arg, const struct entry_row *row)
{
	struct walk *w = arg;
	struct apply_batch *b = w->b;
	struct apply_item *it = new_item(w, row);
	int r = judge(b, w, row, &it->text);

	if (r >= 0 && !it->text)
		r = send_item(w, row, it);
	else if (r >= 0)
		it->result = JOB_QUARANTINE;
	if (r < 0) {
		free(it->text);
		free(it->cures);
		return r;
	}
	w->n++;
	b->n_items++;
	return it->text && !b->pass ? 1 : 0;
}

/* A quarantined entry in front: only what may cure it passes. */
static int meet_quarantined(struct walk *w, const struct entry_row *row)
{
	int r;

	if (w->n)
		return 1; /* looked at when it is the first */
	r = apply_schema_pass(w->b, w->pick, row, take_ready, w);
	w->pick->is_held = r == 0;
	return r < 0 ? r : 1;
}

static int take_entry(void *arg, const struct entry_row *row)
{
	struct walk *w = arg;

	if (row->state == ENTRY_QUARANTINED)
		return w->b->pass ? 0 : meet_quarantined(w, row);
	return is_full(w->b, w) ? 1 : take_ready(w, row);
}

void apply_pick_run(struct job *j)
{
	struct apply_batch *b = CONTAINER_OF(j, struct apply_batch, job);

	if (b->steps_behind)
		(void)setpriority(PRIO_PROCESS, (id_t)gettid(), APPLY_NICE);
	for (unsigned i = 0; i < b->n_picks && b->n_items < b->n_max; i++) {
		struct walk w = {.b = b, .pick = &b->picks[i]};
		int r = catalog_entries(b->reader, w.pick->id, take_entry, &w,
					&b->err);

		if (r < 0) {
			b->result = r;
			return;
		}
	}
	buf_adds(&b->lines, "end\n");
	b->result = buf_end(&b->lines);
	if (b->result < 0)
		(void)err_set(&b->err, -b->result,
			      "a batch of jobs is too long");
}
