#include "ask.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "ground/child.h"

#define ANSWER_MAX 65536u
#define PROGRAM_MAX 512
#define REQUEST_MAX (32u << 20)

struct ask {
	struct edge *edge;
	struct child child;
	struct loop_io in, out, pid;
	struct loop_timer late;
	struct loop_task kick;
	struct ask_request *first, **last; /* the first is asked, if any is */
	struct buf queue, answers;
	bool is_ready, is_busy;
	uint64_t pause_ms, not_before_ms;
	char why[1024];	 /* of the pause */
	char with[1024]; /* what the program was started with */
};

static void kick_due(struct loop_task *t);
static void timer_late(struct loop_timer *t);

struct ask *ask_new(struct edge *e)
{
	struct ask *a = xcalloc(1, sizeof(*a));

	a->edge = e;
	a->last = &a->first;
	a->kick.fn = kick_due;
	a->late.fn = timer_late;
	buf_init(&a->queue, REQUEST_MAX);
	buf_init(&a->answers, ANSWER_MAX + 65536);
	return a;
}

static int take_down(struct ask *a)
{
	loop_del(&a->in);
	loop_del(&a->out);
	loop_del(&a->pid);
	loop_timer_stop(a->edge->loop, &a->late);
	buf_clear(&a->queue);
	buf_clear(&a->answers);
	a->is_ready = a->is_busy = false;
	return a->child.pid ? child_end(&a->child) : 0;
}

void ask_free(struct ask *a)
{
	if (!a)
		return;
	(void)take_down(a);
	loop_undefer(a->edge->loop, &a->kick);
	while (a->first)
		ask_cancel(a, a->first);
	buf_release(&a->queue);
	buf_release(&a->answers);
	free(a);
}

bool ask_is_wanted(const struct edge *e)
{
	return e->set.iotdb_rpc[0] != '\0';
}

bool ask_is_paused(const struct ask *a)
{
	return a->not_before_ms > loop_now_ms(a->edge->loop);
}

void ask_program(char *to, size_t size)
{
	char path[PROGRAM_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash)
		*slash = '\0';
	(void)snprintf(to, size, "%s/syncd-ask", path);
}

/* ---- answers ---- */

/* Takes the first request out and answers it; what it submits comes behind. */
static void answer_first(struct ask *a, const struct ask_answer *an)
{
	struct ask_request *rq = a->first;

	a->first = rq->next;
	if (!a->first)
		a->last = &a->first;
	a->is_busy = false;
	rq->is_asked = false;
	buf_release(&rq->line);
	rq->done(rq, an);
}

/* Everybody who waits now; what they ask from inside comes behind. */
static void answer_all_away(struct ask *a)
{
	const struct ask_answer an = {.result = ASK_AWAY, .text = a->why};
	struct ask_request *last = a->first;

	while (last && last->next)
		last = last->next;
	while (a->first && last) {
		bool is_last = a->first == last;

		answer_first(a, &an);
		if (is_last)
			last = NULL;
	}
}

static void succeeded(struct ask *a)
{
	a->pause_ms = 0;
	a->not_before_ms = 0;
	edge_note_over(a->edge, NOTE_ASK);
}

/* Everybody who waits is told; those who ask from now on are told the same until the pause
 * is over. */
static void failed(struct ask *a, const char *why)
{
	char text[1200];

	if (a->edge->is_ending)
		return;
	(void)snprintf(a->why, sizeof(a->why), "%s", why);
	(void)snprintf(text, sizeof(text),
		       "the edge IoTDB cannot be asked, and files travel all "
		       "the same: %s",
		       why);
	edge_note(a->edge, NOTE_ASK, text);
	a->pause_ms = a->pause_ms ? a->pause_ms * 2 : ASK_PAUSE_MIN_MS;
	if (a->pause_ms > ASK_PAUSE_MAX_MS)
		a->pause_ms = ASK_PAUSE_MAX_MS;
	a->not_before_ms = loop_now_ms(a->edge->loop) + a->pause_ms;
	answer_all_away(a);
	if (a->first)
		loop_defer(a->edge->loop, &a->kick);
}

static void died(struct ask *a, const char *why)
{
	int status = take_down(a);
	char text[300];

	if (why)
		(void)snprintf(text, sizeof(text), "%s", why);
	else if (WIFSIGNALED(status))
		(void)snprintf(text, sizeof(text),
			       "syncd-ask died of signal %d", WTERMSIG(status));
	else
		(void)snprintf(text, sizeof(text),
			       "syncd-ask ended with status %d",
			       WEXITSTATUS(status));
	failed(a, text);
}

