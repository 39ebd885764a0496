#include "view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "domain/sql.h"
#include "join.h"

/* The paths that more than one program has a say in are all named in this file. */

static bool is_joined_file(const char *path)
{
	return !strcmp(path, "/log") || !strcmp(path, "/metrics") ||
	       !strcmp(path, "/last_error");
}

static bool is_own_file(const char *path)
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

/* A directory that has a ctl of its own: /server and every pipe. */
static bool holds_ctl(const char *dir)
{
	return is_top(dir) && strcmp(dir, "/sinks") != 0;
}

/* The directory of "/x/ctl" into `dir`; false when the path is none such. */
static bool ctl_dir(const char *path, char dir[VIEW_PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path || strcmp(slash, "/ctl") != 0)
		return false;
	(void)snprintf(dir, VIEW_PATH_MAX, "%.*s", (int)(slash - path), path);
	return holds_ctl(dir);
}

bool view_is_ctl(const char *path)
{
	char dir[VIEW_PATH_MAX];

	return !strcmp(path, "/ctl") || ctl_dir(path, dir);
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

	if (is_own_file(path))
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
	bool is_joined = is_joined_file(v->path) && v->what != VIEW_LIST;
	char dir[VIEW_PATH_MAX];

	if (is_own_file(v->path) || n > (is_joined ? 1 : 0))
		return false;
	if (is_joined)
		buf_addf(out, "%s %s", n == 0 ? ".stat" : ".cat", v->path);
	else if (ctl_dir(v->path, dir))
		buf_addf(out, ".stat %s", dir);
	else
		buf_addf(out, "%s %s", verbs[v->what], v->path);
	return true;
}

