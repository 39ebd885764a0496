/* The catalog's schema. Steps are only ever added: a step takes an older catalog to
 * the next version. 64-bit numbers without sign are kept as SQLite's signed ones of the
 * same bits; they are compared for equality only, except serials, which stay small. */
#include "outbox_sql.h"

const char *const outbox_steps[] = {
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT "
	"ROWID;"
	"CREATE TABLE volume(id INTEGER PRIMARY KEY, data_dir TEXT NOT NULL,"
	" spool_dir TEXT NOT NULL, UNIQUE(data_dir, spool_dir));"
	"CREATE TABLE sink(name TEXT PRIMARY KEY, host TEXT NOT NULL,"
	" port INTEGER NOT NULL, key TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE pipe(id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" name TEXT NOT NULL, sink TEXT NOT NULL, create_ms INTEGER NOT NULL,"
	" incarnation BLOB NOT NULL, has_from INTEGER NOT NULL,"
	" is_exclusive INTEGER NOT NULL, from_time INTEGER NOT NULL,"
	" query TEXT NOT NULL, sync_del_op INTEGER NOT NULL,"
	" state INTEGER NOT NULL, error TEXT NOT NULL, error_ms INTEGER NOT "
	"NULL,"
	" is_started_once INTEGER NOT NULL, is_superseded INTEGER NOT NULL,"
	" is_told INTEGER NOT NULL,"
	" is_resync INTEGER NOT NULL DEFAULT 0,"
	" assigned INTEGER NOT NULL DEFAULT 0,"
	" assigned_bytes INTEGER NOT NULL DEFAULT 0,"
	" durable INTEGER NOT NULL DEFAULT 0, applied INTEGER NOT NULL DEFAULT "
	"0,"
	" released INTEGER NOT NULL DEFAULT 0,"
	" released_nonce INTEGER NOT NULL DEFAULT 0,"
	" released_bytes INTEGER NOT NULL DEFAULT 0);"
	"CREATE TABLE entry(pipe INTEGER NOT NULL, serial INTEGER NOT NULL,"
	" nonce INTEGER NOT NULL, head BLOB NOT NULL, volume INTEGER NOT NULL,"
	" captured_ms INTEGER NOT NULL, total INTEGER NOT NULL,"
	" body BLOB, is_loose INTEGER NOT NULL DEFAULT 0,"
	" PRIMARY KEY(pipe, serial)) WITHOUT ROWID;"
	"CREATE TABLE known(pipe INTEGER NOT NULL, database TEXT NOT NULL,"
	" region INTEGER NOT NULL, partition INTEGER NOT NULL,"
	" unsequence INTEGER NOT NULL, t INTEGER NOT NULL, v INTEGER NOT NULL,"
	" i INTEGER NOT NULL, c INTEGER NOT NULL,"
	" serial INTEGER NOT NULL, serial_low INTEGER NOT NULL,"
	" mods_seen INTEGER NOT NULL, is_derived INTEGER NOT NULL DEFAULT 0,"
	" is_owed INTEGER NOT NULL DEFAULT 0,"
	" time_min INTEGER, time_max INTEGER, row_sum INTEGER,"
	" mods_stamp INTEGER NOT NULL DEFAULT 0, covered BLOB,"
	" is_loose INTEGER NOT NULL DEFAULT 0,"
	" PRIMARY KEY(pipe, database, region, partition, unsequence, t, v, i, "
	"c)"
	") WITHOUT ROWID;"
	"CREATE TABLE device(database TEXT NOT NULL, region INTEGER NOT NULL,"
	" path TEXT NOT NULL, PRIMARY KEY(database, region, path)) WITHOUT "
	"ROWID;"
	"CREATE TABLE compaction(database TEXT NOT NULL, region INTEGER NOT "
	"NULL,"
	" partition INTEGER NOT NULL, journal TEXT NOT NULL, body TEXT NOT "
	"NULL,"
	" PRIMARY KEY(database, region, partition, journal)) WITHOUT ROWID;"
	"CREATE TABLE gap(pipe INTEGER NOT NULL, line TEXT NOT NULL,"
	" PRIMARY KEY(pipe, line)) WITHOUT ROWID;",
	/* Captured files that are gone at the edge and that nothing explains: a
	 * RESYNC cannot send them again. origin: the incarnation of their entries. */
	"CREATE TABLE gone(pipe INTEGER NOT NULL, origin BLOB NOT NULL,"
	" database TEXT NOT NULL, region INTEGER NOT NULL,"
	" partition INTEGER NOT NULL, unsequence INTEGER NOT NULL,"
	" t INTEGER NOT NULL, v INTEGER NOT NULL, i INTEGER NOT NULL,"
	" c INTEGER NOT NULL, serial INTEGER NOT NULL,"
	" serial_low INTEGER NOT NULL, time_min INTEGER, time_max INTEGER,"
	" fate INTEGER NOT NULL,"
	" PRIMARY KEY(pipe, database, region, partition, unsequence, t, v, i, "
	"c, origin)) WITHOUT ROWID;"
	/* is_final: no RESYNC brings it. */
	"ALTER TABLE gap ADD COLUMN is_final INTEGER NOT NULL DEFAULT 1;"
	/* The edge's schema as a pipe's entries have said it (schema_line.h); the last
	 * listing of which nothing is left to be said. */
	"CREATE TABLE series(pipe INTEGER NOT NULL, database TEXT NOT NULL,"
	" path TEXT NOT NULL, rest TEXT NOT NULL,"
	" PRIMARY KEY(pipe, database, path)) WITHOUT ROWID;"
	"CREATE TABLE listed(pipe INTEGER PRIMARY KEY,"
	" identity TEXT NOT NULL, digest TEXT NOT NULL);"
	/* is_again: the file was an entry before, so the receiver may hold it. */
	"ALTER TABLE entry ADD COLUMN is_again INTEGER NOT NULL DEFAULT 0;",
};
const int outbox_n_steps = ARRAY_LEN(outbox_steps);

