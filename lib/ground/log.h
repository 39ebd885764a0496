/* One line per event on stderr: `level module: text`, errno preserved.
 *
 * Only daemons log; libraries answer with errors. Bytes below 0x20 and 0x7f are
 * escaped, whatever the text came from. A line is one write(2) of at most 2 KiB;
 * nothing here allocates or fails. err: someone must act. warn: degraded.
 * info: a state change that an operator counts. debug: each message. */
#ifndef TSFERRY_LOG_H
#define TSFERRY_LOG_H

#include "base.h"

enum log_level { LOG_ERR_, LOG_WARN_, LOG_INFO_, LOG_DEBUG_ };

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
