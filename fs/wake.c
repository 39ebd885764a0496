#include "wake.h"

#include <poll.h>

#include "ask.h"

struct waiter {
	struct wake *wake;
	struct open_file *file;	    /* held by us; NULL once it is forgotten */
	struct fuse_pollhandle *ph; /* owned; NULL = nobody to wake */
	fuse_req_t req;		    /* the poll itself, until it is answered */
	bool is_asking;
	struct waiter *next;
};

struct wake {
	struct fs *fs;
	struct loop_timer timer;
	struct waiter *first;
};

static void look_again(struct loop_timer *t);

struct wake *wake_new(struct fs *fs)
{
	struct wake *p = xcalloc(1, sizeof *p);

	p->fs = fs;
	p->timer.fn = look_again;
	return p;
}

static void remove_waiter(struct waiter *w)
{
	struct waiter **at = &w->wake->first;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	if (w->ph)
		fuse_pollhandle_destroy(w->ph);
	free(w);
}

void wake_free(struct wake *p)
{
	if (!p)
		return;
	loop_timer_stop(p->fs->loop, &p->timer);
	while (p->first)
		remove_waiter(p->first);
	free(p);
}

/* Tells who polls, or keeps the waiter for the next look. */
static void settle(struct waiter *w, bool has_more)
{
	if (w->req)
		(void)fuse_reply_poll(w->req, has_more ? POLLIN : 0u);
	else if (has_more && w->ph)
		(void)fuse_lowlevel_notify_poll(w->ph);
	w->req = NULL;
	if (has_more || !w->ph || !w->file)
		remove_waiter(w);
	else if (!w->wake->timer.slot)
		loop_timer_set(w->wake->fs->loop, &w->wake->timer, WAKE_MS);
}

static void looked(void *arg, struct view *v)
{
	struct waiter *w = arg;
	struct open_file *f = w->file;
	struct buf now CLEANUP(buf_release);
	bool has_more = true; /* of a file that is gone: its reader shall see */

	w->is_asking = false;
	buf_init(&now, VIEW_TEXT_MAX);
	if (f && view_read(v, &w->wake->fs->own, &now) == 0)
		has_more = text_has_more(f, &now);
	settle(w, has_more);
}

static void look(struct waiter *w)
{
	w->is_asking = true;
	if (ask_tree(w->wake->fs, VIEW_READ, w->file->node->path, looked, w) <
	    0) {
		w->is_asking = false;
		settle(w, true);
	}
}

static void look_again(struct loop_timer *t)
{
	struct wake *p = CONTAINER_OF(t, struct wake, timer);
	struct waiter *next;

	for (struct waiter *w = p->first; w; w = next) {
		next = w->next;
		if (!w->is_asking)
			look(w);
	}
}

void wake_poll(struct open_file *f, fuse_req_t req, struct fuse_pollhandle *ph)
{
	struct wake *p = f->fs->wake;
	struct waiter *w;

	if (f->kind != FILE_TEXT || !view_is_growing(f->node->path)) {
		(void)fuse_reply_poll(
			req, f->kind == FILE_CTL ? POLLIN | POLLOUT : POLLIN);
		if (ph)
			fuse_pollhandle_destroy(ph);
		return;
	}
	w = xcalloc(1, sizeof *w);
	*w = (struct waiter){
		.wake = p, .file = f, .ph = ph, .req = req, .next = p->first};
	p->first = w;
	look(w);
}

void wake_forget(struct open_file *f)
{
	struct waiter *next;

	for (struct waiter *w = f->fs->wake->first; w; w = next) {
		next = w->next;
		if (w->file != f)
			continue;
		w->file = NULL;
		if (!w->is_asking)
			remove_waiter(w);
	}
}
