/* How long a link is tried, and how long until the next try: deadlines as arithmetic,
 * without a clock, so that the simulator runs the same code.
 *
 * Times are milliseconds of CLOCK_MONOTONIC, given by the owner: the wall clock may be
 * set at any moment, in both directions, and must neither end a pipe nor keep it
 * trying for ever. */
#ifndef TSFERRY_PATIENCE_H
#define TSFERRY_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#define PATIENCE_QUICK_MS 60
#define PATIENCE_QUICK 16u /* tries, a second in all */
#define PATIENCE_MIN_MS 200
#define PATIENCE_MAX_MS 30000
#define PATIENCE_ERROR_MS 20000
#define PATIENCE_BUSY_MS 5000

struct patience {
	uint64_t backoff_ms;
	uint64_t offline_ms; /* since when there is no receiver */
	bool is_online;
	unsigned n_quick; /* since something was taken */
	bool is_quick;	  /* the next try is */
	bool is_busy,
		is_busy_now; /* since something was taken; when it was last left */
};

void patience_init(struct patience *p, uint64_t now_ms);
void patience_online(struct patience *p);
/* It has no room (BYE BUSY), or one of the two does not understand the other. Who is let in and sent away again has got nowhere: the pauses
 * grow, though no further than PATIENCE_BUSY_MS, until something was taken. */
void patience_busy(struct patience *p);
void patience_moved(struct patience *p);
/* A try failed, or the link broke. */
void patience_offline(struct patience *p, uint64_t now_ms);
/* The host is there and the port is not, or the peer's program ended: one that is started
 * again listens within the second, and another refusal costs it a packet. The next pause is
 * PATIENCE_QUICK_MS; PATIENCE_QUICK times, then pauses grow as after anything else. */
void patience_quick(struct patience *p);
/* An operator's word: at once again, and from now on. */
void patience_again(struct patience *p);
void patience_restart(struct patience *p, uint64_t now_ms);

/* `limit_ms` without a receiver are over; 0 = no limit. */
bool patience_is_over(const struct patience *p, uint64_t now_ms,
		      uint64_t limit_ms);

/* The pause before the next try, doubled each time; `random` spreads a fleet. */
uint64_t patience_pause(struct patience *p, uint16_t random);
uint64_t patience_error_pause(uint16_t random);

#endif
