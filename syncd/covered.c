#include "covered.h"

#include <errno.h>
#include <fcntl.h>

#include "coverage.h"
#include "ground/fileio.h"
#include "spool.h"

static int read_travelling(const struct pin *p, const struct pin_place *pl,
			   struct buf *b)
{
	CLEANUP_CLOSE int fd = -1;
	char name[48];
	uint8_t *to;
	int r;

	fd = openat(pl->spool_fd, spool_name(p->nonce, p->mods_kind, name),
		    O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* No more than travels: more may have been appended meanwhile. */
	to = buf_room(b, (size_t)p->mods_len);
	if (!to)
		return -ENOMEM;
	r = file_pread(fd, to, (size_t)p->mods_len, 0);
	if (r == 0)
		buf_fill(b, (size_t)p->mods_len);
	return r;
}

int covered_before(struct outbox_writer *w, int64_t pipe,
		   const struct fileid *file, struct coverage *out,
		   struct err *e)
{
	CLEANUP(buf_release) struct buf b;
	int r;

	buf_init(&b, COVERAGE_MAX);
	r = outbox_covered(w, pipe, file, &b, e);
	if (r != 1)
		return r;
	r = coverage_decode(out, buf_data(&b), b.len);
	return r ? err_set(e, -r, "catalog.db: the deletions of a file: %s",
			   err_words(-r))
		 : 1;
}

int covered_of_pin(const struct pin *p, const struct pin_place *pl,
		   struct buf *out, struct err *e)
{
	CLEANUP(coverage_release) struct coverage c;
	CLEANUP(buf_release) struct buf b;
	int r;

	coverage_init(&c);
	buf_init(&b, MODS_MAX + 4096);
	r = read_travelling(p, pl, &b);
	if (r == 0)
		r = coverage_add_all(&c, p->mods_kind, buf_data(&b), b.len,
				     p->body_len);
	if (r == 0)
		coverage_encode(&c, out);
	if (r == 0)
		r = buf_end(out);
	return r ? err_set(e, -r,
			   "spool %s: the deletions of a pinned file: %s",
			   pl->spool_dir, err_words(-r))
		 : 0;
}
