#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "ground/journal.h"
#include "test.h"

static char path[64];

/* The journal's end of it. */
static int listening(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)snprintf(path, sizeof path, "/tmp/test_journal.%d",
		       (int)getpid());
	(void)unlink(path);
	(void)snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof at) < 0)
		abort();
	return fd;
}

static const char *heard(int fd)
{
	static char text[16384];
	ssize_t n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void an_event_has_its_fields(void)
{
	const struct log_about about = {.sender = "edge-1",
					.pipe = "p",
					.serial = 42,
					.entry = "root.sg/1"};
	int fd = listening();

	CHECK(journal_send(path, LOG_WARN_, "apply", &about, "it waits") == 0);
	CHECK_STR(
		heard(fd),
		"MESSAGE=it waits\nPRIORITY=4\nSYSLOG_IDENTIFIER=test_journal\n"
		"TSFERRY_MODULE=apply\nSENDER=edge-1\nPIPE=p\nSERIAL=42\n"
		"ENTRY=root.sg/1\n");
	CHECK(journal_send(path, LOG_ERR_, "m", NULL, "") == 0);
	CHECK_STR(heard(fd),
		  "MESSAGE=\nPRIORITY=3\nSYSLOG_IDENTIFIER=test_journal\n"
		  "TSFERRY_MODULE=m\n");
	(void)close(fd);
	(void)unlink(path);
}

static void no_value_becomes_a_field_of_its_own(void)
{
	static char huge[20000];
	const struct log_about about = {.sender = "a\nPRIORITY=0",
					.pipe = huge};
	int fd = listening();

	memset(huge, 'x', sizeof huge - 1);
	CHECK(journal_send(path, LOG_INFO_, "m", &about, "x") == 0);
	CHECK_STR(heard(fd),
		  "MESSAGE=x\nPRIORITY=6\nSYSLOG_IDENTIFIER=test_journal\n"
		  "TSFERRY_MODULE=m\n");
	(void)close(fd);
	(void)unlink(path);
}

static void a_journal_that_is_gone_or_behind_is_an_errno(void)
{
	int fd = listening(), r = 0;

	for (int i = 0; i < 100000 && r == 0; i++)
		r = journal_send(path, LOG_INFO_, "m", NULL, "x");
	CHECK(r == -EAGAIN);
	(void)close(fd);
	CHECK(journal_send(path, LOG_INFO_, "m", NULL, "x") == -ECONNREFUSED);
	(void)unlink(path);
	CHECK(journal_send(path, LOG_INFO_, "m", NULL, "x") == -ENOENT);
}

static void stderr_is_known_by_its_inode(void)
{
	char name[64];
	struct stat st;

	CHECK(fstat(1, &st) == 0);
	(void)unsetenv("JOURNAL_STREAM");
	CHECK(!journal_is_behind(1));
	(void)snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)st.st_dev,
		       (uintmax_t)st.st_ino);
	(void)setenv("JOURNAL_STREAM", name, 1);
	CHECK(journal_is_behind(1));
	CHECK(!journal_is_behind(-1));
	(void)strcat(name, "0");
	(void)setenv("JOURNAL_STREAM", name, 1);
	CHECK(!journal_is_behind(1));
	(void)setenv("JOURNAL_STREAM", "8:", 1);
	CHECK(!journal_is_behind(1));
}

int main(void)
{
	test_run("an event has its fields", an_event_has_its_fields);
	test_run("no value becomes a field of its own",
		 no_value_becomes_a_field_of_its_own);
	test_run("a journal that is gone, or behind, is an errno",
		 a_journal_that_is_gone_or_behind_is_an_errno);
	test_run("stderr is known by its inode", stderr_is_known_by_its_inode);
	return test_end();
}
