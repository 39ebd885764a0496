/* One event, told to whoever keeps the log of this program, errno preserved.
 *
 * Only daemons log; libraries answer with errors. Where stderr goes decides the form:
 *
 *   the journal (JOURNAL_STREAM names it)	an entry with fields, ground/journal.h
 *   a terminal				err session: edge-1: no room
 *   anything else				logfmt: ts=2022-03-30T12:58:30.689Z level=err
 *						module=session sender=edge-1 msg="edge-1: no room"
 *
 * On stderr an event is one line and one write(2) of at most 2 KiB, longer ones end in
 * "...". Bytes below 0x20 and 0x7f are escaped, whatever the text came from. Nothing here
 * allocates, blocks longer than that write, or fails.
 *
 * err: someone must act. warn: degraded. info: a state change that an operator counts.
 * debug: each message.
 *
 * Source: logfmt as github.com/kr/logfmt describes it; JOURNAL_STREAM: systemd.exec(5). */
#ifndef TSFERRY_LOG_H
#define TSFERRY_LOG_H

#include "base.h"

enum log_level { LOG_ERR_, LOG_WARN_, LOG_INFO_, LOG_DEBUG_ };

/* Whom an event is about; what is not known or not meant is NULL or 0. */
struct log_about {
	const char *sender;
	const char *pipe;
	uint64_t serial;
	const char *entry; /* its name, as statements show it */
};

/* `about` may be NULL. */
void log_event(enum log_level level, const char *module, const struct log_about *about,
	       const char *text);

void log_line(enum log_level level, const char *module, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* "err", "warn", "info", "debug". */
const char *log_level_word(enum log_level level);

/* Read once, from TSFERRY_LOG=debug|info|warn|err; info when unset. */
enum log_level log_threshold(void);

#define log_err(m, ...) log_line(LOG_ERR_, m, __VA_ARGS__)
#define log_warn(m, ...) log_line(LOG_WARN_, m, __VA_ARGS__)
#define log_info(m, ...) log_line(LOG_INFO_, m, __VA_ARGS__)
#define log_debug(m, ...) log_line(LOG_DEBUG_, m, __VA_ARGS__)

#endif