bool view_is_settled(const struct view *v, unsigned part)
{
	const char *path = v->path;

	return v->part[part].err == 0 && strcmp(path, "/") != 0 &&
	       !is_joined_file(path);
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
	if (ctl_dir(v->path, dir))
		return take_stat(pt, r);
	if (is_joined_file(v->path) && v->what != VIEW_LIST)
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

/* ---- results ---- */

static bool is_there(const struct view_part *pt)
{
	return pt->err == 0;
}

/* Why nobody has it. That a daemon is away or late is not an error of the path. */
static int why_not(const struct view *v)
{
	for (unsigned i = 0; i < VIEW_PARTS; i++) {
		int err = v->part[i].err;

		if (err == -ENOTDIR || err == -EISDIR)
			return err;
	}
	return -ENOENT;
}

static void last_error_text(const struct view *v, const struct view_own *own,
			    struct buf *out)
{
	const struct view_part *young = NULL;

	for (unsigned i = 0; i < VIEW_PARTS; i++) {
		const struct view_part *pt = &v->part[i];

		if (!is_there(pt) || !pt->text.len)
			continue;
		if (!young ||
		    pt->entry.node.mtime_ms > young->entry.node.mtime_ms)
			young = pt;
	}
	if (own->last_error[0] &&
	    (!young || own->last_error_ms > young->entry.node.mtime_ms))
		buf_adds(out, own->last_error);
	else if (young)
		buf_add(out, buf_data(&young->text), young->text.len);
}

static void joined_text(const struct view *v, const struct view_own *own,
			struct buf *out)
{
	const struct buf *a = &v->part[0].text, *b = &v->part[1].text;

	if (!strcmp(v->path, "/last_error"))
		last_error_text(v, own, out);
	else if (!strcmp(v->path, "/log"))
		join_log(out, a, b);
	else
		join_metrics(out, a, b);
}

static int first_part(const struct view *v)
{
	for (unsigned i = 0; i < VIEW_PARTS; i++) {
		if (is_there(&v->part[i]))
			return (int)i;
	}
	return why_not(v);
}

static void own_entry(struct view_entry *en, const char *name,
		      enum tree_kind kind, unsigned mode,
		      const struct view_own *own)
{
	memset(en, 0, sizeof *en);
	(void)snprintf(en->node.name, sizeof en->node.name, "%s", name);
	en->node.kind = kind;
	en->node.mode = mode;
	en->node.mtime_ms = own->start_ms;
}

static void youngest(const struct view *v, struct view_entry *en)
{
	for (unsigned i = 0; i < VIEW_PARTS; i++) {
		const struct view_part *pt = &v->part[i];

		if (is_there(pt) && pt->has_entry &&
		    pt->entry.node.mtime_ms > en->node.mtime_ms)
			en->node.mtime_ms = pt->entry.node.mtime_ms;
	}
}

static int stat_joined(const struct view *v, const struct view_own *own,
		       struct view_entry *out)
{
	bool is_ours = !strcmp(v->path, "/last_error");
	struct buf text CLEANUP(buf_release);
	int at = first_part(v);

	if (at < 0 && !is_ours)
		return at;
	own_entry(out, v->path + 1, TREE_FILE, 0444, own);
	if (at >= 0) {
		out->node.mtime_ms = 0;
		youngest(v, out);
	}
	if (is_ours && own->last_error[0] &&
	    own->last_error_ms > out->node.mtime_ms)
		out->node.mtime_ms = own->last_error_ms;
	buf_init(&text, VIEW_TEXT_MAX);
	joined_text(v, own, &text);
	out->size = text.len;
	return buf_end(&text);
}

static int stat_own(const char *path, const struct view_own *own,
		    struct view_entry *out)
{
	struct buf text CLEANUP(buf_release);
	bool is_help = !strcmp(path, "/help");

	buf_init(&text, VIEW_TEXT_MAX);
	if (is_help)
		view_help(&text);
	else
		buf_adds(&text, view_usage());
	own_entry(out, strrchr(path, '/') + 1, TREE_FILE, is_help ? 0444 : 0666,
		  own);
	out->size = text.len;
	return buf_end(&text);
}

int view_stat(const struct view *v, const struct view_own *own,
	      struct view_entry *out)
{
	char dir[VIEW_PATH_MAX];
	int at = first_part(v);

	if (!strcmp(v->path, "/")) {
		own_entry(out, "", TREE_DIR, 0755, own);
		youngest(v, out);
		return 0;
	}
	if (is_joined_file(v->path))
		return stat_joined(v, own, out);
	if (is_own_file(v->path))
		return stat_own(v->path, own, out);
	if (at < 0)
		return at;
	if (ctl_dir(v->path, dir)) {
		if (v->part[at].entry.node.kind != TREE_DIR)
			return -ENOENT;
		return stat_own(v->path, own, out);
	}
	*out = v->part[at].entry;
	(void)snprintf(out->node.name, sizeof out->node.name, "%s",
		       strrchr(v->path, '/') + 1);
	return 0;
}

int view_read(const struct view *v, const struct view_own *own, struct buf *out)
{
	int at = first_part(v);

	if (!strcmp(v->path, "/"))
		return -EISDIR;
	if (!strcmp(v->path, "/help")) {
		view_help(out);
		return buf_end(out);
	}
	if (is_joined_file(v->path)) {
		if (at < 0 && strcmp(v->path, "/last_error") != 0)
			return at;
		joined_text(v, own, out);
		return buf_end(out);
	}
	if (view_is_ctl(v->path)) {
		if (at < 0 && strcmp(v->path, "/ctl") != 0)
			return at;
		buf_adds(out, view_usage());
		return buf_end(out);
	}
	if (at < 0)
		return at;
	buf_add(out, buf_data(&v->part[at].text), v->part[at].text.len);
	return buf_end(out);
}

/* ---- directories ---- */

static int by_name(const void *a, const void *b)
{
	const struct view_entry *x = a, *y = b;

	return strcmp(x->node.name, y->node.name);
}

/* Sorts and drops later entries of a name; qsort of the C library keeps the order of
 * equals only by chance, so they are told apart by what they are: ours and the first
 * part's differ in nothing that a listing shows. */
static size_t sort_unique(struct view_entry *list, size_t n)
{
	size_t kept = 0;

	qsort(list, n, sizeof *list, by_name);
	for (size_t i = 0; i < n; i++) {
		if (kept &&
		    !strcmp(list[kept - 1].node.name, list[i].node.name))
			continue;
		list[kept++] = list[i];
	}
	return kept;
}

static void add_parts(const struct view *v, struct view_entry *list, size_t *n)
{
	for (unsigned i = 0; i < VIEW_PARTS; i++) {
		const struct view_part *pt = &v->part[i];

		if (!is_there(pt))
			continue;
		for (size_t k = 0; k < pt->n_entries; k++)
			list[(*n)++] = pt->entries[k];
	}
}

#define OWN_ENTRIES 3

int view_list(const struct view *v, const struct view_own *own,
	      struct view_entry **out, size_t *n)
{
	bool is_root = !strcmp(v->path, "/");
	int at = is_own_file(v->path) || view_is_ctl(v->path) ? -ENOTDIR
							      : first_part(v);
	struct view_entry *list;

	if (at < 0 && !is_root)
		return at;
	list = xcalloc(v->part[0].n_entries + v->part[1].n_entries +
			       OWN_ENTRIES,
		       sizeof *list);
	*n = 0;
	add_parts(v, list, n);
	if (is_root || holds_ctl(v->path))
		own_entry(&list[(*n)++], "ctl", TREE_FILE, 0666, own);
	if (is_root) {
		own_entry(&list[(*n)++], "help", TREE_FILE, 0444, own);
		own_entry(&list[(*n)++], "last_error", TREE_FILE, 0444, own);
	}
	*n = sort_unique(list, *n);
	*out = list;
	return 0;
}

/* ---- fixed texts ---- */

void view_help(struct buf *out)
{
	static const char *const homes[] = {
		[HOME_SYNCD] = "syncd",
		[HOME_RECVD] = "recvd",
		[HOME_BOTH] = "both",
	};
	int width = 0;

	for (size_t i = 0; i < sql_n_statements; i++) {
		int n = (int)strlen(sql_statements[i].text);

		width = n > width ? n : width;
	}
	for (size_t i = 0; i < sql_n_statements; i++) {
		const struct stmt_form *f = &sql_statements[i];

		buf_addf(out, "%-*s  %-5s  %s\n", width, f->text,
			 homes[f->home], f->help);
	}
}

const char *view_usage(void)
{
	return "Write statements to this file, then read it for the answer:\n"
	       "\n"
	       "    echo 'SHOW PIPES' > ctl; cat ctl\n"
	       "\n"
	       "A statement ends at ; or at the end of its line. The file help "
	       "at the top lists\n"
	       "all statements, last_error has the last refusal.\n";
}
