/* The simulator: the real upload and the real receive machine in one process, over a
 * link that cuts and damages, a disk that forgets what was not synced, and catalogs
 * that crash, get lost and are put back (design, section 9).
 *
 * One seed is one run, without clock, threads or descriptors: a loop that picks one
 * possible step at random, until the faults are over and everything must drain. What
 * must be true is checked where it could break; the first broken promise ends the run
 * with its name. Real are the two machines, the messages, the deadlines of a link
 * (syncd/patience.h), who has senders and incarnations (recvd/senders.h) and whose turn
 * it is (recvd/turn.h). The edge and the cloud around them, their catalogs included, are
 * models of syncd and recvd: they show what those must do.
 *
 * Up to two edges (the second is a clone of the first), each with pipes, which are
 * incarnations: RESYNC, DROP and CREATE make new ones while entries of old ones wait.
 * What an edge must deliver is its files: whatever happened, in the end each of them is
 * applied in the newest incarnation, and whatever was acknowledged in older ones too. */
#ifndef TSFERRY_SIM_H
#define TSFERRY_SIM_H

#include <stdio.h>

#include "domain/proto.h"
#include "recvd/receive.h"
#include "recvd/senders.h"
#include "syncd/patience.h"
#include "syncd/upload.h"

#define SIM_EDGES 2u
#define SIM_SENDERS 6u
#define SIM_PIPES 40u
#define SIM_DATABASES 3u
#define SIM_LINKS 6u
#define SIM_NAME 32u
#define SIM_RECORD_LEN (8 + DIGEST_LEN + 8)
#define SIM_ATTEMPTS 6u
#ifndef SIM_PAGE
#	define SIM_PAGE 4096u
#	define SIM_QUEUE_FULL (512u << 10) /* bytes in the edge's send queue */
#endif

/* Deliberately wrong behaviour, each of which must be found (sim_plants.c). */
enum sim_plant {
	PLANT_NONE,
	PLANT_ACK_EARLY,
	PLANT_NO_FSYNC,
	PLANT_NO_DIR_SYNC,
	PLANT_SYNC_AGAIN,
	PLANT_TRUST,
	PLANT_UNVERIFIED,
	PLANT_HALF_VISIBLE,
	PLANT_RELEASE_EARLY,
	PLANT_NO_NONCE,
	PLANT_NO_FLOOR,
	PLANT_NO_CEILING,
	PLANT_APPLIED_BACK,
	PLANT_OUT_OF_ORDER,
	PLANT_REAPPLY,
	PLANT_OVERTAKE,
	PLANT_DROP_DURABLE,
	PLANT_PASS_SILENTLY,
	PLANT_HOLE,
	PLANT_ORPHAN,
	PLANT_RESYNC_FORGETS,
	PLANT_LOST_STARTS,
	PLANT_WALL_CLOCK,
	PLANT_TWO_SESSIONS,
	PLANT_NO_PARTIALS,
	PLANT_BELIEVE_HELD,
	PLANT_NO_FORK,
	PLANT_BELIEVE_PREFIX,
	PLANT_DEAF,
	PLANT_MISCOUNT,
	PLANT_FALSE_STOP,
	PLANT_PASS_OWN,
	PLANT_FORGET_EARLY,
	PLANT_FORGET_FILLS,
	PLANT_TELL_EARLY,
	PLANT_NO_EARLY_NONCE,
	PLANT_RELEASE_PASSED,
	PLANT_LEAP,
	PLANT_FORK_EARLY,
	PLANT_SWEEP_EARLY,
	PLANT_APPLIED_PASSES,
	PLANT_LIE_LATER,
	PLANT_LEAVE_HOLE,
};

enum sim_stat {
	STAT_ENTRIES,
	STAT_INCARNATIONS,
	STAT_CONNECTS,
	STAT_CUTS,
	STAT_EDGE_KILLS,
	STAT_CLOUD_KILLS,
	STAT_POWER_CUTS,
	STAT_FLIPS,
	STAT_FLIPS_STAGED,
	STAT_FLIPS_SPOOL,
	STAT_DUPLICATES,
	STAT_CLOCK_JUMPS,
	STAT_FSYNC_FAILURES,
	STAT_NO_SPACE,
	STAT_READ_ERRORS,
	STAT_FILLED,
	STAT_TAKEOVERS,
	STAT_STOPS,
	STAT_RESYNCS,
	STAT_DROPS,
	STAT_FAREWELLS,
	STAT_CLONES,
	STAT_PUT_BACK,
	STAT_LOST,
	STAT_REFUSED_HISTORY,
	STAT_REFUSED_STARTS,
	STAT_IMPATIENT,
	STAT_MISMATCHES,
	STAT_PARTIALS,
	STAT_BLOCKS_LOST,
	STAT_QUARANTINED,
	STAT_RETRIED,
	STAT_SKIPPED,
	STAT_LOADER_CRASHES,
	STAT_HEARTBEATS,
	STAT_RESENT_KIB,
	STAT_SQUEEZED,
	STAT_REFERRED,
	STAT_FETCHED,
	STAT_WANTED,
	STAT_PREFIXED,
	STAT_RANGED,
	STAT_UNPACKED,
	STAT_LATER,
	STAT_EARLY,
	STAT_EARLY_KEPT,
	STAT_N,
};

