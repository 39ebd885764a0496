/* tests/iotdb/fake_server.py for unit tests: started with a script, ended by
 * fake_iotdb_stop(). */
#ifndef TSFERRY_FAKE_IOTDB_H
#define TSFERRY_FAKE_IOTDB_H

#include <sys/types.h>

struct fake_iotdb {
	pid_t pid;
	unsigned port;
	char script[512], log[512];
};

/* In a directory of its own below test_dir(). Exits with a sentence when there is no
 * python3. */
void fake_iotdb_start(struct fake_iotdb *f, const char *name,
		      const char *script);
void fake_iotdb_script(const struct fake_iotdb *f, const char *script);
/* What was said to it, a line each; the caller frees it. */
char *fake_iotdb_said(const struct fake_iotdb *f);
void fake_iotdb_stop(struct fake_iotdb *f);

#endif
