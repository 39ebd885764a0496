#include "sentence.h"

#include <string.h>

#include "domain/tree.h"

/* What a path belongs to: a pipe, a sink, a sender, or the tree itself. */
enum owner {
	OWNER_TREE,
	OWNER_PIPE,
	OWNER_SINK,
	OWNER_SENDER,
	OWNER_SERVER
};

struct place {
	enum owner owner;
	char name[TREE_NAME_MAX + 1];
	bool is_whole; /* the thing itself, not something in it */
};

static bool is_tree_file(const char *name)
{
	static const char *const names[] = {"ctl",	  "help",
					    "last_error", "identity",
					    "sinktypes",  "metrics",
					    "log",	  "sinks"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static struct place place_in(enum owner owner, const char *rest)
{
	struct place pl = {.owner = owner};
	const char *after = rest ? tree_step(rest, pl.name) : NULL;

	pl.is_whole = after && !*after;
	return pl;
}

static struct place place_of(const char *path)
{
	struct place pl = {.owner = OWNER_TREE};
	const char *rest = tree_step(path, pl.name);

	if (!rest)
		return pl;
	if (strcmp(pl.name, "sinks") == 0 && *rest)
		return place_in(OWNER_SINK, rest);
	if (strcmp(pl.name, "server") == 0) {
		char senders[TREE_NAME_MAX + 1] = "";
		const char *after = tree_step(rest, senders);

		if (after && *after && strcmp(senders, "senders") == 0)
			return place_in(OWNER_SENDER, after);
		pl.owner = OWNER_SERVER;
		pl.is_whole = !*rest;
		return pl;
	}
	if (!is_tree_file(pl.name)) {
		pl.owner = OWNER_PIPE;
		pl.is_whole = !*rest;
	}
	return pl;
}

static void say_make(struct buf *out, const struct place *pl)
{
	switch (pl->owner) {
	case OWNER_PIPE:
		if (pl->is_whole)
			buf_addf(out,
				 "a pipe is made by the statement CREATE PIPE "
				 "%s TO <sink>, written to ctl",
				 pl->name);
		else
			buf_adds(out, "nothing can be made in a pipe");
		return;
	case OWNER_SINK:
		buf_addf(out,
			 "a sink is made by the statement CREATE PIPESINK %s "
			 "AS IoTDB (ip='<host>', port=6670), written to ctl",
			 pl->name);
		return;
	case OWNER_SENDER:
		buf_adds(out, "a sender appears here when it connects; ADMIT "
			      "SENDER <name> accepts its key");
		return;
	case OWNER_SERVER:
	case OWNER_TREE:
		buf_adds(out, "nothing can be made here; the statements are "
			      "in the file help");
		return;
	}
}

static void say_remove(struct buf *out, const struct place *pl)
{
	switch (pl->owner) {
	case OWNER_PIPE:
		buf_addf(out,
			 "%s; a pipe is ended by the statement DROP PIPE %s, "
			 "written to ctl",
			 pl->is_whole ? "removing a directory ends no pipe"
				      : "its files cannot be removed",
			 pl->name);
		return;
	case OWNER_SINK:
		buf_addf(out,
			 "a sink is forgotten by the statement DROP PIPESINK "
			 "%s, written to ctl",
			 pl->name);
		return;
	case OWNER_SENDER:
		buf_addf(out,
			 "a sender is forgotten by the statement FORGET SENDER "
			 "%s, written to ctl; its data stays",
			 pl->name);
		return;
	case OWNER_SERVER:
		buf_adds(out, "the receiver is switched off by the statement "
			      "STOP PIPESERVER, written to ctl");
		return;
	case OWNER_TREE:
		buf_adds(out, "this file is always there");
		return;
	}
}

static void say_change(struct buf *out, const struct place *pl)
{
	switch (pl->owner) {
	case OWNER_PIPE:
		buf_addf(out,
			 "values are read only; write START PIPE %s, STOP PIPE "
			 "%s or DROP PIPE %s to ctl",
			 pl->name, pl->name, pl->name);
		return;
	case OWNER_SINK:
		buf_addf(out,
			 "values are read only; write ALTER PIPESINK %s "
			 "(ip='<host>', port=<port>) to ctl",
			 pl->name);
		return;
	case OWNER_SENDER:
		buf_adds(out, "values are read only; this is what the sender "
			      "says of itself");
		return;
	case OWNER_SERVER:
		buf_adds(out, "values are read only; write START PIPESERVER or "
			      "STOP PIPESERVER to ctl, or change recvd.conf "
			      "and write LOAD CONFIGURATION");
		return;
	case OWNER_TREE:
		buf_adds(out, "this file is read only; statements are written "
			      "to ctl");
		return;
	}
}

void refuse_sentence(struct buf *out, enum refused what, const char *path)
{
	struct place pl = place_of(path);

	switch (what) {
	case REFUSED_MAKE:
		say_make(out, &pl);
		return;
	case REFUSED_REMOVE:
		say_remove(out, &pl);
		return;
	case REFUSED_RENAME:
		if (pl.owner == OWNER_PIPE && pl.is_whole)
			buf_addf(out,
				 "a pipe keeps its name; write DROP PIPE %s, "
				 "then CREATE PIPE <name> TO <sink>, to ctl",
				 pl.name);
		else
			buf_adds(out, "nothing can be renamed here");
		return;
	case REFUSED_CHANGE:
		say_change(out, &pl);
		return;
	case REFUSED_OWNER:
		buf_adds(out, "modes and owners are fixed; SHOW is for "
			      "everybody, the other statements are for root, "
			      "the daemon's user and the group tsferry");
		return;
	case REFUSED_TIME:
		buf_adds(out, "times say when a value changed last and "
			      "cannot be set");
		return;
	}
}
