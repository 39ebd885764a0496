#include "load_marks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ground/fileio.h"

#define MARKS_MAX (256u << 10)
#define LINE_MAX_ 64

void marks_init(struct marks *m, const struct handover_root *root)
{
	*m = (struct marks){.root = root, .fd = -1};
	buf_init(&m->text, MARKS_MAX);
}

static void leave(struct marks *m)
{
	cleanup_close(&m->fd);
	m->fd = -1;
	buf_clear(&m->text);
	m->domain[0] = 0;
}

void marks_release(struct marks *m)
{
	if (!m->root)
		return;
	leave(m);
	buf_release(&m->text);
}

void marks_begin(struct marks *m)
{
	leave(m);
}

static void enter(struct marks *m, const struct load_job *j)
{
	char domain[sizeof m->domain], path[sizeof m->domain + 16];

	(void)snprintf(domain, sizeof domain, "%s/%s", j->incarnation,
		       j->file.database);
	if (strcmp(domain, m->domain) == 0)
		return;
	leave(m);
	memcpy(m->domain, domain, sizeof domain);
	m->at = 0;
	m->is_over = false;
	(void)snprintf(path, sizeof path, "%s/" HANDOVER_MARKS, domain);
	m->fd = file_open_beneath(m->root->fd, path, O_RDWR | O_APPEND, 0);
	if (m->fd >= 0 && file_read_all(m->root->fd, path, &m->text) < 0)
		buf_clear(&m->text);
}

static size_t add_line(const struct load_job *j, char to[LINE_MAX_])
{
	char digest[DIGEST_TEXT_LEN];

	return (size_t)snprintf(to, LINE_MAX_, "%" PRIu64 " %s\n", j->serial,
				digest_text(&j->digest, digest));
}

/* Where the line of an entry ends; 0: there is none behind what is believed. */
static size_t find_line(const struct marks *m, const struct load_job *j)
{
	const char *p = (const char *)buf_data(&m->text), *newline;
	char line[LINE_MAX_];
	size_t n = add_line(j, line);

	for (size_t at = m->at; at < m->text.len;
	     at = (size_t)(newline + 1 - p)) {
		newline = memchr(p + at, '\n', m->text.len - at);
		if (!newline)
			return 0;
		if ((size_t)(newline + 1 - p) - at == n &&
		    memcmp(p + at, line, n) == 0)
			return at + n;
	}
	return 0;
}

bool marks_has(struct marks *m, const struct load_job *j)
{
	size_t end;

	if (!j->incarnation)
		return false;
	enter(m, j);
	if (m->is_over)
		return false;
	end = find_line(m, j);
	if (end) {
		m->at = end;
		return true;
	}
	m->is_over = true;
	if (m->fd >= 0 && ftruncate(m->fd, (off_t)m->at) < 0) {
		cleanup_close(&m->fd);
		m->fd = -1;
	}
	return false;
}

static int make(struct marks *m)
{
	CLEANUP_CLOSE int fd = file_make_dirs(m->root->fd, m->domain, 0777);

	return fd < 0 ? fd
		      : file_open_beneath(fd, HANDOVER_MARKS,
					  O_RDWR | O_APPEND | O_CREAT, 0600);
}

void marks_add(struct marks *m, const struct load_job *j)
{
	char line[LINE_MAX_];
	size_t n = add_line(j, line);

	if (!j->incarnation || !m->is_over)
		return;
	if (m->fd < 0)
		m->fd = make(m);
	/* What came to stand there of a line would become part of the next one. */
	if (m->fd >= 0 && write(m->fd, line, n) != (ssize_t)n) {
		(void)!ftruncate(m->fd, 0);
		cleanup_close(&m->fd);
		m->fd = -1;
	}
}
