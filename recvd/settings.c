#include "settings.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One table; the keys that mean more than their type says (loader,
 * ip_white_list, directories) are checked once more behind it, so that the
 * answer is the same at start, in the doctor and at LOAD CONFIGURATION. */

#define EFFECT_NOW "took effect"
#define EFFECT_START "takes effect at the next START PIPESERVER"
#define EFFECT_RESTART "needs a restart"

#define FIELD(f) offsetof(struct settings, f)
#define TEXT(f) CONF_TEXT, FIELD(f), sizeof(((struct settings *)NULL)->f), 0, 0
#define CHOICE(f) CONF_CHOICE, FIELD(f), 0, 0, 0

const struct conf_key settings_keys[] = {
	{"state_dir", NULL, TEXT(state_dir), NULL, "/var/lib/tsferry/recvd",
	 false,
	 "catalog, key, staging and, unless said otherwise, the archive"},
	{"control_socket", NULL, TEXT(control_socket), NULL,
	 "/run/tsferry/recvd.sock", false,
	 "where pipefs and pipectl find this daemon"},
	{"bind", NULL, TEXT(bind), NULL, "", false,
	 "address to listen on; empty: all addresses"},
	{"pipe_server_port", "sync_server_port", CONF_INT,
	 FIELD(pipe_server_port), 0, 0, 65535, NULL, "6670", false,
	 "port to listen on; 0: any, shown in server/port"},
	{"ip_white_list", NULL, TEXT(ip_white_list), NULL, "0.0.0.0/0,::/0",
	 true, "networks that may connect; empty: nobody"},
	{"loader", NULL, TEXT(loader), NULL, "archive", false,
	 "archive, iotdb, or the absolute path of a program that speaks "
	 "tsferry-loader(7)"},
	{"archive_dir", NULL, TEXT(archive_dir), NULL, "", false,
	 "where the archive loader keeps the files; empty: "
	 "<state_dir>/archive"},
	{"load_dir", NULL, TEXT(load_dir), NULL, "", false,
	 "where the iotdb loader hands files to a server on this host; empty: "
	 "<state_dir>/load"},
	{"load_via", NULL, CHOICE(load_via), "auto path transfer", "auto", true,
	 "how files reach an IoTDB: path (it sees load_dir), transfer (over "
	 "its "
	 "RPC), or transfer once it says that it does not see them"},
	{"iotdb_rpc", NULL, TEXT(iotdb_rpc), NULL, "", true,
	 "host:port[,host:port...] of the IoTDB to load into"},
	{"iotdb_user", NULL, TEXT(iotdb_user), NULL, "root", true, "its user"},
	{"iotdb_password_file", NULL, TEXT(iotdb_password_file), NULL, "", true,
	 "file whose first line is the password"},
	{"staging_max_bytes", NULL, CONF_BYTES, FIELD(staging_max_bytes), 0, 0,
	 INT64_MAX, NULL, "0", true,
	 "most bytes that wait to be applied; 0: no limit"},
	{"staging_min_free", NULL, CONF_SHARE, FIELD(staging_min_free),
	 sizeof(((struct settings *)NULL)->staging_min_free), 0, 0, NULL, "10%",
	 true, "bytes, or share of the file system, that stay free"},
	{"retain_max_bytes", NULL, CONF_BYTES, FIELD(retain_max_bytes), 0, 0,
	 INT64_MAX, NULL, "0", true,
	 "most bytes of applied entries that are kept for RESYNC; 0: none"},
	{"sender_max_bytes", NULL, CONF_BYTES, FIELD(sender_max_bytes), 0, 0,
	 INT64_MAX, NULL, "0", true,
	 "most bytes of one sender that wait to be applied; 0: no limit"},
	{"sender_max_rate", NULL, CONF_INT, FIELD(sender_max_rate), 0, 0,
	 1000000, NULL, "0", true,
	 "most entries a second that are read from one sender; 0: no limit"},
	{"hold_deletes", NULL, CHOICE(hold_deletes), "none database all",
	 "none", true,
	 "deletions that wait for RETRY: none, those of a whole database, all"},
	{"quarantine", NULL, CHOICE(quarantine), "hold pass", "hold", true,
	 "whether a quarantined entry holds its database back or is passed"},
	{"transport", NULL, CHOICE(transport), "tls plain", "tls", false,
	 "plain only when both sides say so"},
	{"admit", NULL, CHOICE(admit), "first-use known", "first-use", true,
	 "whether a new key is admitted at first use or waits for ADMIT "
	 "SENDER"},
};

