#include "load_times.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "domain/digest.h"
#include "ground/fileio.h"

/* Which file, and what it holds; no key is none. */
struct slot {
	uint64_t key;
	int64_t first, last;
	bool any;
};

struct archive_times {
	struct slot slots[TIMES_SLOTS];
};

struct archive_times *times_new(void)
{
	return xcalloc(1, sizeof(struct archive_times));
}

void times_free(struct archive_times *t)
{
	free(t);
}

static uint64_t key_of(const struct stat *st)
{
	const uint64_t what[] = {(uint64_t)st->st_dev, (uint64_t)st->st_ino,
				 (uint64_t)st->st_size,
				 (uint64_t)st->st_mtim.tv_sec,
				 (uint64_t)st->st_mtim.tv_nsec};
	struct digest d = digest_block(what, sizeof what);
	uint64_t key = 0;

	for (size_t i = 0; i < sizeof key; i++)
		key = key << 8 | d.b[i];
	return key ? key : 1;
}

/* -errno: it cannot be read. */
static int read_range(int dir_fd, const char *file, struct tsfile_range *out)
{
	const struct tsfile_visit nobody = {.arg = NULL};
	struct tsfile_index index = {.version = 0};
	CLEANUP_CLOSE int fd = file_open_beneath(dir_fd, file, O_RDONLY, 0);
	int r = fd < 0 ? fd : tsfile_index_read(fd, &nobody, &index, NULL);

	*out = index.range;
	return r;
}

/* Of what the file holds, not of the disk's mood. */
static bool is_no_index(int r)
{
	return r == -EBADMSG || r == -ENODATA;
}

int times_may_overlap(struct archive_times *t, int dir_fd, const char *file,
		      int64_t first, int64_t last)
{
	struct tsfile_range range;
	struct slot *s;
	struct stat st;
	uint64_t key;

	if (fstatat(dir_fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	key = key_of(&st);
	s = &t->slots[key % TIMES_SLOTS];
	if (s->key != key) {
		int r = read_range(dir_fd, file, &range);

		if (r < 0)
			return is_no_index(r) ? 1 : r;
		*s = (struct slot){key, range.first, range.last, range.any};
	}
	return s->any && s->first <= last && s->last >= first;
}
