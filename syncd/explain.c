/* The walk's levels and the listing's judgement, without watches, catalog and spool. */
#include "explain.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "domain/tsfile.h"
#include "follow.h"
#include "ground/fileio.h"
#include "listing.h"
#include "overlap.h"
#include "settings.h"
#include "spool.h"

#define REPAIRED_T (UINT64_C(1) << 62) /* iotdb-formats, section 2.1 */

struct place {
	char database[DATABASE_MAX + 1];
	uint32_t region;
	int64_t partition;
};

struct explaining {
	struct settings set;
	struct place *places; /* owned */
	size_t n, cap;
	unsigned long n_sent, n_held;
	uint64_t bytes; /* of what is sent */
	struct err err;
};

enum level {
	LEVEL_TOP,
	LEVEL_DATABASE,
	LEVEL_REGION,
	LEVEL_PARTITION
};

struct step {
	struct explaining *x;
	enum level level;
	const char *path;
	const char *below; /* the same, from the data directory on */
	struct place at;
};

/* ---- which partitions there are ---- */

static void skip(struct explaining *x, const char *below, const char *name,
		 const char *why)
{
	char shown[300];

	(void)printf("- skip %s%s%s: %s\n", below, below[0] ? "/" : "",
		     name_shown(shown, sizeof(shown), name, strlen(name)), why);
	x->n_held++;
}

static int add_place(struct explaining *x, const struct place *at)
{
	if (array_room(&x->places, x->n, &x->cap, sizeof(*x->places)))
		return -ENOMEM;
	x->places[x->n++] = *at;
	return 0;
}

static int descend(const struct step *s, const char *name, enum level level,
		   const struct place *at);

static int at_top(const struct step *s, const char *name)
{
	if (strcmp(name, "sequence") == 0 || strcmp(name, "unsequence") == 0)
		return descend(s, name, LEVEL_DATABASE, &s->at);
	if (name[0] != '.')
		skip(s->x, s->below, name,
		     "only what stands below sequence and unsequence is data");
	return 0;
}

static int at_database(const struct step *s, const char *name)
{
	struct place at = s->at;

	if (database_is_internal(name)) {
		skip(s->x, s->below, name, "IoTDB's own database");
		return 0;
	}
	if (database_check(name, NULL)) {
		skip(s->x, s->below, name, "not the name of a database");
		return 0;
	}
	(void)snprintf(at.database, sizeof(at.database), "%s", name);
	return descend(s, name, LEVEL_REGION, &at);
}

static int take_name(void *arg, const char *name, unsigned char d_type)
{
	const struct step *s = arg;
	struct place at = s->at;

	if (d_type != DT_DIR && d_type != DT_UNKNOWN)
		return 0;
	switch (s->level) {
	case LEVEL_TOP:
		return at_top(s, name);
	case LEVEL_DATABASE:
		return at_database(s, name);
	case LEVEL_REGION:
		if (fileid_parse_region(&at.region, name) == 0)
			return descend(s, name, LEVEL_PARTITION, &at);
		skip(s->x, s->below, name, "a region is a number");
		return 0;
	case LEVEL_PARTITION:
		if (fileid_parse_partition(&at.partition, name) == 0)
			return add_place(s->x, &at);
		skip(s->x, s->below, name, "a time partition is a number");
		return 0;
	}
	return 0;
}

static int look_into(const struct step *s)
{
	CLEANUP_CLOSE int fd = file_open_dir(s->path);

	if (fd < 0)
		return err_set(&s->x->err, -fd, "%s: %s", s->path,
			       err_words(-fd));
	return file_list(fd, take_name, (void *)(uintptr_t)s);
}

static int descend(const struct step *s, const char *name, enum level level,
		   const struct place *at)
{
	char path[1024], below[700];
	struct step next = {.x = s->x,
			    .level = level,
			    .path = path,
			    .below = below,
			    .at = *at};

	if (snprintf(path, sizeof(path), "%s/%s", s->path, name) >=
		    (int)sizeof(path) ||
	    snprintf(below, sizeof(below), "%s%s%s", s->below,
		     s->below[0] ? "/" : "", name) >= (int)sizeof(below))
		return 0;
	return look_into(&next);
}

static int compare_places(const void *a, const void *b)
{
	const struct place *pa = a, *pb = b;
	int order = strcmp(pa->database, pb->database);

	if (order)
		return order;
	if (pa->region != pb->region)
		return pa->region > pb->region ? 1 : -1;
	return (pa->partition > pb->partition) -
	       (pa->partition < pb->partition);
}

