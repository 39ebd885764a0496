#include "iotdb_home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "domain/precedence.h"
#include "ground/fileio.h"

#define PROPERTIES_MAX (1u << 20)

/* Newest layout first: 1.3.3 and later keep one file, 1.0 to 1.3.2 two, 0.13 one. */
static const char *const conf_files[] = {
	"iotdb-system.properties",
	"iotdb-datanode.properties",
	"iotdb-common.properties",
	"iotdb-engine.properties",
};

static int add_dir(struct iotdb_facts *f, const char *dir, size_t n,
		   const char *base, struct err *e)
{
	char *to = f->dirs[f->n_dirs];
	int len;

	if (f->n_dirs == DATA_DIRS_MAX)
		return err_set(e, E2BIG, "more than %d data directories",
			       DATA_DIRS_MAX);
	while (n > 1 && dir[n - 1] == '/')
		n--;
	if (dir[0] == '/')
		len = snprintf(to, DATA_DIR_LEN, "%.*s", (int)n, dir);
	else if (base)
		len = snprintf(to, DATA_DIR_LEN, "%s/%.*s", base, (int)n, dir);
	else
		return err_set(e, EINVAL,
			       "data directory %.*s: expected an absolute path",
			       (int)n, dir);
	if (len >= DATA_DIR_LEN)
		return err_set(e, ENAMETOOLONG,
			       "data directory %.40s...: longer than %d bytes",
			       dir, DATA_DIR_LEN - 1);
	f->n_dirs++;
	return 0;
}

int iotdb_split_dirs(struct iotdb_facts *f, const char *list, const char *base,
		     struct err *e)
{
	static const char blanks[] = " \t";
	static const char ends[] = ",;";

	f->n_dirs = 0;
	while (*list) {
		size_t n = strcspn(list, ends), skip = strspn(list, blanks);
		size_t len = n;
		int r = 0;

		while (len > skip && strchr(blanks, list[len - 1]))
			len--;
		if (len > skip)
			r = add_dir(f, list + skip, len - skip, base, e);
		if (r)
			return r;
		list += n + (list[n] != '\0');
	}
	return f->n_dirs ? 0 : err_set(e, EINVAL, "no data directory is named");
}

/* One line "key=value" of a properties file; the last one counts, as in Java. */
static bool property_line(const char *line, size_t n, const char *key, char *to,
			  size_t size)
{
	size_t len = strlen(key);

	while (n && (*line == ' ' || *line == '\t')) {
		line++;
		n--;
	}
	if (n <= len || strncmp(line, key, len) != 0)
		return false;
	line += len;
	n -= len;
	while (n && (*line == ' ' || *line == '\t')) {
		line++;
		n--;
	}
	if (!n || (*line != '=' && *line != ':'))
		return false;
	line++;
	n--;
	while (n && (*line == ' ' || *line == '\t')) {
		line++;
		n--;
	}
	while (n && strchr(" \t\r", line[n - 1]))
		n--;
	if (n >= size)
		return false;
	memcpy(to, line, n);
	to[n] = '\0';
	return true;
}

bool iotdb_property(const char *path, const char *key, char *to, size_t size)
{
	CLEANUP(buf_release) struct buf b;
	const char *p;
	bool found = false;

	buf_init(&b, PROPERTIES_MAX);
	if (file_read_all(AT_FDCWD, path, &b) < 0)
		return false;
	for (p = buf_str(&b); *p;) {
		size_t n = strcspn(p, "\n");

		if (property_line(p, n, key, to, size))
			found = true;
		p += n + (p[n] != '\0');
	}
	return found;
}

static bool home_property(const char *home, const char *key, char *to,
			  size_t size)
{
	char path[DATA_DIR_LEN + 64];
	size_t i;

	for (i = 0; i < ARRAY_LEN(conf_files); i++) {
		(void)snprintf(path, sizeof(path), "%s/conf/%s", home,
			       conf_files[i]);
		if (iotdb_property(path, key, to, size) && to[0])
			return true;
	}
	return false;
}

static bool has_conf(const char *home, const char *name)
{
	char path[DATA_DIR_LEN + 64];

	(void)snprintf(path, sizeof(path), "%s/conf/%s", home, name);
	return access(path, R_OK) == 0;
}

static void keep_precision(struct iotdb_facts *f, const char *text)
{
	if (strcmp(text, "ms") == 0 || strcmp(text, "us") == 0 ||
	    strcmp(text, "ns") == 0)
		memcpy(f->precision, text, 3);
}

