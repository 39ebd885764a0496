/* Payloads read for a link, with their digests: the answers to its machine's READs.
 *
 * Reads run on the one thread of edge->reader, in the order of their jobs, several per
 * job. The last payload stays open between reads, so that a long file is opened once.
 * A file that the spool does not have, or not as long as it was captured, is read from
 * IoTDB's own directory, where it still stands there unchanged. */
#ifndef TSFERRY_READER_H
#define TSFERRY_READER_H

#include "domain/digest.h"
#include "edge.h"

#define READER_BATCH 16

/* The open payload; the reading thread's while a job of this reader is under way. */
struct reader {
	uint64_t nonce; /* 0 = nothing is open */
	int fd, mods_fd;
};

struct read_one {
	uint64_t serial, index, offset; /* in the payload */
	uint32_t len;
	uint64_t nonce;
	struct fileid file;
	uint64_t body_len, mods_len;
	enum mods_kind mods_kind;
	const struct volume *volume; /* what of it never changes */
	/* The owner read it from the catalog: `data` and `err` are set. */
	bool is_catalogued;
	/* out */
	void *data; /* malloc'ed by the job, unless the owner gave a buffer */
	struct digest digest;
	int err; /* -errno; -ENOENT, -ESTALE: the payload is lost */
};

struct read_job {
	struct job job;
	struct reader *reader;
	void *arg;
	size_t n;
	struct read_one ones[READER_BATCH];
};

void reader_init(struct reader *r);
void reader_close(struct reader *r); /* when no job is under way */
void reader_run(struct job *j);

#endif
