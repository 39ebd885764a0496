/* The inside of a link, shared by link.c (when to connect), link_io.c (what goes
 * over the wire), link_saved.c (what need not) and link_pace.c (how much of it). Nobody else includes this. */
#ifndef TSFERRY_LINK_INSIDE_H
#define TSFERRY_LINK_INSIDE_H

#include "call.h"
#include "ground/rate.h"
#include "kept.h"
#include "link.h"
#include "patience.h"
#include "reader.h"
#include "travel.h"
#include "upload.h"

#define LINK_BUFFERS \
	UPLOAD_READS	/* of BLOCK_LEN bytes; small payloads have their own */
#define LINK_HEADS 8192 /* more than the window; volumes remembered, by serial */
#define LINK_BEHIND UPLOAD_WINDOW_ENTRIES
#define LINK_QUEUE_HIGH (512u << 10)
#define LINK_BEAT_MS 10000
#define LINK_LISTEN_MS 2500
#define LINK_SILENCE_MS \
	25000 /* and at most LINK_LISTEN_MS until it is noticed */

enum link_state {
	LINK_WAITING,
	LINK_CALLING,
	LINK_GREETING,
	LINK_ONLINE
};

struct link {
	struct edge *edge;
	struct pipe *pipe; /* NULL: freed, waits for its reads */
	struct upload *upload;
	struct call *call;
	enum link_state state;
	bool is_pumping, is_pump_again;
	unsigned n_jobs; /* reads under way */

	struct loop_timer retry, beat, silence, refill;
	struct loop_task pump;
	uint64_t retry_at_ms; /* of the loop's clock */
	struct patience patience;
	int64_t since_ms; /* online, or offline; for people */
	bool was_online;
	char reason[MESSAGE_LEN]; /* why offline */
	char address[80];

	/* link_io.c */
	struct reader reader;
	struct read_job *reads; /* being collected */
	struct kept *kept;	/* asked and not answered; owned */
	unsigned n_pongs, kept_pongs; /* outstanding; when it was asked */
	struct buf out;
	void *buffers[LINK_BUFFERS]; /* free ones, owned */
	size_t n_buffers;
	const struct volume *volumes[LINK_HEADS];
	uint64_t pins[LINK_HEADS]; /* the nonces that name them in the spool */
	bool is_again[LINK_HEADS]; /* it was an entry before: it refers to itself */
	struct travel travel;
	/* What prefixes saved of an entry, until its blocks are asked for; by serial. */
	struct {
		uint32_t saved, n;
	} behind[LINK_BEHIND];
	uint64_t resent_before; /* of machines that are gone */

	/* link_pace.c */
	int64_t allowance; /* bytes that rate_limit still lets go */
	uint64_t allowance_at_ms,
		charged; /* bytes of the call that it paid for */
	uint64_t looked_ms, way_rate;
	uint32_t unsent;
	uint64_t acked, heard_ms; /* the last sign of life */

	struct rate rate; /* of the call's bytes */
};

/* link.c */
void link_offline(struct link *l,
		  const char *reason); /* closes, tries again later */
void link_welcome(struct link *l);     /* HELLO was answered */
void link_error(struct link *l, const char *text); /* the pipe must stop */
void link_heard(struct link *l);		   /* a frame came */

/* link_pace.c */
void link_pace_begin(struct link *l); /* a new call */
void link_pace(struct link *l);	      /* whether, and how far, is read ahead */
uint64_t link_way_rate(const struct link *l); /* bytes a second; 0 = unknown */
void link_refilled(struct loop_timer *t);
bool link_has_moved(
	struct link *l); /* bytes arrived there since it was asked last,
				      * and others are on their way */

/* link_io.c */
void link_pump(struct link *l); /* takes and performs what the machine wants */
void link_frame(struct link *l, const struct frame *f);
void link_send_status(struct link *l);
void link_io_release(struct link *l);

/* link_saved.c: an entry begins; a block travels so; it comes literally after all */
void link_saved_begin(struct link *l, uint64_t serial);
void link_saved_squeezed(struct link *l, const struct payload *p, uint32_t len);
void link_saved_named(struct link *l, const struct upload_act *act);
void link_saved_behind(struct link *l, const struct upload_act *act,
		       const struct payload *p);
void link_saved_not(struct link *l, const struct upload_act *act);

/* link_io.c */
void link_rate_sample(struct link *l);

#endif