/* Bytes to deliver: they follow from the seed, so that nothing has to be stored to know
 * what must arrive. One bit of a file may rot in the spool. */
struct sim_content {
	uint64_t seed;
	uint32_t len, rot_at;
	unsigned db;
	bool has_rot;
	bool only_fills;
	uint8_t *
		bytes; /* of a TsFile (sim_tsfile.c), owned; others follow from the seed */
	enum entry_kind kind;
	struct digest digest;
};

/* What an entry really is; its index is in the low bits of the nonce. */
struct sim_truth {
	uint64_t serial, nonce;
	uint32_t content;
	unsigned pipe;
	bool is_applied, is_skipped;
};

/* sim_disk.c: files of the receiver, as the cache and as the medium has them. */
struct sim_file {
	char name[SIM_NAME];
	unsigned dir;
	uint64_t serial;
	bool is_list;
	uint8_t *now, *kept;
	uint8_t *dirty; /* one per page */
	size_t len, kept_len, cap;
	bool is_linked, is_kept; /* the name: in the cache, on the medium */
	struct sim_file *next;
};

struct sim_dir_op {
	struct sim_file *file;
	bool is_linked;
};

struct sim_disk {
	struct sim_file *files;
	struct sim_dir_op *ops; /* not synced yet, in order */
	size_t n_ops, cap_ops;
};

enum sim_session {
	SESSION_NEW,
	SESSION_ASKED,	/* RX_LOOKUP waits for its answer */
	SESSION_ADDING, /* its incarnation goes into the catalog */
	SESSION_FOUND,	/* what was under way before is waited for */
	SESSION_WELCOME,
};

/* sim_link.c: one connection, with the receive machine at its end. */
struct sim_link {
	bool is_used;
	bool edge_open, cloud_open;
	unsigned edge;
	unsigned farewell; /* pipe that says its DROP here; 0 = an upload */
	bool is_said;
	bool is_unfit; /* the WELCOME that came contradicts the edge */
	uint64_t left; /* PLANT_LEAVE_HOLE: never sent */
	unsigned id, epoch, n_writes;
	uint64_t acked;
	struct buf up, down;	      /* on their way */
	struct buf at_cloud, at_edge; /* arrived, not yet a frame */
	struct receive *r;
	enum sim_session state;
	unsigned pipe, sender, seq; /* as HELLO said; the incarnation */
	bool is_looking; /* what was found half received is not read yet */
};

struct sim_read {
	uint64_t serial, index, nonce;
	uint32_t len;
};

/* A pipe is an incarnation: a row of the edge's catalog with its entries. */
struct sim_pipe {
	unsigned id; /* over all edges, from 1: its random 128 bits */
	unsigned sender;
	uint64_t assigned, released, released_nonce, durable, purged;
	uint64_t *nonces; /* by serial */
	size_t cap;
	unsigned n_captured; /* of the edge's files */
	bool is_stopped, is_dropped, is_superseded, is_told, is_forgetful;
};

struct sim_outbox {
	struct sim_pipe pipes[SIM_PIPES];
	unsigned n;
	unsigned sender; /* the key beside it */
};

enum sim_error {
	EDGE_FINE,
	EDGE_MISMATCH, /* attempts are used up: START PIPE, or a minute */
	EDGE_HISTORY,  /* RESYNC PIPE */
};

