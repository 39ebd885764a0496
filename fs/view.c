#include "view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "view_inside.h"

/* The paths that more than one program has a say in are all named in this file. */

bool view_is_joined(const char *path)
{
	return !strcmp(path, "/log") || !strcmp(path, "/metrics") ||
	       !strcmp(path, "/last_error");
}

bool view_is_own(const char *path)
{
	return !strcmp(path, "/ctl") || !strcmp(path, "/help");
}

static bool is_below_server(const char *path)
{
	return strncmp(path, "/server", 7) == 0 &&
	       (path[7] == '\0' || path[7] == '/');
}

/* "/x": one component. */
static bool is_top(const char *path)
{
	return path[1] && !strchr(path + 1, '/');
}

bool view_holds_ctl(const char *dir)
{
	return is_top(dir) && strcmp(dir, "/sinks") != 0;
}

bool view_ctl_dir(const char *path, char dir[VIEW_PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path || strcmp(slash, "/ctl") != 0)
		return false;
	(void)snprintf(dir, VIEW_PATH_MAX, "%.*s", (int)(slash - path), path);
	return view_holds_ctl(dir);
}

bool view_is_ctl(const char *path)
{
	char dir[VIEW_PATH_MAX];

	return !strcmp(path, "/ctl") || view_ctl_dir(path, dir);
}

bool view_is_growing(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !strcmp(path, "/log") ||
	       (slash && slash != path && !strcmp(slash, "/events"));
}

/* ---- questions ---- */

int view_init(struct view *v, enum view_what what, const char *path)
{
	size_t n = strlen(path);

	if (n >= VIEW_PATH_MAX)
		return -ENAMETOOLONG;
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f)
			return -ENOENT;
	}
	v->what = what;
	memcpy(v->path, path, n + 1);
	for (unsigned i = 0; i < VIEW_PARTS; i++) {
		v->part[i] = (struct view_part){.err = -ENOENT};
		buf_init(&v->part[i].text, CONTROL_REPLY_MAX);
	}
	return 0;
}

void view_release(struct view *v)
{
	for (unsigned i = 0; i < VIEW_PARTS; i++) {
		buf_release(&v->part[i].text);
		free(v->part[i].entries);
		v->part[i].entries = NULL;
	}
}

unsigned view_parts(const struct view *v)
{
	const char *path = v->path;

	if (view_is_own(path))
		return 0;
	if (is_below_server(path))
		return 1u << VIEW_RECVD;
	if (!strcmp(path, "/") || is_top(path))
		return 1u << VIEW_SYNCD | 1u << VIEW_RECVD;
	return 1u << VIEW_SYNCD;
}

bool view_request(const struct view *v, unsigned n, struct buf *out)
{
	static const char *const verbs[] = {
		[VIEW_STAT] = ".stat",
		[VIEW_LIST] = ".ls",
		[VIEW_READ] = ".cat",
	};
	bool is_joined = view_is_joined(v->path) && v->what != VIEW_LIST;
	char dir[VIEW_PATH_MAX];

	if (view_is_own(v->path) || n > (is_joined ? 1 : 0))
		return false;
	if (is_joined)
		buf_addf(out, "%s %s", n == 0 ? ".stat" : ".cat", v->path);
	else if (view_ctl_dir(v->path, dir))
		buf_addf(out, ".stat %s", dir);
	else
		buf_addf(out, "%s %s", verbs[v->what], v->path);
	return true;
}

bool view_is_settled(const struct view *v, unsigned part)
{
	const char *path = v->path;

	return v->part[part].err == 0 && strcmp(path, "/") != 0 &&
	       !view_is_joined(path);
}

/* ---- answers ---- */

static bool take_number(const char **p, int base, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(*p, &end, base);
	if (end == *p || errno || (*end != ' ' && *end != '\0'))
		return false;
	*p = *end ? end + 1 : end;
	return true;
}

/* KIND MODE SIZE MTIME_MS [NAME] */
static int parse_entry(const char *row, struct view_entry *en)
{
	uint64_t mode, mtime;
	const char *p = row + 2;

	memset(en, 0, sizeof *en);
	if (!row[0] || row[1] != ' ')
		return -EBADMSG;
	if (row[0] == 'd')
		en->node.kind = TREE_DIR;
	else if (row[0] == 'f')
		en->node.kind = TREE_FILE;
	else if (row[0] == 'l')
		en->node.kind = TREE_LINK;
	else
		return -EBADMSG;
	if (!take_number(&p, 8, &mode) || !take_number(&p, 10, &en->size) ||
	    !take_number(&p, 10, &mtime) || strlen(p) > TREE_NAME_MAX)
		return -EBADMSG;
	en->node.mode = (unsigned)mode & 07777;
	en->node.mtime_ms = (int64_t)mtime;
	(void)snprintf(en->node.name, sizeof en->node.name, "%s", p);
	return 0;
}

static int take_stat(struct view_part *pt, const struct reply *r)
{
	int err = r->n_rows ? parse_entry(r->rows[0], &pt->entry) : -EBADMSG;

	pt->has_entry = err == 0;
	return err;
}

static bool is_name(const char *s)
{
	return s[0] && !strchr(s, '/') && strcmp(s, ".") != 0 &&
	       strcmp(s, "..") != 0;
}

static int take_list(struct view_part *pt, const struct reply *r)
{
	free(pt->entries);
	pt->n_entries = 0;
	pt->entries = xcalloc(r->n_rows + 1, sizeof *pt->entries);
	for (size_t i = 0; i < r->n_rows; i++) {
		struct view_entry *en = &pt->entries[pt->n_entries];

		if (parse_entry(r->rows[i], en) || !is_name(en->node.name))
			return -EBADMSG;
		pt->n_entries++;
	}
	return 0;
}

static int take_text(struct view_part *pt, const struct reply *r)
{
	buf_clear(&pt->text);
	for (size_t i = 0; i < r->n_rows; i++) {
		buf_adds(&pt->text, r->rows[i]);
		buf_adds(&pt->text, "\n");
	}
	return buf_end(&pt->text);
}

static int take_reply(const struct view *v, struct view_part *pt, unsigned n,
		      const struct reply *r)
{
	char dir[VIEW_PATH_MAX];

	if (r->code)
		return r->sys ? -r->sys : -EIO;
	if (view_ctl_dir(v->path, dir))
		return take_stat(pt, r);
	if (view_is_joined(v->path) && v->what != VIEW_LIST)
		return n == 0 ? take_stat(pt, r) : take_text(pt, r);
	switch (v->what) {
	case VIEW_STAT:
		return take_stat(pt, r);
	case VIEW_LIST:
		return take_list(pt, r);
	case VIEW_READ:
		return take_text(pt, r);
	}
	return -EINVAL;
}

void view_take(struct view *v, unsigned part, unsigned n, const struct reply *r,
	       int err)
{
	struct view_part *pt = &v->part[part];

	pt->err = r ? take_reply(v, pt, n, r) : err;
}
