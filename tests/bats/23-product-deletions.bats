# What is deleted of a compaction's sources, and of its product, around the moment at which it is judged.
load lib/tsferry
load lib/compaction
load lib/fake_iotdb

setup() { pair_setup; }
teardown() { pair_teardown; }

@test "a deletion first seen beside a product takes no rows that were written behind it" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/old.tsfile" root.sg 2-2-0-0
	seal "$V3/tiny.tsfile" root.sg 5-5-0-0 unsequence # the same rows, inserted again after the deletion
	statement 'WAIT PIPE p 30'
	begin sequence 1-1-1-0.inner.inner-compaction.log sequence 1-1-1-0.inner sequence/1-1-0-0 sequence/2-2-0-0
	seen 1-1-1-0.inner.inner-compaction.log
	printf 'DELETION,root.sg.d1.**,9223372036854775807,2,9\n' >"$(dir_of sequence)/1-1-1-0.tsfile.mods"
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	end sequence 1-1-1-0.inner.inner-compaction.log sequence/1-1-0-0 sequence/2-2-0-0
	wait_until 20 derived 1 1
	wait_until 20 progress_is p applied_serial 5 # the DELETE, and 5-5-0-0 behind it
	grep -q 'root.sg.d1' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
	[ ! -e "$ARCHIVE/edge-1/root.sg/unsequence/1/0/5-5-0-0.tsfile.mods" ]
}

@test "deleted behind an insertion that nobody saw: what the cloud has of the file under its former name goes, too" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 9-2-0-0 unsequence
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_kill syncd
	mkdir -p "$(dir_of sequence)"
	for suffix in '' .resource; do
		ln "$(dir_of unsequence)/9-2-0-0.tsfile$suffix" "$(dir_of sequence)/4-2-0-0.tsfile$suffix"
	done
	rm "$(dir_of unsequence)/9-2-0-0.tsfile"*
	printf 'DELETION,root.sg.d1.**,9223372036854775807,2,9\n' >"$(dir_of sequence)/4-2-0-0.tsfile.mods"
	syncd_start
	statement 'WAIT PIPE p 30'
	value_has /p/events 'no row is missing'
	sent_is 3
	[ "$(cat "$ARCHIVE/edge-1/root.sg/unsequence/1/0/9-2-0-0.tsfile.mods")" = 'DELETION,root.sg.d1.**,9223372036854775807,2,3' ]
	archive_has root.sg 4-2-0-0
}

@test "a product that is sent says what was deleted of its captured source since, and only what the cloud lacks" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	printf 'DELETION,root.sg.d1.**,9223372036854775807,1,1\n' >"$(dir_of sequence)/1-1-0-0.tsfile.mods"
	wait_until 20 progress_is p applied_serial 2
	seal "$V3/tiny.tsfile" root.sg 5-5-0-0 unsequence # the same rows, inserted again behind all that was deleted
	statement 'WAIT PIPE p 30'
	begin sequence 1-1-1-0.inner.inner-compaction.log sequence 1-1-1-0.inner sequence/1-1-0-0 sequence/2-2-0-0
	seen 1-1-1-0.inner.inner-compaction.log
	printf 'DELETION,root.sg.d1.**,9223372036854775807,%s,%s\n' 1 1 3 9 >"$(dir_of sequence)/1-1-1-0.tsfile.mods"
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	end sequence 1-1-1-0.inner.inner-compaction.log sequence/1-1-0-0
	wait_until 20 archive_has root.sg 1-1-1-0
	statement 'WAIT PIPE p 30'
	value_has /p/events 'not all of its sources were captured'
	wait_until 20 progress_is p applied_serial 6 # the DELETE, the product, and 5-5-0-0 behind both
	grep -qF 'DELETION,root.sg.d1.**,9223372036854775807,3,3' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
	[ ! -e "$ARCHIVE/edge-1/root.sg/unsequence/1/0/5-5-0-0.tsfile.mods" ]
}

@test "deletions that a source got before its journal count as read only when they were" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/old.tsfile" root.sg 2-2-0-0
	statement 'WAIT PIPE p 30'
	daemon_stop syncd
	printf 'DELETION,root.sg.d1.s1,9223372036854775807,1,1\n' >"$(dir_of sequence)/1-1-0-0.tsfile.mods"
	begin sequence 1-1-1-0.inner.inner-compaction.log sequence 1-1-1-0.inner sequence/1-1-0-0 sequence/2-2-0-0
	syncd_start
	seen 1-1-1-0.inner.inner-compaction.log
	# the record may have become a DELETE by now; make it one that was not read
	wait_until 20 known_is 'mods FROM (SELECT instr(body, " 47") > 0 AS mods FROM compaction)' 1
	daemon_kill syncd
	sqlite3 "$EDGE/state/catalog.db" 'UPDATE known SET mods_seen = 0'
	product "$V3/compacted.tsfile" sequence 1-1-1-0 inner
	end sequence 1-1-1-0.inner.inner-compaction.log sequence/1-1-0-0 sequence/2-2-0-0
	syncd_start
	wait_until 20 archive_has root.sg 1-1-1-0
	value_has /p/events 'may not have been read to the end'
	# the rows do not add up: a RESTATE goes before the product
	value_has /p/events 'RESTATE of'
	statement 'WAIT PIPE p 30'
	sent_is 5
	known_is 'serial FROM known' 5
	grep -q 'DELETION,root' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
	[ ! -e "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-1-0.tsfile.mods" ]
}

