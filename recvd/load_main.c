#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "load_archive.h"
#include "load_lines.h"

/* recvd-load: jobs on stdin, answers on stdout (tsferry-loader(7)). A batch is answered
 * after its sync; so nothing is said that a power cut could take back. */

struct answer {
	char *id; /* owned */
	enum job_result result;
	char *text; /* owned; NULL = none */
};

struct batch {
	struct answer answers[JOB_BATCH_MAX];
	unsigned n;
	/* (sender, database) pairs of jobs that were not applied: later ones are held */
	char *held[JOB_BATCH_MAX]; /* owned */
	unsigned n_held;
	bool is_all_held; /* a job could not even be read */
};

static bool is_held(const struct batch *b, const char *domain)
{
	for (unsigned i = 0; i < b->n_held; i++)
		if (strcmp(b->held[i], domain) == 0)
			return true;
	return false;
}

static void answer(struct batch *b, const char *id, enum job_result result,
		   const char *text)
{
	struct answer *a = &b->answers[b->n++];

	a->id = xstrdup(id);
	a->result = result;
	a->text = text && *text ? xstrdup(text) : NULL;
}

static void do_job(struct batch *b, struct archive *a, const struct load_job *j)
{
	struct err e = {0};
	CLEANUP_FREE char *domain = load_job_domain(j);
	enum job_result result;

	if (b->is_all_held || is_held(b, domain)) {
		answer(b, j->id, JOB_HELD, NULL);
		return;
	}
	result = archive_apply(a, j, &e);
	if (result != JOB_APPLIED)
		b->held[b->n_held++] = steal_ptr(&domain);
	answer(b, j->id, result, result == JOB_APPLIED ? NULL : e.text);
}

static void take_line(struct batch *b, struct archive *a, char *line,
		      const struct err *broken)
{
	struct job_fields fields;
	struct load_job j = {0};
	struct err e = {0};

	if (b->n == JOB_BATCH_MAX)
		return; /* no id is left unanswered by recvd's own bound */
	if (job_line_parse(line, &fields) < 0) {
		(void)err_set(&e, EBADMSG, "a job's line is no fields");
		answer(b, "0", JOB_STOP, e.text);
		b->is_all_held = true;
	} else if (load_job_parse(&j, &fields, &e) < 0) {
		b->is_all_held = true;
		answer(b, j.id ? j.id : "0", JOB_QUARANTINE, e.text);
	} else if (broken->sys) {
		answer(b, j.id, JOB_STOP, broken->text);
	} else {
		do_job(b, a, &j);
	}
}

static int print_batch(const struct batch *b, const struct err *unsynced)
{
	CLEANUP(buf_release) struct buf out;

	buf_init(&out, 4u << 20);
	for (unsigned i = 0; i < b->n; i++) {
		const struct answer *a = &b->answers[i];
		bool is_lost = unsynced->sys && a->result == JOB_APPLIED;

		job_add(&out, "job", a->id);
		job_add(&out, "result",
			job_result_text(is_lost ? JOB_RETRY : a->result));
		if (is_lost || a->text)
			job_add(&out, "text",
				is_lost ? unsynced->text : a->text);
		buf_adds(&out, "\n");
	}
	buf_adds(&out, "end\n");
	if (fwrite(buf_data(&out), 1, out.len, stdout) == out.len &&
	    fflush(stdout) == 0)
		return 0;
	return -errno;
}

static void batch_clear(struct batch *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		free(b->answers[i].id);
		free(b->answers[i].text);
	}
	for (unsigned i = 0; i < b->n_held; i++)
		free(b->held[i]);
	memset(b, 0, sizeof *b);
}

/* An archive that cannot be opened is tried again with each batch: the cure (a mount, a
 * chown) needs no restart. Answers that cannot be given end the loader: recvd waits for
 * them, and asks the next one. */
static int end_batch(struct batch *b, struct archive *a, const char *path,
		     struct err *broken)
{
	struct err unsynced = {0};
	int r;

	if (!broken->sys)
		(void)!archive_sync(a, &unsynced);
	r = print_batch(b, &unsynced);
	batch_clear(b);
	if (!broken->sys)
		return r;
	archive_close(a);
	err_clear(broken);
	(void)!archive_open(a, path, broken);
	return r;
}

static int run_archive(const char *path)
{
	struct batch *b = xcalloc(1, sizeof *b);
	struct archive a;
	struct err broken = {0};
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	int r = 0;

	(void)!archive_open(&a, path, &broken);
	while (r >= 0 && (n = getline(&line, &size, stdin)) > 0) {
		if (line[n - 1] != '\n')
			break; /* cut off in the middle: recvd is gone */
		line[n - 1] = 0;
		if (strcmp(line, "end") == 0)
			r = end_batch(b, &a, path, &broken);
		else
			take_line(b, &a, line, &broken);
	}
	batch_clear(b);
	free(b);
	free(line);
	archive_close(&a);
	if (r < 0)
		(void)fprintf(stderr, "err recvd-load: answering recvd: %s\n",
			      err_words(-r));
	return r < 0 ? 1 : 0;
}

/* recvd-load ARCHIVE_DIR, or with what the IoTDB loader needs; --check for the doctor. */
int main(int argc, char **argv)
{
	bool is_check = argc > 1 && strcmp(argv[1], "--check") == 0;

	(void)signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && argv[1][0] == '/')
		return run_archive(argv[1]);
	if (argc == 7 && argv[2][0] == '/' &&
	    (is_check || strcmp(argv[1], "--iotdb") == 0)) {
		struct iotdb_settings set = {.load_dir = argv[2],
					     .rpc = argv[3],
					     .user = argv[4],
					     .password_file = argv[5],
					     .via = argv[6]};

		return is_check ? load_check(&set) : load_lines(&set);
	}
	(void)fprintf(
		stderr,
		"usage: recvd-load ARCHIVE_DIR\n"
		"       recvd-load --iotdb|--check LOAD_DIR HOST:PORT[,...] "
		"USER PASSWORD_FILE auto|path|transfer\n(started by "
		"recvd(8))\n");
	return 2;
}
