/* systemd's journal: whether stderr goes there, and an event with fields of its own.
 *
 * An entry has MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, TSFERRY_MODULE and, where they are
 * known, SENDER, PIPE, SERIAL and ENTRY, so that `journalctl PIPE=p` shows one pipe.
 *
 * Never blocks and keeps nothing open: one datagram an event, dropped by the kernel when
 * the journal is behind. Any thread.
 *
 * Source: systemd.exec(5), JOURNAL_STREAM; the journal's native protocol
 * (systemd.io/JOURNAL_NATIVE_PROTOCOL), declared stable: lines FIELD=value, values without
 * a newline. */
#ifndef TSFERRY_JOURNAL_H
#define TSFERRY_JOURNAL_H

#include <stdbool.h>

#include "log.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/* Whether JOURNAL_STREAM names the file that descriptor `fd` is. */
bool journal_is_behind(int fd);

/* `text` must be one line. Returns 0, or -errno: the event is not in the journal.
 * `socket_path` is JOURNAL_SOCKET but in tests. */
int journal_send(const char *socket_path, enum log_level level, const char *module,
		 const struct log_about *about, const char *text) MUST_CHECK;

#endif