struct sim_edge {
	bool is_used, is_up, is_clone, is_lost;
	unsigned index, sender;
	struct sim_outbox cat, old; /* old: a copy that may be put back */
	bool has_old;
	uint64_t n_filled; /* when `old` was taken */
	uint64_t filled, passed; /* a serial that was since, and what may have passed it */
	uint32_t *files;   /* contents: what IoTDB has */
	unsigned n_files, cap_files;
	uint64_t gone[SIM_PIPES + 1]; /* pins up to here are unlinked */
	uint64_t
		rotten; /* nonce of an entry that the disk does not give back */
	struct upload *u; /* of the newest pipe, while it is not stopped */
	enum sim_error error;
	struct patience patience;
	uint64_t retry_ms, away_ms; /* away: since when, for the check */
	bool is_away;
	struct sim_link *link;
	bool has_room;
	struct sim_read reads[UPLOAD_READS];
	unsigned n_reads, first_read;
	struct sim_read fetches[64]; /* serial and index = n */
	unsigned n_fetches;
	uint64_t nonce_asked;
	uint64_t releasable, told_durable, told_applied;
	unsigned told_epoch; /* of the cloud, at the last progress */
	unsigned n_buffers;
	unsigned n_new; /* files and statements still to come */
};

enum sim_row_state {
	ROW_DURABLE,
	ROW_RELEASED, /* RETRY */
	ROW_QUARANTINED,
	ROW_APPLIED,
	ROW_SKIPPED
};

struct sim_row {
	unsigned seq;
	uint64_t serial, nonce;
	uint32_t len;
	bool is_early; /* it passed one that is not durable */
	bool is_file,
		is_late;  /* late: tried again while others were let pass */
	unsigned link_id; /* while staged: who brought it */
	uint8_t *data;	  /* a row's payload, owned */
	enum sim_row_state state;
};

/* An incarnation as the receiver's catalog has it. */
struct sim_inc {
	unsigned pipe, sender;
	bool is_dropped;
	uint64_t durable, applied, cap;
	uint64_t end; /* the highest serial that has a row */
	struct sim_row
		*rows; /* 1 .. end; behind durable some are empty (nonce 0) */
};

struct sim_catalog {
	struct sim_inc inc[SIM_PIPES + 1]; /* by seq, from 1 */
	unsigned n;
};

enum sim_job {
	JOB_OPEN,
	JOB_WRITE,
	JOB_FETCH, /* data: of a file that is held */
	JOB_DISCARD,
	JOB_SWEEP, /* every half-received file of the incarnation */
};

struct sim_write {
	enum sim_job job;
	unsigned link_id; /* who wants to know */
	unsigned seq;
	uint64_t serial, index;
	uint32_t len; /* of data: a head or a block */
	struct digest digest;
	uint8_t *data;
	enum block_how how; /* JOB_FETCH */
	uint8_t *frame;	    /* of a PREFIX; owned */
	uint32_t frame_len;
	unsigned n_ranges; /* at most one of each of two files */
	struct held_range ranges[2];
	uint64_t contents[2];
	bool is_found;
	struct sim_write *next;
};

enum sim_phase {
	PHASE_IDLE,
	PHASE_FILES,
	PHASE_DIR,
	PHASE_COMMIT
};

/* What the loader does for one database of one sender. */
struct sim_slot {
	unsigned seq; /* of the entry under way; 0 = none */
	uint64_t serial;
	bool is_loaded, was_cut;
	unsigned new_seq; /* newest that the target took */
	uint64_t new_serial;
};

struct sim_copy {
	bool is_there;
	struct sim_disk disk;
	struct sim_catalog cat;
	struct sim_slot slots[SIM_SENDERS][SIM_DATABASES];
	bool *applied; /* by truth; owned */
	size_t n_truths;
};

struct sim_adding {
	unsigned pipe, link_id;
};

struct sim_cloud {
	bool is_up, is_stopped, is_lost, is_pass, was_pass;
	struct sim_disk disk;
	struct sim_catalog cat;
	struct senders senders; /* the daemon's memory */
	struct incarnation
		*incarnations[SIM_PIPES + 1]; /* what was found there */
	struct domain *domains[SIM_PIPES + 1][SIM_DATABASES];
	struct sim_copy old;
	unsigned epoch; /* how often an older copy was put back */
	struct sim_row *staged, *group; /* owned */
	size_t n_staged, cap_staged, n_group, at_group;
	enum sim_phase phase;
	struct sim_write *writes, **writes_end;
	struct sim_adding adding[SIM_SENDERS];
	unsigned n_adding;
	unsigned session[SIM_SENDERS]; /* id of its one link */
	bool drop_due[SIM_PIPES + 1], sweep_due[SIM_PIPES + 1];
	struct sim_slot slots[SIM_SENDERS][SIM_DATABASES];
};

