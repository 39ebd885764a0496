/* recvd.conf: every key of design, section 1, its default and whether LOAD
 * CONFIGURATION takes it over at once.
 *
 * settings_load() reads files and belongs to the start, to the doctor and to LOAD
 * CONFIGURATION; a target is unchanged on failure. Beyond conf.h it checks what needs
 * two looks: shares of a disk ("10%"), white lists, loaders that this version does not
 * have. All of a file is taken, or nothing of it. */
#ifndef TSFERRY_RECVD_SETTINGS_H
#define TSFERRY_RECVD_SETTINGS_H

#include "ground/conf.h"
#include "ground/net.h"

#define SETTINGS_PATH_MAX 512

enum recvd_transport { TRANSPORT_TLS, TRANSPORT_PLAIN };
enum admit_rule { ADMIT_FIRST_USE, ADMIT_KNOWN };
enum hold_deletes { HOLD_NONE, HOLD_DATABASE, HOLD_ALL };
enum load_via { VIA_AUTO, VIA_PATH, VIA_TRANSFER };
enum quarantine_rule { QUARANTINE_HOLD, QUARANTINE_PASS };

struct settings {
	char state_dir[SETTINGS_PATH_MAX];
	char control_socket[108];
	char bind[256];
	int64_t pipe_server_port;
	char ip_white_list[4096];
	char loader[SETTINGS_PATH_MAX]; /* "archive", "iotdb" or an absolute path */
	char archive_dir[SETTINGS_PATH_MAX];
	char load_dir[SETTINGS_PATH_MAX];
	char iotdb_rpc[512];
	char iotdb_user[128];
	char iotdb_password_file[SETTINGS_PATH_MAX];
	int64_t staging_max_bytes;
	char staging_min_free[32]; /* bytes or a share, as written */
	int64_t retain_max_bytes;
	int64_t sender_max_bytes, sender_max_rate;
	int hold_deletes, quarantine, transport, admit, load_via;
};

/* What LOAD CONFIGURATION did with one key that differs. */
struct settings_change {
	const char *key;
	char value[512];
	const char *effect;
};

extern const struct conf_key settings_keys[];
extern const size_t settings_n_keys;

#define SETTINGS_KEYS_MAX 32

/* `warnings` gets a line per thing that is accepted and strange. May be NULL. */
int settings_load(struct settings *s, const char *path, struct buf *warnings, struct err *e)
	MUST_CHECK;

/* Reads `path` again: hot keys are taken over, the rest is only reported. Returns how
 * many keys differ (in changes[], at most SETTINGS_KEYS_MAX), or -errno and nothing
 * is changed. */
int settings_reload(struct settings *s, const char *path, struct settings_change *changes,
		    struct buf *warnings, struct err *e) MUST_CHECK;

/* Whether the loader is recvd-load, not a program of the site. */
bool settings_loader_is_ours(const struct settings *s);

/* How files reach an IoTDB, as the file has it: "auto". */
const char *settings_load_via(const struct settings *s);

/* How many bytes must stay free on a file system of `total` bytes. */
uint64_t settings_min_free(const struct settings *s, uint64_t total);

#endif