static void timer_late(struct loop_timer *t)
{
	struct ask *a = CONTAINER_OF(t, struct ask, late);
	char text[200];

	if (!a->is_ready)
		(void)snprintf(text, sizeof(text),
			       "syncd-ask did not greet within %u s",
			       ASK_GREETING_MS / 1000);
	else
		(void)snprintf(text, sizeof(text),
			       "no answer within %u s (%.40s)",
			       a->first ? a->first->limit_ms / 1000 : 0,
			       a->first ? buf_str(&a->first->line) : "");
	text[strcspn(text, "\n\t")] = '\0';
	died(a, text);
}

static int parse_answer(char *line, struct ask_answer *an)
{
	char *what = strsep(&line, "\t");

	*an = (struct ask_answer){.text = ""};
	for (size_t i = 0; i < ASK_FIELDS_MAX; i++)
		an->field[i] = "";
	if (strcmp(what, "ok") == 0) {
		while (line && an->n < ASK_FIELDS_MAX)
			an->field[an->n++] = strsep(&line, "\t");
		return 0;
	}
	if (strcmp(what, "no") == 0 && line) {
		an->result = ASK_NO;
		an->code = atoi(strsep(&line, "\t"));
	} else if (strcmp(what, "away") == 0) {
		an->result = ASK_AWAY;
	} else {
		return -EBADMSG;
	}
	an->text = line ? line : "";
	return 0;
}

/* What concerns the log-in and not the statement: everybody has to wait. 801 and 802 since
 * 1.0, 600 and 601 in 0.13; 820 to 822 are about passwords (iotdb-formats, section 7.5). */
static bool is_log_in(int code)
{
	return code == 600 || code == 601 || code == 801 || code == 802 ||
	       (code >= 820 && code <= 822);
}

static void take_answer(struct ask *a, const struct ask_answer *an)
{
	loop_timer_stop(a->edge->loop, &a->late);
	if (an->result == ASK_AWAY ||
	    (an->result == ASK_NO && is_log_in(an->code))) {
		a->is_busy = false;
		failed(a, an->text);
		return;
	}
	succeeded(a);
	answer_first(a, an);
	if (a->first)
		loop_defer(a->edge->loop, &a->kick);
}

static int take_line(struct ask *a, char *line)
{
	struct ask_answer an;

	if (!a->is_ready) {
		if (strcmp(line, "ready") != 0)
			return -EBADMSG;
		a->is_ready = true;
		loop_timer_stop(a->edge->loop, &a->late);
		loop_defer(a->edge->loop, &a->kick);
		return 0;
	}
	if (!a->is_busy || parse_answer(line, &an))
		return -EBADMSG;
	take_answer(a, &an);
	return 0;
}

/* One line is taken out before it is looked at: its answer may start another program. */
static void take_lines(struct ask *a)
{
	while (a->child.pid && a->answers.len) {
		char *line = (char *)buf_data(&a->answers), *copy;
		char *newline = memchr(line, '\n', a->answers.len);

		if (!newline && a->answers.len <= ANSWER_MAX)
			return;
		if (!newline) {
			died(a, "syncd-ask said a line without an end");
			return;
		}
		*newline = '\0';
		copy = xstrdup(line);
		buf_consume(&a->answers, (size_t)(newline + 1 - line));
		if (take_line(a, copy) < 0)
			died(a, "syncd-ask said what is not of its protocol");
		free(copy);
	}
}

/* ---- the program ---- */

static void readable(struct loop_io *io, uint32_t events)
{
	struct ask *a = CONTAINER_OF(io, struct ask, in);
	uint8_t *room = buf_room(&a->answers, 65536);
	ssize_t n;

	(void)events;
	n = room ? read(a->child.from_fd, room, 65536) : -1;
	if (n < 0 && room && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		loop_del(&a->in); /* its status comes with its end */
		return;
	}
	buf_fill(&a->answers, (size_t)n);
	take_lines(a);
}

static void writable(struct loop_io *io, uint32_t events)
{
	struct ask *a = CONTAINER_OF(io, struct ask, out);
	ssize_t n;

	(void)events;
	n = a->queue.len
		    ? write(a->child.to_fd, buf_data(&a->queue), a->queue.len)
		    : 0;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		n = (ssize_t)a->queue.len; /* it is dying */
	if (n > 0)
		buf_consume(&a->queue, (size_t)n);
	loop_want(&a->out, a->queue.len ? EPOLLOUT : 0);
}

