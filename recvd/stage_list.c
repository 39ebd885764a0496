/* A list grows by appending and is never synced: what a power cut leaves of it is read
 * up to the first record that is short, and every block that it names is read again. */
#include "stage_list.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "ground/fileio.h"

#define MAGIC "tsferryB"
#define MAGIC_LEN 8
#define VERSION 1
#define FRONT_LEN (MAGIC_LEN + 4 + 4) /* magic, version, length of the entry */
#define RECORD_LEN (8 + DIGEST_LEN)
#define READ_RECORDS 4096u

int stage_list_begin(int fd, const struct entry *en)
{
	CLEANUP(buf_release) struct buf b, head;
	struct digest d;
	int r;

	buf_init(&b, FRONT_LEN + ENTRY_HEAD_MAX + DIGEST_LEN);
	buf_init(&head, ENTRY_HEAD_MAX);
	entry_encode(en, &head);
	buf_add(&b, MAGIC, MAGIC_LEN);
	wr_u32(&b, VERSION);
	wr_u32(&b, (uint32_t)head.len);
	buf_add(&b, buf_data(&head), head.len);
	d = digest_block(buf_data(&b), b.len);
	buf_add(&b, d.b, sizeof d.b);
	r = buf_end(&head);
	if (r >= 0)
		r = buf_end(&b);
	return r < 0 ? r : file_pwrite(fd, buf_data(&b), b.len, 0);
}

int stage_list_add(int fd, uint64_t index, const struct digest *d)
{
	uint8_t record[RECORD_LEN];
	ssize_t n;

	for (size_t i = 0; i < 8; i++)
		record[i] = (uint8_t)(index >> (8 * i));
	memcpy(record + 8, d->b, DIGEST_LEN);
	n = write(fd, record, sizeof record); /* O_APPEND */
	if (n < 0)
		return -errno;
	return n == sizeof record ? 0 : -ENOSPC;
}

/* The front and the entry; *at is where the records begin. */
static int read_head(int fd, struct stage_partial *p, uint64_t *at)
{
	CLEANUP(buf_release) struct buf b;
	struct rd r;
	struct digest have, want;
	uint32_t len;
	uint8_t *front;
	int n;

	buf_init(&b, FRONT_LEN + ENTRY_HEAD_MAX + DIGEST_LEN);
	front = buf_room(&b, FRONT_LEN + ENTRY_HEAD_MAX + DIGEST_LEN);
	if (!front)
		return -ENOMEM;
	n = file_pread(fd, front, FRONT_LEN, 0);
	if (n < 0)
		return n;
	r = rd_over(front, FRONT_LEN);
	if (memcmp(rd_bytes(&r, MAGIC_LEN), MAGIC, MAGIC_LEN) != 0 ||
	    rd_u32(&r) != VERSION)
		return -EBADMSG;
	len = rd_u32(&r);
	if (!len || len > ENTRY_HEAD_MAX)
		return -EBADMSG;
	n = file_pread(fd, front + FRONT_LEN, len + DIGEST_LEN, FRONT_LEN);
	if (n < 0)
		return n;
	have = digest_block(front, FRONT_LEN + len);
	memcpy(want.b, front + FRONT_LEN + len, DIGEST_LEN);
	if (!digest_equal(&have, &want))
		return -EBADMSG;
	r = rd_over(front + FRONT_LEN, len);
	*at = FRONT_LEN + len + DIGEST_LEN;
	n = entry_decode(&p->entry, &r);
	return n < 0 ? n : rd_end(&r);
}

static void take_records(const uint8_t *b, size_t n, struct stage_partial *p)
{
	for (size_t i = 0; i < n; i++) {
		struct rd r = rd_over(b + i * RECORD_LEN, RECORD_LEN);
		uint64_t index = rd_u64(&r);

		if (index >= p->n_blocks)
			continue;
		p->present[index] = 1;
		rd_copy(&r, p->digests[index].b, DIGEST_LEN);
	}
}

static int read_records(int fd, uint64_t at, uint64_t n,
			struct stage_partial *p)
{
	CLEANUP_FREE uint8_t *b = malloc((size_t)READ_RECORDS * RECORD_LEN);

	if (!b)
		return -ENOMEM;
	while (n) {
		size_t some = n < READ_RECORDS ? (size_t)n : READ_RECORDS;
		int r = file_pread(fd, b, some * RECORD_LEN, at);

		if (r < 0)
			return r;
		take_records(b, some, p);
		at += some * RECORD_LEN;
		n -= some;
	}
	return 0;
}

int stage_list_read(int fd, struct stage_partial *p)
{
	struct stat st;
	uint64_t at, n;
	int r = read_head(fd, p, &at);

	if (r < 0)
		return r == -ENODATA ? -EBADMSG : r;
	if (fstat(fd, &st) < 0)
		return -errno;
	p->n_blocks = block_count(entry_payload_len(&p->entry));
	p->present = calloc(p->n_blocks, 1);
	p->digests = calloc(p->n_blocks, sizeof *p->digests);
	if (!p->present || !p->digests)
		return -ENOMEM;
	n = ((uint64_t)st.st_size - at) / RECORD_LEN;
	if (ftruncate(fd, (off_t)(at + n * RECORD_LEN)) < 0)
		return -errno;
	return read_records(fd, at, n, p);
}
