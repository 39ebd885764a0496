#include "loader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "ground/child.h"

struct loader {
	struct loop *loop;		/* borrowed */
	const struct loader_events *ev; /* borrowed */
	void *arg;
	struct child child;
	struct loop_io in, out, pid;
	struct loop_timer timer;
	struct buf queue, answers;
	bool is_ready, is_busy, is_eof;
	char why[256]; /* why it is killed; "" = it is not */
};

static void timer_due(struct loop_timer *t);

struct loader *loader_new(struct loop *l, const struct loader_events *ev,
			  void *arg)
{
	struct loader *ld = xcalloc(1, sizeof *ld);

	ld->loop = l;
	ld->ev = ev;
	ld->arg = arg;
	ld->timer.fn = timer_due;
	buf_init(&ld->queue, 8u << 20);
	buf_init(&ld->answers, JOB_LINE_MAX + 65536);
	return ld;
}

static int take_down(struct loader *ld)
{
	loop_del(&ld->in);
	loop_del(&ld->out);
	loop_del(&ld->pid);
	loop_timer_stop(ld->loop, &ld->timer);
	buf_clear(&ld->queue);
	buf_clear(&ld->answers);
	ld->is_ready = ld->is_busy = ld->is_eof = false;
	return ld->child.pid ? child_end(&ld->child) : 0;
}

void loader_free(struct loader *ld)
{
	if (!ld)
		return;
	(void)take_down(ld);
	buf_release(&ld->queue);
	buf_release(&ld->answers);
	free(ld);
}

static void died(struct loader *ld)
{
	bool was_ready = ld->is_ready;
	int status = take_down(ld);
	bool was_killed = !ld->why[0] && WIFSIGNALED(status) &&
			  WTERMSIG(status) == SIGKILL;
	char why[384];

	if (ld->why[0])
		(void)snprintf(why, sizeof why, "%s", ld->why);
	else if (WIFSIGNALED(status))
		(void)snprintf(why, sizeof why, "the loader died of signal %d",
			       WTERMSIG(status));
	else
		(void)snprintf(why, sizeof why,
			       "the loader ended with status %d",
			       WEXITSTATUS(status));
	ld->why[0] = 0;
	ld->ev->died(ld->arg, why, was_ready, was_killed);
}

static void timer_due(struct loop_timer *t)
{
	struct loader *ld = CONTAINER_OF(t, struct loader, timer);

	if (ld->is_eof)
		(void)snprintf(ld->why, sizeof ld->why,
			       "the loader closed its input or output");
	else if (ld->is_ready)
		(void)snprintf(ld->why, sizeof ld->why,
			       "the loader did not answer for %d s",
			       LOADER_SILENCE_MS / 1000);
	else
		(void)snprintf(
			ld->why, sizeof ld->why,
			"the loader did not answer an empty batch within %d s",
			LOADER_GREETING_MS / 1000);
	died(ld);
}

static const char *field_or_none(const struct job_fields *fields,
				 const char *key)
{
	const char *value = job_field(fields, key);

	return value ? value : "";
}

/* One line of it: 0, or -EBADMSG. */
static int take_line(struct loader *ld, char *line)
{
	struct job_fields fields;
	enum job_result result;
	int64_t job;

	if (!ld->is_ready) {
		if (strcmp(line, "end") != 0)
			return -EBADMSG;
		ld->is_ready = true;
		loop_timer_stop(ld->loop, &ld->timer);
		ld->ev->ready(ld->arg);
		return 0;
	}
	if (!ld->is_busy)
		return -EBADMSG;
	if (strcmp(line, "end") == 0) {
		ld->is_busy = false;
		loop_timer_stop(ld->loop, &ld->timer);
		ld->ev->end(ld->arg);
		return 0;
	}
	loop_timer_set(ld->loop, &ld->timer, LOADER_SILENCE_MS);
	if (job_line_parse(line, &fields) < 0 ||
	    job_field_int(&fields, "job", &job) < 0)
		return -EBADMSG;
	if (strcmp(field_or_none(&fields, "result"), JOB_AT_WORK) == 0)
		return 0;
	result = job_result_parse(job_field(&fields, "result"));
	if (result == JOB_NONE || job < 0 || job >= JOB_BATCH_MAX)
		return -EBADMSG;
	ld->ev->answer(ld->arg, (unsigned)job, result,
		       field_or_none(&fields, "text"),
		       field_or_none(&fields, "paths"));
	return 0;
}

