/* A daemon's state directory: one owner, one machine, one history.
 *
 *	lock		held by flock(2) while a daemon runs
 *	machine-id	the host's, at first start
 *	instance	16 random bytes in hexadecimal, made with the catalog
 *	key.pem		the key (keys.h)
 *	catalog.db	the catalog, which carries the instance too
 *
 * statedir_open() refuses with a sentence and both cures when the directory was
 * copied to another machine (/etc/machine-id differs; hosts without one are not
 * told), and with the holder's pid when another daemon has it. statedir_match() is
 * asked by the catalog's owner: a catalog that does not belong to its directories, or
 * directories whose catalog is gone, must not start: what they hold would be taken
 * for rubbish. */
#ifndef TSFERRY_STATEDIR_H
#define TSFERRY_STATEDIR_H

#include "ground/err.h"
#include "ground/keys.h"
#include "proto.h"

struct statedir {
	int fd, lock_fd;
	char path[512];
	bool is_new; /* no instance yet: this is the first start */
	uint8_t instance[ID_LEN];
};

int statedir_open(struct statedir *d, const char *path, const char *machine_id_path,
		  struct err *e) MUST_CHECK;
void statedir_close(struct statedir *d);

/* At first start: makes and keeps the instance, also as `instance` in each of the
 * directories that belong to it (spool, staging). */
int statedir_found(struct statedir *d, struct err *e) MUST_CHECK;

/* `dir` (spool, staging) belongs to this instance: 0; it is empty and new: marked now,
 * 0; it belongs to another: -ESTALE with a sentence that names both and the cure. */
int statedir_match(const struct statedir *d, int dir_fd, const char *dir_path, struct err *e)
	MUST_CHECK;

void id_random(void *to, size_t n); /* getrandom(2) */
void id_text(const uint8_t id[ID_LEN], char to[ID_LEN * 2 + 1]);
int id_parse(const char *text, uint8_t id[ID_LEN]) MUST_CHECK;

#endif
