/* syncd.conf: what is in force (design, section 1).
 *
 * One table of keys drives reading, the doctor's listing and the manual's test.
 * settings_load() also resolves what depends on other things: the data directories
 * out of iotdb_home, the precision and the version out of IoTDB's own files. It
 * reads small files: at start, for the doctor and for LOAD CONFIGURATION only.
 * On failure the target is unchanged. */
#ifndef TSFERRY_SETTINGS_H
#define TSFERRY_SETTINGS_H

#include "domain/precedence.h"
#include "domain/sql.h"
#include "ground/conf.h"
#include "iotdb_home.h"

enum inferred_deletes {
	INFERRED_HOLD,
	INFERRED_SEND,
	INFERRED_IGNORE
};

enum transport {
	TRANSPORT_TLS,
	TRANSPORT_PLAIN
};

struct settings {
	char state_dir[400];
	char control_socket[108];
	char sender_name[256];
	char data_dirs[4096];
	char iotdb_home[400];
	char spool_dir[400];
	bool spool_copy;
	char spool_max_bytes[24], spool_min_free[24]; /* "25%" or bytes */
	int64_t scan_interval_ms;
	int64_t max_retries;
	int timestamp_precision; /* 0 = from IoTDB, else 1 + enum sql_precision */
	char time_zone[64];
	char iotdb_rpc[256], iotdb_user[64], iotdb_password_file[400];
	char iotdb_version[32];
	int64_t flush_interval_ms;
	int64_t rate_limit; /* bytes a second; 0 = none */
	int64_t diff_max_bytes; /* sources kept for block diff; 0 = none */
	int64_t max_pipes;
	int64_t stop_after_ms; /* 0 = never */
	int64_t dropped_kept;
	int inferred_deletes; /* enum inferred_deletes */
	int transport;	      /* enum transport */

	/* Resolved. */
	bool is_scan_interval_given;
	struct iotdb_facts
		facts; /* directories, version, precision as in force */
	enum precedence precedence;
};

extern const struct conf_key settings_keys[];
extern const size_t settings_n_keys;

int settings_load(struct settings *s, const char *path,
		  struct err *e) MUST_CHECK;

/* What would be in force for one data directory and nothing else; the version is looked
 * for beside it. For --explain. */
int settings_of_dir(struct settings *s, const char *data_dir,
		    struct err *e) MUST_CHECK;

/* Takes over the hot keys of `fresh` that differ, and tells of every key that does:
 * fn(arg, key, value as in the file, whether it took effect). */
void settings_apply(struct settings *s, const struct settings *fresh,
		    void (*fn)(void *arg, const struct conf_key *key,
			       const char *value),
		    void *arg);

#endif