/* 1.3 and later keep it in the system directory, older ones in the schema's below. */
static void read_system(struct iotdb_facts *f, const char *system_dir)
{
	static const char *const names[] = {"system.properties",
					    "schema/system.properties"};
	char path[DATA_DIR_LEN + 64], text[64];
	enum precedence ignored;
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", system_dir,
			       names[i]);
		if (!f->version[0] &&
		    iotdb_property(path, "iotdb_version", text,
				   sizeof(f->version)) &&
		    precedence_of_version(text, &ignored) == 0)
			memcpy(f->version, text, sizeof(f->version));
		if (!f->precision[0] &&
		    iotdb_property(path, "timestamp_precision", text,
				   sizeof(text)))
			keep_precision(f, text);
	}
}

/* The server's own library is named after its version. */
static int take_jar(void *arg, const char *name, unsigned char d_type)
{
	static const char *const fronts[] = {"iotdb-server-", "node-commons-"};
	struct iotdb_facts *f = arg;
	enum precedence ignored;
	char text[sizeof(f->version) + 8];
	size_t i, n;

	(void)d_type;
	for (i = 0; i < ARRAY_LEN(fronts); i++) {
		size_t len = strlen(fronts[i]);

		if (strncmp(name, fronts[i], len) != 0)
			continue;
		n = strlen(name + len);
		if (n <= 4 || n - 4 >= sizeof(f->version) ||
		    strcmp(name + len + n - 4, ".jar") != 0)
			continue;
		(void)snprintf(text, sizeof(text), "%.*s", (int)(n - 4),
			       name + len);
		if (precedence_of_version(text, &ignored))
			continue;
		memcpy(f->version, text, strlen(text) + 1);
		return 1;
	}
	return 0;
}

/* What a server that ran left behind; else what would be started. */
static void read_version(struct iotdb_facts *f, const char *home)
{
	char dir[DATA_DIR_LEN], path[2 * DATA_DIR_LEN + 8];
	CLEANUP_CLOSE int fd = -1;

	if (home_property(home, "dn_system_dir", dir, sizeof(dir)) ||
	    home_property(home, "system_dir", dir, sizeof(dir))) {
		(void)snprintf(path, sizeof(path), "%s%s%s",
			       dir[0] == '/' ? "" : home,
			       dir[0] == '/' ? "" : "/", dir);
		if (strlen(path) < DATA_DIR_LEN)
			read_system(f, path);
	}
	iotdb_read_beside(f);
	(void)snprintf(path, sizeof(path), "%s/lib", home);
	fd = f->version[0] ? -1 : file_open_dir(path);
	if (fd >= 0 && file_list(fd, take_jar, f) < 0)
		f->version[0] = '\0';
}

int iotdb_read_home(struct iotdb_facts *f, const char *home, struct err *e)
{
	char list[4096], text[64];
	size_t i, n_found = 0;
	int r;

	for (i = 0; i < ARRAY_LEN(conf_files); i++)
		n_found += has_conf(home, conf_files[i]);
	if (!n_found)
		return err_set(e, ENOENT,
			       "iotdb_home=%s: expected %s/conf with IoTDB's "
			       "properties files, none can be read (name the "
			       "directories with data_dirs instead)",
			       home, home);
	if (!home_property(home, "dn_data_dirs", list, sizeof(list)) &&
	    !home_property(home, "data_dirs", list, sizeof(list)))
		(void)snprintf(list, sizeof(list), "%s",
			       has_conf(home, "iotdb-engine.properties")
				       ? "data/data"
				       : "data/datanode/data");
	r = iotdb_split_dirs(f, list, home, e);
	if (r)
		return err_wrap(e, "iotdb_home=%s", home);
	if (home_property(home, "timestamp_precision", text, sizeof(text)))
		keep_precision(f, text);
	if (home_property(home, "time_zone", text, sizeof(text)))
		(void)snprintf(f->time_zone, sizeof(f->time_zone), "%s", text);
	read_version(f, home);
	return 0;
}

void iotdb_read_beside(struct iotdb_facts *f)
{
	char dir[DATA_DIR_LEN + 16];
	size_t i;

	for (i = 0; i < f->n_dirs; i++) {
		(void)snprintf(dir, sizeof(dir), "%s/../system", f->dirs[i]);
		read_system(f, dir);
	}
}
