#include "note.h"

#include <stdio.h>
#include <string.h>

#include "ground/clock.h"

struct note {
	struct fs *fs;
	unsigned first, tries;
	unsigned uid;
	char *as, *request;
	char *held; /* what is kept when nobody is there */
	int64_t wall_ms;
	void (*done)(void *arg);
	void *arg;
};

static void put(struct note *nt, unsigned daemon);

/* One line without tabs, cut between characters. */
static char *one_line(const char *text, size_t max)
{
	size_t n = strlen(text);
	char *s;

	if (n > max) {
		n = max;
		while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	}
	s = xcalloc(n + 1, 1);
	memcpy(s, text, n);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			s[i] = ' ';
	}
	return s;
}

static void end(struct note *nt)
{
	void (*done)(void *) = nt->done;
	void *arg = nt->arg;

	free(nt->as);
	free(nt->request);
	free(nt->held);
	free(nt);
	done(arg);
}

static void hold(struct note *nt)
{
	struct fs *fs = nt->fs;

	free(fs->held);
	fs->held = steal_ptr(&nt->held);
	fs->own.last_error = fs->held;
	fs->own.last_error_ms = nt->wall_ms;
}

static void told(void *arg, const struct reply *r, int err)
{
	struct note *nt = arg;

	(void)err;
	if (r && r->code == 0) {
		end(nt);
	} else if (nt->tries < POOL_DAEMONS) {
		put(nt, !nt->first);
	} else {
		hold(nt);
		end(nt);
	}
}

static void put(struct note *nt, unsigned daemon)
{
	nt->tries++;
	pool_ask(nt->fs->pool, &(struct pool_question){
				       .daemon = daemon,
				       .lane = LANE_STATEMENT,
				       .as = nt->as,
				       .request = nt->request,
				       .timeout_ms = NOTE_MS,
				       .done = told,
				       .arg = nt,
			       });
}

void note_refusal(struct fs *fs, unsigned first, const char *as, unsigned uid,
		  const char *statement, const struct err *why,
		  void (*done)(void *arg), void *arg)
{
	struct note *nt = xcalloc(1, sizeof *nt);
	char *st CLEANUP_FREE = one_line(statement, 255);
	char *text CLEANUP_FREE = one_line(why->text, SENTENCE_LEN_MAX - 1);
	int code = why->code ? why->code : ERR_REFUSED;
	char when[CLOCK_TEXT_LEN];
	struct buf b CLEANUP(buf_release);

	nt->fs = fs;
	nt->first = first;
	nt->as = xstrdup(as);
	nt->uid = uid;
	nt->wall_ms = clock_wall_ms();
	nt->done = done;
	nt->arg = arg;
	buf_init(&b, 4 * SENTENCE_LEN_MAX);
	buf_addf(&b, ".note %s\t%d\t%s", st, code, text);
	nt->request = xstrdup(buf_str(&b));
	buf_clear(&b);
	buf_addf(&b, "time %s\nuser %u\nstatement %s\ncode %d\ntext %s\n",
		 clock_text(nt->wall_ms, when), uid, st, code, text);
	nt->held = xstrdup(buf_str(&b));
	put(nt, first);
}
