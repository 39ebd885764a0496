/* A deletion may have more records, or more devices, than one entry takes: then each
 * part of the records goes with each part of the devices. */
#include <errno.h>
#include <string.h>

#include "deletion.h"
#include "ground/clock.h"

void deletions_release(struct deletions *d)
{
	size_t i;

	for (i = 0; i < d->n; i++) {
		buf_release(&d->v[i].records);
		buf_release(&d->v[i].devices);
	}
	for (i = 0; i < d->n_read; i++)
		buf_release(&d->read[i].covered);
	free(d->v);
	free(d->read);
	*d = (struct deletions){0};
}

struct deletion *deletions_add(struct deletions *d)
{
	if (array_room(&d->v, d->n, &d->cap, sizeof(*d->v)))
		return NULL;
	memset(&d->v[d->n], 0, sizeof(d->v[d->n]));
	return &d->v[d->n++];
}

struct deletion_read *deletions_add_read(struct deletions *d)
{
	if (array_room(&d->read, d->n_read, &d->cap_read, sizeof(*d->read)))
		return NULL;
	memset(&d->read[d->n_read], 0, sizeof(d->read[d->n_read]));
	return &d->read[d->n_read++];
}

/* ---- lines ---- */

static int by_line(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_lines(char **v, size_t n, struct buf *out)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (i && strcmp(v[i - 1], v[i]) == 0)
			continue;
		buf_adds(out, v[i]);
		buf_adds(out, "\n");
	}
}

int deletion_sort_lines(struct buf *lines)
{
	CLEANUP(buf_release) struct buf text;
	char **v, *at, *end;
	size_t n = 0;

	buf_init(&text, lines->max);
	buf_add(&text, buf_data(lines), lines->len);
	at = (char *)(uintptr_t)buf_str(&text);
	v = reallocarray(NULL, lines->len / 2 + 1, sizeof(*v));
	if (!v || buf_end(&text)) {
		free(v);
		return -ENOMEM;
	}
	for (; *at; at = end) {
		end = at + strcspn(at, "\n");
		if (*end)
			*end++ = '\0';
		if (*at)
			v[n++] = at;
	}
	qsort(v, n, sizeof(*v), by_line);
	buf_clear(lines);
	put_lines(v, n, lines);
	free(v);
	return buf_end(lines) ? -ENOMEM : 0;
}

/* ---- entries ---- */

struct writing {
	struct outbox_writer *w;
	int64_t pipe;
	const struct partition *key;
	uint64_t *assigned, *assigned_bytes;
	struct err *e;
};

static int add_entry(const struct writing *wr, const struct deletion *d,
		     const char *devices, size_t n_devices,
		     const struct buf *body)
{
	struct outbox_entry en = {.body = body, .captured_ms = clock_wall_ms()};
	struct living none = {0};
	int r;

	partition_file(wr->key, &none, &en.entry.file);
	en.entry.kind = ENTRY_DELETE;
	do {
		id_random(&en.entry.nonce, sizeof(en.entry.nonce));
	} while (!en.entry.nonce);
	en.entry.serial = ++*wr->assigned;
	en.entry.body_len = body->len;
	en.entry.mods_kind = d->kind;
	en.entry.time_min = d->first;
	en.entry.time_max = d->last;
	en.entry.devices = strndup(devices, n_devices);
	if (!en.entry.devices)
		return -ENOMEM;
	*wr->assigned_bytes += body->len;
	en.total = *wr->assigned_bytes;
	r = outbox_add_entry(wr->w, wr->pipe, &en, wr->e);
	entry_release(&en.entry);
	return r;
}

/* As many whole lines as one entry takes. */
static size_t some_lines(const char *p)
{
	size_t n = 0;

	while (p[n]) {
		size_t one = strcspn(p + n, "\n") + 1;

		if (n && n + one > DELETION_DEVICES_MAX)
			break;
		n += one;
	}
	return n;
}

static int add_for_devices(const struct writing *wr, struct deletion *d,
			   const struct buf *body)
{
	const char *at = buf_str(&d->devices);
	int r = 0;

	while (r == 0 && *at) {
		size_t n = some_lines(at);

		r = add_entry(wr, d, at, n - 1, body);
		at += n;
	}
	return r;
}

/* As many whole records as one entry takes. */
static size_t some_records(enum mods_kind kind, const uint8_t *p, size_t n)
{
	struct record rec;
	size_t taken = 0;

	while (taken < n) {
		ssize_t one = records_next(kind, p + taken, n - taken, &rec);

		if (one <= 0 ||
		    (taken && taken + (size_t)one > DELETION_BODY_MAX))
			break;
		taken += (size_t)one;
	}
	return taken;
}

static int write_one(const struct writing *wr, struct deletion *d)
{
	const uint8_t *at = buf_data(&d->records);
	size_t left = d->records.len;
	int r = deletion_sort_lines(&d->devices);

	while (r == 0 && left) {
		CLEANUP(buf_release) struct buf body = {0};
		size_t n = some_records(d->kind, at, left);

		if (!n)
			return err_set(wr->e, EBADMSG,
				       "deletion records that cannot be read "
				       "again");
		buf_init(&body, MODS_MAX);
		buf_add(&body, at, n);
		r = buf_end(&body) ? -ENOMEM : add_for_devices(wr, d, &body);
		at += n;
		left -= n;
	}
	return r;
}

static int write_read(const struct writing *wr, struct deletions *d)
{
	struct fileid file;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < d->n_read; i++) {
		const struct deletion_read *o = &d->read[i];

		partition_file(wr->key, &o->f, &file);
		r = outbox_set_mods(wr->w, wr->pipe, &file, o->seen, o->stamp,
				    o->has_covered ? &o->covered : NULL, wr->e);
	}
	return r;
}

int deletions_write(struct deletions *d, struct outbox_writer *w, int64_t pipe,
		    const struct partition *key, uint64_t *assigned,
		    uint64_t *assigned_bytes, struct err *e)
{
	const struct writing wr = {.w = w,
				   .pipe = pipe,
				   .key = key,
				   .assigned = assigned,
				   .assigned_bytes = assigned_bytes,
				   .e = e};
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < d->n; i++)
		r = write_one(&wr, &d->v[i]);
	return r ? r : write_read(&wr, d);
}
