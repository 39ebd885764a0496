/* The edge's catalog, state_dir/catalog.db: sinks, pipes, entries, and which files are
 * captured (design, sections 2 to 4).
 *
 * Two sides. The writing side belongs to the catalog's thread: functions that take a
 * `struct outbox_writer` are called from the `run` of jobs given to outbox_submit(), and
 * nowhere else; what they do is durable when the job's transaction committed. The
 * reading side belongs to the loop: windowed look-ups of microseconds, whatever the
 * backlog. Further readers for other threads come from outbox_reader_open().
 *
 * Serial and nonce are assigned inside the capture's transaction, so serials have no
 * holes; an entry's payload stands in a spool under its nonce (spool.h). Start-up reads
 * one row per sink and per pipe and nothing else. */
#ifndef TSFERRY_OUTBOX_H
#define TSFERRY_OUTBOX_H

#include "domain/entry.h"
#include "domain/proto.h"
#include "domain/sql.h"
#include "domain/statedir.h"
#include "domain/tsfile_index.h"
#include "fork.h"
#include "ground/db.h"
#include "ground/keys.h"
#include "ground/worker.h"

struct outbox;
struct outbox_writer;

#define HOST_LEN 256
#define MESSAGE_LEN 1024

struct sink_row {
	char name[SQL_NAME_MAX + 1];
	char host[HOST_LEN];
	unsigned port;
	char key[KEY_TEXT_LEN]; /* the receiver's; "" until first contact */
};

enum pipe_state {
	PIPE_RUNNING = 1,
	PIPE_STOP = 2,
	PIPE_DROP = 3
};

struct pipe_row {
	int64_t id; /* never used again; RESYNC makes a new one */
	char name[SQL_NAME_MAX + 1];
	char sink[SQL_NAME_MAX + 1];
	int64_t create_ms;
	uint8_t incarnation[ID_LEN];
	bool has_from, is_exclusive;
	int64_t from;
	char query[600];
	bool sync_del_op;
	enum pipe_state state;
	char error
		[MESSAGE_LEN]; /* why it was stopped; "" = nobody but STOP PIPE */
	int64_t error_ms;
	bool is_started_once; /* capture goes on from the first START until DROP */
	bool is_superseded; /* dropped by RESYNC: not shown */
	bool is_resync;	    /* it began as RESYNC: HELLO says so */
	bool is_told;	    /* the receiver knows that it is dropped */

	uint64_t assigned,
		assigned_bytes;	   /* last serial, bytes of all so far */
	uint64_t durable, applied; /* as known; what HELLO says is the truth */
	uint64_t released, released_nonce; /* entries up to here are gone */
	uint64_t released_bytes;
};

/* An entry as the catalog keeps it: its head, and where its payload is. */
struct outbox_entry {
	struct entry entry; /* owned: entry_release() */
	int64_t volume;	    /* whose spool; 0: the payload is in the catalog */
	bool is_loose;	    /* a FILE that only IoTDB's own directory holds */
	bool is_again;	    /* a FILE that was an entry before */
	int64_t captured_ms;
	uint64_t total; /* bytes of all entries up to and with this one */
	/* Only for writing: */
	uint64_t mods_seen; /* FILE: bytes of whole records that its source's
			     * mods had when they were read */
	const struct tsfile_range
		*range; /* FILE: of its rows; NULL = unknown */
	/* FILE: coverage.h; borrowed; NULL = none. Of one that is known already what
	 * was covered before stays: what is new beside it is a DELETE's to say. */
	const struct buf *covered;
	/* Other kinds: the payload; a loose FILE: its line in gaps, should IoTDB
	 * remove it before it is sent. Borrowed. */
	const struct buf *body;
};

/* ---- opening; blocks ---- */

/* A catalog that carries another instance than the state directory is refused with
 * -ESTALE. The catalog's thread and the reader of the loop are made here. */
