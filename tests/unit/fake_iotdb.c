#include "fake_iotdb.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ground/buf.h"
#include "ground/fileio.h"
#include "test.h"

static void bail(const char *what)
{
	(void)printf("Bail out! the fake IoTDB: %s: %s\n", what,
		     strerror(errno));
	exit(1);
}

void fake_iotdb_script(const struct fake_iotdb *f, const char *script)
{
	char path[600];
	FILE *to;

	(void)snprintf(path, sizeof path, "%s.new", f->script);
	to = fopen(path, "w");
	if (!to || fputs(script, to) < 0 || fclose(to) != 0 ||
	    rename(path, f->script) != 0)
		bail(path);
}

/* It is there when the file with its port is, or never. */
static unsigned wait_for_port(const char *path)
{
	for (int i = 0; i < 3000; i++) {
		FILE *from = fopen(path, "r");
		unsigned port = 0;

		if (from) {
			int n = fscanf(from, "%u", &port);

			(void)fclose(from);
			if (n == 1)
				return port;
		}
		(void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	bail("it did not say its port within 30 s");
	return 0;
}

void fake_iotdb_start(struct fake_iotdb *f, const char *name,
		      const char *script)
{
	char port[512];
	int fd;

	(void)snprintf(f->script, sizeof f->script, "%s/%s.script", test_dir(),
		       name);
	(void)snprintf(f->log, sizeof f->log, "%s/%s.log", test_dir(), name);
	(void)snprintf(port, sizeof port, "%s/%s.port", test_dir(), name);
	fake_iotdb_script(f, script);
	f->pid = fork();
	if (f->pid < 0)
		bail("fork");
	if (f->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		(void)dup2(fd, STDOUT_FILENO);
		(void)execlp("python3", "python3", FAKE_IOTDB, "--script",
			     f->script, "--port-file", port, "--log", f->log,
			     (char *)NULL);
		_exit(127);
	}
	f->port = wait_for_port(port);
}

char *fake_iotdb_said(const struct fake_iotdb *f)
{
	struct buf text;
	char *said;

	buf_init(&text, 64u << 20);
	if (file_read_all(AT_FDCWD, f->log, &text) < 0)
		buf_clear(&text);
	said = xstrdup(buf_str(&text));
	buf_release(&text);
	return said;
}

void fake_iotdb_stop(struct fake_iotdb *f)
{
	if (f->pid <= 0)
		return;
	(void)kill(f->pid, SIGKILL);
	(void)waitpid(f->pid, NULL, 0);
	f->pid = 0;
}
