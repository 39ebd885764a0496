/* What a status code of an IoTDB means for a job: one table, per family of versions, with
 * the source of each line (iotdb-formats, sections 6.3 and 7.5; iotdb-observed, section 3).
 * Pure. */
#ifndef TSFERRY_IOTDB_CODE_H
#define TSFERRY_IOTDB_CODE_H

#include <stdbool.h>

enum iotdb_means {
	MEANS_APPLIED,
	MEANS_ALREADY,	  /* there already: equal or not, the caller may look */
	MEANS_RETRY,	  /* later, this database */
	MEANS_QUARANTINE, /* never as it is */
	MEANS_STOP,	  /* nothing can work: log-in, read-only, disk */
};

/* may_retry: the server's own flag, which decides about codes that the table does not know. */
enum iotdb_means iotdb_code_means(unsigned version, int code, bool may_retry);

/* Sentences that codes do not tell apart (iotdb-observed, section 3). */
bool iotdb_says_not_found(
	const char *text); /* the server does not see our path */
/* Schemas did not fit, or the configuration node is away: it does not say. */
bool iotdb_says_nothing(const char *text);
bool iotdb_says_loading(
	const char *text); /* "is loading by another scheduler" */
/* A type that differs: the series (of at most `size` bytes) or "" when it is not named. */
bool iotdb_says_mismatch(const char *text, char *series, unsigned long size);

#endif
