# Compactions that nobody saw, or not to their end: what the cloud must not keep is restated.
load lib/tsferry
load lib/compaction

setup() { pair_setup; }
teardown() { pair_teardown; }

@test "compacted while syncd was down: when no row is missing, the product is sent and that is all" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/tiny.tsfile" root.sg 5-5-0-0 unsequence
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	before=$(progress p sent_entries)
	daemon_stop syncd
	rm "$(dir_of sequence)/1-1-0-0.tsfile"*
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	syncd_start
	statement 'WAIT PIPE p 30'
	value_has /p/events 'no row is missing'
	archive_has root.sg 1-1-1-0
	known_is 'group_concat(serial) FROM (SELECT serial FROM known ORDER BY serial)' "$((before + 1)),$((before + 2))"
	run ! grep -r DELETION "$ARCHIVE"
}

@test "compacted away before it was surveyed: its pin still says that no row is missing" {
	pair_start
	keep_port
	daemon_stop recvd
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	wait_until 20 known_is 'count(*) FROM entry' 1
	daemon_kill syncd
	sqlite3 "$EDGE/state/catalog.db" 'UPDATE known SET row_sum = NULL'
	rm "$(dir_of sequence)/1-1-0-0.tsfile"*
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	syncd_start
	wait_until 20 value_has /p/events 'no row is missing'
	recvd_start
	statement 'WAIT PIPE p 30'
	sent_is 2
	archive_has root.sg 1-1-1-0
}

@test "deleted and compacted away before anybody surveyed it: the RESTATE names its devices" {
	pair_start
	seal "$V3/al.tsfile" root.sg 1-1-0-0
	first_seen() {
		seen=$(sqlite3 -cmd '.timeout 5000' "$EDGE/state/catalog.db" "SELECT count(*), (SELECT count(*) > 0 FROM device) FROM known")
		[ "$seen" != '0|0' ]
	}
	wait_until 20 first_seen
	[ "$seen" = '1|1' ] # in one transaction
	statement 'WAIT PIPE p 30'
	daemon_kill syncd
	sqlite3 "$EDGE/state/catalog.db" 'UPDATE known SET row_sum = NULL'
	rm -f "$DATADIR/.tsferry-spool/"*.tsfile "$(dir_of sequence)/1-1-0-0.tsfile"*
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	syncd_start
	statement 'WAIT PIPE p 30'
	grep -q 'DELETION,root.sg.al0' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
}

@test "compacted while syncd was down: when rows are missing, the partition is restated" {
	pair_start
	seal "$V3/al.tsfile" root.sg 1-1-0-0
	seal "$V3/tiny.tsfile" root.sg 5-5-0-0 unsequence
	seal "$V3/tiny.tsfile" root.sg 7-7-0-0 sequence 1 9
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_stop syncd
	rm "$(dir_of sequence)/1-1-0-0.tsfile"*
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	syncd_start
	statement 'WAIT PIPE p 30'
	value_has /p/events 'rows may have been deleted before it'
	# RESTATE, the product, the overwrite above it; the other partition is left alone
	progress_is p applied_serial 6
	known_is "group_concat(v || ':' || serial, ' ') FROM (SELECT v, serial FROM known WHERE partition = 0 ORDER BY v)" '1:5 5:6'
	known_is 'serial < 4 FROM known WHERE v = 7' 1
	# what was read of it is not forgotten because it goes again
	known_is 'time_min FROM known WHERE v = 5' 1
	# a device that has no row left at the edge is named as well
	grep -q 'DELETION,root.sg.al0' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
	[ ! -e "$ARCHIVE/edge-1/root.sg/unsequence/1/0/5-5-0-0.tsfile.mods" ]
}

