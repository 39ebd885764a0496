#include "load_handover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ground/fileio.h"

#define FRESH "new"
#define LATE ".late"
#define LIST "list"
#define LIST_MAX (64u << 10)
#define FILE_NAME_MAX 96

/* ---- the directory of all ---- */

int handover_open(struct handover_root *root, const char *path, struct err *e)
{
	*root = (struct handover_root){.fd = -1};
	if ((size_t)snprintf(root->path, sizeof root->path, "%s", path) >=
	    sizeof root->path)
		return err_set(e, ENAMETOOLONG, "load_dir %s is too long",
			       path);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(e, errno, "load_dir %s: %s", path,
			       err_words(errno));
	root->fd = file_open_dir(path);
	if (root->fd < 0)
		return err_set(e, -root->fd, "load_dir %s: %s", path,
			       err_words(-root->fd));
	if (fstat(root->fd, &root->st) < 0)
		return err_set(e, errno, "load_dir %s: %s", path,
			       err_words(errno));
	return 0;
}

void handover_close(struct handover_root *root)
{
	cleanup_close(&root->fd);
	root->fd = -1;
}

/* The last two names of the staging directory, as one: "<sender>-<incarnation>". */
static void pipe_name(const struct load_job *j, char to[160])
{
	const char *p = strrchr(j->path, '/');
	const char *from = p;
	int slashes = 0;

	while (from && from > j->path && slashes < 2)
		slashes += *--from == '/';
	if (from && *from == '/')
		from++;
	(void)snprintf(to, 160, "%.*s", p && from < p ? (int)(p - from) : 0,
		       from ? from : "");
	for (char *c = to; *c; c++)
		if (*c == '/')
			*c = '-';
	if (!*to || *to == '.')
		(void)snprintf(to, 160, "pipe");
}

static void domain_name(const struct load_job *j, char *to, size_t size)
{
	char pipe[160];

	pipe_name(j, pipe);
	(void)snprintf(to, size, "%s/%s", pipe, j->file.database);
}

/* ---- removing ---- */

