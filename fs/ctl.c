#include "ctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "caller.h"
#include "ctl_text.h"
#include "domain/sql.h"
#include "ground/clock.h"

#define PATIENCE_MS 1000
#define ANSWER_MAX (2u << 20) /* unread answers of one open file */
#define TEXT_MAX \
	(4u << 20) /* more than any WRITE and what was left before it */

/* What has to be done in order. */
struct work {
	fuse_req_t req; /* NULL: nobody waits for it */

	enum {
		WORK_WRITE,
		WORK_FLUSH,
		WORK_READ,
		WORK_LAST
	} kind;
	struct caller who;
	char *bytes; /* owned */
	size_t size; /* of bytes, or of a read */
	uint64_t offset;
	struct work *next;
};

struct ctl {
	struct open_file file;
	char *dir; /* the directory that it stands in */
	uint64_t number;
	unsigned uid; /* who opened it, */
	int opener;   /* and in which process */
	struct buf text;
	struct buf answer;
	bool is_own;   /* answer is this file's own, not the user's last */
	bool was_read; /* what answer holds */
	uint64_t base; /* offset of the answer's first byte, once has_base */
	bool has_base;
	struct work *first, **last;
	bool is_busy; /* first is under way */
	bool is_released;
	struct caller who;	    /* of the last write */
	struct ctl *next;	    /* of fs->leaving or fs->waiting */
	struct loop_timer patience; /* of one that waits */
};

static void run_first(struct ctl *c);

static struct ctl *ctl_of(struct open_file *f)
{
	return CONTAINER_OF(f, struct ctl, file);
}

struct open_file *ctl_open(struct fs *fs, struct node *nd, fuse_req_t req)
{
	struct ctl *c = xcalloc(1, sizeof *c);
	char *slash;

	c->dir = xstrdup(nd->path);
	slash = strrchr(c->dir, '/');
	slash[slash == c->dir ? 1 : 0] = '\0';
	c->number = ++fs->n_opened;
	c->uid = fuse_req_ctx(req)->uid;
	c->opener = fuse_req_ctx(req)->pid;
	c->last = &c->first;
	buf_init(&c->text, TEXT_MAX);
	buf_init(&c->answer, VIEW_TEXT_MAX);
	file_attach(&c->file, fs, nd, FILE_CTL);
	return &c->file;
}

/* ---- the last answer, while a released file still runs a statement ---- */

static void unlink_ctl(struct ctl **list, const struct ctl *c)
{
	while (*list && *list != c)
		list = &(*list)->next;
	if (*list)
		*list = c->next;
}

static bool is_answer_near(const struct ctl *c)
{
	const struct ctl *o;

	for (o = c->file.fs->leaving; o; o = o->next) {
		if (o->who.uid == c->uid)
			return true;
	}
	return false;
}

static void stop_waiting(struct ctl *c)
{
	unlink_ctl(&c->file.fs->waiting, c);
	loop_timer_stop(c->file.fs->loop, &c->patience);
}

static void patience_over(struct loop_timer *t)
{
	struct ctl *c = CONTAINER_OF(t, struct ctl, patience);

	stop_waiting(c);
	run_first(c);
}

static void wait_for_answer(struct ctl *c)
{
	struct fs *fs = c->file.fs;

	unlink_ctl(&fs->waiting, c);
	c->next = fs->waiting;
	fs->waiting = c;
	c->patience.fn = patience_over;
	loop_timer_set(fs->loop, &c->patience, PATIENCE_MS);
}

static void wake_readers(struct fs *fs)
{
	struct ctl *c = fs->waiting;

	while (c) {
		if (is_answer_near(c)) {
			c = c->next;
			continue;
		}
		stop_waiting(c);
		run_first(c);
		c = fs->waiting;
	}
}

static void free_ctl(struct ctl *c)
{
	struct fs *fs = c->file.fs;

	unlink_ctl(&fs->leaving, c);
	file_detach(&c->file);
	caller_release(&c->who);
	buf_release(&c->text);
	buf_release(&c->answer);
	free(c->dir);
	free(c);
	wake_readers(fs);
}

/* ---- answers ---- */

void ctl_stat(const struct fs *fs, unsigned uid, const char *path,
	      struct view_entry *en)
{
	const struct answer *an = answers_get(fs->answers, uid);

	en->size = an ? an->text.len : strlen(view_usage(path));
	en->node.mtime_ms = an ? an->wall_ms : fs->own.start_ms;
}

