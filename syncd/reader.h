/* Payloads read for a link, with their digests: the answers to its machine's READs.
 *
 * Reads run on the one thread of edge->reader, in the order of their jobs, several per
 * job. The last payload stays open between reads, so that a long file is opened once.
 * A file that the spool does not have, or not as long as it was captured, is read from
 * IoTDB's own directory, where it still stands there unchanged. */
#ifndef TSFERRY_READER_H
#define TSFERRY_READER_H

#include "domain/digest.h"
#include "domain/squeeze.h"
#include "edge.h"
#include "sources.h"

#define READER_BATCH 16

/* The open payload; the reading thread's while a job of this reader is under way. */
struct reader {
	uint64_t nonce; /* 0 = nothing is open */
	int fd, mods_fd;
	struct squeezer *squeezer; /* owned */
	struct sources *sources;   /* owned; of the open payload; NULL = none */
};

/* What was read, and how it may travel. */
struct payload {
	uint32_t packed; /* bytes are a zstd frame of that length; 0: as they are */
	uint8_t n_ranges; /* of its prefix; 0: it has none */
	struct held_range ranges[SOURCES_MAX];
	struct fileid files[SOURCES_MAX]; /* of the ranges */
	uint8_t bytes[];
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
	bool may_squeeze;
	bool may_diff; /* behind what the spool keeps of its sources */
	/* out */
	struct payload *data; /* payload_new() by the job, unless the owner gave one */
	struct digest digest; /* of the plain bytes */
	uint64_t squeezed_us; /* what trying took; 0 = it was not tried */
	int err; /* -errno; -ENOENT, -ESTALE: the payload is lost */
};

struct read_job {
	struct job job;
	struct reader *reader;
	void *arg;
	size_t n;
	struct read_one ones[READER_BATCH];
};

static inline struct payload *payload_new(uint32_t len) /* NULL: no memory */
{
	struct payload *p = malloc(sizeof(*p) + len);

	if (p)
		p->packed = p->n_ranges = 0;
	return p;
}

void reader_init(struct reader *r);
/* When no job is under way. reader_close() forgets the open payload, reader_release() all. */
void reader_close(struct reader *r);
void reader_release(struct reader *r);
void reader_run(struct job *j);

#endif