static int remove_one(void *arg, const char *name, unsigned char d_type)
{
	const int *fd = arg;

	(void)d_type;
	return unlinkat(*fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int remove_run(int domain_fd, const char *name)
{
	CLEANUP_CLOSE int fd =
		file_open_beneath(domain_fd, name, O_RDONLY | O_DIRECTORY, 0);
	int r = fd < 0 ? fd : remove_one(&fd, LIST, DT_REG);

	/* The list first: a file that goes was not loaded by that. */
	if (r >= 0)
		r = file_list(fd, remove_one, &fd);
	if (r >= 0 && unlinkat(domain_fd, name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r == -ENOENT ? 0 : r;
}

static int remove_each_run(void *arg, const char *name, unsigned char d_type)
{
	const int *fd = arg;

	return strcmp(name, HANDOVER_MARKS) == 0 ? remove_one(arg, name, d_type)
						 : remove_run(*fd, name);
}

static int remove_domain(void *arg, const char *name, unsigned char d_type)
{
	const int *fd = arg;
	CLEANUP_CLOSE int domain_fd = -1;
	int r;

	if (d_type != DT_DIR)
		return 0;
	domain_fd = file_open_beneath(*fd, name, O_RDONLY | O_DIRECTORY, 0);
	r = domain_fd < 0 ? domain_fd
			  : file_list(domain_fd, remove_each_run, &domain_fd);
	if (r >= 0 && unlinkat(*fd, name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}

struct sweep {
	const struct handover_root *root;
	char staging[700];
};

static int sweep_pipe(void *arg, const char *name, unsigned char d_type)
{
	const struct sweep *s = arg;
	char staged[900], *dash;
	CLEANUP_CLOSE int fd = -1;

	if (d_type != DT_DIR)
		return 0;
	(void)snprintf(staged, sizeof staged, "%s/%.160s", s->staging, name);
	dash = strrchr(staged, '-');
	if (!dash)
		return 0;
	*dash = '/';
	if (access(staged, F_OK) == 0 || errno != ENOENT)
		return 0;
	fd = file_open_beneath(s->root->fd, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd >= 0 && file_list(fd, remove_domain, &fd) >= 0)
		(void)unlinkat(s->root->fd, name, AT_REMOVEDIR);
	return 0;
}

void handover_sweep(struct handover_root *root, const struct load_job *any)
{
	struct sweep s = {.root = root};
	char *slash;

	if (!any->path)
		return;
	(void)snprintf(s.staging, sizeof s.staging, "%s", any->path);
	for (int i = 0; i < 3; i++) {
		slash = strrchr(s.staging, '/');
		if (!slash || slash == s.staging)
			return;
		*slash = 0;
	}
	(void)!file_list(root->fd, sweep_pipe, &s);
}

/* ---- one run ---- */

static int open_domain(const struct handover_root *root, const char *domain,
		       bool make)
{
	if (!make)
		return file_open_beneath(root->fd, domain,
					 O_RDONLY | O_DIRECTORY, 0);
	return file_make_dirs(root->fd, domain, 0777);
}

/* What the server has to enter and to change has the mode and the group of load_dir. */
static int share_dir(const struct handover_root *root, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_gid != root->st.st_gid &&
	    fchown(fd, (uid_t)-1, root->st.st_gid) < 0 && errno != EPERM)
		return -errno;
	if ((st.st_mode & 07777) != (root->st.st_mode & 07777) &&
	    fchmod(fd, root->st.st_mode & 07777) < 0)
		return -errno;
	return 0;
}

static int share_domain(const struct handover_root *root, int domain_fd)
{
	CLEANUP_CLOSE int pipe_fd =
		openat(domain_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = pipe_fd < 0 ? -errno : share_dir(root, pipe_fd);

	return r < 0 ? r : share_dir(root, domain_fd);
}

static void set_name(struct handover *h, const char *name)
{
	(void)snprintf(h->name, sizeof h->name, "%.*s", (int)sizeof h->name - 1,
		       name);
	(void)snprintf(h->path, sizeof h->path, "%s/%s/%s", h->root->path,
		       h->domain, h->name);
}

static int fail(struct err *e, const struct handover *h, int r)
{
	return err_set(e, -r, "load_dir: %s/%s: %s", h->domain, h->name,
		       err_words(-r));
}

static void init(struct handover *h, const struct handover_root *root,
		 const struct load_job *any)
{
	*h = (struct handover){.root = root, .fd = -1};
	buf_init(&h->list, LIST_MAX);
	domain_name(any, h->domain, sizeof h->domain);
	set_name(h, FRESH);
}

int handover_begin(const struct handover_root *root, const struct load_job *any,
		   struct handover *h, struct err *e)
{
	CLEANUP_CLOSE int domain_fd = -1;
	int r;

	init(h, root, any);
	domain_fd = open_domain(root, h->domain, true);
	r = domain_fd < 0 ? domain_fd : share_domain(root, domain_fd);
	if (r >= 0)
		r = remove_run(domain_fd, FRESH);
	if (r >= 0 && mkdirat(domain_fd, FRESH, 0700) < 0)
		r = -errno;
	if (r >= 0)
		h->fd = file_open_beneath(domain_fd, FRESH,
					  O_RDONLY | O_DIRECTORY, 0);
	if (r >= 0 && h->fd < 0)
		r = h->fd;
	if (r >= 0)
		r = share_dir(root, h->fd);
	return r < 0 ? fail(e, h, r) : 0;
}

static void file_name(const struct load_job *j, char *to)
{
	(void)snprintf(to, FILE_NAME_MAX, "%" PRIu64 "-%" PRIu64 "-0-0.tsfile",
		       j->serial, j->serial);
}

static const enum mods_kind mods_kinds[] = {MODS_TEXT, MODS_BINARY};

static void name_mods(const struct load_job *j, enum mods_kind kind,
		      char to[HANDOVER_NAME_MAX])
{
	char name[FILE_NAME_MAX];

	file_name(j, name);
	(void)snprintf(to, HANDOVER_NAME_MAX, "%s%s", name, mods_suffix(kind));
}

/* ---- handing over ---- */

static int copy_in(struct handover *h, const char *path, const char *name)
{
	CLEANUP_CLOSE int from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	CLEANUP_CLOSE int to = -1;

	if (from < 0)
		return -errno;
	to = file_open_beneath(h->fd, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
	return to < 0 ? to : file_copy(from, to);
}

/* The server may be another user; the directory keeps everybody else out. */
static bool is_shared(const struct handover *h)
{
	return h->root->st.st_mode & 077;
}

static int share_file(struct handover *h, const char *name, mode_t bits)
{
	struct stat st;

	if (!is_shared(h))
		return 0;
	if (fstatat(h->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if ((st.st_mode & bits) == bits)
		return 0;
	return fchmodat(h->fd, name, (st.st_mode & 07777) | bits, 0) < 0
		       ? -errno
		       : 0;
}

/* What it took it adds to at a later DELETE. */
static int share_mods(struct handover *h, const char *name)
{
	if (is_shared(h) &&
	    fchownat(h->fd, name, (uid_t)-1, h->root->st.st_gid,
		     AT_SYMLINK_NOFOLLOW) < 0 &&
	    errno != EPERM)
		return -errno;
	return share_file(h, name, 0664);
}

/* What the server takes for its own must be on the disk, or a power cut would leave the names
 * of empty files. A few are synced each, more by one wait for the disk (sync_all()). */
static int add_dirty(struct handover *h, const char *name)
{
	int fd = -1;

	if (h->n_dirty < HANDOVER_ONE_BY_ONE) {
		fd = file_open_beneath(h->fd, name, O_RDONLY, 0);
		if (fd < 0)
			return fd;
		h->dirty[h->n_dirty] = fd;
	}
	h->n_dirty++;
	return 0;
}

static int sync_all(struct handover *h)
{
	int r = 0;

	if (h->n_dirty > HANDOVER_ONE_BY_ONE)
		return syncfs(h->fd) < 0 ? -errno : 0;
	for (unsigned i = 0; i < h->n_dirty && r >= 0; i++)
		r = fdatasync(h->dirty[i]) < 0 ? -errno : 0;
	return r;
}

/* A file that may be taken was not synced yet. */
static int place(struct handover *h, const char *path, bool take,
		 const char *name)
{
	int r;

	if (take)
		r = renameat(AT_FDCWD, path, h->fd, name) < 0 ? -errno : 0;
	else
		r = linkat(AT_FDCWD, path, h->fd, name, 0) < 0 ? -errno : 0;
	if (r == -EXDEV)
		r = copy_in(h, path, name);
	else if (r >= 0 && take)
		r = add_dirty(h, name);
	return r < 0 ? r : share_file(h, name, 0444);
}

/* Staged ones never become another user's to write. */
static int place_mods(struct handover *h, const struct load_job *j,
		      const char *name)
{
	int r;

	if (!is_shared(h))
		return place(h, j->mods_path, j->take, name);
	r = copy_in(h, j->mods_path, name);
	return r < 0 ? r : share_mods(h, name);
}

static int write_mods(struct handover *h, const char *name,
		      const struct buf *mods)
{
	CLEANUP_CLOSE int fd = file_open_beneath(
		h->fd, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
	int r = fd < 0 ? fd : file_pwrite(fd, buf_data(mods), mods->len, 0);

	if (r >= 0)
		r = add_dirty(h, name);
	return r < 0 ? r : share_mods(h, name);
}

/* Says that nothing is deleted; what a power cut makes of it says the same. */
static int make_empty(struct handover *h, const char *name)
{
	char mods_name[112];
	CLEANUP_CLOSE int fd = -1;

	(void)snprintf(mods_name, sizeof mods_name, "%s%s", name,
		       mods_suffix(MODS_TEXT));
	fd = file_open_beneath(h->fd, mods_name, O_WRONLY | O_CREAT | O_EXCL,
			       0644);
	return fd < 0 ? fd : share_mods(h, mods_name);
}

static int add_mods(struct handover *h, const struct load_job *j,
		    const struct handover_change *change)
{
	char name[FILE_NAME_MAX], mods_name[HANDOVER_NAME_MAX];

	file_name(j, name);
	name_mods(j, change->mods ? change->kind : j->mods_kind, mods_name);
	if (change->mods && change->mods->len)
		return write_mods(h, mods_name, change->mods);
	if (!change->mods && j->mods_path)
		return place_mods(h, j, mods_name);
	return h->wants_mods ? make_empty(h, name) : 0;
}

static int place_ordered(struct handover *h, const char *path,
			 tsfile_compare *order, const char *name, struct err *e)
{
	CLEANUP_CLOSE int from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	CLEANUP_CLOSE int to = -1;
	int r;

	if (from < 0)
		return -errno;
	to = file_open_beneath(h->fd, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
	r = to < 0 ? to : tsfile_reorder(from, order, to, e);
	if (r >= 0)
		r = add_dirty(h, name);
	return r < 0 ? r : share_file(h, name, 0444);
}

int handover_add(struct handover *h, const struct load_job *j,
		 const struct handover_change *change, struct err *e)
{
	static const struct handover_change none = {0};

	char name[FILE_NAME_MAX];
	int r;

	change = change ? change : &none;
	file_name(j, name);
	r = add_mods(h, j, change);
	if (r >= 0)
		r = change->order
			    ? place_ordered(h, j->path, change->order, name, e)
			    : place(h, j->path, j->take, name);
	if (r < 0)
		return fail(e, h, r);
	h->first = h->list.len ? h->first : j->serial;
	h->last = j->serial;
	buf_addf(&h->list, "%" PRIu64 "\n", j->serial);
	return 0;
}

int handover_show(struct handover *h, struct err *e)
{
	CLEANUP_CLOSE int domain_fd = open_domain(h->root, h->domain, false);
	CLEANUP_CLOSE int fd = -1;
	char name[64];
	int r = domain_fd < 0 ? domain_fd : buf_end(&h->list);

	if (r >= 0)
		fd = file_open_beneath(h->fd, LIST, O_WRONLY | O_CREAT | O_EXCL,
				       0600);
	if (r >= 0)
		r = fd < 0 ? fd
			   : file_pwrite(fd, buf_data(&h->list), h->list.len,
					 0);
	if (r >= 0)
		r = sync_all(h);
	(void)snprintf(name, sizeof name, "%" PRIu64 "-%" PRIu64, h->first,
		       h->last);
	if (r >= 0)
		r = remove_run(domain_fd, name);
	if (r >= 0 && renameat(domain_fd, FRESH, domain_fd, name) < 0)
		r = -errno;
	if (r < 0)
		return fail(e, h, r);
	set_name(h, name);
	return 0;
}

/* ---- what became of one ---- */

/* The name of a run, as it was shown or late. */
static int find_run(void *arg, const char *name, unsigned char d_type)
{
	char *found = arg;
	uint64_t first, last;

	if (d_type != DT_DIR || strlen(name) > 56 ||
	    sscanf(name, "%" SCNu64 "-%" SCNu64, &first, &last) != 2)
		return 0;
	(void)snprintf(found, 64, "%s", name);
	return 1;
}

/* Takes the name away. */
static int make_late(struct handover *h, int domain_fd, const char *name)
{
	char late[80];
	size_t n = strlen(name), suffix = strlen(LATE);

	if (n > suffix && strcmp(name + n - suffix, LATE) == 0) {
		set_name(h, name);
		return 0;
	}
	(void)snprintf(late, sizeof late, "%s" LATE, name);
	if (renameat(domain_fd, name, domain_fd, late) < 0)
		return -errno;
	set_name(h, late);
	return 0;
}

int handover_find(const struct handover_root *root, const struct load_job *any,
		  struct handover *h, struct err *e)
{
	CLEANUP_CLOSE int domain_fd = -1;
	char name[64];
	int r;

	init(h, root, any);
	domain_fd = open_domain(root, h->domain, false);
	if (domain_fd == -ENOENT)
		return 0;
	r = domain_fd < 0 ? domain_fd : file_list(domain_fd, find_run, name);
	if (r == 0)
		return 0;
	if (r > 0)
		r = make_late(h, domain_fd, name);
	if (r >= 0)
		h->fd = file_open_beneath(domain_fd, h->name,
					  O_RDONLY | O_DIRECTORY, 0);
	if (r >= 0 && h->fd < 0)
		r = h->fd;
	/* A list that a power cut emptied names nothing: all is loaded again. */
	if (r >= 0)
		r = file_read_all(h->fd, LIST, &h->list);
	if (r < 0 && r != -ENOENT)
		return fail(e, h, r);
	return 1;
}

const char *handover_file(const struct handover *h, const struct load_job *j,
			  char to[HANDOVER_PATH_MAX])
{
	char name[FILE_NAME_MAX];

	file_name(j, name);
	(void)snprintf(to, HANDOVER_PATH_MAX, "%s/%s", h->path, name);
	return to;
}

bool handover_has(const struct handover *h, const struct load_job *j)
{
	char name[FILE_NAME_MAX];

	file_name(j, name);
	return file_size_at(h->fd, name) != -ENOENT;
}

bool handover_is_taken(const struct handover *h, const struct load_job *j)
{
	const char *p = (const char *)buf_data(&h->list);
	size_t left = h->list.len;
	char line[32];
	size_t n =
		(size_t)snprintf(line, sizeof line, "%" PRIu64 "\n", j->serial);

	for (; left >= n; left--, p++)
		if (memcmp(p, line, n) == 0 &&
		    (left == h->list.len || p[-1] == '\n'))
			return !handover_has(h, j);
	return false;
}

static int is_file(void *arg, const char *name, unsigned char d_type)
{
	(void)arg;
	(void)d_type;
	return strcmp(name, LIST) != 0;
}

bool handover_is_empty(const struct handover *h)
{
	return file_list(h->fd, is_file, NULL) == 0;
}

uint64_t handover_last(const struct handover *h)
{
	const char *p = (const char *)buf_data(&h->list);
	size_t n = h->list.len;
	uint64_t last = 0, ten = 1;

	for (n -= n > 0; n && p[n - 1] >= '0' && p[n - 1] <= '9'; n--) {
		last += ten * (uint64_t)(p[n - 1] - '0');
		ten *= 10;
	}
	return last;
}

bool handover_has_mods(const struct handover *h, const struct load_job *j)
{
	char name[HANDOVER_NAME_MAX];

	for (size_t i = 0; i < ARRAY_LEN(mods_kinds); i++) {
		name_mods(j, mods_kinds[i], name);
		if (file_size_at(h->fd, name) != -ENOENT)
			return true;
	}
	return false;
}

int handover_open_part(const struct handover *h, const struct load_job *j,
		       bool is_mods, char name[HANDOVER_NAME_MAX])
{
	int fd = -ENOENT;

	if (!is_mods) {
		file_name(j, name);
		return file_open_beneath(h->fd, name, O_RDONLY, 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(mods_kinds) && fd == -ENOENT; i++) {
		name_mods(j, mods_kinds[i], name);
		fd = file_open_beneath(h->fd, name, O_RDONLY, 0);
	}
	return fd;
}

int handover_take(struct handover *h, const struct load_job *j, struct err *e)
{
	char name[HANDOVER_NAME_MAX];
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(mods_kinds) && r >= 0; i++) {
		name_mods(j, mods_kinds[i], name);
		if (unlinkat(h->fd, name, 0) < 0 && errno != ENOENT)
			r = -errno;
	}
	file_name(j, name);
	if (r >= 0 && unlinkat(h->fd, name, 0) < 0 && errno != ENOENT)
		r = -errno;
	return r < 0 ? fail(e, h, r) : 0;
}

int handover_sync(struct handover *h, struct err *e)
{
	/* One transaction of the file system has both ends of a rename. */
	return fsync(h->fd) < 0 ? fail(e, h, -errno) : 0;
}

int handover_remove(struct handover *h, struct err *e)
{
	CLEANUP_CLOSE int domain_fd = open_domain(h->root, h->domain, false);
	int r = domain_fd < 0 ? domain_fd : remove_run(domain_fd, h->name);

	handover_release(h);
	return r < 0 ? fail(e, h, r) : 0;
}

int handover_end(struct handover *h, struct err *e)
{
	int r = handover_sync(h, e);

	if (r >= 0)
		return handover_remove(h, e);
	handover_release(h);
	return r;
}

void handover_release(struct handover *h)
{
	for (unsigned i = 0; i < h->n_dirty && i < HANDOVER_ONE_BY_ONE; i++)
		cleanup_close(&h->dirty[i]);
	h->n_dirty = 0;
	cleanup_close(&h->fd);
	h->fd = -1;
	buf_release(&h->list);
}
