/* The table and what a table alone cannot check. */
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ground/clock.h"

#define AT(field) offsetof(struct settings, field)
#define SIZE(field) sizeof(((struct settings *)0)->field)
#define TEXT(name, field, fallback, hot, help)                             \
	{                                                                  \
		name, NULL, CONF_TEXT, AT(field), SIZE(field), 0, 0, NULL, \
			fallback, hot, help                                \
	}
#define SHARE(name, field, fallback, help)                                  \
	{                                                                   \
		name, NULL, CONF_SHARE, AT(field), SIZE(field), 0, 0, NULL, \
			fallback, true, help                                \
	}
#define NUMBER(name, type, field, min, max, fallback, hot, help)               \
	{                                                                      \
		name, NULL, type, AT(field), 0, min, max, NULL, fallback, hot, \
			help                                                   \
	}
#define CHOICE(name, field, choices, fallback, hot, help)             \
	{                                                             \
		name, NULL, CONF_CHOICE, AT(field), 0, 0, 0, choices, \
			fallback, hot, help                           \
	}

#define DAY_MS 86400000LL

const struct conf_key settings_keys[] = {
	TEXT("state_dir", state_dir, "/var/lib/tsferry/syncd", false,
	     "catalog, key, identity"),
	TEXT("control_socket", control_socket, "/run/tsferry/syncd.sock", false,
	     "where pipefs and pipectl ask"),
	TEXT("sender_name", sender_name, "", false,
	     "shown at the receiver; the host's name when empty"),
	TEXT("data_dirs", data_dirs, "", false,
	     "IoTDB's data directories, separated by commas"),
	TEXT("iotdb_home", iotdb_home, "", false,
	     "where IoTDB is installed, instead of data_dirs"),
	TEXT("spool_dir", spool_dir, "", false,
	     "pinned files; <data_dir>/.tsferry-spool when empty"),
	NUMBER("spool_copy", CONF_BOOL, spool_copy, 0, 0, "no", false,
	       "copy where linking is impossible"),
	SHARE("spool_max_bytes", spool_max_bytes, "25%",
	      "bound of what only the spool still holds"),
	SHARE("spool_min_free", spool_min_free, "10%",
	      "room that stays free on the spool's file system"),
	NUMBER("scan_interval", CONF_TIME, scan_interval_ms, 100, DAY_MS, "60s",
	       true, "10s on network file systems"),
	NUMBER("max_number_of_sync_file_retry", CONF_INT, max_retries, 0,
	       INT32_MAX, "5", true,
	       "retries of one entry at a receiver that answers"),
	CHOICE("timestamp_precision", timestamp_precision, "iotdb ms us ns",
	       "iotdb", false, "of the edge IoTDB; ms when it cannot be found"),
	TEXT("time_zone", time_zone, "", false,
	     "from IoTDB, else the system's"),
	TEXT("iotdb_rpc", iotdb_rpc, "", true, "host:port of the edge IoTDB"),
	TEXT("iotdb_user", iotdb_user, "", true, "who asks there"),
	TEXT("iotdb_password_file", iotdb_password_file, "", true,
	     "a file that holds the password alone"),
	TEXT("iotdb_version", iotdb_version, "", false,
	     "only when it cannot be found out; decides precedence"),
	NUMBER("flush_interval", CONF_TIME, flush_interval_ms, 0, DAY_MS, "0",
	       true, "how long data may wait unsealed; 0 = as IoTDB likes"),
	NUMBER("rate_limit", CONF_BYTES, rate_limit, 0, INT64_MAX, "0", true,
	       "bytes a second; 0 = none"),
	NUMBER("diff_max_bytes", CONF_BYTES, diff_max_bytes, 0, INT64_MAX, "0",
	       true, "applied files kept as sources of products; 0 = none"),
	NUMBER("max_pipes", CONF_INT, max_pipes, 1, 32, "1", true,
	       "pipes other than DROP"),
	NUMBER("stop_after_disconnected", CONF_TIME, stop_after_ms, 0,
	       365 * DAY_MS, "0", true,
	       "stop a pipe whose receiver is away that long; 0 = never"),
	NUMBER("dropped_pipes_kept", CONF_INT, dropped_kept, 0, 1000, "10",
	       true, "dropped pipes that SHOW PIPES still lists"),
	CHOICE("inferred_deletes", inferred_deletes, "hold send ignore", "hold",
	       true, "what becomes of deletions that nobody wrote down"),
	CHOICE("transport", transport, "tls plain", "tls", false,
	       "plain only when both sides say so"),
};
const size_t settings_n_keys = ARRAY_LEN(settings_keys);

static int resolve_dirs(struct settings *s, struct err *e)
{
	if (s->data_dirs[0] && s->iotdb_home[0])
		return err_set(
			e, EINVAL,
			"data_dirs and iotdb_home: expected one of both, "
			"found both");
	if (s->data_dirs[0])
		return iotdb_split_dirs(&s->facts, s->data_dirs, NULL, e);
	if (s->iotdb_home[0])
		return iotdb_read_home(&s->facts, s->iotdb_home, e);
	return err_set(e, EINVAL,
		       "expected data_dirs or iotdb_home, found neither");
}

