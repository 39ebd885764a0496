/* One error domain: functions answer >= 0 or -errno; where a person will be
 * told, the last parameter is a `struct err` that carries the sentence.
 *
 * `code` is the number a person sees in front of the sentence: IoTDB's own
 * (401 not understood, 411 refused, 328 pipe server, 602 no right, 303 metadata;
 * Section "States and answers" of the statement reference). 0 means that no
 * statement is being answered; control.c then shows 411.
 * Every function accepts a NULL `e` and then only returns the number (err_wrap and
 * err_hint, which have none to return, -EIO). */
#ifndef TSFERRY_ERR_H
#define TSFERRY_ERR_H

#include "base.h"

enum err_code {
	ERR_METADATA = 303,
	ERR_PIPE_SERVER = 328,
	ERR_SYNTAX = 401,
	ERR_REFUSED = 411,
	ERR_NO_RIGHT = 602,
};

struct err {
	int code; /* 0, or one of enum err_code */
	int sys;  /* errno, positive; 0 = no error */
	char text[1024];
};

/* Sets the sentence and returns -sys, so that `return err_set(...)` is one line. */
int err_set(struct err *e, int sys, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The same with a statement code. */
int err_say(struct err *e, int code, int sys, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* "PREFIX: " before the sentence on its way up; keeps code and errno. Returns -e->sys. */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* " (SUFFIX)" behind it, for causes and cures. Returns -e->sys. */
int err_hint(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

void err_clear(struct err *e);

/* The words for an errno, without a mutable buffer ("No space left on device"). */
const char *err_words(int sys);

#endif