deleted() { grep -sq "DELETION,root.sg.d1[^ ]*,2,[23]$" "$ARCHIVE/edge-1/root.sg/$1.tsfile.mods"; } # SPACE/1/0/NAME
delete_of() { printf 'DELETION,root.sg.d1.**,9223372036854775807,2,9\n' >"$(dir_of "$1")/$2.tsfile.mods"; }

# Its plan, which lets go of the source, is durable; its file is about to be linked.
product_about_to_be_captured() { # [CONDITION of its source]
	syncd_start() { syncd_stops 4; }
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	[ $# = 0 ] || wait_until 20 "$@"
	begin sequence 1-1-1-0.inner.inner-compaction.log sequence 1-1-1-0.inner sequence/1-1-0-0 sequence/2-2-0-0
	seen 1-1-1-0.inner.inner-compaction.log
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	end sequence 1-1-1-0.inner.inner-compaction.log sequence/1-1-0-0
	wait_until 20 has_stopped
	settled
}

@test "deleted of a product after it was judged and before it was captured: its captured source loses the rows, too" {
	product_about_to_be_captured
	delete_of sequence 1-1-1-0
	syncd_goes_on
	wait_until 20 deleted sequence/1/0/1-1-0-0
	statement 'WAIT PIPE p 30'
	archive_has root.sg 1-1-1-0
	[ "$(grep -c DELETION "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods")" = 1 ]
}

@test "the same, with syncd killed in between" {
	product_about_to_be_captured
	kill -KILL "$(daemon_pid syncd)"
	daemon_kill syncd
	delete_of sequence 1-1-1-0
	daemon_start syncd syncd -c "$T/syncd.conf"
	daemon_ready syncd "$SYNCD_SOCK"
	wait_until 20 deleted sequence/1/0/1-1-0-0
	wait_until 20 archive_has root.sg 1-1-1-0
	statement 'WAIT PIPE p 30'
	sent_is 3
}

@test "the same, and the product is gone when it comes back: its source's rows are asked about" {
	fake_start
	fake_says '{"match": "SELECT count.*", "columns": ["count(x)"], "types": ["INT64"], "rows": [[0]]}' \
		'{"match": "SHOW ALL TTL", "columns": ["Device", "TTL(ms)"], "rows": [["root.**", "INF"]]}'
	edge_conf inferred_deletes send
	product_about_to_be_captured surveyed # so that its devices are known
	kill -KILL "$(daemon_pid syncd)"
	daemon_kill syncd
	rm "$(dir_of sequence)/1-1-1-0.tsfile"*
	daemon_start syncd syncd -c "$T/syncd.conf"
	daemon_ready syncd "$SYNCD_SOCK"
	wait_until 20 value_has /p/events 'their rows are deleted in the cloud, too'
	statement 'WAIT PIPE p 30'
	grep -q 'DELETION,root.sg.d1.*,1,3$' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
}

@test "deleted of a product that was never sent, while it is captured to follow a file below it" {
	syncd_start() { syncd_stops 10; }
	pair_start
	seal "$V3/tiny.tsfile" root.sg 2-2-0-0 unsequence
	seal "$V3/tiny.tsfile" root.sg 5-5-0-0 unsequence
	statement 'WAIT PIPE p 30'
	compact "$V3/tiny.tsfile" unsequence 2-2-1-0 inner unsequence/2-2-0-0 unsequence/5-5-0-0
	wait_until 20 derived 2 1
	seal "$V3/tiny.tsfile" root.sg 3-3-0-0
	wait_until 20 has_stopped
	delete_of unsequence 2-2-1-0
	syncd_goes_on
	wait_until 20 deleted unsequence/1/0/2-2-0-0
	wait_until 20 deleted unsequence/1/0/5-5-0-0
	statement 'WAIT PIPE p 30'
	archive_has root.sg 2-2-1-0 unsequence
}

@test "beside a product of which the cloud has no row, for its source lies before the start time, nothing is left to be said" {
	recvd_start
	syncd_start
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$(server_port))"
	statement 'CREATE PIPE p TO s FROM (SELECT ** FROM root WHERE time >= 50)'
	statement 'START PIPE p'
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0 # 1 to 3
	wait_until 20 known_is 'count(*) FROM known WHERE serial = 0' 1
	begin sequence 1-1-1-0.inner.inner-compaction.log sequence 1-1-1-0.inner sequence/1-1-0-0 sequence/2-2-0-0
	seen 1-1-1-0.inner.inner-compaction.log
	daemon_kill syncd
	printf 'DELETION,root.sg.d2.**,9223372036854775807,100,101\n' >"$(dir_of sequence)/1-1-1-0.tsfile.mods"
	product "$V3/tinyal.tsfile" sequence 1-1-1-0 inner # 100 to 102
	seal "$V3/tinyal.tsfile" root.sg 5-5-0-0 unsequence # inserted again behind the deletion
	end sequence 1-1-1-0.inner.inner-compaction.log sequence/1-1-0-0
	syncd_start
	statement 'WAIT PIPE p 30'
	: >>"$(dir_of sequence)/1-1-1-0.tsfile.mods" # it is looked at again
	wait_until 20 known_is "mods_stamp <> 0 FROM known WHERE i = 1" 1
	statement 'WAIT PIPE p 30'
	sent_is 2
	[ ! -e "$ARCHIVE/edge-1/root.sg/unsequence/1/0/5-5-0-0.tsfile.mods" ]
}
