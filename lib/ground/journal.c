#include "ground/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define ENTRY_LEN 8192

bool journal_is_behind(int fd)
{
	const char *named = getenv("JOURNAL_STREAM");
	uintmax_t dev, ino;
	struct stat st;
	int end = 0;

	if (!named ||
	    sscanf(named, "%" SCNuMAX ":%" SCNuMAX "%n", &dev, &ino, &end) !=
		    2 ||
	    named[end] != '\0')
		return false;
	return fstat(fd, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

static int priority(enum log_level level)
{
	/* As syslog(3) numbers them. */
	switch (level) {
	case LOG_ERR_:
		return 3;
	case LOG_WARN_:
		return 4;
	case LOG_INFO_:
		return 6;
	case LOG_DEBUG_:
		return 7;
	}
	return 6;
}

/* A value that would not be one line, or does not fit, is left out. */
static size_t add_field(char *to, size_t at, const char *name,
			const char *value)
{
	int n;

	if (!value || strpbrk(value, "\n\r"))
		return at;
	n = snprintf(to + at, ENTRY_LEN - at, "%s=%s\n", name, value);
	return n < 0 || (size_t)n >= ENTRY_LEN - at ? at : at + (size_t)n;
}

static size_t add_number(char *to, size_t at, const char *name, uint64_t value)
{
	char digits[24];

	(void)snprintf(digits, sizeof digits, "%" PRIu64, value);
	return add_field(to, at, name, digits);
}

static size_t entry(char *to, enum log_level level, const char *module,
		    const struct log_about *about, const char *text)
{
	size_t n = add_field(to, 0, "MESSAGE", text);

	n = add_number(to, n, "PRIORITY", (uint64_t)priority(level));
	n = add_field(to, n, "SYSLOG_IDENTIFIER",
		      program_invocation_short_name);
	n = add_field(to, n, "TSFERRY_MODULE", module);
	if (!about)
		return n;
	n = add_field(to, n, "SENDER", about->sender);
	n = add_field(to, n, "PIPE", about->pipe);
	if (about->serial)
		n = add_number(to, n, "SERIAL", about->serial);
	return add_field(to, n, "ENTRY", about->entry);
}

int journal_send(const char *socket_path, enum log_level level,
		 const char *module, const struct log_about *about,
		 const char *text)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char what[ENTRY_LEN];
	size_t n = entry(what, level, module, about, text);
	CLEANUP_CLOSE int fd = -1;

	if (strlen(socket_path) >= sizeof to.sun_path)
		return -ENAMETOOLONG;
	(void)strcpy(to.sun_path, socket_path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, what, n, MSG_NOSIGNAL, (const struct sockaddr *)&to,
		   sizeof to) < 0)
		return -errno;
	return 0;
}
