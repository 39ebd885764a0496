/* Replays a corpus: hands every file of the directories on the command line to
 * LLVMFuzzerTestOneInput, one TAP line for each. What a fuzzer once found stays
 * found, without a fuzzer. A target tells failure as libFuzzer wants it: it aborts,
 * and the file is named in the last comment. Without a single file: not ok.
 *
 * A file learned.pack holds many inputs (u32 length and the bytes, pack.py): what
 * long runs found to reach something new. It is one TAP line, and the number of the
 * input that aborted is in the last comment. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "ground/bytes.h"
#include "ground/err.h"
#include "ground/fileio.h"

#define INPUT_MAX_LEN (16u << 20)

struct replay {
	int dir_fd;
	const char *dir;
	int n, n_failed;
};

/* From memory of just this size, so that a read past its end is seen. */
static void replay_one(const uint8_t *p, size_t n)
{
	uint8_t *exact = xcalloc(n ? n : 1, 1);

	if (n)
		memcpy(exact, p, n);
	(void)LLVMFuzzerTestOneInput(exact, n);
	free(exact);
}

static int replay_pack(const struct buf *b)
{
	struct rd r = rd_over(buf_data(b), b->len);

	for (unsigned i = 0; rd_left(&r); i++) {
		uint32_t n = rd_u32(&r);
		const uint8_t *p = rd_bytes(&r, n);

		if (!p)
			return -EBADMSG;
		printf("# input %u of the pack, %u bytes\n", i, n);
		(void)fflush(stdout);
		replay_one(p, n);
	}
	return 0;
}

static int replay_file(void *arg, const char *name, unsigned char d_type)
{
	struct replay *r = arg;
	CLEANUP(buf_release) struct buf b = {.max = INPUT_MAX_LEN};
	int result;

	if (d_type == DT_DIR)
		return 0;
	printf("# %s/%s\n", r->dir, name);
	(void)fflush(stdout);
	result = file_read_all(r->dir_fd, name, &b);
	if (result < 0)
		printf("# cannot be read: %s\n", err_words(result));
	else if (strcmp(name, "learned.pack") == 0)
		result = replay_pack(&b);
	else
		replay_one(buf_data(&b), b.len);
	r->n++;
	r->n_failed += result < 0;
	printf("%sok %d - %s\n", result < 0 ? "not " : "", r->n, name);
	return 0;
}

static int replay_dir(struct replay *r, const char *dir)
{
	CLEANUP_CLOSE int fd = file_open_dir(dir);

	r->dir_fd = fd;
	r->dir = dir;
	return fd < 0 ? fd : file_list(fd, replay_file, r);
}

int main(int argc, char **argv)
{
	struct replay r = {0};

	for (int i = 1; i < argc; i++) {
		int result = replay_dir(&r, argv[i]);

		if (result == 0)
			continue;
		r.n++;
		r.n_failed++;
		printf("not ok %d - %s: %s\n", r.n, argv[i], err_words(result));
	}
	if (r.n == 0) {
		r.n++;
		r.n_failed++;
		printf("not ok 1 - expected files to replay, got none\n");
	}
	printf("1..%d\n", r.n);
	return r.n_failed ? 1 : 0;
}
