/* What running servers did in their data directories (tests/data/traces), done again: after each
 * step the listing must find sealed what is sealed, and nothing else; and of what became sealed
 * the watch must have told. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "ground/fileio.h"
#include "syncd/listing.h"
#include "syncd/watch.h"
#include "test.h"

#define FILES_MAX 512

/* A path below the data directory: SPACE/DATABASE/REGION/PARTITION/NAME. */
struct there {
	char path[200];
	char *text; /* owned; a journal's */
	bool was_sealed;
};

struct place {
	char space[16], database[64], name[128];
	unsigned region;
	long partition;
};

static struct loop *loop;
static struct watch *watch;
static struct there files[FILES_MAX];
static size_t n_files;
static char data[400];

static struct {
	int resources, journals, outputs, mods, tree;
} heard;

/* ---- what is there ---- */

static bool ends_with(const char *text, const char *tail)
{
	size_t n = strlen(text), m = strlen(tail);

	return n >= m && strcmp(text + n - m, tail) == 0;
}

static struct there *find(const char *path)
{
	for (size_t i = 0; i < n_files; i++)
		if (strcmp(files[i].path, path) == 0)
			return &files[i];
	return NULL;
}

static void remember(const char *path)
{
	if (find(path))
		return;
	if (n_files == FILES_MAX)
		abort();
	files[n_files] = (struct there){.text = NULL};
	(void)snprintf(files[n_files++].path, sizeof files[0].path, "%s", path);
}

static void forget(const char *path)
{
	struct there *f = find(path);

	if (!f)
		return;
	free(f->text);
	*f = files[--n_files];
}

static bool place_of(const char *path, struct place *to)
{
	return sscanf(path, "%15[^/]/%63[^/]/%u/%ld/%127s", to->space,
		      to->database, &to->region, &to->partition, to->name) == 5;
}