/* The answers that somebody has read, here or with a `cat ctl`, make room. */
static void forget_read(struct ctl *c)
{
	const struct answer *an = answers_get(c->file.fs->answers, c->who.uid);

	if (an && an->writer == c->number && an->was_read)
		c->was_read = true;
	if (c->was_read || !c->is_own || c->answer.len > ANSWER_MAX)
		buf_clear(&c->answer);
	c->is_own = true;
	c->was_read = false;
	c->has_base = false;
}

static void add_answer(struct ctl *c, const struct reply *r)
{
	forget_read(c);
	reply_print(r, TABLE_DRAWN, &c->answer);
	answers_put(c->file.fs->answers, c->who.uid, c->number, clock_wall_ms(),
		    &c->answer);
}

static void fetch_last(struct ctl *c)
{
	struct answer *an = answers_get(c->file.fs->answers, c->uid);

	buf_clear(&c->answer);
	if (an) {
		an->was_read = true;
		buf_add(&c->answer, buf_data(&an->text), an->text.len);
	} else {
		buf_adds(&c->answer, view_usage(c->file.node->path));
	}
}

/* Where in the answer an offset of the open file is. */
static size_t place_of(struct ctl *c, uint64_t offset)
{
	if (!c->is_own)
		return offset < SIZE_MAX ? (size_t)offset : SIZE_MAX;
	if (!c->has_base || offset < c->base)
		c->base = offset;
	c->has_base = true;
	return (size_t)(offset - c->base);
}

static void answer_read(struct ctl *c, fuse_req_t req, size_t size,
			uint64_t offset)
{
	size_t at, n = 0;

	if (!c->is_own && (offset == 0 || !c->was_read))
		fetch_last(c);
	c->was_read = true;
	at = place_of(c, offset);
	if (at < c->answer.len) {
		n = c->answer.len - at;
		n = n < size ? n : size;
	}
	(void)fuse_reply_buf(
		req, n ? (const char *)buf_data(&c->answer) + at : NULL, n);
}

/* ---- work ---- */

static void free_work(struct work *w)
{
	caller_release(&w->who);
	free(w->bytes);
	free(w);
}

/* Ends the first work and begins the next. `err` is 0 or positive. */
static void end_work(struct ctl *c, int err)
{
	struct work *w = c->first;

	c->first = w->next;
	if (!c->first)
		c->last = &c->first;
	c->is_busy = false;
	switch (w->kind) {
	case WORK_WRITE:
		if (err)
			(void)fuse_reply_err(w->req, err);
		else
			(void)fuse_reply_write(w->req, w->size);
		break;
	case WORK_FLUSH:
		(void)fuse_reply_err(w->req, err);
		break;
	case WORK_READ:
		answer_read(c, w->req, w->size, w->offset);
		break;
	case WORK_LAST:
		break;
	}
	free_work(w);
}

static void answered(void *arg, const struct reply *r)
{
	struct ctl *c = arg;

	add_answer(c, r);
	if (r->code || r->sys) {
		buf_clear(&c->text);
		end_work(c, r->sys > 0 ? r->sys : EIO);
	}
	run_first(c);
}

static void refuse(struct ctl *c, const char *text, const struct err *e)
{
	statement_refuse(c->file.fs, &c->who, text, e, answered, c);
}

static void refuse_long(struct ctl *c)
{
	struct err e = {0};
	char begin[65];

	(void)snprintf(begin, sizeof begin, "%s", buf_str(&c->text));
	(void)err_say(&e, ERR_SYNTAX, E2BIG,
		      "Error occurred while parsing SQL to physical plan: line "
		      "1:%u expected the end of the statement, came more than "
		      "%u bytes without `;` or newline",
		      SQL_STATEMENT_MAX, SQL_STATEMENT_MAX);
	refuse(c, begin, &e);
}

/* The next statement of the text into `st`, if there is one that is no comment, and
 * into `e` why it is none.
 * -E2BIG; 0: none; else 1. */
static int next_statement(struct ctl *c, bool is_last, struct buf *st,
			  struct err *e)
{
	for (;;) {
		const char *p = (const char *)buf_data(&c->text);
		size_t left = c->text.len;
		size_t n = left ? sql_split(p, left, is_last) : 0;

		if ((n ? n : left) > SQL_STATEMENT_MAX)
			return -E2BIG;
		if (n == 0)
			return 0;
		buf_clear(st);
		ctl_complete(st, c->dir, p, n);
		if (st->len)
			(void)!ctl_check_lines(c->dir, p, n, e);
		buf_consume(&c->text, n);
		if (st->len)
			return 1;
	}
}