#define OF_FILE                                              \
	" WHERE pipe = ?1 AND database = ?2 AND region = ?3" \
	" AND partition = ?4 AND unsequence = ?5 AND t = ?6" \
	" AND v = ?7 AND i = ?8 AND c = ?9"

#define FORKS_OF_PIPE "SELECT value FROM meta WHERE key = 'forks ' || ?1"

const char *const outbox_write_sql[N_OUTBOX_WRITE] = {
	[W_PUT_SINK] = "INSERT INTO sink VALUES(?1, ?2, ?3, ?4)"
		       " ON CONFLICT(name) DO UPDATE SET host = ?2, port = ?3, "
		       "key = ?4",
	[W_REMOVE_SINK] = "DELETE FROM sink WHERE name = ?1",
	[W_ADD_PIPE] =
		"INSERT INTO pipe(name, sink, create_ms, incarnation, has_from,"
		" is_exclusive, from_time, query, sync_del_op, state, error,"
		" error_ms, is_started_once, is_superseded, is_told, "
		"is_resync)"
		" VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,"
		"?16)",
	[W_SAVE_PIPE] =
		"UPDATE pipe SET state = ?2, error = ?3, error_ms = ?4,"
		" is_started_once = ?5, is_superseded = ?6, is_told = ?7"
		" WHERE id = ?1",
	[W_SAVE_PROGRESS] = "UPDATE pipe SET durable = max(durable, ?2),"
			    " applied = max(applied, ?3) WHERE id = ?1",
	[W_FORGET_PIPE] = "DELETE FROM pipe WHERE id = ?1",
	[W_FORGET_ENTRIES] = "DELETE FROM entry WHERE pipe = ?1",
	[W_FORGET_ALL_KNOWN] = "DELETE FROM known WHERE pipe = ?1",
	[W_FORGET_GAPS] = "DELETE FROM gap WHERE pipe = ?1",
	[W_LIVE_PIPE] = "SELECT assigned, assigned_bytes FROM pipe"
			" WHERE id = ?1 AND state <> 3",
	[W_ADD_ENTRY] = "INSERT INTO entry"
			" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[W_ADD_KNOWN] =
		"INSERT INTO known(pipe, database, region, partition,"
		" unsequence, t, v, i, c, serial, serial_low, mods_seen,"
		" covered, time_min, time_max, is_loose)"
		" VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?10,?11,?12,?13,?14,"
		"?15)"
		/* What travels beside a file that goes again is news until a
		 * DELETE says it: the cloud may have its rows elsewhere, too. */
		" ON CONFLICT DO UPDATE SET serial = ?10, serial_low = ?10,"
		" mods_stamp = 0, time_min = coalesce(?13, time_min),"
		" time_max = coalesce(?14, time_max), is_loose = ?15,"
		" is_derived = 0, is_owed = 0",
	[W_SET_ASSIGNED] = "UPDATE pipe SET assigned = ?2, assigned_bytes = ?3"
			   " WHERE id = ?1",
	[W_IS_KNOWN] = "SELECT serial > 0 AND NOT is_derived FROM known WHERE "
		       "pipe = ?1 AND database = ?2"
		       " AND region = ?3 AND partition = ?4 AND unsequence = ?5"
		       " AND t = ?6 AND v = ?7 AND i = ?8 AND c = ?9",
	[W_FORGET_KNOWN] =
		"DELETE FROM known WHERE pipe = ?1 AND database = ?2"
		" AND region = ?3 AND partition = ?4 AND unsequence = ?5"
		" AND t = ?6 AND v = ?7 AND i = ?8 AND c = ?9",
	[W_OWE] = "UPDATE known SET is_owed = 1" OF_FILE,
	[W_ADD_DEVICE] = "INSERT OR IGNORE INTO device VALUES(?1, ?2, ?3)",
	[W_ADD_DERIVED] =
		"INSERT INTO known(pipe, database, region, partition,"
		" unsequence, t, v, i, c, serial, serial_low, mods_seen,"
		" is_derived)"
		" VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,1)"
		" ON CONFLICT DO NOTHING",
	[W_PUT_COMPACTION] = "INSERT INTO compaction VALUES(?1, ?2, ?3, ?4, ?5)"
			     " ON CONFLICT DO UPDATE SET body = ?5",
	[W_DROP_COMPACTION] =
		"DELETE FROM compaction WHERE database = ?1"
		" AND region = ?2 AND partition = ?3 AND journal = ?4",
	[W_LEARN] = "UPDATE known SET time_min = ?10, time_max = ?11,"
		    " row_sum = coalesce(?12, row_sum)" OF_FILE,
	[W_GET_COVERED] = "SELECT covered FROM known" OF_FILE,
	[W_SET_MODS] = "UPDATE known SET mods_seen = ?10, mods_stamp = ?11,"
		       " covered = coalesce(?12, covered)" OF_FILE,
	[W_ADD_GAP] = "INSERT OR IGNORE INTO gap VALUES(?1, ?2, ?3)",
	[W_DURABLE_PINS] = "SELECT entry.pipe, entry.serial, entry.nonce"
			   " FROM entry JOIN pipe ON pipe.id = entry.pipe"
			   " WHERE entry.volume = ?1 AND NOT entry.is_loose"
			   " AND entry.serial <= pipe.durable"
			   " ORDER BY entry.captured_ms, entry.serial",
	[W_SET_LOOSE] = "UPDATE entry SET is_loose = 1"
			" WHERE pipe = ?1 AND serial = ?2",
	[W_NEXT_ENTRY] =
		"SELECT head, volume,"
		" CASE WHEN is_loose THEN CAST(body AS TEXT) END, is_loose"
		" FROM entry WHERE pipe = ?1 AND serial >= ?2"
		" ORDER BY serial LIMIT 1",
	[W_TIMES] = "SELECT time_min, time_max FROM known" OF_FILE
		    " UNION ALL SELECT time_min, time_max FROM gone" OF_FILE
		    " LIMIT 1",
	[W_NOTE_GONE] =
		"INSERT OR REPLACE INTO gone SELECT pipe,"
		" (SELECT incarnation FROM pipe WHERE id = ?1), database,"
		" region, partition, unsequence, t, v, i, c, serial,"
		" serial_low, time_min, time_max, 0 FROM known" OF_FILE
		" AND serial > 0 AND EXISTS(SELECT 1 FROM pipe WHERE id = ?1)",
	[W_CARRY_GAPS] = "INSERT OR IGNORE INTO gap SELECT ?2, line, 1"
			 " FROM gap WHERE pipe = ?1 AND is_final",
	[W_CARRY_GONE] =
		"INSERT OR REPLACE INTO gone SELECT ?2, origin, database,"
		" region, partition, unsequence, t, v, i, c, serial,"
		" serial_low, time_min, time_max, CASE WHEN fate = 3 THEN 3"
		" WHEN fate > 0 OR serial <= ?3 THEN 1 WHEN serial <= ?4 THEN 2"
		" ELSE 3 END FROM gone WHERE pipe = ?1",
	[W_LATE_GONE] =
		"INSERT OR REPLACE INTO gone SELECT ?10,"
		" (SELECT incarnation FROM pipe WHERE id = ?1), database,"
		" region, partition, unsequence, t, v, i, c, serial,"
		" serial_low, time_min, time_max, CASE WHEN serial <= ?11 THEN "
		"1"
		" WHEN serial <= ?12 THEN 2 ELSE 3 END FROM known" OF_FILE
		" AND serial > 0",
	[W_EACH_KNOWN] =
		"SELECT database, region, partition, unsequence, t, v, i, c"
		" FROM known WHERE pipe = ?1 AND serial > 0",
	[W_NEXT_GONE] =
		"SELECT database, region, partition, unsequence, t, v, i, c,"
		" serial, serial_low, time_min, time_max, fate FROM gone"
		" WHERE pipe = ?1 AND (database, region, partition, unsequence,"
		" t, v, i, c) > (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
		" AND origin = ?10 AND fate IN (1, 2, 3)"
		" ORDER BY database, region, partition, unsequence, t, v, i, c"
		" LIMIT 1",
	[W_SETTLE_GONE] = "UPDATE gone SET fate = 4" OF_FILE " AND origin = "
			  "?10",
	[W_END_GONE] = "DELETE FROM gone" OF_FILE " AND origin = ?10",
	[W_FORGET_GONE] = "DELETE FROM gone" OF_FILE,
	[W_FORGET_ALL_GONE] = "DELETE FROM gone WHERE pipe = ?1",
	[W_DEVICES] = "SELECT path FROM device WHERE database = ?1"
		      " AND region = ?2 ORDER BY path",
	[W_PRODUCT_OF] =
		"SELECT unsequence, t, v, i, c FROM known WHERE pipe = ?1"
		" AND database = ?2 AND region = ?3 AND partition = ?4"
		" AND is_derived AND serial >= ?5 AND serial_low <= ?5"
		" LIMIT 1",
	[W_FILL] = "UPDATE entry SET nonce = ?3, head = ?4, volume = 0,"
		   " is_loose = 0, body = NULL WHERE pipe = ?1 AND serial = ?2",
	[W_FORKS] = FORKS_OF_PIPE,
	[W_BOUNDS] = "SELECT assigned, released FROM pipe WHERE id = ?1",
	[W_SET_FORKS] = "INSERT INTO meta VALUES('forks ' || ?1, ?2)"
			" ON CONFLICT DO UPDATE SET value = ?2",
	[W_FORGET_FORKS] = "DELETE FROM meta WHERE key = 'forks ' || ?1",
	[W_LOWEST] =
		"SELECT serial, nonce, volume, total, head FROM entry"
		" WHERE pipe = ?1 AND serial <= ?2 ORDER BY serial LIMIT ?3",
	[W_REMOVE_ENTRIES] =
		"DELETE FROM entry WHERE pipe = ?1 AND serial <= ?2",
	[W_SET_RELEASED] = "UPDATE pipe SET released = ?2, released_nonce = ?3,"
			   " released_bytes = ?4 WHERE id = ?1",
	[W_GET_VOLUME] =
		"SELECT id FROM volume WHERE data_dir = ?1 AND spool_dir = ?2",
	[W_ADD_VOLUME] =
		"INSERT INTO volume(data_dir, spool_dir) VALUES(?1, ?2)",
	[W_PUT_SERIES] = "INSERT INTO series VALUES(?1, ?2, ?3, ?4)"
			 " ON CONFLICT DO UPDATE SET rest = ?4",
	[W_FORGET_SERIES] = "DELETE FROM series WHERE pipe = ?1"
			    " AND database = ?2 AND path = ?3",
	[W_FORGET_ALL_SERIES] = "DELETE FROM series WHERE pipe = ?1",
	[W_SET_LISTED] =
		"INSERT INTO listed VALUES(?1, ?2, ?3)"
		" ON CONFLICT DO UPDATE SET identity = ?2, digest = ?3",
	[W_FORGET_LISTED] = "DELETE FROM listed WHERE pipe = ?1",
	[W_EACH_PINNED] = "SELECT pipe, serial, nonce, volume, is_loose"
			  " FROM entry",
};

