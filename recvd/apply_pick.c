#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "apply_batch.h"
#include "ground/fileio.h"
#include "records.h"

/* On the applier's thread: entries out of the catalog, rows made into files, lines for
 * the loader. What an operator's hold keeps back is decided here, before any loader
 * sees it, so that no loader can forget it. */

struct walk {
	struct apply_batch *b;
	struct apply_pick *pick;
	unsigned n;
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

static void add_line(struct apply_batch *b, const struct apply_pick *pick,
		     const struct entry_row *row)
{
	const struct entry *en = &row->entry;
	char digest[DIGEST_TEXT_LEN];

	job_addf(&b->lines, "job", "%u", b->n_items);
	job_add(&b->lines, "kind", entry_kind_text(en->kind));
	job_add(&b->lines, "sender", pick->sender);
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
	const struct entry *en = &row->entry;
	CLEANUP(buf_release) struct buf bytes;
	char name[STAGE_NAME_MAX], path[STAGE_DIR_MAX + STAGE_NAME_MAX + 1];
	int r;

	if (row->data)
		return records_delete_database(en->mods_kind, row->data,
					       row->data_len,
					       en->file.database);
	buf_init(&bytes, MODS_MAX);
	stage_body_name(en, name);
	(void)snprintf(path, sizeof path, "%s/%s", pick->dir, name);
	r = file_read_all(b->stage->fd, path, &bytes);
	if (r < 0)
		return r;
	return records_delete_database(en->mods_kind, buf_data(&bytes),
				       bytes.len, en->file.database);
}

/* Why an entry waits for an operator, or NULL. */
static const char *hold_reason(struct apply_batch *b,
			       const struct apply_pick *pick,
			       const struct entry_row *row)
{
	const struct entry *en = &row->entry;

	if (row->state == ENTRY_RELEASED)
		return NULL;
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
	return it;
}

static bool is_full(const struct apply_batch *b, const struct walk *w)
{
	return b->n_items >= b->n_max || w->n >= w->pick->n_max ||
	       b->lines.len >= APPLY_TEXT_MAX || b->bytes >= APPLY_BYTES_MAX;
}

/* Negative: trouble; 1: enough of this domain; 0: go on. */
static int take_entry(void *arg, const struct entry_row *row)
{
	struct walk *w = arg;
	struct apply_batch *b = w->b;
	struct apply_item *it;
	const char *reason;
	int r;

	if (row->state == ENTRY_QUARANTINED && b->pass)
		return 0;
	if (row->state == ENTRY_QUARANTINED) {
		w->pick->is_held = w->n == 0;
		return 1;
	}
	if (is_full(b, w))
		return 1;
	it = new_item(w, row);
	reason = hold_reason(b, w->pick, row);
	w->n++;
	if (reason) {
		it->result = JOB_QUARANTINE;
		it->text = xstrdup(reason);
		b->n_items++;
		return b->pass ? 0 : 1;
	}
	r = row->data ? make_files(b, w->pick, row) : 0;
	if (r < 0)
		return r;
	add_line(b, w->pick, row);
	it->is_sent = true;
	b->n_sent++;
	b->n_items++;
	return 0;
}

void apply_pick_run(struct job *j)
{
	struct apply_batch *b = CONTAINER_OF(j, struct apply_batch, job);

	/* Applying can wait, an acknowledgement can not: this thread steps behind. */
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