/* Whole lines of what came. */
static int take_lines(struct loader *ld)
{
	while (ld->child.pid && ld->answers.len) {
		char *line = (char *)buf_data(&ld->answers);
		char *newline = memchr(line, '\n', ld->answers.len);

		if (!newline)
			return ld->answers.len > JOB_LINE_MAX ? -EBADMSG : 0;
		*newline = 0;
		if (take_line(ld, line) < 0) {
			(void)snprintf(ld->why, sizeof ld->why,
				       "the loader said \"%.100s\", which is "
				       "not of its protocol",
				       line);
			return -EBADMSG;
		}
		if (ld->child.pid)
			buf_consume(&ld->answers, (size_t)(newline + 1 - line));
	}
	return 0;
}

/* It is dying, and its status comes with its end; or it lives without a pipe. */
static void closed(struct loader *ld)
{
	ld->is_eof = true;
	loop_del(&ld->in);
	loop_timer_set(ld->loop, &ld->timer, 1000);
}

/* 1: some came, and ended it when that was not of its protocol; 0: none at present; -1: none
 * will. */
static int take_some(struct loader *ld)
{
	uint8_t *room = buf_room(&ld->answers, 65536);
	ssize_t n = room ? read(ld->child.from_fd, room, 65536) : -1;

	if (n < 0 && room && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -1;
	buf_fill(&ld->answers, (size_t)n);
	if (take_lines(ld) < 0)
		died(ld);
	return 1;
}

static void readable(struct loop_io *io, uint32_t events)
{
	struct loader *ld = CONTAINER_OF(io, struct loader, in);

	(void)events;
	if (take_some(ld) < 0)
		closed(ld);
}

static void writable(struct loop_io *io, uint32_t events)
{
	struct loader *ld = CONTAINER_OF(io, struct loader, out);
	ssize_t n;

	(void)events;
	n = ld->queue.len ? write(ld->child.to_fd, buf_data(&ld->queue),
				  ld->queue.len)
			  : 0;
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		closed(ld);
		n = (ssize_t)ld->queue.len;
	}
	if (n > 0)
		buf_consume(&ld->queue, (size_t)n);
	loop_want(&ld->out, ld->queue.len ? EPOLLOUT : 0);
}

static void ended(struct loop_io *io, uint32_t events)
{
	struct loader *ld = CONTAINER_OF(io, struct loader, pid);

	(void)events;
	/* What it said before it died is done. */
	while (ld->child.pid && take_some(ld) > 0)
		;
	if (ld->child.pid)
		died(ld);
}

void loader_stop(struct loader *ld)
{
	(void)take_down(ld);
}

int loader_start(struct loader *ld, const char *const argv[], struct err *e)
{
	int r = child_start(&ld->child, argv, e);

	if (r < 0)
		return r;
	r = loop_add(ld->loop, &ld->in, ld->child.from_fd, EPOLLIN, readable);
	if (r >= 0)
		r = loop_add(ld->loop, &ld->out, ld->child.to_fd, 0, writable);
	if (r >= 0)
		r = loop_add(ld->loop, &ld->pid, ld->child.pid_fd, EPOLLIN,
			     ended);
	if (r < 0) {
		(void)take_down(ld);
		return err_set(e, -r, "watching the loader: %s", err_words(-r));
	}
	/* An empty batch: whoever answers it is a loader, and what kills it later is a
	 * job and not a missing library. */
	buf_adds(&ld->queue, "end\n");
	loop_want(&ld->out, EPOLLOUT);
	loop_timer_set(ld->loop, &ld->timer, LOADER_GREETING_MS);
	return 0;
}

bool loader_is_ready(const struct loader *ld)
{
	return ld->is_ready;
}

int loader_pid(const struct loader *ld)
{
	return (int)ld->child.pid;
}

void loader_send(struct loader *ld, const void *p, size_t n)
{
	buf_add(&ld->queue, p, n);
	ld->is_busy = true;
	loop_timer_set(ld->loop, &ld->timer, LOADER_SILENCE_MS);
	loop_want(&ld->out, EPOLLOUT);
}
