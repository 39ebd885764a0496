/* The simulator: the real upload and the real receive machine in one process, over a
 * link that cuts and damages, a disk that forgets what was not synced, and catalogs
 * that crash (design, section 9).
 *
 * One seed is one run, without clock, threads or descriptors: a loop that picks one
 * possible step at random, until the faults are over and everything must drain. What
 * must be true is checked where it could break; the first broken promise ends the run
 * with its name. The edge and the cloud here are models of syncd and recvd around the
 * machines: they show what those must do. */
#ifndef TSFERRY_SIM_H
#define TSFERRY_SIM_H

#include <stdio.h>

#include "domain/proto.h"
#include "recvd/receive.h"
#include "syncd/upload.h"

#define SIM_DATABASES 3u
#define SIM_LINKS 4u
#define SIM_NAME 48u
#define SIM_PAGE 4096u
#define SIM_RECORD_LEN (8 + DIGEST_LEN + 8)
#define SIM_ATTEMPTS 6u
#define SIM_QUEUE_FULL (512u << 10) /* bytes in the edge's send queue */

/* Deliberately wrong behaviour, each of which must be found. */
enum sim_plant {
	PLANT_NONE,
	PLANT_ACK_EARLY,  /* acknowledge when a group begins */
	PLANT_NO_FSYNC,	  /* commit without syncing the files */
	PLANT_UNVERIFIED, /* count blocks of the list without reading them */
	PLANT_RELEASE_EARLY, /* the edge releases what is durable, not what is applied */
	PLANT_NO_NONCE,	    /* WELCOME is believed without its nonce */
	PLANT_OUT_OF_ORDER, /* the loader takes any entry */
	PLANT_REAPPLY,	    /* and now and then an old one again */
};

enum sim_stat {
	STAT_ENTRIES,
	STAT_CONNECTS,
	STAT_CUTS,
	STAT_EDGE_KILLS,
	STAT_CLOUD_KILLS,
	STAT_POWER_CUTS,
	STAT_FLIPS,
	STAT_FSYNC_FAILURES,
	STAT_NO_SPACE,
	STAT_READ_ERRORS,
	STAT_TAKEOVERS,
	STAT_STOPS,
	STAT_PUT_BACK,
	STAT_REFUSED_HISTORY,
	STAT_MISMATCHES,
	STAT_PARTIALS,
	STAT_BLOCKS_LOST,
	STAT_QUARANTINED,
	STAT_LOADER_CRASHES,
	STAT_HEARTBEATS,
	STAT_RESENT_KIB,
	STAT_N,
};

/* What an entry really is; its index is in the low bits of the nonce. */
struct sim_truth {
	uint64_t serial, nonce;
	uint32_t len;
	unsigned db;
	struct digest digest;
	bool is_applied, is_skipped;
};

/* sim_disk.c: files of the receiver, as the cache and as the medium has them. */
struct sim_file {
	char name[SIM_NAME];
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
	struct sim_dir_op *ops; /* since the directory was synced, in order */
	size_t n_ops, cap_ops;
};

/* sim_link.c: one connection, with the receive machine at its end. */
struct sim_link {
	bool is_used;
	bool edge_open, cloud_open;
	bool is_asked; /* RX_LOOKUP waits for its answer */
	unsigned id, epoch, n_writes;
	uint64_t acked;
	struct buf up, down;	      /* on their way */
	struct buf at_cloud, at_edge; /* arrived, not yet a frame */
	struct receive *r;
};

struct sim_read {
	uint64_t serial, index, nonce;
	uint32_t len;
};

struct sim_edge_catalog {
	uint64_t assigned, released, released_nonce, durable;
	uint64_t *nonces; /* by serial */
	size_t cap;
};