int outbox_open(struct outbox **out, struct loop *l, const char *path,
		const struct statedir *state, struct err *e) MUST_CHECK;
void outbox_end_jobs(
	struct outbox *o); /* waits for what was submitted; no more jobs then */
void outbox_close(struct outbox *o); /* the same, and closes; safe on NULL */

/* One more reading connection, for one other thread. */
int outbox_reader_open(struct db *db, const char *path,
		       struct err *e) MUST_CHECK;

/* The id of a data directory with its spool; made when new. At start, before the first
 * job. Volumes that are no longer configured stay: entries may still be pinned there. */
int outbox_volume(struct outbox *o, const char *data_dir, const char *spool_dir,
		  int64_t *id, struct err *e) MUST_CHECK;

/* Calls fn for every volume, sink, pipe row. At start. */
int outbox_each_volume(struct outbox *o,
		       int (*fn)(void *arg, int64_t id, const char *data_dir,
				 const char *spool_dir),
		       void *arg, struct err *e) MUST_CHECK;
int outbox_each_sink(struct outbox *o,
		     void (*fn)(void *arg, const struct sink_row *), void *arg,
		     struct err *e) MUST_CHECK;
int outbox_each_pipe(struct outbox *o,
		     void (*fn)(void *arg, const struct pipe_row *), void *arg,
		     struct err *e) MUST_CHECK;

/* ---- reading; the loop ---- */

/* The entry at `serial`: 1, or 0 when there is none. */
int outbox_entry(struct outbox *o, int64_t pipe, uint64_t serial,
		 struct outbox_entry *out, struct err *e) MUST_CHECK;
/* Calls fn for at most n entries from `serial` on, in order, until it answers non-zero.
 * `en` is fn's to release. Returns how many there were. */
int outbox_entries(struct outbox *o, int64_t pipe, uint64_t serial, uint64_t n,
		   int (*fn)(void *arg, struct outbox_entry *en), void *arg,
		   struct err *e) MUST_CHECK;
/* Under which nonces a pipe's entries travel. */
int outbox_forks(struct outbox *o, int64_t pipe, struct forks *out,
		 struct err *e) MUST_CHECK;
/* The nonce of an entry as the catalog and the spool have it, 0 when it is not there. */
int outbox_nonce(struct outbox *o, int64_t pipe, uint64_t serial, uint64_t *nonce,
		 struct err *e) MUST_CHECK;
/* Bytes of all entries up to `serial`; `fallback` when that row is gone. */
uint64_t outbox_total(struct outbox *o, int64_t pipe, uint64_t serial,
		      uint64_t fallback);
/* When the entry was captured, 0 when it is not there. */
int64_t outbox_captured_ms(struct outbox *o, int64_t pipe, uint64_t serial);
/* Bytes of a payload that stands in the catalog (all kinds but FILE): 0, -ENOENT, or
 * -ENODATA when it is shorter than that. */
int outbox_body(struct outbox *o, int64_t pipe, uint64_t serial,
		uint64_t offset, void *to, size_t n) MUST_CHECK;
uint64_t outbox_count_gaps(struct outbox *o, int64_t pipe);
/* An incarnation of which something gone is not settled: true. */
bool outbox_gone_origin(struct outbox *o, int64_t pipe, uint8_t to[ID_LEN]);
/* Adds the lines of the pipe's gaps. */
void outbox_gaps(struct outbox *o, int64_t pipe, struct buf *out);

/* ---- writing; jobs on the catalog's thread, done in the order of submission ---- */

struct outbox_job {
	struct job job; /* the outbox's */
	struct outbox *outbox;
	/* On the catalog's thread, inside a transaction unless is_bare. < 0 rolls back. */
	int (*run)(struct outbox_job *j, struct outbox_writer *w);
	/* On the loop; may free the job. result: run's, or the commit's. */
	void (*done)(struct outbox_job *j);
	bool is_bare; /* run() makes its own transactions */
	int result;
	struct err err;
};

