/* Replays a corpus: hands every file of the directories on the command line to
 * LLVMFuzzerTestOneInput, one TAP line for each. What a fuzzer once found stays
 * found, without a fuzzer. A target tells failure as libFuzzer wants it: it aborts,
 * and the file is named in the last comment. Without a single file: not ok. */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "ground/err.h"
#include "ground/fileio.h"

#define INPUT_MAX_LEN (16u << 20)

struct replay {
	int dir_fd;
	const char *dir;
	int n, n_failed;
};

static int replay_file(void *arg, const char *name, unsigned char d_type)
{
	struct replay *r = arg;
	CLEANUP(buf_release) struct buf b = {.max = INPUT_MAX_LEN};
	uint8_t *exact;
	int result;

	if (d_type == DT_DIR)
		return 0;
	printf("# %s/%s\n", r->dir, name);
	(void)fflush(stdout);
	result = file_read_all(r->dir_fd, name, &b);
	/* Memory of just this size, so that a read past its end is seen. */
	exact = xcalloc(b.len ? b.len : 1, 1);
	if (result == 0 && b.len)
		memcpy(exact, buf_data(&b), b.len);
	if (result == 0)
		(void)LLVMFuzzerTestOneInput(exact, b.len);
	else
		printf("# cannot be read: %s\n", err_words(result));
	free(exact);
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
