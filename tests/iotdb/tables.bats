# Databases of tables, from one real IoTDB of 2.x into another ($EDGE_VERSION, 2.0.6;
# $CLOUD_VERSION the same; LOAD_VIA as remote.bats).
load lib

setup_file() {
	servers_setup
	export IOTDB_PROPS='enable_seq_space_compaction=false\nenable_unseq_space_compaction=false\nenable_cross_space_compaction=false'
	server_start edge "${EDGE_VERSION:-2.0.6}"
	server_start cloud "${CLOUD_VERSION:-${EDGE_VERSION:-2.0.6}}"
}
teardown_file() { servers_teardown; }
setup() {
	pair_setup
	live_setup
}
teardown() {
	pair_teardown || return 1
	for side in edge cloud; do
		for db in plant works; do tsql "$side" "DROP DATABASE IF EXISTS $db" >/dev/null; done
	done
	rm -rf "$BATS_FILE_TMPDIR/edge/data/datanode/data/.tsferry-spool"
}

# tsql NAME STATEMENT...: in the dialect of tables.
tsql() { IOTDB_DIALECT=table sql "$@"; }
rows() { tsql "$1" "$2" 2>&1 | grep -v '^#' | sort; }
rows_equal() { # STATEMENT: there are some, and both answer alike
	rows edge "$1" >"$T/at-edge"
	[ -s "$T/at-edge" ] && diff "$T/at-edge" <(rows cloud "$1") >"$T/difference" || {
		echo "$1:" >&2
		head -n 20 "$T/difference" >&2
		return 1
	}
}
plant() { # NAME: a table with two tags and fields of several types
	tsql "$1" "CREATE DATABASE IF NOT EXISTS plant" \
		"CREATE TABLE IF NOT EXISTS plant.meter (region STRING TAG, device STRING TAG, t DOUBLE FIELD, n INT32 FIELD, word TEXT FIELD, ok BOOLEAN FIELD)" >/dev/null
}
meters() { # NAME FIRST COUNT
	local i
	local -a all=()
	for ((i = $2; i < $2 + $3; i++)); do
		all+=("INSERT INTO plant.meter(time, region, device, t, n, word, ok) VALUES (1, 'north', 'd1', $i, $i, 'w$i', true), ($((i + 10)), 'north', 'd.2', $i.5, $i, null, false), ($((i + 10)), null, 'd1', 1, null, 'x', true), ($((i + 10)), 'south', null, 2, $i, 'it''s', true)" FLUSH)
	done
	tsql "$1" "${all[@]}" >/dev/null
}
ALL="SELECT time, region, device, t, n, word, ok FROM plant.meter"

# bats test_tags=short
@test "rows of tables arrive, files that overwrite each other in order" {
	plant edge
	meters edge 1 20
	pair_start
	all_applied
	rows_equal "$ALL"
	meters edge 21 10
	all_applied
	rows_equal "$ALL"
	wait_until 20 value_is /p/message ""
}

@test "rows that were deleted before the files travelled stay deleted" {
	plant edge
	meters edge 1 6
	tsql edge "DELETE FROM plant.meter WHERE time >= 12 AND time <= 13 AND region = 'north'" \
		"DELETE FROM plant.meter WHERE region IS NULL AND time <= 14" FLUSH >/dev/null
	pair_start
	all_applied
	rows_equal "$ALL"
}

# bats test_tags=short
@test "a DELETE later takes the same rows, by tag, by null and by time, and none of another gateway" {
	plant edge
	plant cloud
	tsql cloud "INSERT INTO plant.meter(time, region, device, t) VALUES (11, 'north', 'elsewhere', 5), (12, 'west', 'd1', 6)" FLUSH >/dev/null
	meters edge 1 6
	pair_start
	all_applied
	tsql edge "DELETE FROM plant.meter WHERE time <= 12 AND region = 'north' AND device = 'd.2'" FLUSH >/dev/null
	tsql edge "DELETE FROM plant.meter WHERE region IS NULL AND time > 14" FLUSH >/dev/null
	tsql edge "DELETE FROM plant.meter WHERE time = 1" FLUSH >/dev/null
	meters edge 7 1
	all_applied
	rows edge "$ALL" >"$T/at-edge"
	rows cloud "$ALL WHERE device <> 'elsewhere' AND region <> 'west' OR device IS NULL OR region IS NULL" | diff "$T/at-edge" -
	[ "$(rows cloud "SELECT time, t FROM plant.meter WHERE device = 'elsewhere' OR region = 'west'")" = $'11\t5.0\n12\t6.0' ]
}