static bool has_spaces(const char *data_dir)
{
	struct volume v;

	(void)snprintf(v.data_dir, sizeof(v.data_dir), "%s", data_dir);
	return spool_is_data_dir(&v);
}

static int find_places(struct explaining *x)
{
	size_t i, n = 0;
	int r = 0;

	for (i = 0; r == 0 && i < x->set.facts.n_dirs; i++) {
		const struct step top = {.x = x,
					 .level = LEVEL_TOP,
					 .path = x->set.facts.dirs[i],
					 .below = ""};

		if (!has_spaces(top.path))
			return err_set(&x->err, ENOENT,
				       "%s has neither sequence nor "
				       "unsequence: expected what stands in "
				       "dn_data_dirs (data/datanode/data; "
				       "data/data of IoTDB 0.13), its disk "
				       "mounted",
				       top.path);
		r = look_into(&top);
	}
	if (r || !x->n)
		return r;
	qsort(x->places, x->n, sizeof(*x->places), compare_places);
	for (i = 1; i < x->n; i++) {
		if (compare_places(&x->places[n], &x->places[i]) != 0)
			x->places[++n] = x->places[i];
	}
	x->n = n + 1;
	return 0;
}

/* ---- one partition ---- */

#define OF_WHAT ", its sources not known"

static const char *origin(const struct living *f)
{
	if (f->t >= REPAIRED_T && f->v == 0)
		return "; a product of repair, its source unknown";
	if (f->c && f->i)
		return "; a product of inner and cross compaction" OF_WHAT;
	if (f->c)
		return "; a product of cross compaction" OF_WHAT;
	if (f->i)
		return "; a product of inner compaction" OF_WHAT;
	return "";
}

static const char *deletions(const struct listing *l, const struct living *f)
{
	static const char *const suffixes[] = {".mods2", ".mods"};
	char path[DATA_DIR_LEN + FILEID_PATH_MAX + 16], file[FILEID_PATH_MAX];
	struct fileid id;
	size_t i;

	listing_file(l, f, &id);
	for (i = 0; i < ARRAY_LEN(suffixes); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s%s",
			       l->data_dirs[f->volume], fileid_path(&id, file),
			       suffixes[i]);
		if (access(path, F_OK) == 0)
			return "; with its deletions";
	}
	return "";
}

static void print_sent(struct explaining *x, const struct listing *l,
		       struct living *f, struct overlap *below)
{
	char path[FILEID_PATH_MAX];
	struct tsfile_ends ends;
	struct tsfile_range range;
	struct err e = {0};
	struct fileid id;
	CLEANUP_CLOSE int fd = follow_open(l, f);
	bool wins;

	listing_file(l, f, &id);
	if (fd < 0)
		(void)err_set(&e, -fd, "%s", err_words(-fd));
	if (fd < 0 || tsfile_read_ends(fd, &ends, &e)) {
		(void)printf("- skip %s: %s\n", fileid_path(&id, path), e.text);
		x->n_held++;
		return;
	}
	wins = overlap_hits(below, fd, &range);
	overlap_add(below, fd, &range);
	x->bytes += ends.len;
	(void)printf("%lu send %s: %" PRIu64 " bytes%s%s%s\n", ++x->n_sent,
		     fileid_path(&id, path), ends.len,
		     wins ? "; wins over rows of files before it" : "",
		     deletions(l, f), origin(f));
}

static void print_held(struct explaining *x, const struct listing *l,
		       const struct living *f)
{
	char path[FILEID_PATH_MAX];
	struct fileid id;

	listing_file(l, f, &id);
	(void)printf("- wait %s: %s\n", fileid_path(&id, path),
		     f->is_target ? "a compaction that still runs writes it"
				  : "not sealed, it has no .resource");
	x->n_held++;
}

static void print_journals(const struct listing *l)
{
	size_t i, k;

	for (i = 0; i < l->compactions.n; i++) {
		const struct compaction *c = &l->compactions.v[i];
		size_t n[3] = {0};

		for (k = 0; k < c->n; k++)
			n[c->v[k].role]++;
		(void)printf("# journal %s in %s/%" PRIu32 "/%" PRId64
			     ": %zu sources, %zu targets, %zu of them empty\n",
			     c->journal, l->database, l->region, l->partition,
			     n[JOURNAL_SOURCE],
			     n[JOURNAL_TARGET] + n[JOURNAL_EMPTY],
			     n[JOURNAL_EMPTY]);
	}
}

