#include "load_lines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct lines {
	struct iotdb db;
	struct err broken; /* why it could not be set up */
	struct iotdb_item items[JOB_BATCH_MAX];
	char *texts[JOB_BATCH_MAX]; /* owned; what the jobs borrow from */
	unsigned n;
	bool is_all_held; /* a job could not even be read */
	int failed;	  /* -errno of writing */
};

static void print_answer(struct lines *l, const struct iotdb_item *it)
{
	CLEANUP(buf_release) struct buf out;

	buf_init(&out, JOB_LINE_MAX);
	job_add(&out, "job", it->job.id ? it->job.id : "0");
	job_add(&out, "result", job_result_text(it->result));
	if (it->paths)
		job_add(&out, "paths", it->paths);
	if (it->text)
		job_add(&out, "text", it->text);
	buf_adds(&out, "\n");
	if (fwrite(buf_data(&out), 1, out.len, stdout) != out.len)
		l->failed = -errno;
}

/* Said at once: what was heard is not loaded again by the loader after one that was killed. */
static void decided(void *arg, struct iotdb_item *it)
{
	struct lines *l = arg;

	print_answer(l, it);
	if (fflush(stdout) != 0)
		l->failed = -errno;
}

static void working(void *arg, const struct load_job *j)
{
	struct lines *l = arg;

	if (printf("job=%s\tresult=" JOB_AT_WORK "\n", j->id) < 0 ||
	    fflush(stdout) != 0)
		l->failed = -errno;
}

/* ---- jobs ---- */

static void refuse(struct lines *l, struct iotdb_item *it,
		   enum job_result result, const char *text)
{
	it->result = result;
	it->text = text ? xstrdup(text) : NULL;
	print_answer(l, it);
}

static void take_job(struct lines *l, const char *line)
{
	struct iotdb_item *it;
	struct job_fields fields;
	struct err e = {0};

	if (l->n == JOB_BATCH_MAX)
		return; /* no id is left unanswered by recvd's own bound */
	l->texts[l->n] = xstrdup(line);
	it = &l->items[l->n];
	*it = (struct iotdb_item){0};
	if (job_line_parse(l->texts[l->n++], &fields) < 0) {
		refuse(l, it, JOB_STOP, "a job's line is no fields");
		l->is_all_held = true;
	} else if (load_job_parse(&it->job, &fields, &e) < 0) {
		refuse(l, it, JOB_QUARANTINE, e.text);
		l->is_all_held = true;
	} else if (l->is_all_held) {
		refuse(l, it, JOB_HELD, NULL);
	} else if (l->broken.sys) {
		refuse(l, it, JOB_STOP, l->broken.text);
	}
}

static void clear(struct lines *l)
{
	for (unsigned i = 0; i < l->n; i++) {
		free(l->items[i].text);
		free(l->items[i].paths);
		free(l->texts[i]);
	}
	l->n = 0;
	l->is_all_held = false;
}

static void open_again(struct lines *l, const struct iotdb_settings *set)
{
	err_clear(&l->broken);
	if (iotdb_open(&l->db, set, &l->broken) < 0)
		iotdb_close(&l->db);
	l->db.done = decided;
	l->db.working = working;
	l->db.arg = l;
}

static void end_batch(struct lines *l, const struct iotdb_settings *set)
{
	if (!l->broken.sys)
		iotdb_batch(&l->db, l->items, l->n);
	if (fputs("end\n", stdout) < 0 || fflush(stdout) != 0)
		l->failed = -errno;
	clear(l);
	/* The cure of a directory that is missing needs no restart. */
	if (l->broken.sys)
		open_again(l, set);
}

int load_lines(const struct iotdb_settings *set)
{
	struct lines *l = xcalloc(1, sizeof *l);
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	int failed;

	open_again(l, set);
	while (!l->failed && (n = getline(&line, &size, stdin)) > 0) {
		if (line[n - 1] != '\n')
			break; /* cut off in the middle: recvd is gone */
		line[n - 1] = 0;
		if (strcmp(line, "end") == 0)
			end_batch(l, set);
		else
			take_job(l, line);
	}
	failed = l->failed;
	clear(l);
	iotdb_close(&l->db);
	free(line);
	free(l);
	if (failed < 0)
		(void)fprintf(stderr, "err recvd-load: answering recvd: %s\n",
			      err_words(-failed));
	return failed < 0 ? 1 : 0;
}

/* ---- the doctor ---- */

static int check_one(const struct iotdb_settings *set, const char *host,
		     unsigned port, const char *password)
{
	struct rpc_login login = {.host = host,
				  .port = port,
				  .user = set->user[0] ? set->user : NULL,
				  .password = password};
	struct rpc *c;
	struct err e = {0};
	int r = rpc_open(&c, &login, NULL, &e);

	if (r < 0) {
		(void)printf("%s\n", e.text);
		return 1;
	}
	(void)printf("%s is IoTDB %s, times in %s\n", rpc_address(c),
		     rpc_version(c), rpc_precision(c));
	rpc_close(c);
	return 0;
}

int load_check(const struct iotdb_settings *set)
{
	struct rpc_addresses addresses;
	char password[256];
	struct err e = {0};
	int failed = 0;

	if (rpc_addresses_parse(&addresses, set->rpc, &e) < 0 ||
	    rpc_password_read(set->password_file, password, sizeof password,
			      &e) < 0) {
		(void)printf("%s\n", e.text);
		return 1;
	}
	for (unsigned i = 0; i < addresses.n; i++)
		failed |= check_one(set, addresses.at[i].host,
				    addresses.at[i].port, password);
	explicit_bzero(password, sizeof password);
	return failed;
}