const size_t settings_n_keys = ARRAY_LEN(settings_keys);

static_assert(ARRAY_LEN(settings_keys) <= SETTINGS_KEYS_MAX,
	      "changes[] holds every key");

bool settings_loader_is_ours(const struct settings *s)
{
	return strcmp(s->loader, "archive") == 0 ||
	       strcmp(s->loader, "iotdb") == 0;
}

const char *settings_load_via(const struct settings *s)
{
	static const char *const words[] = {
		[VIA_AUTO] = "auto",
		[VIA_PATH] = "path",
		[VIA_TRANSFER] = "transfer",
	};

	return words[s->load_via];
}

static int check_loader(const struct settings *s, const char *path,
			struct err *e)
{
	if (strcmp(s->loader, "iotdb") == 0 && !s->iotdb_rpc[0])
		return err_set(e, EINVAL,
			       "%s: loader=iotdb needs iotdb_rpc "
			       "(iotdb_rpc=127.0.0.1:6667)",
			       path);
	if (settings_loader_is_ours(s) || s->loader[0] == '/')
		return 0;
	return err_set(e, EINVAL,
		       "%s: loader: expected archive, iotdb or the absolute "
		       "path of a program, got \"%s\"",
		       path, s->loader);
}

/* A directory that has its place below state_dir when nothing is said. */
static int default_dir(const struct settings *s, const char *path,
		       const char *key, char *dir, const char *name,
		       struct err *e)
{
	if (!dir[0] &&
	    (size_t)snprintf(dir, SETTINGS_PATH_MAX, "%s/%s", s->state_dir,
			     name) >= SETTINGS_PATH_MAX)
		return err_set(e, ENAMETOOLONG,
			       "%s: state_dir: \"%s\" is too long", path,
			       s->state_dir);
	if (dir[0] != '/')
		return err_set(e, EINVAL,
			       "%s: %s: expected an absolute path, got \"%s\"",
			       path, key, dir);
	return 0;
}

static int check(struct settings *s, const char *path, struct buf *warnings,
		 struct err *e)
{
	struct net_list list = {0};
	int r = check_loader(s, path, e);

	if (r < 0)
		return r;
	if (s->state_dir[0] != '/')
		return err_set(
			e, EINVAL,
			"%s: state_dir: expected an absolute path, got \"%s\"",
			path, s->state_dir);
	r = net_list_parse(&list, s->ip_white_list, warnings, e);
	net_list_release(&list);
	if (r < 0)
		return err_wrap(e, "%s: ip_white_list", path);
	r = default_dir(s, path, "archive_dir", s->archive_dir, "archive", e);
	return r < 0 ? r
		     : default_dir(s, path, "load_dir", s->load_dir, "load", e);
}

int settings_load(struct settings *s, const char *path, struct buf *warnings,
		  struct err *e)
{
	struct settings fresh = {0};
	int r = conf_load(path, settings_keys, settings_n_keys, &fresh, NULL,
			  e);

	if (r >= 0)
		r = check(&fresh, path, warnings, e);
	if (r < 0)
		return r;
	*s = fresh;
	return 0;
}

static bool is_for_next_start(const struct conf_key *k)
{
	return k->offset == FIELD(bind) || k->offset == FIELD(pipe_server_port);
}

static void take_over(struct settings *s, const struct settings *fresh,
		      const struct conf_key *k, struct settings_change *change)
{
	bool is_taken = k->hot || is_for_next_start(k);
	struct buf text;

	buf_init(&text, sizeof change->value - 1);
	conf_show(k, fresh, &text);
	change->key = k->name;
	change->effect = k->hot	    ? EFFECT_NOW
			 : is_taken ? EFFECT_START
				    : EFFECT_RESTART;
	(void)snprintf(change->value, sizeof change->value, "%s",
		       buf_end(&text) < 0 ? "..." : buf_str(&text));
	buf_release(&text);
	if (is_taken)
		memcpy((char *)s + k->offset, (const char *)fresh + k->offset,
		       conf_field_len(k));
}

int settings_reload(struct settings *s, const char *path,
		    struct settings_change *changes, struct buf *warnings,
		    struct err *e)
{
	struct settings fresh;
	int n = 0, r = settings_load(&fresh, path, warnings, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < settings_n_keys; i++)
		if (!conf_is_same(&settings_keys[i], s, &fresh))
			take_over(s, &fresh, &settings_keys[i], &changes[n++]);
	return n;
}

uint64_t settings_min_free(const struct settings *s, uint64_t total)
{
	return conf_share(s->staging_min_free, total);
}
