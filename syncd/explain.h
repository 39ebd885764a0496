/* syncd --explain: one line per file of the data directories, to standard output: what
 * would be sent, in which order, and why not the rest.
 *
 * Offline: needs no state, no daemon and no IoTDB, and writes nothing. It sees what a
 * pipe that is started now would find, so that compaction products whose journals are
 * gone are new files to it. Blocks. */
#ifndef TSFERRY_EXPLAIN_H
#define TSFERRY_EXPLAIN_H

/* Either may be NULL, not both. Exit status: 0, or 1 with a sentence on standard
 * error. */
int explain_run(const char *conf_path, const char *data_dir);

#endif
