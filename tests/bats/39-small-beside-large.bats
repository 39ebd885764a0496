# Small files of another database do not wait for a large one's bytes: they are durable and applied while those are
# still travelling. What belongs to the large one's database keeps its place behind it.
load lib/tsferry

setup() {
	pair_setup
	edge_conf rate_limit 400K
}
teardown() { pair_teardown; }

metric() { value /metrics | awk -v k="tsferry_recvd_$1" '$1 == k { print $2 }'; }
travels() { [ "$(metric received_bytes_total)" -gt "${1:-300000}" ]; }
small_there() { for n in "$@"; do archive_has root.b "$n-$n-0-0" || return 1; done; }
large_there() { [ -d "$ARCHIVE/edge-1/root.a" ]; }

# A large file of root.a is on its way, 40 s long.
large_begins() {
	pair_start
	keep_port
	generate -d root.a -n 1 -s 16M
	wait_until 20 travels
}

large_ends() {
	edge_conf rate_limit 0
	statement 'LOAD CONFIGURATION' >/dev/null
	statement 'WAIT PIPE p 60'
	archive_equals_edge
	nothing_left
	progress_is p remaining_entries 0
	progress_is p remaining_bytes 0
}

@test "small files of another database are applied beside a large one, and their own database waits behind it" {
	large_begins
	seal "$SAMPLE" root.b 1-1-0-0
	seal "$SAMPLE" root.a 9-9-0-0
	seal "$SAMPLE" root.b 2-2-0-0
	wait_until 20 small_there 1 2
	run ! large_there
	# what passed is not waiting any more, and is not what everything up to it is
	wait_until 10 progress_is p remaining_entries 2
	progress_is p durable_serial 0
	progress_is p applied_serial 0
	large_ends
}

@test "kill -9 of recvd while they pass: what passed is not sent again, and more passes" {
	large_begins
	for n in 1 2 3; do seal "$SAMPLE" root.b "$n-$n-0-0"; done
	wait_until 20 small_there 1 2 3
	wait_until 10 progress_is p remaining_entries 1
	daemon_kill recvd
	recvd_start
	wait_until 20 online p
	wait_until 20 progress_is p remaining_entries 1
	seal "$SAMPLE" root.b 4-4-0-0
	wait_until 20 small_there 4
	run ! large_there
	large_ends
	[ "$(metric durable_entries_total)" = 2 ] # since its start: the large one and the last
	# one block, and what was in flight
	[ "$(progress p resent_bytes)" -le 1048576 ]
}

@test "kill -9 of syncd while they pass: what passed is not sent again" {
	large_begins
	for n in 1 2 3; do seal "$SAMPLE" root.b "$n-$n-0-0"; done
	wait_until 20 small_there 1 2 3
	before=$(metric durable_entries_total)
	daemon_kill syncd
	syncd_start
	wait_until 20 online p
	wait_until 20 progress_is p remaining_entries 1
	seal "$SAMPLE" root.b 4-4-0-0
	wait_until 20 small_there 4
	run ! large_there
	large_ends
	[ $(($(metric durable_entries_total) - before)) = 2 ]
}

@test "staging is full while a large file is half there: it comes through, and then the small ones" {
	cloud_conf staging_max_bytes 17M
	large_begins
	generate -d root.c -n 2 -s 900K
	wait_until 20 value_has /p/link "the receiver's staging is full"
	large_ends
}

@test "RESYNC: what had passed, is retained and gone at the edge is no line of gaps" {
	cloud_conf retain_max_bytes 100M
	large_begins
	for n in 1 2; do seal "$SAMPLE" root.b "$n-$n-0-0"; done
	wait_until 20 small_there 1 2
	wait_until 10 progress_is p remaining_entries 1
	rm "$DATADIR"/sequence/root.b/*/*/2-2-0-0.tsfile*
	rm -r "$ARCHIVE/edge-1"
	edge_conf rate_limit 0
	statement 'LOAD CONFIGURATION'
	statement 'RESYNC PIPE p'
	statement 'WAIT PIPE p 60'
	settled() { [ "$(sqlite3 -cmd '.timeout 5000' "$EDGE/state/catalog.db" 'SELECT count(*) FROM gone WHERE fate IN (1, 2, 3)')" = 0 ]; }
	wait_until 20 settled
	small_there 1 2
	value_is /p/gaps ''
	wait_until 10 value_is /p/message ''
}
