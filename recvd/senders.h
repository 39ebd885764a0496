/* Who sends, as the loop knows it: senders, their incarnations, the databases of each,
 * and what is live. A few hundred bytes each, always in memory; the entries are not.
 *
 * This is only memory: whoever changes a `row` also submits the catalog task that makes
 * the change durable. Nothing here blocks. Objects live until senders_release(), except
 * a sender that only knocked (senders_remove).
 *
 * A sender has at most one incarnation that is not dropped, the newest. Databases of
 * the older ones may still have entries; they go first. */
#ifndef TSFERRY_SENDERS_H
#define TSFERRY_SENDERS_H

#include "catalog.h"
#include "early.h"
#include "ground/keys.h"
#include "quota.h"
#include "stage.h"

#define SENDERS_KNOCKING_MAX 64u /* keys that wait for ADMIT SENDER */

struct session;

struct domain {
	struct domain *next; /* of its incarnation */
	struct incarnation *incarnation;
	int64_t id;
	char *database; /* owned */
	bool is_stored; /* its row is in the catalog */
	bool is_held;	/* its next entry is quarantined; until RETRY, SKIP or a SCHEMA */
	uint64_t n_freed; /* how often it was let go (turn.h) */
	bool is_delivered; /* a FILE of it was applied */
	uint64_t n_entries, n_quarantined; /* durable and not applied; of them */
	uint64_t round; /* of the applier, in which it was last served */
	uint64_t not_before_ms; /* a retry's pause, CLOCK_MONOTONIC */
	unsigned n_retries;
	char *retry_text; /* owned; why it is tried again; NULL = it is not */
};

/* The edge's own words, from its last STATUS. Owned; "" when none. */
struct mirror {
	char *state, *message, *progress, *gaps;
};

struct incarnation {
	struct incarnation *older; /* of its sender */
	struct sender *sender;
	struct incarnation_row row;
	struct early early; /* durable above row.durable */
	struct early fills; /* durable, early or not, that only fill a serial */
	char dir[STAGE_DIR_MAX];
	struct domain *domains;
	unsigned n_domains;
	struct session *session; /* live and welcomed; NULL */
	uint32_t n_quarantined;
	/* What is half received: read from the disk since the start; found to be less than its
	 * lists say, so that it is read before it is told of. */
	bool is_read, is_doubtful;
	struct mirror mirror;
	int64_t heard_ms, changed_ms; /* wall clock; 0 = never since the start */
};

struct sender {
	struct sender *next;
	struct sender_row row;
	char key[KEY_TEXT_LEN];
	struct incarnation *newest;
	struct session *session; /* its one connection; NULL */
	uint64_t staged_bytes; /* durable and not applied */
	uint64_t flight;       /* bytes in buffers */
	struct quota_bucket hellos, incarnations, entries;
	bool is_adding; /* a new incarnation is on its way into the catalog */
	int64_t changed_ms;
	unsigned n_takeovers; /* without a pause of TAKEOVER_QUIET_MS */
	int64_t takeover_ms;	   /* for people */
	uint64_t takeover_mono_ms; /* a clock that is set is no quiet time */
	char takeover_text[512];
};

#define TAKEOVER_QUIET_MS 600000
#define TAKEOVER_WARN 3u

struct senders {
	struct sender *first;
	int64_t next_seq, next_domain;
};

void senders_init(struct senders *s);
void senders_release(struct senders *s);

struct sender *senders_add(struct senders *s, const struct sender_row *row);
void senders_remove(struct senders *s, struct sender *x); /* has no incarnation */
struct sender *senders_by_id(struct senders *s, const uint8_t id[SENDER_ID_LEN]);
/* Admitted or waiting, not forgotten; an admitted one first. */
struct sender *senders_by_name(struct senders *s, const char *name);
/* By name or, if more than one waits under it, only by the key in hexadecimal. *n gets
 * how many match. */
struct sender *senders_choose(struct senders *s, const char *name_or_key, unsigned *n);
unsigned senders_known(const struct senders *s); /* of whatever state */
unsigned senders_count(const struct senders *s, enum sender_state state);
/* "" or "[WARN] [time] taken over ..."; `to` holds 512. */
const char *sender_message(const struct sender *x, uint64_t mono_ms, char *to, size_t size);

/* Numbers a new one when row->seq is 0. */
struct incarnation *incarnation_add(struct senders *s, struct sender *x,
				    const struct incarnation_row *row);
struct incarnation *incarnation_find(struct sender *x, const uint8_t id[ID_LEN]);
struct incarnation *senders_incarnation(struct senders *s, int64_t seq);
uint64_t incarnation_waiting(const struct incarnation *i); /* entries not yet applied */
void incarnation_mirror(struct incarnation *i, const struct msg_status *m);
/* The newest of each pipe name that is worth showing: live, or entries left. */
bool incarnation_is_shown(const struct incarnation *i);

struct domain *domain_find(struct incarnation *i, const char *database); /* NULL: none */
/* Makes it when it is new (is_stored = false). */
struct domain *domain_get(struct senders *s, struct incarnation *i, const char *database);
struct domain *domain_add(struct senders *s, struct incarnation *i, const struct domain_row *row);

#endif
