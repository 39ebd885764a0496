/* Asking the edge IoTDB about files that vanished (vanish.h), without anybody waiting for it.
 *
 * A listing that needs an answer finds it in its partition's book, or leaves the question;
 * the loop asks through ask.h and lists the partition again with the answer in the book. Each
 * answer serves one listing. Where no answer comes within VANISH_TRIES, some seconds apart, it is
 * VANISH_UNKNOWN. A kill costs nothing: the files are known as before, and found gone again. */
#ifndef TSFERRY_VANISH_ASK_H
#define TSFERRY_VANISH_ASK_H

#include "domain/digest.h"
#include "vanish.h"

#define VANISH_TRIES 4u
#define VANISH_BOOK_MAX 32u
#define VANISH_DEVICES_MAX 4096u /* more are not asked about */

struct vanish_book {
	struct {
		struct digest key;
		int answer; /* enum vanish_answer; VANISH_LATER: it is asked */
	} v[VANISH_BOOK_MAX];

	size_t n;
};

struct vanish_wanted {
	struct vanish_wanted *next;
	struct digest key;
	bool is_ttl;
	int64_t first, last;
	char *devices; /* owned; one a line; NULL: is_ttl */
	unsigned n_devices;
};

struct scan;

/* The scan's thread: what the book has, else VANISH_LATER with the question left. */
int vanish_ask(struct listing *l, const struct vanish_question *q);

/* The loop, before and behind the job of a listing. */
void vanish_give(const struct partition *p, struct listing *l);
void vanish_take(struct scan *s, struct partition *p, struct listing *l);

void vanish_release(struct listing *l);
void vanish_free_wanted(struct vanish_wanted *w);
void vanish_note(struct vanish_book *b, const struct digest *key,
		 int answer);	 /* there is room */
void vanish_end(struct scan *s); /* nobody is answered any more */

#endif