void outbox_submit(struct outbox *o, struct outbox_job *j);

int outbox_begin(struct outbox_writer *w, struct err *e) MUST_CHECK;
int outbox_commit(struct outbox_writer *w, struct err *e) MUST_CHECK;
void outbox_rollback(struct outbox_writer *w);

int outbox_put_sink(struct outbox_writer *w, const struct sink_row *s,
		    struct err *e) MUST_CHECK;
int outbox_remove_sink(struct outbox_writer *w, const char *name,
		       struct err *e) MUST_CHECK;

/* Inserts and sets p->id. */
int outbox_add_pipe(struct outbox_writer *w, struct pipe_row *p,
		    struct err *e) MUST_CHECK;
/* State, error, flags of the row; not its serials. */
int outbox_save_pipe(struct outbox_writer *w, const struct pipe_row *p,
		     struct err *e) MUST_CHECK;
/* What is durable and applied; never backwards. */
int outbox_save_progress(struct outbox_writer *w, int64_t pipe,
			 uint64_t durable, uint64_t applied,
			 struct err *e) MUST_CHECK;
/* The row, its entries and what it knows are gone. */
int outbox_forget_pipe(struct outbox_writer *w, int64_t pipe,
		       struct err *e) MUST_CHECK;

/* Assigned and flags as committed: 1, or 0 for a pipe that is not there or dropped. */
int outbox_live_pipe(struct outbox_writer *w, int64_t pipe, uint64_t *assigned,
		     uint64_t *assigned_bytes, struct err *e) MUST_CHECK;
/* Adds an entry (serial, nonce and head are in it) and what makes it known. */
int outbox_add_entry(struct outbox_writer *w, int64_t pipe,
		     const struct outbox_entry *en, struct err *e) MUST_CHECK;
/* Only what makes a file known; of serial 0: a file without an entry. */
int outbox_add_known(struct outbox_writer *w, int64_t pipe,
		     const struct outbox_entry *en, struct err *e) MUST_CHECK;
int outbox_set_assigned(struct outbox_writer *w, int64_t pipe,
			uint64_t assigned, uint64_t assigned_bytes,
			struct err *e) MUST_CHECK;
int outbox_is_known(struct outbox_writer *w, int64_t pipe,
		    const struct fileid *file, struct err *e) MUST_CHECK;
/* 1 when it is known by an entry of its own. */
int outbox_was_entry(struct outbox_writer *w, int64_t pipe,
		     const struct fileid *file, struct err *e) MUST_CHECK;
int outbox_forget_known(struct outbox_writer *w, int64_t pipe,
			const struct fileid *file, struct err *e) MUST_CHECK;
/* A captured file must follow again: until its next entry is added. */
int outbox_owe(struct outbox_writer *w, int64_t pipe, const struct fileid *file,
	       struct err *e) MUST_CHECK;
/* A product that is not sent, because what it was made from is captured. */
int outbox_add_derived(struct outbox_writer *w, int64_t pipe,
		       const struct fileid *file, uint64_t serial,
		       uint64_t serial_low, uint64_t mods_seen,
		       struct err *e) MUST_CHECK;
/* A compaction that a journal told of; body NULL: it is over. */
int outbox_put_compaction(struct outbox_writer *w, const char *database,
			  uint32_t region, int64_t partition,
			  const char *journal, const char *body,
			  struct err *e) MUST_CHECK;
/* A device that some captured file of the region had. */
int outbox_add_device(struct outbox_writer *w, const char *database,
		      uint32_t region, const char *path, size_t n,
		      struct err *e) MUST_CHECK;
/* From when to when a captured file has rows; row_sum: NULL = not read. */
int outbox_learn(struct outbox_writer *w, int64_t pipe,
		 const struct fileid *file, int64_t time_min, int64_t time_max,
		 const uint64_t *row_sum, struct err *e) MUST_CHECK;
