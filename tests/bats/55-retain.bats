# Applied entries that the receiver keeps, and RESYNC after the cloud lost data.
load lib/tsferry

setup() {
	pair_setup
	cloud_conf retain_max_bytes 100M
}
teardown() { pair_teardown; }

metric() { value /metrics | awk -v k="tsferry_recvd_$1" '$1 == k { print $2 }'; }
metric_is() { [ "$(metric "$1")" = "$2" ]; }
staged_files() { find "$CLOUD/state/staging" -name '*.tsfile' | wc -l; }
staged_are() { [ "$(staged_files)" = "$1" ]; }
at_cloud() { sqlite3 -cmd '.timeout 5000' "$CLOUD/state/catalog.db" "$1"; }
digests() { archive_digests >"$T/$1"; }

@test "what the edge does not have any more comes back from the retained entries, in order, before the rest" {
	pair_start
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	generate -n 3 -s 300K
	statement 'WAIT PIPE p 30'
	# the same identity again, with a deletion: the later one must win after RESYNC too
	edge=$DATADIR/sequence/root.sg/1/0
	digests before
	[ "$(staged_files)" = 3 ]
	# the edge loses three of four files, the cloud everything
	find "$DATADIR/sequence" -name '*.tsfile' | grep -v '/1-1-0-0.tsfile' | while read -r f; do rm "$f" "$f.resource"; done
	rm -rf "$ARCHIVE/edge-1"
	statement 'RESYNC PIPE p'
	statement 'WAIT PIPE p 30'
	wait_until 20 metric_is waiting_entries 0
	digests after
	cmp "$T/before" "$T/after"
	grep -q 'RESYNC of edge-1/p: 4 retained entries are applied again' "$T/recvd.log"
	# and once more: they are retained again
	rm -rf "$ARCHIVE/edge-1"
	statement 'RESYNC PIPE p'
	statement 'WAIT PIPE p 30'
	wait_until 20 metric_is waiting_entries 0
	digests again
	cmp "$T/before" "$T/again"
}

@test "a catalog that refuses a RESYNC is told as it is, and the RESYNC goes on when it takes it" {
	# memory that was given back has other contents at once
	export MALLOC_PERTURB_=191
	pair_start
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	at_cloud "CREATE TRIGGER stuck BEFORE UPDATE OF dropped ON incarnation BEGIN SELECT RAISE(ABORT, 'stuck'); END"
	statement 'RESYNC PIPE p'
	wait_until 20 value_has /p/link "catalog.db: stuck"
	at_cloud 'DROP TRIGGER stuck'
	statement 'WAIT PIPE p 30'
	archive_equals_edge
}

@test "deletions are retained with the files that they are about, and the new incarnation waits for both" {
	cloud_conf transport plain
	recvd_start
	statement 'START PIPESERVER'
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.file(1, "root.sg", "1-1-0-0", TINY)
		p.delete(2, "root.sg", "root.sg.d1", b"DELETION,root.sg.d1.s1,5,0,5\n")
		p.file(3, "root.sg", "2-2-0-0", TINY)
		p.until_applied(3)
	END
	rm -r "$ARCHIVE/edge-1"
	peer <<-'END'
		p = Peer(port, incarnation=b"a newer one".ljust(16)).hello(assigned=9, flags=RESYNC)
		assert p.durable == 0
		p.file(1, "root.sg", "2-2-0-0", TINY, b"DELETION,root.sg.d1.s1,5,7,7\n", 1)
		p.until_applied(1)
		p.close()
		# a new pipe is no RESYNC: nothing is applied again
		p = Peer(port, incarnation=b"a new pipe".ljust(16)).hello(assigned=9)
	END
	one=$ARCHIVE/edge-1/root.sg/sequence/1/0
	grep -qx 'DELETION,root.sg.d1.s1,9223372036854775807,0,5' "$one/1-1-0-0.tsfile.mods"
	[ "$(cat "$one/2-2-0-0.tsfile.mods")" = DELETION,root.sg.d1.s1,5,7,7 ]
	[ "$(grep -c 'applied again' "$T/recvd.log")" = 1 ]
}

@test "retained entries survive kill -9, go oldest first, and all of them when they are not wanted any more" {
	pair_start
	keep_port
	generate -n 4 -s 300K
	statement 'WAIT PIPE p 30'
	staged_are 4
	daemon_kill recvd
	recvd_start
	staged_are 4
	kept=$(metric retained_bytes)
	[ "$kept" -gt 1200000 ]
	cloud_conf retain_max_bytes 700K
	statement 'LOAD CONFIGURATION'
	wait_until 20 staged_are 2
	[ "$(metric retained_bytes)" -le 716800 ]
	metric_is evicted_entries_total 2
	[ "$(find "$CLOUD/state/staging" -name '1-*.tsfile' -o -name '2-*.tsfile' | wc -l)" = 0 ]
	cloud_conf retain_max_bytes 0
	statement 'LOAD CONFIGURATION'
	wait_until 20 metric_is retained_bytes 0
	wait_until 20 no_leftovers
	generate -n 1 -s 300K -p 7
	statement 'WAIT PIPE p 30'
	archive_equals_edge
	nothing_left
}

@test "retained entries never keep others out: they make room below staging_max_bytes" {
	cloud_conf staging_max_bytes 1M
	pair_start
	generate -n 8 -s 300K
	statement 'WAIT PIPE p 60'
	archive_equals_edge
	[ "$(metric retained_bytes)" -le 1048576 ]
	[ "$(metric evicted_entries_total)" -ge 4 ]
}
