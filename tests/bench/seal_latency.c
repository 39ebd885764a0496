/* How long from a file's seal (the rename of its resource) to the moment it is safe:
 *
 *	seal_latency -c SOCKET PATH TEMPLATE DIR N	until the number in PATH of recvd's
 *							tree (a pipe's durable serial) has grown;
 *							PATH:KEY: that behind KEY, of lines "KEY NUMBER"
 *	seal_latency -f TARGET_DIR TEMPLATE DIR N	until TARGET_DIR has the file, whole
 *
 * TEMPLATE is a sealed TsFile; copies of it are sealed in DIR one by one, each after the
 * one before was safe, 5 ms apart. Prints key=value: p50_us, p90_us, p99_us, max_us. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ground/clock.h"
#include "ground/fileio.h"

#define WAIT_MAX_US 120000000u

struct bench {
	int socket_fd;	   /* -c */
	const char *path;  /* -c */
	char key[64];	   /* "KEY ", or "" */
	const char *target; /* -f */
	struct buf template;
	int dir_fd;
	uint64_t base; /* the number before the first seal */
};

static int connect_to(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

/* The number in a file of the tree; 0 when the file is not there yet. */
static uint64_t ask_number(const struct bench *b)
{
	char text[4096];
	size_t n = 0;
	const char *at, *key;

	(void)snprintf(text, sizeof text, ".cat %s\n", b->path);
	if (write(b->socket_fd, text, strlen(text)) < 0)
		exit(1);
	for (;;) {
		ssize_t r = read(b->socket_fd, text + n, sizeof text - 1 - n);

		if (r <= 0)
			exit(1);
		n += (size_t)r;
		text[n] = 0;
		at = strstr(text, "0000 ");
		if (text[n - 1] == '\n' && (at == text || (at && at[-1] == '\n') || text[0] == '8'))
			break;
	}
	if (b->key[0]) {
		key = strstr(text, b->key);
		return key ? strtoull(key + strlen(b->key), NULL, 10) : 0;
	}
	return strncmp(text, "1001-", 5) == 0 ? strtoull(text + 5, NULL, 10) : 0;
}

static bool is_safe(const struct bench *b, const char *name, uint64_t k)
{
	char path[4096];
	struct stat st;

	if (!b->target)
		return ask_number(b) >= b->base + k + 1;
	(void)snprintf(path, sizeof path, "%s/%s", b->target, name);
	return stat(path, &st) == 0 && (size_t)st.st_size == b->template.len;
}

static uint64_t seal_one(const struct bench *b, uint64_t k)
{
	char name[128], temp[160], final[160];
	CLEANUP_CLOSE int fd = -1;
	uint64_t start;

	(void)snprintf(name, sizeof name, "%" PRIu64 "-%" PRIu64 "-0-0.tsfile",
		       1704067200000 + k, 1000000 + k);
	(void)snprintf(temp, sizeof temp, "%s.resource.temp", name);
	(void)snprintf(final, sizeof final, "%s.resource", name);
	fd = openat(b->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	/* IoTDB syncs a file before it seals it, from 1.3 on (iotdb-formats, 2.2). */
	if (fd < 0 || file_pwrite(fd, buf_data(&b->template), b->template.len, 0) < 0 ||
	    fdatasync(fd) < 0)
		exit(1);
	(void)close(steal_fd(&fd));
	fd = openat(b->dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || file_pwrite(fd, "\001\001", 2, 0) < 0)
		exit(1);
	start = clock_mono_us();
	if (renameat(b->dir_fd, temp, b->dir_fd, final) < 0)
		exit(1);
	while (!is_safe(b, name, k)) {
		if (clock_mono_us() - start > WAIT_MAX_US) {
			(void)fprintf(stderr, "seal_latency: %s did not arrive\n", name);
			exit(1);
		}
		(void)usleep(30);
	}
	return clock_mono_us() - start;
}

/* PATH, or PATH:KEY. */
static void take_path(struct bench *b, char *path)
{
	char *key = strchr(path, ':');

	if (key) {
		*key = '\0';
		(void)snprintf(b->key, sizeof b->key, "%s ", key + 1);
	}
	b->path = path;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	struct bench b = { .socket_fd = -1 };
	bool is_control = argc == 7 && strcmp(argv[1], "-c") == 0;
	CLEANUP_FREE uint64_t *us = NULL;
	size_t n, at = is_control ? 4 : 3;

	if (!is_control && !(argc == 6 && strcmp(argv[1], "-f") == 0)) {
		(void)fprintf(stderr, "usage: seal_latency -c SOCKET PATH TEMPLATE DIR N | "
				      "-f TARGET_DIR TEMPLATE DIR N\n");
		return 2;
	}
	buf_init(&b.template, 64u << 20);
	b.dir_fd = file_open_dir(argv[at + 1]);
	n = strtoul(argv[at + 2], NULL, 10);
	if (b.dir_fd < 0 || n == 0 || file_read_all(AT_FDCWD, argv[at], &b.template) < 0) {
		(void)fprintf(stderr, "seal_latency: cannot use %s and %s\n", argv[at], argv[at + 1]);
		return 1;
	}
	if (is_control) {
		b.socket_fd = connect_to(argv[2]);
		take_path(&b, argv[3]);
		b.base = ask_number(&b);
	} else {
		b.target = argv[2];
	}
	us = xcalloc(n, sizeof *us);
	for (size_t k = 0; k < n; k++) {
		us[k] = seal_one(&b, k);
		(void)usleep(5000);
	}
	qsort(us, n, sizeof *us, compare);
	printf("p50_us=%" PRIu64 " p90_us=%" PRIu64 " p99_us=%" PRIu64 " max_us=%" PRIu64 "\n",
	       us[n / 2], us[n * 9 / 10], us[n * 99 / 100], us[n - 1]);
	return 0;
}
