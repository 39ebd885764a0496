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
	bool is_new; /* the first start (or one that was cut off before its catalog
		      * was there is begun again); stays true until the next one */
	uint8_t instance[ID_LEN];
};

/* Makes the directory (not its parents) when it is missing, locks it, checks the
 * machine. On failure nothing is held; -EBUSY: another process has it, -ESTALE:
 * another machine's, or `instance` is lost while the catalog is there. */
int statedir_open(struct statedir *d, const char *path, const char *machine_id_path,
		  struct err *e) MUST_CHECK;
void statedir_close(struct statedir *d);

/* At first start, before the catalog is made: makes and keeps the instance. The
 * directories that belong to it (spool, staging) get it by statedir_match(). */
int statedir_found(struct statedir *d, struct err *e) MUST_CHECK;

/* `catalog` is the instance that the opened catalog carries, NULL when it carries none.
 * 0: it belongs here, or this is the first start and it is to be made; -ESTALE with a
 * sentence when it is lost or another's. Asked again with the instance once it is
 * committed: that ends the first start. */
int statedir_match_catalog(const struct statedir *d, const uint8_t *catalog, struct err *e)
	MUST_CHECK;

/* `dir` (spool, staging) belongs to this instance: 0; it is empty and new: marked now,
 * 0; it belongs to another: -ESTALE with a sentence that names both and the cure. */
int statedir_match(const struct statedir *d, int dir_fd, const char *dir_path, struct err *e)
	MUST_CHECK;

void id_random(void *to, size_t n); /* getrandom(2) */
void id_text(const uint8_t id[ID_LEN], char to[ID_LEN * 2 + 1]);
int id_parse(const char *text, uint8_t id[ID_LEN]) MUST_CHECK;

#endif