@test "restated while another compaction is under way: its product is sent, for its rows are deleted too" {
	pair_start
	seal "$V3/al.tsfile" root.sg 1-1-0-0
	seal "$V3/tiny.tsfile" root.sg 9-9-0-0 unsequence
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_stop syncd
	rm "$(dir_of sequence)/1-1-0-0.tsfile"*
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	begin sequence 4-9-0-0.tsfile.insertion-compaction.log sequence 4-9-0-0.tsfile unsequence/9-9-0-0
	for suffix in '' .resource; do
		ln "$(dir_of unsequence)/9-9-0-0.tsfile$suffix" "$(dir_of sequence)/4-9-0-0.tsfile$suffix"
	done
	rm "$(dir_of unsequence)"/9-9-0-0.tsfile*
	syncd_start
	wait_until 20 value_has /p/events 'RESTATE of'
	rm "$(dir_of sequence)/4-9-0-0.tsfile.insertion-compaction.log"
	wait_until 20 archive_has root.sg 4-9-0-0
	value_has /p/events 'one of its sources still had to follow'
	statement 'WAIT PIPE p 30'
}

@test "compacted while syncd was down: without SyncDelOp missing rows are no reason to delete any" {
	recvd_start
	syncd_start
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$(server_port))"
	statement 'CREATE PIPE p TO s WITH SyncDelOp=false'
	statement 'START PIPE p'
	seal "$V3/al.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_stop syncd
	rm "$(dir_of sequence)/1-1-0-0.tsfile"*
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	syncd_start
	statement 'WAIT PIPE p 30'
	progress_is p applied_serial 2
	archive_has root.sg 1-1-1-0
	run ! grep -r DELETION "$ARCHIVE"
}

@test "a file that somebody removed is no source of a product that happens to be new" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/al.tsfile" root.sg 2-2-0-0
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_stop syncd
	rm "$(dir_of sequence)/2-2-0-0.tsfile"*
	product "$V3/old.tsfile" sequence 5-5-1-0 inner # its sources were born and gone meanwhile
	syncd_start
	statement 'WAIT PIPE p 30'
	archive_has root.sg 5-5-1-0
	archive_has root.sg 2-2-0-0
	run ! value_has /p/events 'was not seen'
	run ! grep -r DELETION "$ARCHIVE"
}

@test "compacted again and again while syncd was down: a product need not bear the name of a captured file" {
	pair_start
	seal "$V3/al.tsfile" root.sg 5-1-0-0
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_stop syncd
	# a file that was inserted in front of it, as 3-4-0-0, gave the name
	rm "$(dir_of sequence)/5-1-0-0.tsfile"*
	product "$V3/tiny.tsfile" sequence 3-4-1-0 inner
	syncd_start
	statement 'WAIT PIPE p 30'
	value_has /p/events 'rows may have been deleted before it'
	value_has /p/events 'RESTATE of'
	run ! value_has /p/events 'no journal says why'
	grep -q 'DELETION,root.sg.al0' "$ARCHIVE/edge-1/root.sg/sequence/1/0/5-1-0-0.tsfile.mods"
	archive_has root.sg 3-4-1-0
}

@test "unread deletions of a captured source count beside a source that was never captured, too" {
	pair_start
	seal "$V3/al.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_stop syncd
	begin sequence 1-1-1-0.inner.inner-compaction.log sequence 1-1-1-0.inner sequence/1-1-0-0 sequence/2-2-0-0
	rm "$(dir_of sequence)/1-1-0-0.tsfile"*
	syncd_start
	seen 1-1-1-0.inner.inner-compaction.log
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	end sequence 1-1-1-0.inner.inner-compaction.log
	wait_until 20 archive_has root.sg 1-1-1-0
	value_has /p/events 'not all of its sources were captured'
	grep -q 'DELETION,root.sg.al0' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
	[ ! -e "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-1-0.tsfile.mods" ]
}