static void ended(struct loop_io *io, uint32_t events)
{
	(void)events;
	died(CONTAINER_OF(io, struct ask, pid), NULL);
}

static void settings_text(const struct edge *e, char *to, size_t size)
{
	(void)snprintf(to, size, "%s\n%s\n%s", e->set.iotdb_rpc,
		       e->set.iotdb_user, e->set.iotdb_password_file);
}

static int start(struct ask *a, struct err *e)
{
	const struct settings *set = &a->edge->set;
	char program[PROGRAM_MAX + 16];
	const char *const argv[] = {program, set->iotdb_rpc, set->iotdb_user,
				    set->iotdb_password_file, NULL};
	struct loop *l = a->edge->loop;
	int r;

	ask_program(program, sizeof(program));
	settings_text(a->edge, a->with, sizeof(a->with));
	r = child_start(&a->child, argv, e);
	if (r < 0)
		return r;
	r = loop_add(l, &a->in, a->child.from_fd, EPOLLIN, readable);
	if (r >= 0)
		r = loop_add(l, &a->out, a->child.to_fd, 0, writable);
	if (r >= 0)
		r = loop_add(l, &a->pid, a->child.pid_fd, EPOLLIN, ended);
	if (r < 0) {
		(void)take_down(a);
		return err_set(e, -r, "syncd-ask: %s", err_words(-r));
	}
	loop_timer_set(l, &a->late, ASK_GREETING_MS);
	return 0;
}

static void send_first(struct ask *a)
{
	struct ask_request *rq = a->first;

	a->is_busy = true;
	buf_add(&a->queue, buf_data(&rq->line), rq->line.len);
	loop_want(&a->out, EPOLLOUT);
	loop_timer_set(a->edge->loop, &a->late, rq->limit_ms);
}

static void kick_due(struct loop_task *t)
{
	struct ask *a = CONTAINER_OF(t, struct ask, kick);
	struct err e = {0};

	if (!a->first || a->is_busy || a->edge->is_ending)
		return;
	if (ask_is_paused(a)) {
		answer_all_away(a);
		return;
	}
	if (!ask_is_wanted(a->edge)) {
		(void)snprintf(a->why, sizeof(a->why), "iotdb_rpc is not set");
		answer_all_away(a);
		return;
	}
	if (!a->child.pid) {
		if (start(a, &e) < 0)
			failed(a, e.text);
		return;
	}
	if (a->is_ready)
		send_first(a);
}

/* ---- requests ---- */

void ask_submit_lines(struct ask *a, struct ask_request *rq, unsigned limit_ms)
{
	rq->next = NULL;
	rq->limit_ms = limit_ms;
	rq->is_asked = true;
	*a->last = rq;
	a->last = &rq->next;
	loop_defer(a->edge->loop, &a->kick);
}

void ask_submit(struct ask *a, struct ask_request *rq, unsigned limit_ms,
		const char *fmt, ...)
{
	va_list ap;

	buf_init(&rq->line, 8192);
	va_start(ap, fmt);
	buf_addv(&rq->line, fmt, ap);
	va_end(ap);
	ask_submit_lines(a, rq, limit_ms);
}

void ask_cancel(struct ask *a, struct ask_request *rq)
{
	struct ask_request **at = &a->first;
	bool is_first = a->first == rq;

	if (!rq->is_asked)
		return;
	while (*at && *at != rq)
		at = &(*at)->next;
	if (*at)
		*at = rq->next;
	if (a->last == &rq->next)
		a->last = at;
	rq->is_asked = false;
	buf_release(&rq->line);
	if (is_first && a->is_busy)
		(void)take_down(a); /* its answer would be another's */
	if (a->first)
		loop_defer(a->edge->loop, &a->kick);
}

void ask_changed(struct ask *a)
{
	char with[sizeof(a->with)];

	settings_text(a->edge, with, sizeof(with));
	a->pause_ms = 0;
	a->not_before_ms = 0;
	if (!ask_is_wanted(a->edge))
		edge_note_over(a->edge, NOTE_ASK);
	if (a->child.pid && strcmp(with, a->with) != 0)
		(void)take_down(a);
	if (a->first)
		loop_defer(a->edge->loop, &a->kick);
}