const char *const outbox_read_sql[N_OUTBOX_READ] = {
	[R_ENTRIES] =
		"SELECT head, volume, captured_ms, total, is_loose, is_again"
		" FROM entry"
		" WHERE pipe = ?1 AND serial >= ?2 ORDER BY serial LIMIT ?3",
	[R_ENTRY] = "SELECT nonce, captured_ms, total FROM entry"
		    " WHERE pipe = ?1 AND serial = ?2",
	[R_FORKS] = FORKS_OF_PIPE,
	[R_BODY] = "SELECT body FROM entry WHERE pipe = ?1 AND serial = ?2",
	[R_COUNT_GAPS] = "SELECT count(*) FROM gap WHERE pipe = ?1",
	[R_GONE_ORIGIN] = "SELECT origin FROM gone WHERE pipe = ?1"
			  " AND fate IN (1, 2, 3) LIMIT 1",
	[R_GAPS] = "SELECT line FROM gap WHERE pipe = ?1 ORDER BY line",
};

void outbox_bind_file(sqlite3_stmt *st, int64_t pipe, const struct fileid *f)
{
	(void)sqlite3_bind_int64(st, 1, pipe);
	(void)sqlite3_bind_text(st, 2, f->database, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 3, f->region);
	(void)sqlite3_bind_int64(st, 4, f->partition);
	(void)sqlite3_bind_int64(st, 5, f->unsequence);
	(void)sqlite3_bind_int64(st, 6, (int64_t)f->t);
	(void)sqlite3_bind_int64(st, 7, (int64_t)f->v);
	(void)sqlite3_bind_int64(st, 8, (int64_t)f->i);
	(void)sqlite3_bind_int64(st, 9, (int64_t)f->c);
}
