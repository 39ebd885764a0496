/* Both ends of a stream in one loop, over TCP on loopback: c connects, s accepts; each
 * sends the bytes of a pattern and checks that what it gets is the other's. Raw peers are
 * made by hand with dial() and answer_call(). */
#ifndef TSFERRY_STREAM_FIXTURE_H
#define TSFERRY_STREAM_FIXTURE_H

#include <stdbool.h>

#include "ground/fileio.h"
#include "ground/stream.h"
#include "test.h"

#define BIG (8u << 20)

struct side {
	struct pair *pair;
	struct stream *s;
	uint64_t to_send, queued; /* bytes of the pattern */
	uint64_t received, offered;
	size_t bite; /* consumes multiples of it alone; 0 = all */
	size_t pause_at;
	bool wrong; /* a byte was not the pattern's */
	bool free_in_data, finish_in_data, free_in_closed, quiet;
	int n_opened, n_drained, n_closed;
	bool in_call;
	struct err why;
};

struct pair {
	struct loop *l;
	struct loop_timer late;
	bool is_late;
	bool (*until)(const struct pair *p);
	struct side c, s;
	int listen_fd;
	unsigned port;
};

extern struct keys key_c, key_s; /* made by have_keys() */

bool have_keys(void);
void drop_keys(void);

/* The i-th byte that either side sends. */
uint8_t pattern(uint64_t i);

/* Sends what is left to send, but keeps at most 1 MiB queued. */
void feed(struct side *side);

/* A loop and a listener; tear_down() frees them and what is left of the streams. */
bool set_up(struct pair *p);
void tear_down(struct pair *p);

/* A descriptor that connects to the listener, and the one that it gets for it. */
int dial(struct pair *p);
int answer_call(struct pair *p);
bool add(struct side *side, int fd, enum stream_role role, const struct keys *keys);

/* set_up() and both sides. */
bool join(struct pair *p, bool tls_c, bool tls_s);

#define JOIN(tls)                         \
	CLEANUP(tear_down) struct pair p; \
	CHECK(join(&p, (tls), (tls)))

/* Runs until it is so; false after 20 s. run_ms() runs that long. */
bool run(struct pair *p, bool (*until)(const struct pair *));
bool run_ms(struct pair *p, uint64_t ms);

bool both_open(const struct pair *p);
bool both_closed(const struct pair *p);
bool all_there(const struct pair *p);
bool client_closed(const struct pair *p);
bool server_closed(const struct pair *p);

#endif
