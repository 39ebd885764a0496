#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ground/fileio.h"
#include "stage_list.h"

/* Bodies, deletion records and the list of blocks of one entry. The order inside a
 * write is bytes first, record second; both may be lost together, a record without its
 * bytes is found out by reading. */

const char *stage_dir_name(const uint8_t sender[SENDER_ID_LEN],
			   const uint8_t incarnation[ID_LEN],
			   char to[STAGE_DIR_MAX])
{
	size_t at = 0;

	for (size_t i = 0; i < 8; i++, at += 2)
		(void)snprintf(to + at, 3, "%02x", sender[i]);
	to[at++] = '/';
	for (size_t i = 0; i < ID_LEN; i++, at += 2)
		(void)snprintf(to + at, 3, "%02x", incarnation[i]);
	return to;
}

void stage_name(uint64_t serial, const char *suffix, char to[STAGE_NAME_MAX])
{
	(void)snprintf(to, STAGE_NAME_MAX, "%llu-%llu-0-0%s",
		       (unsigned long long)serial, (unsigned long long)serial,
		       suffix);
}

void stage_body_name(const struct entry *en, char to[STAGE_NAME_MAX])
{
	to[0] = 0;
	if (en->body_len)
		stage_name(en->serial,
			   en->kind == ENTRY_FILE ? ".tsfile" : ".records", to);
}

void stage_mods_name(const struct entry *en, char to[STAGE_NAME_MAX])
{
	char suffix[32];

	to[0] = 0;
	if (!en->mods_len)
		return;
	(void)snprintf(suffix, sizeof suffix, ".tsfile%s",
		       mods_suffix(en->mods_kind));
	stage_name(en->serial, suffix, to);
}

int stage_open_in(struct stage *s, const char *dir, const char *name, int flags)
{
	char path[STAGE_DIR_MAX + STAGE_NAME_MAX];

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	return file_open_beneath(s->fd, path, flags, 0644);
}

void stage_unlink_in(struct stage *s, const char *dir, const char *name)
{
	char path[STAGE_DIR_MAX + STAGE_NAME_MAX];

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	(void)unlinkat(s->fd, path, 0);
}

struct stage_file *stage_file_new(const char *dir, struct entry *en)
{
	struct stage_file *f = xcalloc(1, sizeof *f);

	f->entry = *en;
	en->devices = NULL;
	f->body_fd = f->mods_fd = f->list_fd = -1;
	(void)snprintf(f->dir, sizeof f->dir, "%s", dir);
	return f;
}

void stage_file_free(struct stage_file *f)
{
	if (!f)
		return;
	cleanup_close(&f->body_fd);
	cleanup_close(&f->mods_fd);
	cleanup_close(&f->list_fd);
	entry_release(&f->entry);
	free(f);
}

static int fail(struct stage_file *f, int r, const char *what, struct err *e)
{
	f->failed = r;
	return err_set(e, -r, "staging %s: %s of entry %llu: %s", f->dir, what,
		       (unsigned long long)f->entry.serial, err_words(-r));
}

/* Fresh files get a fresh inode: what the old name led to may have been linked or
 * may be half synced. */
static int open_one(struct stage *s, const char *dir, const char *name,
		    int flags)
{
	int fd = stage_open_in(s, dir, name, O_RDWR | flags);

	if (fd == -EEXIST) {
		stage_unlink_in(s, dir, name);
		fd = stage_open_in(s, dir, name, O_RDWR | flags);
	}
	return fd;
}

static int open_payload(struct stage *s, struct stage_file *f, int flags,
			struct err *e)
{
	char body[STAGE_NAME_MAX], mods[STAGE_NAME_MAX];

	stage_body_name(&f->entry, body);
	stage_mods_name(&f->entry, mods);
	if (body[0]) {
		f->body_fd = open_one(s, f->dir, body, flags);
		if (f->body_fd < 0)
			return fail(f, f->body_fd, "opening the file", e);
	}
	if (mods[0]) {
		f->mods_fd = open_one(s, f->dir, mods, flags);
		if (f->mods_fd < 0)
			return fail(f, f->mods_fd,
				    "opening the deletion records", e);
	}
	return 0;
}

int stage_file_open(struct stage *s, struct stage_file *f, bool reuse,
		    struct err *e)
{
	int flags = reuse ? 0 : O_CREAT | O_EXCL,
	    r = open_payload(s, f, flags, e);
	char name[STAGE_NAME_MAX];