@test "a captured file that went into an unknown source of a product is restated" {
	pair_start
	seal "$V3/al.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_stop syncd
	rm "$(dir_of sequence)/1-1-0-0.tsfile"*
	# 1-1-1-0 came and went meanwhile; its own compaction is seen
	begin sequence 1-1-2-0.inner.inner-compaction.log sequence 1-1-2-0.inner sequence/1-1-1-0 sequence/3-3-0-0
	syncd_start
	seen 1-1-2-0.inner.inner-compaction.log
	product "$V3/tiny.tsfile" sequence 1-1-2-0 inner
	end sequence 1-1-2-0.inner.inner-compaction.log
	wait_until 20 archive_has root.sg 1-1-2-0
	statement 'WAIT PIPE p 30'
	grep -q 'DELETION,root.sg.al0' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
}

@test "a RESTATE reaches to the next partition's rows when nobody knows how far a lost file did" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0 # root.sg.d1: 1 to 3
	seal "$V3/al.tsfile" root.sg 2-2-0-0
	seal "$V3/tinyal.tsfile" root.sg 3-3-0-0 sequence 1 1 # root.sg.d2: 100 to 102
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_stop syncd
	sqlite3 "$EDGE/state/catalog.db" 'UPDATE known SET time_min = NULL, time_max = NULL, row_sum = NULL'
	rm "$(dir_of sequence)/"{1-1,2-2}-0-0.tsfile*
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	syncd_start
	statement 'WAIT PIPE p 30'
	value_has /p/events 'times 1..99,'
	grep -q 'DELETION,root.sg.d1.\*,9223372036854775807,1,99' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
}

@test "nor beyond rows of the next partition that are not captured yet" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0 # root.sg.d1: 1 to 3
	seal "$V3/al.tsfile" root.sg 2-2-0-0
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_stop syncd
	sqlite3 "$EDGE/state/catalog.db" 'UPDATE known SET time_min = NULL, time_max = NULL, row_sum = NULL'
	rm "$(dir_of sequence)/"{1-1,2-2}-0-0.tsfile*
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	seal "$V3/tinyal.tsfile" root.sg 3-3-0-0 sequence 1 1 # root.sg.d2: 100 to 102
	syncd_start
	statement 'WAIT PIPE p 30'
	value_has /p/events 'times 1..99,'
}

@test "a product that nobody saw made waits, beside an unknown compaction, with the files that may be in it" {
	pair_start
	seal "$V3/al.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_kill syncd
	rm "$(dir_of sequence)/1-1-0-0.tsfile"*
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	# under way when syncd comes, and of files that it never saw
	begin sequence 7-7-1-0.inner.inner-compaction.log sequence 7-7-1-0.inner sequence/7-7-0-0 sequence/8-8-0-0
	seal "$V3/tiny.tsfile" root.sg 9-9-0-0
	syncd_start
	seen 7-7-1-0.inner.inner-compaction.log
	wait_until 20 archive_has root.sg 9-9-0-0
	[ ! -e "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-1-0.tsfile" ]
	product "$V3/tiny.tsfile" sequence 7-7-1-0 inner
	end sequence 7-7-1-0.inner.inner-compaction.log
	wait_until 20 archive_has root.sg 1-1-1-0
	statement 'WAIT PIPE p 30'
	grep -q 'DELETION,root.sg.al0' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
	run ! value_has /p/events 'no journal says why'
}

@test "the product of a compaction that was seen, compacted away in turn while syncd was down: its rows are restated" {
	pair_start
	seal "$V3/al.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	begin sequence 1-1-1-0.inner.inner-compaction.log sequence 1-1-1-0.inner sequence/1-1-0-0
	seen 1-1-1-0.inner.inner-compaction.log
	daemon_kill syncd
	end sequence 1-1-1-0.inner.inner-compaction.log sequence/1-1-0-0
	# 1-1-1-0 was deleted in, and went into this one
	product "$V3/tiny.tsfile" sequence 1-1-2-0 inner
	syncd_start
	wait_until 20 archive_has root.sg 1-1-2-0
	statement 'WAIT PIPE p 30'
	value_has /p/events 'RESTATE of'
	grep -q 'DELETION,root.sg.al0' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
	[ ! -e "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-2-0.tsfile.mods" ]
}
