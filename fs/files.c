#include "files.h"

#include "ask.h"
#include "join.h"

#define JUST_OPENED_MS 1000
#define FROZEN_MS 900 /* less than the second in which `tail -f` looks again */
#define FOLLOWED_MAX (4u << 20)

struct text_file {
	struct open_file file;
	struct buf text;
	uint64_t
		base; /* offset of the text's first byte; only growing files move it */
	uint64_t read_end; /* the furthest offset that was read */
	bool was_begun;	   /* read from offset 0 before */
	unsigned n_reads;  /* under way; they hold the file */
	bool is_released;
};

/* A read that waits for a new text. */
struct refresh {
	struct text_file *tf;
	fuse_req_t req;
	size_t size;
	uint64_t offset;
};

void file_attach(struct open_file *f, struct fs *fs, struct node *nd,
		 enum file_kind kind)
{
	f->fs = fs;
	f->kind = kind;
	f->node = nd;
	f->opened_ms = loop_now_ms(fs->loop);
	f->next = nd->files;
	nd->files = f;
}

void file_detach(struct open_file *f)
{
	struct open_file **p = &f->node->files;

	while (*p != f)
		p = &(*p)->next;
	*p = f->next;
	nodes_closed(f->fs->nodes, f->node);
	f->node = NULL;
}

struct open_file *text_open(struct fs *fs, struct node *nd, struct buf *text)
{
	struct text_file *tf = xcalloc(1, sizeof *tf);

	tf->text = *text;
	buf_init(text, text->max);
	file_attach(&tf->file, fs, nd, FILE_TEXT);
	return &tf->file;
}

static void free_when_over(struct text_file *tf)
{
	if (!tf->is_released || tf->n_reads)
		return;
	file_detach(&tf->file);
	buf_release(&tf->text);
	free(tf);
}

void text_release(struct open_file *f)
{
	struct text_file *tf = CONTAINER_OF(f, struct text_file, file);

	tf->is_released = true;
	free_when_over(tf);
}

/* ---- growing ---- */

bool text_has_more(const struct open_file *f, const struct buf *now)
{
	const struct text_file *tf = (const struct text_file *)(const void *)f;

	return tf->read_end < tf->base + tf->text.len ||
	       join_known(&tf->text, now) < now->len;
}

static struct text_file *text_of(struct open_file *f)
{
	return CONTAINER_OF(f, struct text_file, file);
}

/* Who follows a file for months has read its beginning. */
static void forget_beginning(struct text_file *tf)
{
	size_t n = tf->text.len / 2;

	if (tf->text.len < FOLLOWED_MAX)
		return;
	buf_consume(&tf->text, n);
	tf->base += n;
}

/* ---- attributes ---- */

static void set_size(struct node *nd, uint64_t now_ms, struct view_entry *en)
{
	bool is_growing = view_is_growing(nd->path);

	for (struct open_file *f = nd->files; f; f = f->next) {
		const struct text_file *tf = text_of(f);

		if (f->kind != FILE_TEXT)
			continue;
		if (!is_growing) {
			if (now_ms - f->opened_ms < JUST_OPENED_MS)
				en->size = tf->text.len;
			return;
		}
		if (tf->base + tf->text.len > en->size)
			en->size = tf->base + tf->text.len;
	}
}

/* Once over, it is over: a size that went back would be a truncation to who follows. */
static bool is_frozen(struct open_file *f, int pid, uint64_t now_ms)
{
	uint64_t last = f->read_ms ? f->read_ms : f->opened_ms;

	if (f->kind != FILE_TEXT || !f->opener || f->opener != pid)
		return false;
	if (now_ms - last >= FROZEN_MS)
		f->was_ended = true;
	return !f->was_ended;
}

struct open_file *text_followed(const struct node *nd, int pid, uint64_t now_ms)
{
	struct open_file *f = nd->files;

	if (!view_is_growing(nd->path))
		return NULL;
	while (f && (f->kind != FILE_TEXT || f->opener != pid || !f->is_shown))
		f = f->next;
	return f && !is_frozen(f, pid, now_ms) ? f : NULL;
}

void text_grow(struct open_file *f, const struct buf *now, int64_t wall_ms,
	       struct view_entry *en)
{
	struct text_file *tf = text_of(f);
	uint64_t size;

	forget_beginning(tf);
	join_growth(&tf->text, now);
	size = tf->base + tf->text.len;
	if (size != f->shown.size)
		f->shown.node.mtime_ms = wall_ms;
	f->shown.size = size;
	*en = f->shown;
}

void file_stat(struct node *nd, int pid, uint64_t now_ms, struct view_entry *en)
{
	struct open_file *f = nd->files;

	while (f && !is_frozen(f, pid, now_ms))
		f = f->next;
	if (!f) {
		set_size(nd, now_ms, en);
		return;
	}
	if (!f->is_shown) {
		f->shown = *en;
		f->shown.size = text_of(f)->base + text_of(f)->text.len;
		f->is_shown = true;
	}
	*en = f->shown;
}

/* ---- reading ---- */

static void reply_text(struct text_file *tf, fuse_req_t req, size_t size,
		       uint64_t offset)
{
	size_t at = offset > tf->base ? (size_t)(offset - tf->base) : 0;
	size_t n = at < tf->text.len ? tf->text.len - at : 0;

	n = n < size ? n : size;
	tf->file.read_ms = loop_now_ms(tf->file.fs->loop);
	if ((!n && size) ||
	    (tf->file.is_shown && tf->base + at + n > tf->file.shown.size))
		tf->file.was_ended = true;
	if (n && tf->base + at + n > tf->read_end)
		tf->read_end = tf->base + at + n;
	if (n)
		(void)fuse_reply_buf(req,
				     (const char *)buf_data(&tf->text) + at, n);
	else
		(void)fuse_reply_buf(req, NULL, 0);
}

static void refreshed(void *arg, struct view *v)
{
	struct refresh *rf = arg;
	struct text_file *tf = rf->tf;
	struct buf now CLEANUP(buf_release);
	int err;

	buf_init(&now, VIEW_TEXT_MAX);
	err = view_read(v, &tf->file.fs->own, &now);
	if (!err && rf->offset) {
		forget_beginning(tf);
		join_growth(&tf->text, &now);
	} else if (!err) {
		struct buf old = tf->text;

		tf->text = now;
		tf->base = 0;
		tf->read_end = 0;
		tf->file.is_shown = false;
		tf->file.was_ended = false;
		now = old;
	}
	/* What cannot be had again stays as it was. */
	reply_text(tf, rf->req, rf->size, rf->offset);
	tf->n_reads--;
	free_when_over(tf);
	free(rf);
}

static bool wants_refresh(const struct text_file *tf, uint64_t offset)
{
	if (offset == 0)
		return tf->was_begun;
	return offset >= tf->base + tf->text.len &&
	       view_is_growing(tf->file.node->path);
}

void text_read(struct open_file *f, fuse_req_t req, size_t size,
	       uint64_t offset)
{
	struct text_file *tf = CONTAINER_OF(f, struct text_file, file);
	struct refresh *rf;

	if (!wants_refresh(tf, offset)) {
		tf->was_begun |= offset == 0;
		reply_text(tf, req, size, offset);
		return;
	}
	rf = xcalloc(1, sizeof *rf);
	*rf = (struct refresh){
		.tf = tf, .req = req, .size = size, .offset = offset};
	tf->n_reads++;
	if (ask_tree(f->fs, VIEW_READ, f->node->path, refreshed, rf) < 0) {
		tf->n_reads--;
		free(rf);
		reply_text(tf, req, size, offset);
	}
}
