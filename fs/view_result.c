#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "domain/sql.h"
#include "join.h"
#include "view_inside.h"

/* What the answers come to: entries, texts, listings; and the texts that are ours. */

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
	struct buf text CLEANUP(buf_release) = {0};
	int at = first_part(v);

	if (at < 0 && !is_ours)
		return at;
	own_entry(out, v->path + 1, TREE_FILE, 0444, own);
	if (at >= 0) {
		out->node.mtime_ms = 0;
		youngest(v, out);
	}
	if (out->node.mtime_ms <= 0) /* nothing was ever refused */
		out->node.mtime_ms = own->start_ms;
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
		buf_adds(&text, view_usage(path));
	own_entry(out, strrchr(path, '/') + 1, TREE_FILE, is_help ? 0444 : 0666,
		  own);
	out->size = text.len;
	return buf_end(&text);
}

/* Whether what should hold a ctl is there and a directory. */
static bool is_in_dir(const struct view *v, int at)
{
	return at >= 0 && v->part[at].entry.node.kind == TREE_DIR;
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
	if (view_is_joined(v->path))
		return stat_joined(v, own, out);
	if (view_is_own(v->path))
		return stat_own(v->path, own, out);
	if (at < 0)
		return at;
	if (view_ctl_dir(v->path, dir)) {
		if (!is_in_dir(v, at))
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
	if (view_is_joined(v->path)) {
		if (at < 0 && strcmp(v->path, "/last_error") != 0)
			return at;
		joined_text(v, own, out);
		return buf_end(out);
	}
	if (view_is_ctl(v->path)) {
		if (strcmp(v->path, "/ctl") != 0 && !is_in_dir(v, at))
			return -ENOENT;
		buf_adds(out, view_usage(v->path));
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
	int at = view_is_own(v->path) || view_is_ctl(v->path) ? -ENOTDIR
							      : first_part(v);
	struct view_entry *list;

	if (at < 0 && !is_root)
		return at;
	list = xcalloc(v->part[0].n_entries + v->part[1].n_entries +
			       OWN_ENTRIES,
		       sizeof *list);
	*n = 0;
	add_parts(v, list, n);
	if (is_root || view_holds_ctl(v->path))
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

#define USAGE                                                             \
	"Write statements to this file, then read it for the answer:\n"   \
	"\n"                                                              \
	"    echo 'SHOW PIPES' > ctl; cat ctl\n"                          \
	"\n"                                                              \
	"A statement ends at ; or at the end of its line. The file help " \
	"at the top lists\n"                                              \
	"all statements, last_error has the last refusal.\n"

const char *view_usage(const char *path)
{
	if (strcmp(path, "/ctl") == 0)
		return USAGE;
	if (strcmp(path, "/server/ctl") == 0)
		return USAGE "Here also: START, STOP, ADMIT <sender>, FORGET "
			     "<sender>.\n";
	return USAGE "Here also, for this pipe: START, STOP, DROP, RESYNC "
		     "[FROM <time>], WAIT [<seconds>].\n";
}