struct odd {
	struct explaining *x;
	const char *below;
};

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), len = strlen(end);

	return n > len && strcmp(name + n - len, end) == 0;
}

/* Names that no listing looks at, of what might be taken for data. */
static int take_odd(void *arg, const char *name, unsigned char d_type)
{
	const struct odd *o = arg;
	struct fileid id;

	(void)d_type;
	if (ends_with(name, ".tsfile") && fileid_parse_name(&id, name))
		skip(o->x, o->below, name,
		     "a TsFile is named T-V-I-C.tsfile, four numbers");
	else if (ends_with(name, ".tsfile.broken"))
		skip(o->x, o->below, name, "IoTDB found it damaged");
	else if (journal_is_output(name))
		skip(o->x, o->below, name,
		     "a compaction that still runs writes it");
	return 0;
}

static int print_odd(struct explaining *x, const struct listing *l)
{
	struct fileid id = {.region = l->region, .partition = l->partition};
	char path[DATA_DIR_LEN + FILEID_PATH_MAX], below[FILEID_PATH_MAX];
	struct odd odd = {.x = x, .below = below};
	size_t i;
	int r = 0;

	(void)snprintf(id.database, sizeof(id.database), "%s", l->database);
	for (i = 0; r == 0 && i < 2 * l->n_data_dirs; i++) {
		CLEANUP_CLOSE int fd = -1;

		id.unsequence = i % 2 != 0;
		(void)snprintf(path, sizeof(path), "%s/%s", l->data_dirs[i / 2],
			       fileid_dir(&id, below));
		fd = file_open_dir(path);
		if (fd >= 0)
			r = file_list(fd, take_odd, &odd);
	}
	return r;
}

static int explain_place(struct explaining *x, const struct place *at)
{
	CLEANUP(listing_release)
	struct listing l = {.database = at->database,
			    .region = at->region,
			    .partition = at->partition,
			    .precedence = x->set.precedence,
			    .keeps_all = true,
			    .n_pipes = 1};
	CLEANUP(overlap_release) struct overlap below = {.n = 0};
	size_t i;

	l.n_data_dirs = x->set.facts.n_dirs;
	for (i = 0; i < l.n_data_dirs; i++)
		l.data_dirs[i] = x->set.facts.dirs[i];
	listing_run(&l.job);
	if (l.result < 0)
		return err_set(&x->err, -l.result, "%s", l.err.text);
	print_journals(&l);
	for (i = 0; i < l.pipes[0].n_files; i++)
		print_sent(x, &l, &l.pipes[0].files[i], &below);
	for (i = 0; i < l.all.n; i++) {
		const struct living *f = &l.all.v[i];

		if (!f->has_resource || f->is_target)
			print_held(x, &l, f);
	}
	return print_odd(x, &l);
}

/* ---- */

static int load(struct explaining *x, const char *conf_path,
		const char *data_dir)
{
	CLEANUP_FREE char *whole = NULL;

	if (conf_path)
		return settings_load(&x->set, conf_path, &x->err);
	whole = realpath(data_dir, NULL);
	if (!whole)
		return err_set(&x->err, errno, "data directory %s: %s",
			       data_dir, err_words(errno));
	return settings_of_dir(&x->set, whole, &x->err);
}

int explain_run(const char *conf_path, const char *data_dir)
{
	struct explaining *x = xcalloc(1, sizeof(*x));
	size_t i;
	int r = load(x, conf_path, data_dir);

	if (r == 0)
		(void)printf("# IoTDB %s: %s\n",
			     x->set.facts.version[0]
				     ? x->set.facts.version
				     : "of unknown version, taken as 1.3.3 or "
				       "later (else say iotdb_version in a "
				       "file, and --explain -c FILE)",
			     x->set.precedence == PRECEDENCE_BY_VERSION
				     ? "the higher version wins"
				     : "unsequence wins over sequence, then "
				       "the higher version");
	if (r == 0)
		r = find_places(x);
	for (i = 0; r == 0 && i < x->n; i++)
		r = explain_place(x, &x->places[i]);
	if (r == 0)
		(void)printf("# %lu to send, %" PRIu64
			     " bytes in %zu partitions; %lu not\n",
			     x->n_sent, x->bytes, x->n, x->n_held);
	else
		(void)fprintf(stderr, "syncd: %s\n", x->err.text);
	free(x->places);
	free(x);
	return r ? 1 : 0;
}
