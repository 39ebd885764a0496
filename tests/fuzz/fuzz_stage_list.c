#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "ground/bytes.h"
#include "ground/fileio.h"
#include "recvd/stage_list.h"

/* The list of a half-received entry, as a start finds it. u8 form: 0 the file as it is,
 * else u16 length and the entry's head, around which magic and sum are made here, and records behind it.
 * Whatever it says, a block counts only where the entry has one, what is torn is cut off, and a
 * second look and one more record find what the first one left. */

#define LEN_MAX (1ull << 30)
#define FRONT 16u

static int made_of(struct rd *r)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	CLEANUP(buf_release) struct buf b;
	unsigned form = rd_u8(r);
	size_t n = form ? rd_u16(r) : 0;
	struct digest d;

	FUZZ_MUST(fd >= 0);
	buf_init(&b, 1u << 20);
	if (form) {
		n = n < rd_left(r) ? n : rd_left(r);
		buf_adds(&b, "tsferryB");
		wr_u32(&b, 1);
		wr_u32(&b, (uint32_t)n);
		buf_add(&b, rd_bytes(r, n), n);
		d = digest_block(buf_data(&b), b.len);
		buf_add(&b, d.b, sizeof d.b);
	}
	n = rd_left(r);
	buf_add(&b, rd_bytes(r, n), n);
	FUZZ_MUST(buf_end(&b) == 0);
	FUZZ_MUST(file_pwrite(fd, buf_data(&b), b.len, 0) == 0);
	return fd;
}

/* An entry of a terabyte has a table of 68 MB: true, and slow. */
static bool is_too_long(int fd)
{
	uint8_t front[FRONT + ENTRY_HEAD_MAX];
	struct entry en;
	struct stat st;
	struct rd r;
	bool is_long;

	FUZZ_MUST(fstat(fd, &st) == 0);
	if (st.st_size <= (off_t)FRONT)
		return false;
	r = rd_over(front, (size_t)st.st_size < sizeof front
				   ? (size_t)st.st_size
				   : sizeof front);
	FUZZ_MUST(file_pread(fd, front, rd_left(&r), 0) == 0);
	(void)rd_bytes(&r, FRONT);
	if (entry_decode(&en, &r) < 0)
		return false;
	is_long = entry_payload_len(&en) > LEN_MAX;
	entry_release(&en);
	return is_long;
}

static void release(struct stage_partial *p)
{
	entry_release(&p->entry);
	free(p->present);
	free(p->digests);
	*p = (struct stage_partial){0};
}

static void check_same(const struct stage_partial *a,
		       const struct stage_partial *b)
{
	CLEANUP(buf_release) struct buf x, y;

	buf_init(&x, ENTRY_HEAD_MAX);
	buf_init(&y, ENTRY_HEAD_MAX);
	entry_encode(&a->entry, &x);
	entry_encode(&b->entry, &y);
	FUZZ_MUST(buf_end(&x) == 0 && buf_end(&y) == 0 && x.len == y.len);
	FUZZ_MUST(memcmp(buf_data(&x), buf_data(&y), x.len) == 0);
	FUZZ_MUST(a->n_blocks == b->n_blocks);
	FUZZ_MUST(a->n_blocks == 0 ||
		  (memcmp(a->present, b->present, a->n_blocks) == 0 &&
		   memcmp(a->digests, b->digests,
			  a->n_blocks * sizeof *a->digests) == 0));
}

static void check_list(int fd, const struct stage_partial *p)
{
	FUZZ_MUST(p->entry.serial && p->entry.nonce);
	FUZZ_MUST(p->n_blocks == block_count(entry_payload_len(&p->entry)));
	for (uint64_t i = 0; i < p->n_blocks; i++)
		FUZZ_MUST(p->present[i] <= 1);
	(void)fd;
}

static void check_one_more(int fd, const struct stage_partial *p)
{
	struct digest d = digest_block("one more", 8);
	struct stage_partial again = {0};
	uint64_t index = p->n_blocks ? p->n_blocks - 1 : 0;

	FUZZ_MUST(lseek(fd, 0, SEEK_END) > 0);
	FUZZ_MUST(stage_list_add(fd, index, &d) == 0);
	FUZZ_MUST(stage_list_add(fd, p->n_blocks, &d) == 0);
	FUZZ_MUST(stage_list_read(fd, &again) == 0);
	if (p->n_blocks)
		FUZZ_MUST(again.present[index] == 1 &&
			  digest_equal(&again.digests[index], &d));
	release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_over(data, size);
	CLEANUP_CLOSE int fd = -1;
	struct stage_partial p = {0}, again = {0};
	struct stat st, cut;
	int result;

	if (size < 2 || size > 1u << 19)
		return 0;
	fd = made_of(&r);
	if (is_too_long(fd))
		return 0;
	FUZZ_MUST(fstat(fd, &st) == 0);
	result = stage_list_read(fd, &p);
	FUZZ_MUST(result == 0 || result == -EBADMSG);
	FUZZ_MUST(fstat(fd, &cut) == 0);
	FUZZ_MUST(cut.st_size <= st.st_size && st.st_size - cut.st_size < 24);
	if (result == 0) {
		check_list(fd, &p);
		FUZZ_MUST(stage_list_read(fd, &again) == 0);
		check_same(&p, &again);
		check_one_more(fd, &p);
	}
	release(&again);
	release(&p);
	return 0;
}
