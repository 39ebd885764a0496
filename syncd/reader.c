#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ground/clock.h"
#include "ground/fileio.h"

static void forget(struct reader *r)
{
	r->nonce = 0;
	r->fd = r->mods_fd = -1;
	r->sources = NULL;
}

void reader_init(struct reader *r)
{
	forget(r);
	r->squeezer = NULL;
}

void reader_close(struct reader *r)
{
	if (r->fd >= 0)
		(void)close(r->fd);
	if (r->mods_fd >= 0)
		(void)close(r->mods_fd);
	sources_close(r->sources);
	forget(r);
}

void reader_release(struct reader *r)
{
	reader_close(r);
	squeezer_free(r->squeezer);
	r->squeezer = NULL;
}

static int open_spooled(const struct read_one *o, enum mods_kind kind)
{
	char path[SPOOL_PATH_LEN];
	CLEANUP_CLOSE int fd =
		open(spool_path(o->volume->spool_dir, o->nonce, kind, path),
		     O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	/* Deletions may have been appended since. */
	if (kind == MODS_NONE ? (uint64_t)st.st_size != o->body_len
			      : (uint64_t)st.st_size < o->mods_len)
		return -ESTALE;
	return steal_fd(&fd);
}

/* Sealed TsFiles do not change, so an equal length under the same name is the same
 * file (iotdb-formats, section 2.6). */
static int open_source(const struct read_one *o)
{
	char path[DATA_DIR_LEN + FILEID_PATH_MAX + 2], file[FILEID_PATH_MAX];
	CLEANUP_CLOSE int fd = -1;
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", o->volume->data_dir,
		       fileid_path(&o->file, file));
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if ((uint64_t)st.st_size != o->body_len)
		return -ENOENT;
	return steal_fd(&fd);
}

static int open_payload(struct reader *r, const struct read_one *o)
{
	if (r->nonce == o->nonce)
		return 0;
	reader_close(r);
	r->fd = open_spooled(o, MODS_NONE);
	if (r->fd == -ENOENT || r->fd == -ESTALE)
		r->fd = open_source(o);
	if (r->fd < 0)
		return r->fd;
	if (o->mods_len)
		r->mods_fd = open_spooled(o, o->mods_kind);
	if (o->mods_len && r->mods_fd < 0)
		return r->mods_fd;
	if (o->may_diff && o->volume)
		r->sources = sources_open(o->volume->spool_dir, &o->file, r->fd,
					  o->body_len);
	r->nonce = o->nonce;
	return 0;
}

static int read_bytes(const struct reader *r, const struct read_one *o)
{
	uint64_t body = o->offset < o->body_len ? o->body_len - o->offset : 0;
	size_t front = body < o->len ? (size_t)body : o->len;
	int n = front ? file_pread(r->fd, o->data->bytes, front, o->offset) : 0;

	if (n < 0 || front == o->len)
		return n;
	return file_pread(r->mods_fd, o->data->bytes + front, o->len - front,
			  o->offset + front - o->body_len);
}

/* The digest, then the frame in place of the bytes. */
static void take(struct reader *r, struct read_one *o)
{
	uint64_t begun;

	o->digest = digest_block(o->data->bytes, o->len);
	o->data->packed = o->data->n_ranges = 0;
	if (o->may_diff && r->sources)
		o->data->packed = sources_squeeze(
			r->sources, o->index, o->data->bytes, o->len,
			o->data->ranges, o->data->files, &o->data->n_ranges);
	if (o->data->packed)
		return;
	if (!o->may_squeeze)
		return;
	begun = clock_mono_us();
	o->data->packed = squeeze(&r->squeezer, o->data->bytes, o->len);
	o->squeezed_us = clock_mono_us() - begun + 1;
}

static int read_block(struct reader *r, struct read_one *o)
{
	int n;

	if (o->body_len + o->mods_len == 0)
		return 0; /* an entry that is its head */
	if (!o->volume)
		return -ENOENT;
	n = open_payload(r, o);
	if (n == 0)
		n = read_bytes(r, o);
	if (n < 0) {
		reader_close(r);
		return n;
	}
	take(r, o);
	return 0;
}

void reader_run(struct job *j)
{
	struct read_job *rj = CONTAINER_OF(j, struct read_job, job);
	size_t i;

	for (i = 0; i < rj->n; i++) {
		struct read_one *o = &rj->ones[i];

		if (o->is_catalogued) {
			take(rj->reader, o);
			continue;
		}
		if (!o->data)
			o->data = payload_new(o->len);
		o->err = o->data ? read_block(rj->reader, o) : -ENOMEM;
	}
	/* The last of the entry was read: nothing more will be asked of it. */
	if (rj->n && !rj->ones[rj->n - 1].is_catalogued) {
		const struct read_one *o = &rj->ones[rj->n - 1];

		if (o->offset + o->len == o->body_len + o->mods_len)
			reader_close(rj->reader);
	}
}