/* Whether a whole line of the journal says that this file is its target. */
static bool is_target(const char *text, const struct place *p)
{
	char want[300];
	const char *at = text;
	int n = snprintf(want, sizeof want, "target %s %s %u %ld %.*s.",
			 p->space, p->database, p->region, p->partition,
			 (int)(strlen(p->name) - strlen(".tsfile")), p->name);

	for (; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		if (strncmp(at, want, (size_t)n) == 0 && strchr(at, '\n'))
			return true;
	return false;
}

/* The rule, by what was done so far. */
static bool is_sealed(const struct there *f)
{
	char resource[256];
	struct place p, q;

	(void)snprintf(resource, sizeof resource, "%s.resource", f->path);
	if (!ends_with(f->path, ".tsfile") || !find(resource) ||
	    !place_of(f->path, &p))
		return false;
	for (size_t i = 0; i < n_files; i++)
		if (files[i].text && place_of(files[i].path, &q) &&
		    is_target(files[i].text, &p))
			return false;
	return true;
}

/* ---- what the listing says ---- */

static bool is_of(const struct living *f, const struct place *p)
{
	struct fileid id;

	return fileid_parse_name(&id, p->name) == 0 && f->t == id.t &&
	       f->v == id.v && f->i == id.i && f->c == id.c &&
	       f->unsequence == (strcmp(p->space, "unsequence") == 0);
}

static bool is_listed(const struct listing *l, const struct place *p)
{
	for (size_t i = 0; i < l->pipes[0].n_files; i++)
		if (is_of(&l->pipes[0].files[i], p))
			return true;
	return false;
}

static bool same_partition(const struct place *a, const struct place *b)
{
	return strcmp(a->database, b->database) == 0 &&
	       a->region == b->region && a->partition == b->partition;
}

static bool check_partition(const char *path, const char *step)
{
	struct listing l = {.data_dirs = {data},
			    .n_data_dirs = 1,
			    .precedence = PRECEDENCE_UNSEQUENCE_WINS,
			    .n_pipes = 1};
	struct place p, q;
	bool is_grown = false;
	size_t n_sealed = 0;

	if (!place_of(path, &p))
		return true;
	l.database = p.database;
	l.region = p.region;
	l.partition = p.partition;
	listing_run(&l.job);
	if (l.result)
		test_fail(__FILE__, __LINE__, l.err.text);
	for (size_t i = 0; i < n_files; i++) {
		bool sealed = is_sealed(&files[i]);

		if (!place_of(files[i].path, &q) || !same_partition(&p, &q) ||
		    !ends_with(q.name, ".tsfile"))
			continue;
		if (is_listed(&l, &q) != sealed)
			test_fail(__FILE__, __LINE__, step);
		is_grown |= sealed && !files[i].was_sealed;
		files[i].was_sealed = sealed;
		n_sealed += sealed;
	}
	if (l.pipes[0].n_files != n_sealed)
		test_fail(__FILE__, __LINE__, step);
	listing_release(&l);
	return !is_grown || heard.resources || heard.journals;
}

/* ---- what the watch says ---- */

static void on_resource(void *arg, const struct watch_dir *d,
			const struct fileid *id)
{
	(void)arg;
	(void)d;
	(void)id;
	heard.resources++;
}

static void on_journal(void *arg, const struct watch_dir *d, const char *name,
		       bool is_there)
{
	(void)arg;
	(void)d;
	(void)name;
	(void)is_there;
	heard.journals++;
}

static void on_output(void *arg, const struct watch_dir *d)
{
	(void)arg;
	(void)d;
	heard.outputs++;
}

static void on_mods(void *arg, const struct watch_dir *d)
{
	(void)arg;
	(void)d;
	heard.mods++;
}

static void on_tree(void *arg)
{
	(void)arg;
	heard.tree++;
}

static void stop(struct loop_timer *t)
{
	(void)t;
	loop_stop(loop);
}

/* An event is there when the call that made it returns. */
static void listen_once(void)
{
	struct loop_timer t = {.fn = stop};

	loop_timer_set(loop, &t, 1);
	if (loop_run(loop))
		abort();
}

static char *full(const char *path)
{
	static char to[2][700];
	static int n;

	n = !n;
	(void)snprintf(to[n], sizeof to[n], "%s/%s", data, path);
	return to[n];
}

static unsigned depth_of(const char *path)
{
	unsigned n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* As the walk does it. */
static void learn(const char *path)
{
	struct watch_dir d = {.is_partition = depth_of(path) == 3};

	d.wd = watch_add(watch_fd(watch), full(path), d.is_partition);
	if (d.is_partition)
		d.database = xstrdup("root.x");
	if (d.wd < 0)
		abort();
	watch_learn(watch, &d, 1);
}

/* ---- steps ---- */

static void make_dirs(const char *path, bool is_heard)
{
	char part[200];

	for (size_t i = 0; i <= strlen(path); i++) {
		if (path[i] != '/' && path[i])
			continue;
		(void)snprintf(part, sizeof part, "%.*s", (int)i, path);
		if (mkdir(full(part), 0755) < 0)
			continue; /* it is there */
		listen_once();
		if (is_heard && depth_of(part))
			CHECK(heard.tree > 0);
		learn(part);
	}
}

static void put(const char *path, const char *text)
{
	int fd = open(full(path), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || close(fd) < 0)
		test_fail(__FILE__, __LINE__, path);
	remember(path);
}

static void put_in(const char *path)
{
	char dir[200];

	(void)snprintf(dir, sizeof dir, "%.*s",
		       (int)(strrchr(path, '/') - path), path);
	make_dirs(dir, false);
	put(path, "");
}

static void write_journal(const char *path, char *text)
{
	struct there *f;

	for (char *p = text; *p; p++)
		if (*p == '|')
			*p = '\n';
	f = find(path);
	if (!f)
		abort();
	free(f->text);
	f->text = xcalloc(1, strlen(text) + 2);
	(void)snprintf(f->text, strlen(text) + 2, "%s%s", text,
		       ends_with(text, "\\") ? "" : "\n");
	if (ends_with(f->text, "\\"))
		f->text[strlen(f->text) - 1] = '\0';
	put(path, f->text);
}

static bool is_mods(const char *path)
{
	return (ends_with(path, ".mods") || ends_with(path, ".mods2")) &&
	       !strstr(path, ".compaction.mods"); /* IoTDB's own, for later */
}

static void move(const char *path, const char *name)
{
	char to[200];

	(void)snprintf(to, sizeof to, "%.*s/%s",
		       (int)(strrchr(path, '/') - path), path, name);
	if (access(full(path), F_OK))
		put(path, "");
	heard.resources = heard.mods = 0;
	if (rename(full(path), full(to)))
		test_fail(__FILE__, __LINE__, path);
	forget(path);
	forget(to);
	remember(to);
	listen_once();
	if (ends_with(name, ".resource"))
		CHECK(heard.resources == 1);
	if (is_mods(name))
		CHECK(heard.mods > 0);
}

static void step(char *line)
{
	char *save = NULL, *what = strtok_r(line, " ", &save);
	char *path = strtok_r(NULL, " ", &save);
	struct there *f;

	if (!what || !path || *what == '#')
		return;
	memset(&heard, 0, sizeof heard);
	f = find(path);
	if (strcmp(what, "have") == 0 || strcmp(what, "create") == 0 ||
	    strcmp(what, "found") == 0)
		put_in(path);
	else if (strcmp(what, "mkdir") == 0)
		make_dirs(path, true);
	else if (strcmp(what, "rmdir") == 0)
		(void)rmdir(full(path)); /* unless another file is left there */
	else if (strcmp(what, "journal") == 0)
		write_journal(path, save);
	else if (strcmp(what, "move") == 0)
		move(path, save);
	else if (strcmp(what, "close") == 0 && is_mods(path))
		put(path, "");
	else if (strcmp(what, "delete") == 0 && unlink(full(path)) == 0)
		forget(path);
	else if (strcmp(what, "sealed") == 0)
		CHECK(f &&
		      is_sealed(f)); /* as the recorder saw it there and then */
	else if (strcmp(what, "not-yet") == 0)
		CHECK(f && !is_sealed(f));
	listen_once();
	if (strcmp(what, "close") == 0 && is_mods(path))
		CHECK(heard.mods > 0);
	/* What stood in a new directory before it was watched, the walk finds. */
	if (!check_partition(path, path) && strcmp(what, "have") != 0 &&
	    strcmp(what, "found") != 0)
		test_fail(__FILE__, __LINE__, "nobody told of it");
}

static void prepare(const char *name)
{
	const struct watch_ops ops = {.resource = on_resource,
				      .journal = on_journal,
				      .output = on_output,
				      .mods = on_mods,
				      .tree_changed = on_tree,
				      .lost = on_tree};
	struct err e = {0};

	(void)snprintf(data, sizeof data, "%s/%s", test_dir(), name);
	if (mkdir(data, 0755) || loop_new(&loop, &e) ||
	    watch_new(&watch, loop, &ops, &e))
		abort();
	make_dirs("sequence", false);
	make_dirs("unsequence", false);
}

static const char *trace; /* the one that is done */

static void replay(void)
{
	char path[600], *line = NULL;
	size_t size = 0;
	ssize_t n;
	FILE *from;

	prepare(trace);
	(void)snprintf(path, sizeof path, "traces/%s", trace);
	from = fopen(test_data(path), "re");
	CHECK(from);
	while (from && (n = getline(&line, &size, from)) > 0) {
		line[n - 1] = '\0';
		step(line);
	}
	if (from)
		(void)fclose(from);
	free(line);
	while (n_files)
		forget(files[0].path);
	watch_free(watch);
	loop_free(loop);
}

static int is_trace(const struct dirent *d)
{
	return ends_with(d->d_name, ".txt");
}

int main(void)
{
	struct dirent **all;
	int n = scandir(test_data("traces"), &all, is_trace, alphasort);
	char name[300];

	for (int i = 0; i < n; i++) {
		trace = all[i]->d_name;
		(void)snprintf(
			name, sizeof name,
			"%.*s: nothing sealed is missed, nothing earlier",
			(int)(strlen(trace) - 4), trace);
		test_run(name, replay);
		free(all[i]);
	}
	if (n > 0)
		free(all);
	return n < 15 ? 1 : test_end();
}
