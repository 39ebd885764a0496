#include "statement.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "domain/sql.h"
#include "ground/clock.h"
#include "join.h"
#include "note.h"

struct run {
	struct fs *fs;
	char *text, *as; /* owned */
	unsigned uid;
	const struct stmt_form *form;
	unsigned timeout_ms;
	unsigned n_open;   /* daemons that have not answered */
	unsigned n_absent; /* that are not there */
	struct reply reply;
	statement_fn *done;
	void *arg;
};

static const char *const names[POOL_DAEMONS] = {
	[POOL_SYNCD] = "syncd",
	[POOL_RECVD] = "recvd",
};

static struct run *new_run(struct fs *fs, const struct caller *who,
			   const char *text, statement_fn *done, void *arg)
{
	struct run *rn = xcalloc(1, sizeof *rn);

	rn->fs = fs;
	rn->text = xstrdup(text);
	rn->as = xstrdup(who->as);
	rn->uid = who->uid;
	rn->done = done;
	rn->arg = arg;
	return rn;
}

static void end(struct run *rn)
{
	rn->fs->epoch++;
	rn->done(rn->arg, &rn->reply);
	reply_release(&rn->reply);
	free(rn->text);
	free(rn->as);
	free(rn);
}

static void noted(void *arg)
{
	end(arg);
}

/* In our words: kept as the reply, told to a daemon, then answered. */
static void refuse(struct run *rn, const struct err *e)
{
	unsigned first = rn->form && rn->form->home == HOME_RECVD ? POOL_RECVD
								  : POOL_SYNCD;

	join_failure(&rn->reply, e);
	note_refusal(rn->fs, first, rn->as, rn->uid, rn->text, e, noted, rn);
}

static void fail_absent(struct run *rn)
{
	struct err e = {0};

	switch (rn->form->home) {
	case HOME_SYNCD:
	case HOME_RECVD:
		(void)err_say(&e, ERR_REFUSED, ENXIO,
			      "%s is not running on this host",
			      names[rn->form->home == HOME_RECVD]);
		break;
	case HOME_BOTH:
		(void)err_say(&e, ERR_REFUSED, ENXIO,
			      "neither syncd nor recvd is running on this "
			      "host");
		break;
	}
	refuse(rn, &e);
}

static void all_answered(struct run *rn)
{
	if (!rn->reply.text[0] && rn->n_absent)
		fail_absent(rn);
	else
		end(rn);
}

/* The daemon was reached, and then did not answer. */
static void add_trouble(struct run *rn, unsigned daemon, int err)
{
	struct reply r = {0};
	struct err e = {0};

	if (err == -ETIMEDOUT)
		(void)err_say(&e, ERR_REFUSED, ETIMEDOUT,
			      "%s has not answered within %u s; what was asked "
			      "for may still happen (SHOW PIPES or SHOW "
			      "SENDERS tells)",
			      names[daemon], rn->timeout_ms / 1000);
	else if (err == -EACCES)
		(void)err_say(&e, ERR_REFUSED, EACCES,
			      "The control socket of %s may not be opened by "
			      "the user whose mount this is. (its directory "
			      "must let him through)",
			      names[daemon]);
	else if (err == -ECANCELED)
		(void)err_say(&e, ERR_REFUSED, ECANCELED,
			      "pipefs is ending; what was asked for may still "
			      "happen");
	else
		(void)err_say(&e, ERR_REFUSED, EIO,
			      "%s went away before it answered (%s); what was "
			      "asked for may have happened",
			      names[daemon], err_words(-err));
	join_failure(&r, &e);
	join_reply(&rn->reply, &r);
}

static void take(struct run *rn, unsigned daemon, const struct reply *r,
		 int err)
{
	if (r && rn->form->kind == STMT_SHOW_STATEMENTS) {
		join_table(&rn->reply, r);
	} else if (r) {
		join_reply(&rn->reply, r);
	} else if (pool_is_absent(err)) {
		rn->n_absent++;
	} else {
		add_trouble(rn, daemon, err);
	}
	if (--rn->n_open == 0)
		all_answered(rn);
}

static void syncd_answered(void *arg, const struct reply *r, int err)
{
	take(arg, POOL_SYNCD, r, err);
}

static void recvd_answered(void *arg, const struct reply *r, int err)
{
	take(arg, POOL_RECVD, r, err);
}

/* SHOW needs no right, so nobody has to be introduced for it. */
static void put(struct run *rn, unsigned daemon)
{
	rn->n_open++;
	pool_ask(rn->fs->pool,
		 &(struct pool_question){
			 .daemon = daemon,
			 .lane = rn->form->kind == STMT_WAIT_PIPE
					 ? LANE_WAIT
					 : LANE_STATEMENT,
			 .as = rn->form->is_open ? "" : rn->as,
			 .request = rn->text,
			 .timeout_ms = rn->timeout_ms,
			 .done = daemon == POOL_SYNCD ? syncd_answered
						      : recvd_answered,
			 .arg = rn,
		 });
}

static void put_all(struct run *rn)
{
	rn->n_open = 1;
	if (rn->form->home & HOME_SYNCD)
		put(rn, POOL_SYNCD);
	if (rn->form->home & HOME_RECVD)
		put(rn, POOL_RECVD);
	if (--rn->n_open == 0)
		all_answered(rn);
}

void statement_run(struct fs *fs, const struct caller *who, const char *text,
		   statement_fn *done, void *arg)
{
	struct run *rn = new_run(fs, who, text, done, arg);
	struct sql_setting set = {.precision = SQL_MS,
				  .now_ms = clock_wall_ms()};
	struct stmt *st CLEANUP_FREE = xcalloc(1, sizeof *st);
	struct err e = {0};

	if (sql_parse(st, text, &set, &e) < 0) {
		refuse(rn, &e);
		return;
	}
	rn->form = sql_form(st->kind);
	rn->timeout_ms = STATEMENT_MS;
	if (st->kind == STMT_WAIT_PIPE && st->has_seconds && st->seconds >= 0 &&
	    st->seconds < INT32_MAX / 2000)
		rn->timeout_ms =
			(unsigned)st->seconds * 1000 + STATEMENT_MARGIN_MS;
	put_all(rn);
}

void statement_refuse(struct fs *fs, const struct caller *who, const char *text,
		      const struct err *why, statement_fn *done, void *arg)
{
	refuse(new_run(fs, who, text, done, arg), why);
}