/* Goes on with the work under way: its next statement, or its end. Returns whether a
 * statement was begun. */
static bool go_on(struct ctl *c)
{
	struct buf st CLEANUP(buf_release);
	struct work *w = c->first;
	struct err e = {0};
	int r;

	buf_init(&st, SQL_STATEMENT_MAX + 1024);
	r = next_statement(c, w->kind != WORK_WRITE, &st, &e);
	if (r > 0 && e.sys)
		refuse(c, buf_str(&st), &e);
	else if (r > 0)
		statement_run(c->file.fs, &c->who, buf_str(&st), answered, c);
	else if (r < 0)
		refuse_long(c);
	else
		end_work(c, 0);
	return r != 0;
}

/* Takes the bytes of a WRITE in. Returns whether they were refused. */
static bool take_bytes(struct ctl *c, struct work *w)
{
	struct err e = {0};

	if (w->kind != WORK_WRITE)
		return false;
	caller_release(&c->who);
	c->who = w->who;
	w->who.as = NULL;
	if (ctl_check_bytes(w->bytes, w->size, &e) < 0) {
		refuse(c, "(not text)", &e);
		return true;
	}
	buf_add(&c->text, w->bytes, w->size);
	free(w->bytes);
	w->bytes = NULL;
	return false;
}

static void run_first(struct ctl *c)
{
	while (c->first) {
		bool is_new = !c->is_busy;

		c->is_busy = true;
		if (is_new && take_bytes(c, c->first))
			return;
		if (go_on(c))
			return;
	}
	if (c->is_released)
		free_ctl(c);
}

static struct work *add_work(struct ctl *c, fuse_req_t req, int kind)
{
	struct work *w = xcalloc(1, sizeof *w);

	w->req = req;
	w->kind = kind;
	*c->last = w;
	c->last = &w->next;
	return w;
}

void ctl_write(struct open_file *f, fuse_req_t req, const char *p, size_t n)
{
	struct ctl *c = ctl_of(f);
	struct work *w = add_work(c, req, WORK_WRITE);

	caller_fill(&w->who, f->fs, req);
	w->bytes = xcalloc(n + 1, 1);
	memcpy(w->bytes, p, n);
	w->size = n;
	if (!c->is_busy)
		run_first(c);
}

static bool has_rest(const struct ctl *c)
{
	return c->text.len &&
	       !sql_is_blank((const char *)buf_data(&c->text), c->text.len);
}

/* Whether what is left could be a statement as it stands. */
static bool is_rest_whole(const struct ctl *c)
{
	struct stmt *st CLEANUP_FREE = xcalloc(1, sizeof *st);
	struct sql_setting set = {.now_ms = clock_wall_ms()};
	struct buf text CLEANUP(buf_release);

	buf_init(&text, SQL_STATEMENT_MAX + 1024);
	ctl_complete(&text, c->dir, (const char *)buf_data(&c->text),
		     c->text.len);
	return sql_parse(st, buf_str(&text), &set, NULL) == 0;
}

void ctl_read(struct open_file *f, fuse_req_t req, size_t size, uint64_t offset)
{
	struct ctl *c = ctl_of(f);
	bool is_fetch = !c->is_own && (offset == 0 || !c->was_read);
	bool has_to_wait = is_fetch && is_answer_near(c);
	struct work *w;

	if (c->is_busy || (!has_rest(c) && !has_to_wait)) {
		answer_read(c, req, size, offset);
		return;
	}
	w = add_work(c, req, WORK_READ);
	w->size = size;
	w->offset = offset;
	if (has_rest(c))
		run_first(c);
	else
		wait_for_answer(c);
}

void ctl_flush(struct open_file *f, fuse_req_t req)
{
	struct ctl *c = ctl_of(f);

	if (c->is_busy || fuse_req_ctx(req)->pid != c->opener || !has_rest(c) ||
	    !is_rest_whole(c)) {
		(void)fuse_reply_err(req, 0);
		return;
	}
	(void)add_work(c, req, WORK_FLUSH);
	run_first(c);
}

void ctl_release(struct open_file *f, fuse_req_t req)
{
	struct ctl *c = ctl_of(f);

	if (req)
		(void)fuse_reply_err(req, 0);
	c->is_released = true;
	stop_waiting(c);
	if (has_rest(c) || c->first) {
		(void)add_work(c, NULL, WORK_LAST);
		c->next = f->fs->leaving;
		f->fs->leaving = c;
	}
	if (!c->is_busy)
		run_first(c);
}
