# The spool never takes the room that IoTDB needs: durable pins are given up first, then
# files are sent from where they stand, and what is removed there before is a gap.
load lib/tsferry

setup() { pair_setup; }
teardown() {
	rm -f "$T/gate"
	pair_teardown
}

V3=$DATA/tsfile/v3
pinned() { find "$DATADIR/.tsferry-spool" -name '*.tsfile' | wc -l; }
pinned_is() { [ "$(pinned)" = "$1" ]; }
catalog() { sqlite3 -cmd '.timeout 5000' "$EDGE/state/catalog.db" "$1"; }
loose_is() { [ "$(catalog 'SELECT count(*) FROM entry WHERE is_loose')" = "$1" ]; }
queued() { [ "$(value /p/queue | wc -l)" = "$1" ]; }
# Nothing fits: files are captured without a pin from now on.
full() {
	edge_conf spool_min_free 100%
	statement 'LOAD CONFIGURATION' >/dev/null || true
	wait_until 20 value_has /p/message 'spool_min_free'
}
roomy() {
	edge_conf spool_min_free 0
	statement 'LOAD CONFIGURATION' >/dev/null || true
	no_note() { ! value_has /p/message 'spool_m'; }
	wait_until 20 no_note
}
offline_pair() {
	pair_start
	statement 'WAIT PIPE p 30'
	keep_port
	daemon_stop recvd
}
back() {
	recvd_start
	statement 'WAIT PIPE p 60'
}

@test "beyond spool_min_free a file is sent from IoTDB's own directory, with its deletions" {
	offline_pair
	full
	cp "$V3/tiny.tsfile" "$T/a.tsfile"
	echo 'DELETION,root.sg.d1.s1,9223372036854775807,1,1' >"$T/a.tsfile.mods"
	seal "$T/a.tsfile" root.sg 1-1-0-0
	seal "$V3/tinyal.tsfile" root.sg 2-2-0-0
	wait_until 20 loose_is 2
	pinned_is 0
	value_has /p/message "files are sent from IoTDB's own directory"
	daemon_kill syncd
	syncd_start
	back
	archive_equals_edge
	cmp "$T/a.tsfile.mods" "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
	[ -z "$(value /p/gaps)" ]
	nothing_left
	roomy
	value_is /p/message ''
}

@test "what IoTDB removes before it could be sent is a gap and a WARN, and the rest arrives" {
	offline_pair
	seal "$V3/old.tsfile" root.sg 1-1-0-0
	wait_until 20 pinned_is 1
	full
	for v in 2 3 4 5; do seal "$V3/tiny.tsfile" root.sg $v-$v-0-0; done
	wait_until 20 loose_is 4
	rm "$DATADIR"/sequence/root.sg/1/0/{3-3,4-4}-0-0.tsfile*
	back
	archive_has root.sg 2-2-0-0
	archive_has root.sg 5-5-0-0
	run ! archive_has root.sg 3-3-0-0
	progress_is p applied_serial 5
	[ "$(value /p/gaps | wc -l)" = 2 ]
	value_has /p/gaps 'root.sg region 1 times 1..3 devices root.sg.d1: IoTDB removed sequence/root.sg/1/0/3-3-0-0.tsfile before it could be sent'
	value_has /p/message '2 ranges are missing in the cloud'
	value_is /p/status RUNNING
	value_is /p/quarantine ''
	# the receiver's mirror and a restart say the same
	wait_until 20 value_has /server/senders/edge-1/p/gaps '4-4-0-0.tsfile'
	daemon_kill syncd
	syncd_start
	wait_until 20 value_has /p/message '2 ranges are missing in the cloud'
	nothing_left
	# the same name again is a new file
	seal "$V3/tiny.tsfile" root.sg 3-3-0-0
	wait_until 20 archive_has root.sg 3-3-0-0
}

@test "the very first entry of a database may be such a gap" {
	offline_pair
	full
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	wait_until 20 loose_is 1
	rm -r "$DATADIR/sequence/root.sg"
	back
	progress_is p applied_serial 1
	[ "$(value /p/gaps | wc -l)" = 1 ]
	value_is /p/quarantine ''
}

@test "durable pins are given up first, the oldest before the younger ones" {
	cat >"$T/slow" <<-'END'
		#!/bin/bash
		# a loader that applies nothing while there is a gate
		while [ -e "${0%/*}/gate" ]; do sleep 0.05; done
		exec "$TSFERRY_BUILD/recvd/recvd-load" "$@"
	END
	chmod +x "$T/slow"
	touch "$T/gate"
	cloud_conf loader "$T/slow"
	pair_start
	for v in 1 2 3; do
		seal "$V3/al.tsfile" root.sg $v-$v-0-0
		wait_until 20 progress_is p durable_serial $v
	done
	pinned_is 3
	rm "$DATADIR"/sequence/root.sg/1/0/*
	statement 'STOP PIPE p' # durable is saved
	seal "$V3/al.tsfile" root.sg 4-4-0-0
	wait_until 20 queued 4
	# room for one and a half of them
	edge_conf spool_max_bytes $(($(stat -c %s "$V3/al.tsfile") * 3 / 2))
	statement 'LOAD CONFIGURATION' >/dev/null || true
	wait_until 30 pinned_is 2
	[ "$(catalog 'SELECT group_concat(serial) FROM entry WHERE is_loose')" = 1,2 ]
	value_has /p/events 'given up for room' || value_has /log 'given up for room'
	rm "$T/gate"
	statement 'START PIPE p'
	statement 'WAIT PIPE p 60'
	progress_is p applied_serial 4
	[ -z "$(value /p/gaps)" ]
	nothing_left
}

@test "a pin whose entry was given up before a crash is swept at the next start" {
	offline_pair
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	wait_until 20 queued 1 # pinned alone it is not in the catalog yet
	pinned_is 1
	daemon_kill syncd
	catalog 'UPDATE entry SET is_loose = 1'
	syncd_start
	wait_until 20 pinned_is 0
	back
	archive_equals_edge
}

@test "a product of what was captured without a pin is sent, not derived" {
	offline_pair
	full
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	wait_until 20 loose_is 1
	dir=$DATADIR/sequence/root.sg/1/0
	printf 'source sequence root.sg 1 0 1-1-0-0.tsfile\ntarget sequence root.sg 1 0 1-1-1-0.inner\n' >"$dir/1-1-1-0.inner.inner-compaction.log"
	in_catalog() { [ "$(catalog 'SELECT count(*) FROM compaction')" = 1 ]; }
	wait_until 20 in_catalog
	seal "$V3/tiny.tsfile" root.sg 1-1-1-0
	rm "$dir"/1-1-0-0.tsfile* "$dir/1-1-1-0.inner.inner-compaction.log"
	wait_until 20 loose_is 2
	back
	archive_has root.sg 1-1-1-0
	[ "$(value /p/gaps | wc -l)" = 1 ]
}

@test "a catalog that does not let go of a dropped pipe's entries is asked again: the room comes back without a restart" {
	offline_pair
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	wait_until 20 queued 1
	catalog "CREATE TRIGGER stuck BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'stuck'); END"
	statement 'DROP PIPE p'
	told() { value /log | grep -q 'keep their room: .*stuck'; }
	wait_until 20 told
	pinned_is 1
	catalog 'DROP TRIGGER stuck'
	wait_until 20 pinned_is 0
	nothing_waits() { [ "$(catalog 'SELECT count(*) FROM entry')" = 0 ]; }
	wait_until 20 nothing_waits
}
