/* Steps are never edited once released; a new one goes behind them. */
#include "catalog_schema.h"

#include <errno.h>
#include <string.h>

static const char step_1[] =
	"CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) "
	"WITHOUT ROWID;"
	"CREATE TABLE sender (id BLOB PRIMARY KEY, name TEXT NOT NULL, state "
	"INTEGER NOT NULL,"
	" first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, address "
	"TEXT NOT NULL,"
	" version TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE incarnation (seq INTEGER PRIMARY KEY, id BLOB NOT NULL,"
	" sender BLOB NOT NULL, pipe TEXT NOT NULL, create_time INTEGER NOT "
	"NULL,"
	" durable INTEGER NOT NULL DEFAULT 0, durable_nonce INTEGER NOT NULL "
	"DEFAULT 0, applied INTEGER NOT NULL DEFAULT 0,"
	" dropped INTEGER NOT NULL DEFAULT 0, UNIQUE (sender, id));"
	"CREATE TABLE domain (id INTEGER PRIMARY KEY, incarnation INTEGER NOT "
	"NULL,"
	" database TEXT NOT NULL, delivered INTEGER NOT NULL DEFAULT 0,"
	" UNIQUE (incarnation, database));"
	/* id: incarnation and serial in one (catalog_key). data NULL: a staged file. */
	"CREATE TABLE entry (id INTEGER PRIMARY KEY, domain INTEGER NOT NULL,"
	" state INTEGER NOT NULL, digest BLOB NOT NULL, payload_len INTEGER "
	"NOT NULL,"
	" kind INTEGER NOT NULL, head BLOB NOT NULL, data BLOB);"
	"CREATE INDEX entry_domain ON entry (domain);" /* and, as always, the id behind it */
	"CREATE INDEX entry_schema ON entry (domain) WHERE kind = 3;"
	/* paths: of a type mismatch, NULL otherwise */
	"CREATE TABLE quarantine (id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" entry INTEGER NOT NULL UNIQUE, since INTEGER NOT NULL, reason TEXT "
	"NOT NULL, paths TEXT);"
	/* Applied entries that are kept, in the order of applying. */
	"CREATE TABLE retained (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
	" entry INTEGER NOT NULL UNIQUE, domain INTEGER NOT NULL,"
	" payload_len INTEGER NOT NULL, kind INTEGER NOT NULL, digest BLOB NOT "
	"NULL,"
	" head BLOB NOT NULL, data BLOB);";

/* Counters, so that a start need not count: kept by the transactions that change what they
 * count, whichever those are. */
static const char step_2[] =
	"ALTER TABLE domain ADD COLUMN n_entries INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE domain ADD COLUMN n_quarantined INTEGER NOT NULL DEFAULT "
	"0;"
	"ALTER TABLE domain ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;"
	"UPDATE domain SET"
	" n_entries = (SELECT count(*) FROM entry WHERE domain = domain.id),"
	" n_quarantined = (SELECT count(*) FROM entry WHERE domain = domain.id"
	" AND state = 1),"
	" bytes = (SELECT ifnull(sum(payload_len), 0) FROM entry"
	" WHERE domain = domain.id);"
	"CREATE TRIGGER entry_comes AFTER INSERT ON entry BEGIN UPDATE domain "
	"SET n_entries = n_entries + 1, bytes = bytes + new.payload_len,"
	" n_quarantined = n_quarantined + (new.state = 1)"
	" WHERE id = new.domain; END;"
	"CREATE TRIGGER entry_goes AFTER DELETE ON entry BEGIN UPDATE domain "
	"SET n_entries = n_entries - 1, bytes = bytes - old.payload_len,"
	" n_quarantined = n_quarantined - (old.state = 1)"
	" WHERE id = old.domain; END;"
	"CREATE TRIGGER entry_turns AFTER UPDATE OF state ON entry"
	" WHEN (old.state = 1) <> (new.state = 1) BEGIN UPDATE domain "
	"SET n_quarantined = n_quarantined + (new.state = 1) - (old.state = 1)"
	" WHERE id = new.domain; END;"
	"CREATE TABLE retained_sum (n INTEGER NOT NULL, bytes INTEGER NOT "
	"NULL);"
	"INSERT INTO retained_sum SELECT count(*), ifnull(sum(payload_len), 0) "
	"FROM retained;"
	"CREATE TRIGGER retained_comes AFTER INSERT ON retained BEGIN UPDATE "
	"retained_sum SET n = n + 1, bytes = bytes + new.payload_len; END;"
	"CREATE TRIGGER retained_goes AFTER DELETE ON retained BEGIN UPDATE "
	"retained_sum SET n = n - 1, bytes = bytes - old.payload_len; END;"
	/* file: of a FILE whose payload is a staged file, catalog_file_key(); what an
	 * older version left has none and is not found by it. */
	"ALTER TABLE entry ADD COLUMN file INTEGER;"
	"ALTER TABLE retained ADD COLUMN file INTEGER;"
	"CREATE INDEX entry_file ON entry (file) WHERE file IS NOT NULL;"
	"CREATE INDEX retained_file ON retained (file) WHERE file IS NOT NULL;";

/* id: catalog_key() of an entry that is durable above its incarnation's durable serial, applied
 * or not; below 0, its negative: of one that only filled a serial. */
static const char step_3[] =
	"CREATE TABLE early (id INTEGER PRIMARY KEY, nonce "
	"INTEGER NOT NULL);";

const char *const catalog_steps[] = {step_1, step_2, step_3};
const int catalog_n_steps = (int)ARRAY_LEN(catalog_steps);

int64_t catalog_key(int64_t incarnation, uint64_t serial)
{
	return incarnation << 40 | (int64_t)(serial & CATALOG_SERIAL_MAX);
}

int64_t catalog_key_incarnation(int64_t key)
{
	return key >> 40;
}

uint64_t catalog_key_serial(int64_t key)
{
	return (uint64_t)key & CATALOG_SERIAL_MAX;
}

int64_t catalog_file_key(const struct fileid *file)
{
	char path[FILEID_PATH_MAX];
	const char *p = fileid_path(file, path);
	struct digest d = digest_block(p, strlen(p));
	int64_t key;

	memcpy(&key, d.b, sizeof key);
	return key;
}

int catalog_quarantine_columns(sqlite3_stmt *st, struct quarantine_row *row)
{
	struct entry entry = {0};
	struct rd r = rd_over(sqlite3_column_blob(st, 6),
			      (size_t)sqlite3_column_bytes(st, 6));
	int64_t key = sqlite3_column_int64(st, 1);

	row->id = sqlite3_column_int64(st, 0);
	row->incarnation = catalog_key_incarnation(key);
	row->serial = catalog_key_serial(key);
	row->domain = sqlite3_column_int64(st, 2);
	row->since_ms = sqlite3_column_int64(st, 3);
	row->state = (enum entry_state)sqlite3_column_int(st, 5);
	if (db_text(st, 4, row->reason, sizeof row->reason) < 0 ||
	    entry_decode(&entry, &r) < 0)
		return -EBADMSG;
	row->payload_len = entry_payload_len(&entry);
	(void)entry_text(&entry, row->entry, sizeof row->entry);
	entry_release(&entry);
	return 0;
}
