#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ground/net.h"
#include "rpc.h"

#define RPC_PORT 6667
#define PASSWORD_FILE_MAX 4096

/* "host:port", "host", "[v6]:port", "v6" (no port: more than one colon). */
static int cut_one(char *one, char *host, size_t size, unsigned *port)
{
	char *colon = strrchr(one, ':'), *end;

	*port = RPC_PORT;
	if (one[0] == '[') {
		char *close = strchr(one, ']');

		if (!close || (close[1] && close[1] != ':'))
			return -EINVAL;
		colon = close[1] ? close + 1 : NULL;
		*close = 0;
		one++;
	} else if (colon && strchr(one, ':') != colon) {
		colon = NULL;
	}
	if (colon) {
		unsigned long v = strtoul(colon + 1, &end, 10);

		if (colon[1] < '0' || colon[1] > '9' || *end || !v || v > 65535)
			return -EINVAL;
		*port = (unsigned)v;
		*colon = 0;
	}
	if (!net_is_host(one) ||
	    (size_t)snprintf(host, size, "%s", one) >= size)
		return -EINVAL;
	return 0;
}

int rpc_addresses_parse(struct rpc_addresses *a, const char *text,
			struct err *e)
{
	CLEANUP_FREE char *copy = xstrdup(text);
	char *at = copy, *one;

	a->n = 0;
	while ((one = strsep(&at, ","))) {
		size_t n;

		one += strspn(one, " \t");
		n = strlen(one);
		while (n && (one[n - 1] == ' ' || one[n - 1] == '\t'))
			one[--n] = 0;
		if (a->n == RPC_ADDRESSES_MAX ||
		    cut_one(one, a->at[a->n].host, sizeof a->at[0].host,
			    &a->at[a->n].port) < 0)
			return err_set(
				e, EINVAL,
				"expected host:port[,host:port...] of at "
				"most %u nodes, got \"%s\"",
				RPC_ADDRESSES_MAX, text);
		a->n++;
	}
	return 0;
}

static int check_mode(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "%s: %s", path, err_words(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%s: expected a file with a password",
			       path);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return err_set(e, EACCES,
			       "%s belongs to user %u, not to us or root "
			       "(chown it)",
			       path, (unsigned)st.st_uid);
	if (st.st_mode & 027)
		return err_set(e, EACCES,
			       "%s has mode %04o: a password that others can "
			       "read or change is none (chmod 0600 %s)",
			       path, (unsigned)st.st_mode & 07777u, path);
	return 0;
}

int rpc_password_read(const char *path, char *to, size_t size, struct err *e)
{
	CLEANUP_CLOSE int fd = -1;
	char line[PASSWORD_FILE_MAX + 1];
	ssize_t n;
	int r;

	if (!*path) {
		(void)snprintf(to, size, "root");
		return 0;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_set(e, errno, "%s: %s", path, err_words(errno));
	r = check_mode(fd, path, e);
	if (r < 0)
		return r;
	n = read(fd, line, PASSWORD_FILE_MAX);
	if (n < 0)
		return err_set(e, errno, "%s: %s", path, err_words(errno));
	line[n] = 0;
	line[strcspn(line, "\r\n")] = 0;
	if ((size_t)snprintf(to, size, "%s", line) >= size || !*to)
		r = err_set(e, EINVAL,
			    "%s: expected a password of 1 to %zu bytes in the "
			    "first line",
			    path, size - 1);
	explicit_bzero(line, sizeof line);
	return r;
}