	if (r < 0)
		return r;
	stage_name(f->entry.serial, STAGE_LIST_SUFFIX, name);
	f->list_fd = open_one(s, f->dir, name, O_APPEND | flags);
	if (f->list_fd < 0)
		return fail(f, f->list_fd, "opening the list of blocks", e);
	if (reuse)
		return 0;
	r = stage_list_begin(f->list_fd, &f->entry);
	return r < 0 ? fail(f, r, "writing the list of blocks", e) : 0;
}

/* Bytes at an offset of the payload: some belong to the file, the rest to its mods. */
static int write_payload(struct stage_file *f, uint64_t offset,
			 const uint8_t *p, size_t len)
{
	uint64_t body = f->entry.body_len;
	size_t front =
		offset < body
			? (body - offset < len ? (size_t)(body - offset) : len)
			: 0;
	int r = front ? file_pwrite(f->body_fd, p, front, offset) : 0;

	if (r < 0 || front == len)
		return r;
	return file_pwrite(f->mods_fd, p + front, len - front,
			   offset + front - body);
}

int stage_file_write(struct stage_file *f, uint64_t index, const void *p,
		     uint32_t len, const struct digest *d, struct err *e)
{
	int r = f->failed;

	if (r < 0)
		return fail(f, r, "an earlier write", e);
	r = write_payload(f, index * BLOCK_LEN, p, len);
	if (r < 0)
		return fail(f, r, "writing a block", e);
	/* The disk begins now, so that the commit's fdatasync has little left to wait
	 * for. Only a hint: what fails here fails there again. */
	if (f->body_fd >= 0)
		(void)sync_file_range(f->body_fd, (off64_t)(index * BLOCK_LEN),
				      (off64_t)len, SYNC_FILE_RANGE_WRITE);
	r = stage_list_add(f->list_fd, index, d);
	return r < 0 ? fail(f, r, "writing the list of blocks", e) : 0;
}

int stage_file_whole(struct stage *s, struct stage_file *f, const void *p,
		     uint32_t len, struct err *e)
{
	int r = open_payload(s, f, O_CREAT | O_EXCL, e);

	if (r < 0)
		return r;
	r = write_payload(f, 0, p, len);
	return r < 0 ? fail(f, r, "writing", e) : 0;
}

int stage_file_sync(struct stage_file *f, struct err *e)
{
	if (f->failed)
		return fail(f, f->failed, "an earlier write", e);
	if (f->body_fd >= 0 && fdatasync(f->body_fd) < 0)
		return fail(f, -errno, "syncing the file", e);
	if (f->mods_fd >= 0 && fdatasync(f->mods_fd) < 0)
		return fail(f, -errno, "syncing the deletion records", e);
	return 0;
}

void stage_file_done(struct stage *s, struct stage_file *f)
{
	char name[STAGE_NAME_MAX];

	if (f->list_fd < 0)
		return;
	stage_name(f->entry.serial, STAGE_LIST_SUFFIX, name);
	stage_unlink_in(s, f->dir, name);
}

void stage_remove(struct stage *s, const char *dir, uint64_t serial)
{
	static const char *const suffixes[] = {STAGE_LIST_SUFFIX,
					       ".tsfile.mods", ".tsfile.mods2",
					       ".tsfile", ".records"};
	char name[STAGE_NAME_MAX];

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		stage_name(serial, suffixes[i], name);
		stage_unlink_in(s, dir, name);
	}
}

void stage_remove_parts(struct stage *s, const char *dir,
			const struct stage_parts *p)
{
	struct entry en = {.serial = p->serial,
			   .kind = p->kind,
			   .body_len = p->has_body,
			   .mods_len = p->mods_kind != MODS_NONE,
			   .mods_kind = p->mods_kind};
	char name[STAGE_NAME_MAX];

	stage_body_name(&en, name);
	if (name[0])
		stage_unlink_in(s, dir, name);
	stage_mods_name(&en, name);
	if (name[0])
		stage_unlink_in(s, dir, name);
}

int stage_make_dir(struct stage *s, const char *dir, struct err *e)
{
	CLEANUP_CLOSE int fd = file_make_dirs(s->fd, dir, 0755);

	if (fd < 0)
		return err_set(e, -fd, "staging directory %s/%s: %s", s->path,
			       dir, err_words(-fd));
	return 0;
}

int stage_sync_dir(struct stage *s, const char *dir, struct err *e)
{
	CLEANUP_CLOSE int fd =
		file_open_beneath(s->fd, dir, O_RDONLY | O_DIRECTORY, 0);
	int r = fd < 0 ? fd : file_sync_dir(fd);

	if (r < 0)
		return err_set(e, -r, "syncing staging directory %s/%s: %s",
			       s->path, dir, err_words(-r));
	return 0;
}
