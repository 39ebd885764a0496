/* When a row is visible in an IoTDB.
 *
 *	iotdb_clock wait PORT SECONDS STATEMENT VALUE	asks every 2 ms until the last cell
 *							of the first row is VALUE
 *	iotdb_clock rows EDGE_PORT CLOUD_PORT DEVICE N	inserts a row and says FLUSH at the
 *							edge, N times, each after the one before
 *							was seen in the cloud
 *
 * `rows` prints key=value: visible_p50_ms and so on from the INSERT to the row in the cloud,
 * flush_p50_ms and so on the part of it until the edge had answered FLUSH. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ground/clock.h"
#include "iotdb/rpc.h"

#define ASK_EVERY_US 2000
#define ROW_SECONDS 60

static struct rpc *connect_to(const char *port)
{
	struct rpc_login login = {.host = "127.0.0.1",
				  .port = (unsigned)atoi(port)};
	struct rpc *c;
	struct err e = {0};

	if (rpc_open(&c, &login, NULL, &e) < 0) {
		(void)fprintf(stderr, "iotdb_clock: %s\n", e.text);
		exit(1);
	}
	return c;
}

struct expected {
	const char *value;
	bool is_there;
};

static int look(void *arg, const struct rpc_row *row)
{
	struct expected *x = arg;

	x->is_there = row->n && row->cells[row->n - 1] &&
		      strcmp(row->cells[row->n - 1], x->value) == 0;
	return 1;
}

/* Refusals count as "not yet": the database may be missing. */
static bool wait_for(struct rpc *c, const char *statement, const char *value,
		     unsigned seconds)
{
	struct expected x = {.value = value};
	const struct rpc_visit visit = {.row = look, .arg = &x};
	uint64_t end = clock_mono_ms() + seconds * 1000ull;

	while (clock_mono_ms() < end) {
		struct rpc_reply reply;
		struct err e = {0};
		int r = rpc_query(c, statement, &visit, &reply, &e);

		if (x.is_there)
			return true;
		if (r < 0 && r != -EREMOTEIO) {
			(void)fprintf(stderr, "iotdb_clock: %s\n", e.text);
			return false;
		}
		(void)usleep(ASK_EVERY_US);
	}
	(void)fprintf(stderr, "iotdb_clock: %s is not %s after %u s\n",
		      statement, value, seconds);
	return false;
}

static void say(struct rpc *c, const char *statement)
{
	struct err e = {0};

	if (rpc_execute(c, statement, NULL, &e) < 0) {
		(void)fprintf(stderr, "iotdb_clock: %s\n", e.text);
		exit(1);
	}
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void print(const char *what, uint64_t *us, unsigned n)
{
	qsort(us, n, sizeof *us, compare);
	(void)printf("%s_p50_ms=%.1f %s_p99_ms=%.1f ", what,
		     (double)us[n / 2] / 1000, what,
		     (double)us[n * 99 / 100] / 1000);
}

static int rows(struct rpc *edge, struct rpc *cloud, const char *device,
		unsigned n)
{
	uint64_t *visible = calloc(n, sizeof *visible);
	uint64_t *flush = calloc(n, sizeof *flush);
	bool is_good = visible && flush;

	for (unsigned i = 0; is_good && i < n; i++) {
		char text[600], value[16];
		uint64_t t = clock_mono_us();

		(void)snprintf(text, sizeof text,
			       "INSERT INTO %s(time, s) VALUES (%u, %u)",
			       device, i + 1, i);
		say(edge, text);
		say(edge, "FLUSH");
		flush[i] = clock_mono_us() - t;
		(void)snprintf(text, sizeof text,
			       "SELECT s FROM %s WHERE time = %u", device,
			       i + 1);
		(void)snprintf(value, sizeof value, "%u", i);
		is_good = wait_for(cloud, text, value, ROW_SECONDS);
		visible[i] = clock_mono_us() - t;
	}
	if (is_good) {
		print("visible", visible, n);
		print("flush", flush, n);
		(void)printf("rows=%u\n", n);
	}
	free(visible);
	free(flush);
	return is_good ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct rpc *a, *b;
	int status = 2;

	if (argc == 6 && strcmp(argv[1], "wait") == 0) {
		a = connect_to(argv[2]);
		status = wait_for(a, argv[4], argv[5], (unsigned)atoi(argv[3]))
				 ? 0
				 : 1;
		rpc_close(a);
	} else if (argc == 6 && strcmp(argv[1], "rows") == 0 &&
		   atoi(argv[5]) > 0) {
		a = connect_to(argv[2]);
		b = connect_to(argv[3]);
		status = rows(a, b, argv[4], (unsigned)atoi(argv[5]));
		rpc_close(a);
		rpc_close(b);
	} else {
		(void)fprintf(
			stderr,
			"usage: iotdb_clock wait PORT SECONDS STATEMENT VALUE\n"
			"       iotdb_clock rows EDGE_PORT CLOUD_PORT DEVICE "
			"N\n");
	}
	return status;
}