enum sim_pace {
	PACE_ALWAYS,
	PACE_READ,
	PACE_ROOM,
	PACE_CAPTURE,
	PACE_WRITE,
	PACE_GROUP,
	PACE_LOAD,
	PACE_PEOPLE,
	PACE_WAIT,
	PACE_N,
};

/* What zstd takes long to make; kept from seed to seed. */
struct sim_packers {
	struct squeezer *squeezer;
	struct ZSTD_CCtx_s *behind; /* of prefixes */
};

struct sim {
	struct sim_packers packers; /* owned */
	uint64_t seed, random;
	enum sim_plant plant;
	bool is_verbose, is_calm;
	const char *broken; /* the name of the broken promise */
	char text[600];
	uint64_t stats[STAT_N], n_steps;
	uint64_t mono_ms;
	int64_t wall_ms;

	/* What this seed is about. */
	unsigned fault_rate; /* of 1000 steps */
	bool is_plain, is_burst, is_edge_put_back, is_cloud_put_back;
	bool is_version_2;    /* one end knows no EARLY */
	bool answers_at_once; /* the edge's catalog */
	bool refers; /* blocks travel as references to what was applied before */
	bool has_tsfiles; /* what it refers to are TsFiles, by lib/domain/prefix */
	unsigned held_lost,
		held_rot; /* of 1000: how often what is held is not */
	bool slow_writes, slow_groups, slow_loader, slow_reads;
	bool slow_room; /* answers come before the queue is drained: a way that is paced */
	unsigned paces[PACE_N]; /* of 1000, how readily a step is taken */
	bool no_space, fail_sync, fail_read;
	unsigned n_resyncs, n_put_backs, n_losses, n_clones; /* left */
	uint64_t limit_ms; /* stop_after_disconnected */

	struct sim_truth *truths;
	size_t n_truths, cap_truths;
	struct sim_content *contents;
	size_t n_contents, cap_contents;
	unsigned n_links, n_pipes, n_senders;
	unsigned used_links; /* bits, by place in `links` */
	struct sim_link links[SIM_LINKS];
	struct sim_edge edges[SIM_EDGES];
	struct sim_cloud cloud;
};

/* Chance. Here, because most steps are nothing but the question whether they are possible. */
static inline uint64_t sim_mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline uint64_t sim_draw(
	struct sim *s) /* to be mixed where it matters */
{
	return s->random += 0x9e3779b97f4a7c15u;
}

static inline uint64_t sim_random(struct sim *s, uint64_t n) /* 0 .. n - 1 */
{
	uint64_t z = sim_draw(s);

	return n ? sim_mix(z) % n : 0;
}

static inline bool sim_chance(struct sim *s, unsigned per_mille)
{
	return sim_random(s, 1000) < per_mille;
}

