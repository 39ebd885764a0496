# What real servers answered about their own data directories is what the archive says of
# them, read by a reader that shares nothing with the programs (tests/edge).
load lib/tsferry

setup() {
	pair_setup
	cloud_conf loader "$TSFERRY_SOURCE/tests/edge/loader"
}
teardown() { pair_teardown; }

# Not cp -p, not links: an edge's files are young.
stand() { rm -rf "$DATADIR"/{sequence,unsequence} && cp -r "$DATA/$1/." "$DATADIR/"; }
read_archive() { "$TSFERRY_SOURCE/tests/edge/archive_reader.py" "$ARCHIVE" "$ARCHIVE.jobs" "$@"; }
surveyed() { [ "$(sqlite3 -cmd '.timeout 5000' "$EDGE/state/catalog.db" 'SELECT count(*) FROM known WHERE row_sum IS NULL')" = 0 ]; }

# as_recorded VERSION [ANSWERS]: as recorded, then with all compactions done while syncd was down.
as_recorded() {
	local want=$DATA/answers/${2:-$1}
	edge_conf iotdb_version "$1"
	stand "datadir-$1"
	pair_start
	statement 'WAIT PIPE p 60'
	read_archive --is "$want"
	wait_until 20 surveyed
	daemon_stop syncd
	stand "compacted-$1"
	syncd_start
	statement 'WAIT PIPE p 60'
	read_archive --is "$want"
	[ "$(progress p quarantined_entries)" = 0 ]
}

@test "0.13.4: the archive says what the server answered, before and after compaction" {
	as_recorded 0.13.4 0.13.4.txt.xz
}

@test "1.3.3: the archive says what the server answered, before and after compaction" {
	as_recorded 1.3.3
}

@test "2.0.2: the archive says what the server answered, before and after compaction" {
	as_recorded 2.0.2
}