/* How far the deletions of a captured file were read, the deletion file that was read
 * (deletion.h), and which of them the cloud has; `covered` NULL: as before. */
int outbox_set_mods(struct outbox_writer *w, int64_t pipe,
		    const struct fileid *file, uint64_t mods_seen,
		    uint64_t stamp, const struct buf *covered,
		    struct err *e) MUST_CHECK;
/* What travelled of a captured file's deletions into `out`: 1, or 0 when nothing is
 * known of the file. */
int outbox_covered(struct outbox_writer *w, int64_t pipe,
		   const struct fileid *file, struct buf *out,
		   struct err *e) MUST_CHECK;
/* is_final: a RESYNC would not bring it, so the line goes on to the next incarnation. */
int outbox_add_gap(struct outbox_writer *w, int64_t pipe, const char *line,
		   bool is_final, struct err *e) MUST_CHECK;

/* ---- the edge's schema (outbox_series.c; schema_line.h has the words) ---- */

int outbox_put_series(struct outbox_writer *w, int64_t pipe,
		      const char *database, const char *path, const char *rest,
		      struct err *e) MUST_CHECK;
int outbox_forget_series(struct outbox_writer *w, int64_t pipe,
			 const char *database, const char *path,
			 struct err *e) MUST_CHECK;
int outbox_set_listed(struct outbox_writer *w, int64_t pipe,
		      const char *identity, const char *digest,
		      struct err *e) MUST_CHECK;
int outbox_forget_schema(struct outbox_writer *w, int64_t pipe,
			 struct err *e) MUST_CHECK;

/* ---- loose entries (outbox_loose.c) ---- */

#define OUTBOX_GAP_LEN 1000

/* Calls fn for the entries that are durable and still pinned in a volume's spool, the
 * oldest first, until it answers other than 0: that is the answer. */
int outbox_each_durable_pin(struct outbox_writer *w, int64_t volume,
			    int (*fn)(void *arg, int64_t pipe, uint64_t serial,
				      uint64_t nonce),
			    void *arg, struct err *e) MUST_CHECK;
int outbox_set_loose(struct outbox_writer *w, int64_t pipe, uint64_t serial,
		     struct err *e) MUST_CHECK;
/* The first entry from a serial on, a loose one with its line for gaps (else ""): 1, or 0. */
int outbox_next(struct outbox_writer *w, int64_t pipe, uint64_t from,
		struct outbox_entry *en, char line[OUTBOX_GAP_LEN],
		struct err *e) MUST_CHECK;
/* A known file, captured or derived, is gone at the edge and nothing explains it: that is
 * remembered, for a RESYNC. Before it is forgotten. */
int outbox_note_gone(struct outbox_writer *w, int64_t pipe,
		     const struct fileid *file, struct err *e) MUST_CHECK;
int outbox_forget_gone(struct outbox_writer *w, int64_t pipe,
		       const struct fileid *file, struct err *e) MUST_CHECK;

/* ---- what is gone when a RESYNC begins (outbox_gone.c; resync.h, kept.h) ---- */

enum gone_fate {
	GONE_NOTED = 0, /* of this incarnation: it matters to the next RESYNC */
	GONE_APPLIED = 1, /* the cloud had it: has the receiver retained it? */
	GONE_WAITED =
		2, /* durable there and not known to be applied when RESYNC came */
	GONE_NEVER = 3, /* the receiver never had it */
	GONE_SETTLED =
		4, /* the receiver has it, or it lies before the start time */
};

struct gone_row {
	struct fileid file;
	uint64_t serial, serial_low; /* of the entries that it came from */
	struct tsfile_range range;   /* any = false: not known */
	enum gone_fate fate;
};

/* The lines of gaps that are final, and what is gone, pass from one pipe to another. */
int outbox_carry(struct outbox_writer *w, const struct pipe_row *from,
		 int64_t to, struct err *e) MUST_CHECK;