static int resolve_version(struct settings *s, struct err *e)
{
	const char *version =
		s->iotdb_version[0] ? s->iotdb_version : s->facts.version;

	/* The rule of the newer servers is also right for an older one whose
	 * files do not overlap across the two spaces, the other way round not. */
	s->precedence = PRECEDENCE_UNSEQUENCE_WINS;
	if (!version[0])
		return 0;
	if (precedence_of_version(version, &s->precedence))
		return err_set(e, EINVAL,
			       "iotdb_version: expected a version as 1.3.2, "
			       "found %s",
			       version);
	if (version != s->facts.version)
		memcpy(s->facts.version, s->iotdb_version,
		       sizeof(s->facts.version));
	return 0;
}

static int check_zone(const struct settings *s, struct err *e)
{
	char tz[CLOCK_ZONE_LEN];

	if (!s->time_zone[0] || clock_zone(s->time_zone, tz) == 0)
		return 0;
	return err_set(e, EINVAL,
		       "time_zone: expected a name as Asia/Shanghai that is in "
		       "/usr/share/zoneinfo (package tzdata) or an offset as "
		       "+08:00, got '%s'",
		       s->time_zone);
}

static int check_path(const char *key, const char *path, struct err *e)
{
	if (!path[0] || path[0] == '/')
		return 0;
	return err_set(e, EINVAL, "%s: expected an absolute path, got '%s'",
		       key, path);
}

static int check(const struct settings *s, struct err *e)
{
	int r = check_path("state_dir", s->state_dir, e);

	if (r == 0)
		r = check_path("spool_dir", s->spool_dir, e);
	return r ? r : check_zone(s, e);
}

static void resolve_rest(struct settings *s)
{
	static const char precisions[][3] = {"ms", "us", "ns"};
	char *p = s->facts.precision;

	if (s->timestamp_precision > 0)
		memcpy(p, precisions[s->timestamp_precision - 1], 3);
	else if (!p[0])
		memcpy(p, precisions[0], 3);
	if (s->time_zone[0])
		memcpy(s->facts.time_zone, s->time_zone, sizeof(s->time_zone));
	if (!s->sender_name[0] &&
	    gethostname(s->sender_name, sizeof(s->sender_name) - 1))
		(void)snprintf(s->sender_name, sizeof(s->sender_name), "edge");
}

static int resolve(struct settings *s, struct err *e)
{
	int r = check(s, e);

	if (r == 0)
		r = resolve_dirs(s, e);
	if (r)
		return r;
	iotdb_read_beside(&s->facts);
	r = resolve_version(s, e);
	if (r)
		return r;
	resolve_rest(s);
	return sql_check_sink_name(s->sender_name, e) == 0
		       ? 0
		       : err_wrap(e, "sender_name");
}

static size_t key_index(const char *name)
{
	size_t i = 0;

	while (i < settings_n_keys && strcmp(settings_keys[i].name, name) != 0)
		i++;
	return i;
}

int settings_load(struct settings *s, const char *path, struct err *e)
{
	CLEANUP_FREE struct settings *fresh = xcalloc(1, sizeof(*fresh));
	bool given[ARRAY_LEN(settings_keys)] = {false};
	int r = conf_load(path, settings_keys, settings_n_keys, fresh, given,
			  e);

	if (r < 0)
		return r;
	fresh->is_scan_interval_given = given[key_index("scan_interval")];
	r = resolve(fresh, e);
	if (r < 0)
		return err_wrap(e, "%s", path);
	memcpy(s, fresh, sizeof(*s));
	return 0;
}

int settings_of_dir(struct settings *s, const char *data_dir, struct err *e)
{
	memset(s, 0, sizeof(*s));
	if (strlen(data_dir) >= sizeof(s->facts.dirs[0]))
		return err_set(e, ENAMETOOLONG,
			       "data directory %.40s...: longer than %zu bytes",
			       data_dir, sizeof(s->facts.dirs[0]) - 1);
	memcpy(s->facts.dirs[0], data_dir, strlen(data_dir) + 1);
	s->facts.n_dirs = 1;
	iotdb_read_beside(&s->facts);
	return resolve_version(s, e);
}

void settings_apply(struct settings *s, const struct settings *fresh,
		    void (*fn)(void *arg, const struct conf_key *key,
			       const char *value),
		    void *arg)
{
	size_t i;

	for (i = 0; i < settings_n_keys; i++) {
		const struct conf_key *key = &settings_keys[i];
		CLEANUP(buf_release) struct buf value;

		if (conf_is_same(key, s, fresh))
			continue;
		buf_init(&value, 8192);
		conf_show(key, fresh, &value);
		if (key->hot)
			memcpy((char *)s + key->offset,
			       (const char *)fresh + key->offset,
			       conf_field_len(key));
		fn(arg, key, buf_str(&value));
	}
	s->is_scan_interval_given = fresh->is_scan_interval_given;
}