@test "trees and tables side by side, and a name that has to be quoted" {
	plant edge
	tsql edge "CREATE DATABASE works" 'CREATE TABLE works."big hall" ("tag one" STRING TAG, "a""b" INT64 FIELD)' \
		"INSERT INTO works.\"big hall\"(time, \"tag one\", \"a\"\"b\") VALUES (-5, 'it''s', 7), (9, 'x', 8)" FLUSH >/dev/null
	meters edge 1 3
	insert_files edge root.plant 1 3
	pair_start
	all_applied
	rows_equal "$ALL"
	rows_equal 'SELECT * FROM works."big hall"'
	answers_equal "SELECT a, b FROM root.plant.d"
	tsql edge "DELETE FROM works.\"big hall\" WHERE time < 0" FLUSH >/dev/null
	all_applied
	rows_equal 'SELECT * FROM works."big hall"'
}

@test "a column of another type is not converted in silence: it waits, and is tried again when it fits" {
	plant edge
	tsql cloud "CREATE DATABASE plant" "CREATE TABLE plant.meter (region STRING TAG, device STRING TAG, t TEXT FIELD)" >/dev/null
	meters edge 1 1
	pair_start
	wait_until 30 progress_is p quarantined_entries 1
	value_has /p/message "plant.meter.t datatype not match: DOUBLE in the file, TEXT at the server"
	tsql cloud "DROP TABLE plant.meter" >/dev/null
	statement "RETRY 1"
	all_applied
	rows_equal "$ALL"
}

@test "a DELETE of all rows takes these devices' rows only" {
	plant edge
	plant cloud
	tsql cloud "INSERT INTO plant.meter(time, region, device, t) VALUES (11, 'west', 'd1', 6)" FLUSH >/dev/null
	meters edge 1 3
	pair_start
	all_applied
	tsql edge "DELETE FROM plant.meter" FLUSH >/dev/null
	wait_until 30 cloud_has_only_west
	meters edge 5 1
	all_applied
	tsql cloud "DELETE FROM plant.meter WHERE region = 'west'" >/dev/null
	rows_equal "$ALL"
}
cloud_has_only_west() { [ "$(rows cloud "SELECT time, region FROM plant.meter")" = $'11\twest' ]; }

@test "DROP TABLE takes the rows in the cloud, too, and leaves the table; a new one of that name goes on" {
	plant edge
	meters edge 1 3
	pair_start
	all_applied
	tsql edge "DROP TABLE plant.meter" FLUSH >/dev/null
	wait_until 30 cloud_has_none
	plant edge
	meters edge 5 2
	all_applied
	rows_equal "$ALL"
}
cloud_has_none() { [ -z "$(rows cloud "$ALL")" ]; }

@test "DROP COLUMN waits for an operator" {
	plant edge
	meters edge 1 2
	pair_start
	all_applied
	tsql edge "ALTER TABLE plant.meter DROP COLUMN word" FLUSH >/dev/null
	wait_until 30 progress_is p quarantined_entries 1
	value_has /p/message "a deletion of columns of table meter, which no statement can carry"
}

@test "kill -9 of the loader in the middle: every row once" {
	local i pid
	plant edge
	pair_start
	for i in 1 2 3 4; do
		meters edge $((i * 10)) 5
		pid=$(loader_pid)
		[ "${pid:-0}" = 0 ] || kill -KILL "$pid" || true
	done
	all_applied
	rows_equal "$ALL"
}