struct sim_edge {
	struct sim_edge_catalog cat, old; /* old: a copy that may be put back */
	bool has_old;
	struct upload *u; /* NULL: the program is down */
	bool is_stopped;  /* by an operator */
	bool is_error;	  /* attempts are used up; somebody starts it again */
	struct sim_link *link;
	bool has_room;
	struct sim_read reads[UPLOAD_READS];
	unsigned n_reads, first_read;
	struct sim_read fetches[64]; /* serial and index = n */
	unsigned n_fetches;
	uint64_t nonce_asked;
	uint64_t releasable, told_durable, told_applied;
	unsigned n_buffers;
	uint64_t n_assign_left;
};

enum sim_row_state {
	ROW_DURABLE,
	ROW_APPLIED,
	ROW_QUARANTINED,
	ROW_SKIPPED
};

struct sim_row {
	uint64_t serial, nonce;
	uint32_t len;
	bool is_file;
	unsigned link_id; /* while staged: who brought it */
	uint8_t *data;	  /* a row's payload, owned */
	enum sim_row_state state;
};

struct sim_cloud_catalog {
	struct sim_row *rows; /* serial 1 .. durable */
	uint64_t durable, applied, cap;
};

enum sim_job {
	JOB_OPEN,
	JOB_WRITE,
	JOB_DISCARD
};

struct sim_write {
	enum sim_job job;
	unsigned link_id; /* who wants to know */
	uint64_t serial, index;
	uint32_t len; /* of data: a head or a block */
	struct digest digest;
	uint8_t *data;
	struct sim_write *next;
};

enum sim_phase {
	PHASE_IDLE,
	PHASE_FILES,
	PHASE_DIR,
	PHASE_COMMIT
};

struct sim_cloud {
	bool is_up, is_stopped;
	struct sim_disk disk, old_disk;
	struct sim_cloud_catalog cat, old;
	bool has_old;
	unsigned epoch; /* how often an older copy was put back */
	struct sim_row *staged, *group; /* owned; in serial order */
	size_t n_staged, cap_staged, n_group, at_group;
	enum sim_phase phase;
	struct sim_write *writes;
	/* The loader: one entry per database under way, 0 = none. */
	uint64_t loading[SIM_DATABASES];
	bool is_loaded[SIM_DATABASES], was_cut[SIM_DATABASES];
	uint64_t newest[SIM_DATABASES]; /* serial last given to the target */
};

struct sim {
	uint64_t seed, random;
	enum sim_plant plant;
	bool is_verbose, is_calm;
	const char *broken; /* the name of the broken promise */
	char text[600];
	uint64_t stats[STAT_N], n_steps;

	/* What this seed is about. */
	unsigned fault_rate; /* of 1000 steps */
	bool is_plain, is_burst, is_edge_put_back, is_cloud_put_back;
	bool answers_at_once; /* the edge's catalog */
	bool slow_writes, slow_groups, slow_loader, slow_reads;
	bool is_over; /* stopped rightly: histories do not fit */
	bool no_space, fail_sync, fail_read;

	struct sim_truth *truths;
	size_t n_truths, cap_truths;
	unsigned n_links;
	struct sim_link links[SIM_LINKS];
	struct sim_edge edge;
	struct sim_cloud cloud;
};

