/* Tells a daemon of a refusal that was made in the mount, for last_error.
 *
 * The one that the matter belongs to is told, else the other; when none is there, pipefs
 * keeps the refusal itself until it is told a younger one. */
#ifndef TSFERRY_NOTE_H
#define TSFERRY_NOTE_H

#include "fs.h"

#define NOTE_MS 1000

/* `as` as in a pool_question, `first` the daemon to try first. `done` is called once,
 * whatever came of it. */
void note_refusal(struct fs *fs, unsigned first, const char *as, unsigned uid,
		  const char *statement, const struct err *why, void (*done)(void *arg),
		  void *arg);

#endif
