/* What a status code of an IoTDB means for a job: one table, per family of versions (0.13,
 * 1.0 to 1.2, 1.3, 2.0), with the source of each line. What is the node's trouble (read-only,
 * memory, disk, restart, a region that moves) is tried again, in order; what is the entry's
 * is quarantined; what concerns everything stops everything. Pure. */
#ifndef TSFERRY_IOTDB_CODE_H
#define TSFERRY_IOTDB_CODE_H

#include <stdbool.h>

enum iotdb_means {
	MEANS_APPLIED,
	MEANS_ALREADY,	  /* there already: equal or not, the caller may look */
	MEANS_RETRY,	  /* later, this database */
	MEANS_QUARANTINE, /* never as it is */
	MEANS_STOP,	  /* nothing can work: log-in, protocol */
};

/* A number that is in no line means quarantine. may_retry: the server's own flag; it, and a
 * sentence about the node's own trouble, make a retry of a quarantine. */
enum iotdb_means iotdb_code_means(unsigned version, int code, bool may_retry,
				  const char *text);

/* Sentences that codes do not tell apart (iotdb-observed, section 3). */
bool iotdb_says_not_found(
	const char *text); /* the server does not see our path */
/* Schemas did not fit, or the configuration node is away: it does not say. */
bool iotdb_says_nothing(const char *text);
/* A series that could not be made. Where a template lacked it, 1.3.3 adds it there and says so
 * all the same: it is there when it is asked again. */
bool iotdb_says_unmade(const char *text);
/* An alias that another series has, or that is another's name. */
bool iotdb_says_alias(const char *text);
/* A type that differs: the series (of at most `size` bytes) or "" when it is not named. */
bool iotdb_says_mismatch(const char *text, char *series, unsigned long size);

#endif