/* sim_truth.c */
uint64_t sim_random(struct sim *s, uint64_t n); /* 0 .. n - 1 */
bool sim_chance(struct sim *s, unsigned per_mille);
void sim_broken(struct sim *s, const char *name, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
void sim_say(const struct sim *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct sim_truth *sim_truth_new(struct sim *s, uint64_t serial);
struct sim_truth *sim_truth_of(struct sim *s,
			       uint64_t nonce); /* NULL: never made */
void sim_truth_entry(const struct sim_truth *t, struct entry *en);
void sim_truth_fill(const struct sim_truth *t, uint64_t index, uint8_t *to);
bool sim_truth_matches(const struct sim_truth *t, const uint8_t *p, size_t n);

/* sim_disk.c */
struct sim_file *disk_find(struct sim_disk *d, const char *name);
struct sim_file *disk_make(struct sim_disk *d, const char *name);
void disk_write(struct sim_file *f, size_t offset, const void *p, size_t n);
void disk_sync(struct sim_file *f);
void disk_sync_failed(struct sim_file *f); /* the pages are clean and lost */
void disk_unlink(struct sim_disk *d, struct sim_file *f);
void disk_sync_dir(struct sim_disk *d);
void disk_power_cut(struct sim *s, struct sim_disk *d);
void disk_copy(struct sim_disk *to, const struct sim_disk *from);
void disk_release(struct sim_disk *d);

/* sim_link.c */
struct sim_link *link_open(struct sim *s);
void link_close_edge(struct sim *s, struct sim_link *l);
void link_close_cloud(struct sim *s, struct sim_link *l);
void link_reap(struct sim *s);
bool link_step_up(struct sim *s);
bool link_step_down(struct sim *s);
bool link_step_eof(struct sim *s);
bool link_step_heartbeat(struct sim *s);
void link_flip(struct sim *s);
struct sim_link *link_by_id(struct sim *s, unsigned id);

/* sim_edge.c */
void edge_start(struct sim *s);
void edge_kill(struct sim *s);
void edge_cut(struct sim *s);
void edge_pump(struct sim *s);
bool edge_step_assign(struct sim *s);
bool edge_step_connect(struct sim *s);
bool edge_step_read(struct sim *s);
bool edge_step_catalog(struct sim *s);
bool edge_step_release(struct sim *s);
bool edge_is_history_broken(struct sim *s);
void edge_catalog_copy(struct sim_edge_catalog *to,
		       const struct sim_edge_catalog *from);
void edge_catalog_release(struct sim_edge_catalog *c);

/* sim_cloud.c: sessions and what the machine asks for. */
void cloud_pump(struct sim *s, struct sim_link *l);
void cloud_session_end(struct sim *s, struct sim_link *l);
bool cloud_step_lookup(struct sim *s);

/* sim_partial.c: partial files; sim_store.c: the writer, and payloads; sim_group.c: group
 * commits, crashes, restarts. */
void store_names(uint64_t serial, char data[SIM_NAME], char list[SIM_NAME]);
void partial_head(const struct entry *en, struct buf *b);
void partial_open(struct sim *s, uint64_t serial, const uint8_t *head,
		  size_t n);
void partial_record(uint8_t *to, uint64_t index, const struct digest *d);
void partial_remove(struct sim *s, uint64_t serial);
void store_open(struct sim *s, const struct sim_link *l,
		const struct entry *en);
void store_write(struct sim *s, const struct sim_link *l,
		 const struct receive_act *a);
void store_discard(struct sim *s, uint64_t serial);
void store_stage(struct sim *s, const struct sim_link *l,
		 const struct receive_act *a);
void store_drop_staged(struct sim *s, unsigned link_id);
void store_settle_writes(struct sim *s);
void store_lose_writes(struct sim *s);
bool store_read_partial(struct sim *s, const struct sim_file *list,
			struct receive_partial *p);
size_t store_partials(struct sim *s, struct receive_partial **out);
void store_free_partials(struct receive_partial *p, size_t n);
bool store_step_write(struct sim *s);
bool store_step_group(struct sim *s);
void store_restart(struct sim *s);
void store_crash(struct sim *s, bool is_power_cut);
void store_check_acknowledged(struct sim *s, uint64_t serial);
void store_forget_payload(struct sim *s, struct sim_row *row);
const uint8_t *store_payload(struct sim *s, const struct sim_row *row,
			     size_t *n);
void store_check_kept(struct sim *s);
void cloud_catalog_copy(struct sim_cloud_catalog *to,
			const struct sim_cloud_catalog *from);
void cloud_catalog_release(struct sim_cloud_catalog *c);

/* sim_load.c */
bool load_step(struct sim *s);
bool load_step_operator(struct sim *s);
void load_crash(struct sim *s);
uint32_t load_quarantined(const struct sim *s);

/* sim_faults.c */
bool fault_step(struct sim *s);
bool fault_step_mend(
	struct sim *s); /* what is down comes up, what is stopped starts */

/* sim_run.c */
void sim_run(struct sim *s, uint64_t seed, enum sim_plant plant,
	     bool is_verbose);
void sim_release(struct sim *s);

#endif