/* A known file of `from` is not there any more: so it is gone for `to`. */
int outbox_late_gone(struct outbox_writer *w, const struct pipe_row *from,
		     int64_t to, const struct fileid *file,
		     struct err *e) MUST_CHECK;
/* Calls fn for every file that a pipe knows, partition by partition, until non-zero. fn
 * may call outbox_late_gone() and outbox_is_known(). */
int outbox_each_known(struct outbox_writer *w, int64_t pipe,
		      int (*fn)(void *arg, const struct fileid *file),
		      void *arg, struct err *e) MUST_CHECK;
/* The next one behind out->file that is not settled, of entries of incarnation `origin`,
 * partition by partition: 1, or 0. Begins with an `out` of zeros. */
int outbox_next_gone(struct outbox_writer *w, int64_t pipe,
		     const uint8_t origin[ID_LEN], struct gone_row *out,
		     struct err *e) MUST_CHECK;
/* It is settled; or (is_over) it needs not be remembered any more. */
int outbox_settle_gone(struct outbox_writer *w, int64_t pipe,
		       const uint8_t origin[ID_LEN], const struct fileid *file,
		       bool is_over, struct err *e) MUST_CHECK;
/* The times of a captured file, also of one that is gone: any = false when they are not
 * known. */
int outbox_times(struct outbox_writer *w, int64_t pipe,
		 const struct fileid *file, struct tsfile_range *out,
		 struct err *e) MUST_CHECK;
/* Calls fn for the devices that captured files of a region had, until non-zero. */
int outbox_devices(struct outbox_writer *w, const char *database,
		   uint32_t region,
		   int (*fn)(void *arg, const char *path, size_t len),
		   void *arg, struct err *e) MUST_CHECK;
/* A derived file that an entry is part of, in the partition that `product` names: 1 with
 * its identity, or 0. */
int outbox_product_of(struct outbox_writer *w, int64_t pipe, uint64_t serial,
		      struct fileid *product, struct err *e) MUST_CHECK;
/* Puts another entry at a serial that is not durable: head and nonce, no payload. */
int outbox_fill(struct outbox_writer *w, int64_t pipe, const struct entry *en,
		struct err *e) MUST_CHECK;
/* What was assigned from `serial` on is not what older copies of the catalog know: the
 * same transaction gave it another entry. */
int outbox_fork(struct outbox_writer *w, int64_t pipe, uint64_t serial,
		struct err *e) MUST_CHECK;
/* As this transaction sees them. */
int outbox_forks_written(struct outbox_writer *w, int64_t pipe,
			 struct forks *out, struct err *e) MUST_CHECK;

/* Entries that leave: at most n of the lowest serials up to `serial` are read into
 * `out` and removed; the row's released columns follow. Returns how many. */
struct outbox_gone {
	uint64_t serial, nonce;
	uint64_t wire_nonce; /* of outbox_release(): fork.h */
	int64_t volume;
	uint64_t total; /* bytes of all entries up to and with this one */
	bool is_loose;
	uint64_t body_len;  /* of a FILE that was released; 0 otherwise */
	struct fileid file; /* then its identity */
};

int outbox_release(struct outbox_writer *w, int64_t pipe, uint64_t serial,
		   struct outbox_gone *out, size_t n, struct err *e) MUST_CHECK;
/* The same for a dropped pipe, whose row is left alone; what it knows goes too. */
int outbox_purge(struct outbox_writer *w, int64_t pipe, struct outbox_gone *out,
		 size_t n, struct err *e) MUST_CHECK;

/* Calls fn for every entry of every pipe that is not released, until non-zero. */
int outbox_each_pinned(struct outbox_writer *w,
		       int (*fn)(void *arg, int64_t pipe,
				 const struct outbox_gone *en),
		       void *arg, struct err *e) MUST_CHECK;

#endif