/* sim_truth.c */
void sim_broken(struct sim *s, const char *name, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
void sim_say(const struct sim *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
uint32_t sim_content_new(struct sim *s, bool is_file);
uint32_t sim_content_empty(struct sim *s); /* of an entry that fills a serial */
struct sim_truth *sim_truth_new(struct sim *s, unsigned pipe, uint64_t serial,
				uint32_t content);
struct sim_truth *sim_truth_of(struct sim *s,
			       uint64_t nonce); /* NULL: never made */
const struct sim_content *sim_content_of(struct sim *s, uint64_t nonce);
void sim_truth_entry(struct sim *s, const struct sim_truth *t,
		     struct entry *en);
void sim_fill(const struct sim_content *c, uint64_t index, uint8_t *to);
/* A block that is asked for is read once more; by then it may have rotted. */
bool sim_may_mismatch(const struct sim *s);
bool sim_matches(const struct sim_content *c, const uint8_t *p, size_t n);
/* Room for one more of `size`; *p holds n of *cap. */
void sim_grow(void *p, size_t n, size_t *cap, size_t size);

/* Any edge that runs, any link, from a random one on, until `fn` could do something. */
bool sim_any_edge(struct sim *s, bool (*fn)(struct sim *s, struct sim_edge *e));
bool sim_any_link(struct sim *s, bool (*fn)(struct sim *s, struct sim_link *l));

/* sim_disk.c */
struct sim_file *disk_find(struct sim_disk *d, unsigned dir, uint64_t serial,
			   bool is_list);
struct sim_file *disk_make(struct sim_disk *d, unsigned dir, uint64_t serial,
			   bool is_list);
void disk_write(struct sim_file *f, size_t offset, const void *p, size_t n);
void disk_sync(struct sim_file *f);
void disk_sync_failed(struct sim_file *f); /* the pages are clean and lost */
void disk_unlink(struct sim_disk *d, struct sim_file *f);
void disk_sync_dir(struct sim_disk *d, unsigned dir); /* 0: all */
void disk_power_cut(struct sim *s, struct sim_disk *d);
void disk_copy(struct sim_disk *to, const struct sim_disk *from);
void disk_release(struct sim_disk *d);

/* sim_link.c */
struct sim_link *link_open(struct sim *s, const struct sim_edge *e);
void link_close_edge(struct sim_link *l);
void link_close_cloud(struct sim_link *l);
void link_reap(struct sim *s);
size_t link_room(const struct sim *s); /* bytes in the edge's send queue */
bool link_step_up(struct sim *s);
bool link_step_down(struct sim *s);
bool link_step_eof(struct sim *s);
bool link_step_room(struct sim *s);
bool link_step_heartbeat(struct sim *s);
void link_flip(struct sim *s);
void link_duplicate(struct sim *s);
struct sim_link *link_by_id(struct sim *s, unsigned id); /* open at the cloud */

/* sim_edge.c: the program around the machine */
void edge_start(struct sim *s, struct sim_edge *e);
void edge_kill(struct sim *s, struct sim_edge *e);
void edge_cut(struct sim *s, struct sim_edge *e);
void edge_end_upload(struct sim *s, struct sim_edge *e);
void edge_begin_upload(struct sim *s, struct sim_edge *e);
void edge_pump(struct sim *s, struct sim_edge *e);
void edge_early(struct sim *s, struct sim_edge *e, const struct msg_early *m);
void edge_welcome(struct sim *s, struct sim_edge *e, struct msg_welcome *m);
void edge_applied(struct sim *s, struct sim_edge *e, struct msg_applied *m);
void edge_answer_fetch(struct sim *s, struct sim_edge *e, uint64_t serial,
		       uint64_t n);

/* sim_edge_steps.c */
bool edge_step_capture(struct sim *s);
bool edge_step_connect(struct sim *s);
bool edge_step_wait(struct sim *s);
bool edge_step_read(struct sim *s);
bool edge_step_catalog(struct sim *s);
bool edge_step_release(struct sim *s);
void edge_away(struct sim *s, struct sim_edge *e);

/* sim_outbox.c: pipes, and statements about them */
struct sim_pipe *edge_pipe(struct sim_edge *e); /* not dropped; NULL */
struct sim_pipe *edge_live(struct sim_edge *e); /* when there is one */
uint64_t edge_assign(struct sim *s, struct sim_edge *e, uint32_t content);
void edge_fill(struct sim *s, struct sim_edge *e, uint64_t serial,
	       uint64_t beyond);
void edge_add_file(struct sim_edge *e, uint32_t content);
void edge_create_pipe(struct sim *s, struct sim_edge *e);
void edge_resync(struct sim *s, struct sim_edge *e, const char *why);
void edge_drop_pipe(struct sim *s, struct sim_edge *e);
void edge_stop_pipe(struct sim *s, struct sim_edge *e);
void edge_start_pipe(struct sim *s, struct sim_edge *e);
void edge_new_identity(struct sim *s, struct sim_edge *e);
bool edge_step_purge(struct sim *s);
bool edge_step_farewell(struct sim *s);
void edge_told(struct sim_edge *e, unsigned pipe);
void edge_catalog_copy(struct sim_outbox *to, const struct sim_outbox *from);
void edge_catalog_release(struct sim_outbox *c);
void pipe_id(unsigned pipe, uint8_t id[ID_LEN]);
unsigned pipe_of_id(const uint8_t id[ID_LEN]);

/* sim_cloud.c: sessions and what the machine asks for */
void cloud_start(struct sim *s);
void cloud_pump(struct sim *s, struct sim_link *l);
void cloud_session_end(struct sim *s, struct sim_link *l);
void cloud_fail_session(struct sim *s, struct sim_link *l, const char *why);
struct incarnation *cloud_incarnation(struct sim *s, unsigned seq);
struct domain *cloud_domain(struct sim *s, unsigned seq, unsigned db);

static inline bool inc_has(const struct sim_inc *inc, uint64_t serial)
{
	return serial <= inc->end && inc->rows[serial].nonce;
}

/* sim_hello.c: who is it, and what do we have of it */
bool cloud_step_lookup(struct sim *s);
bool cloud_step_look(struct sim *s);
bool cloud_step_add(struct sim *s);
bool cloud_step_drop(struct sim *s);
void cloud_drop(struct sim *s, unsigned seq);

/* sim_partial.c: partial files */
void partial_head(const struct entry *en, struct buf *b);
void partial_open(struct sim *s, unsigned seq, uint64_t serial,
		  const uint8_t *head, size_t n);
void partial_record(uint8_t *to, uint64_t index, const struct digest *d);
void partial_remove(struct sim *s, unsigned seq, uint64_t serial);
void partial_sweep(struct sim *s, unsigned seq);
bool partial_read(struct sim *s, const struct sim_file *list, bool is_read,
		  struct receive_partial *p);
bool partial_has(struct sim *s, unsigned seq, const struct entry *en);
/* is_read: blocks that are not what their list says are none. */
size_t partial_all(struct sim *s, unsigned seq, bool is_read,
		   struct receive_partial **out);
bool partial_is_whole(struct sim *s,
		      unsigned seq); /* all that the lists say is there */
void partial_release(struct receive_partial *p);

/* sim_store.c: the writer, and payloads */
void store_open(struct sim *s, const struct sim_link *l,
		const struct entry *en);
void store_fetch(struct sim *s, const struct sim_link *l,
		 const struct receive_act *a);
void store_write(struct sim *s, const struct sim_link *l,
		 const struct receive_act *a);
void store_discard(struct sim *s, unsigned seq, uint64_t serial);
void store_sweep(struct sim *s, unsigned seq);
void store_settle_writes(struct sim *s, unsigned seq);
void store_lose_writes(struct sim *s);
bool store_step_write(struct sim *s);
const uint8_t *store_payload(struct sim *s, const struct sim_row *row,
			     size_t *n);
void store_forget_payload(struct sim *s, struct sim_row *row);

/* sim_prefix.c: blocks behind ranges of held files */
void prefix_names(const struct entry *en, struct msg_held *m);
/* The act's bytes become their frame: false, they do not give way. */
bool prefix_send(struct sim *s, const struct upload_act *a, uint64_t content,
		 struct msg_block *m);
size_t prefix_len(const struct held_range *ranges, unsigned n);
/* Bytes of a range, zeros behind the end of the file. */
void prefix_read(struct sim *s, uint64_t content, const struct held_range *x,
		 uint8_t *to);
bool prefix_make(const uint8_t *prefix, size_t prefix_len, struct sim_write *w);

/* sim_tsfile.c: the seed's bytes become a TsFile of its own length */
void tsfile_make(struct sim_content *c);
/* For a block of the first, which is a TsFile, behind itself and the second: how many. */
unsigned tsfile_ranges(struct sim *s, const uint64_t contents[2],
		       uint64_t block, struct held_range out[HELD_RANGES_MAX]);

/* sim_group.c: group commits */
void group_stage(struct sim *s, const struct sim_link *l,
		 const struct receive_act *a);
bool group_is_through(const struct sim *s, unsigned seq);
bool group_step(struct sim *s);
void group_crash(struct sim *s);

/* sim_restart.c: crashes, restarts, copies */
void cloud_crash(struct sim *s, bool is_power_cut);
bool cloud_restart(struct sim *s); /* false: refused */
void cloud_take_copy(struct sim *s);
void cloud_put_back(struct sim *s);
void cloud_cure_loss(struct sim *s);
void store_check_acknowledged(struct sim *s, const struct sim_link *l,
			      uint64_t serial);
void cloud_catalog_copy(struct sim_catalog *to, const struct sim_catalog *from);
void cloud_catalog_release(struct sim_catalog *c);
void cloud_copy_release(struct sim_copy *c);

/* sim_load.c */
bool load_step(struct sim *s);
bool load_step_operator(struct sim *s);
void load_crash(struct sim *s);

/* sim_faults.c, sim_operator.c */
bool fault_step(struct sim *s);
bool operator_step(struct sim *s); /* a statement that nobody had to say */
bool operator_step_mend(
	struct sim *s); /* what is down comes up, what is stopped starts */

/* sim_run.c */
struct sim_run {
	uint64_t seed;
	enum sim_plant plant;
	bool is_verbose;
};

void sim_run(struct sim *s, const struct sim_run *how);
void sim_release(struct sim *s); /* what the seed left */
void sim_free(struct sim *s);	 /* released before */

/* sim_plants.c */
enum sim_plant plant_named(const char *name); /* PLANT_NONE: there is none */
int plants_all(void);			      /* TAP; 0 or 1 */

#endif
