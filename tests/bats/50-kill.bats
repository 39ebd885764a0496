# kill -9 of each program in the middle of a transfer: afterwards every file once, equal
# bytes, nothing left over, and little sent again.
load lib/tsferry

setup() {
	pair_setup
	if [ -n "${TSFERRY_SANITIZED:-}" ]; then SIZE=48M; else SIZE=200M; fi
}
teardown() { pair_teardown; }

# A backlog of one large, some middle and many small files.
backlog() {
	generate -d root.big -n 1 -s "$SIZE"
	generate -d root.mid -n 20 -s 2M
	generate -d root.small -n 300 -s 9K
}

sending() { [ "$(progress p sent_bytes)" -gt "$1" ]; }

# The moment is random within the transfer.
some_time() { python3 -c 'import random, time; time.sleep(random.uniform(0.01, 0.4))'; }

finished() {
	statement 'WAIT PIPE p 90'
	archive_equals_edge
	nothing_left
	[ "$(progress p remaining_entries)" = 0 ]
}

@test "kill -9 of syncd" {
	pair_start
	backlog
	for _ in 1 2 3 4; do
		some_time
		daemon_kill syncd
		syncd_start
	done
	finished
}

@test "kill -9 of recvd" {
	pair_start
	keep_port
	backlog
	for _ in 1 2 3 4; do
		some_time
		daemon_kill recvd
		recvd_start
	done
	finished
}

@test "kill -9 of both at once" {
	pair_start
	keep_port
	backlog
	for _ in 1 2 3; do
		some_time
		daemon_kill recvd
		daemon_kill syncd
		syncd_start
		recvd_start
	done
	finished
}

@test "kill -9 of pipefs: the transfer goes on, and a new mount replaces the dead one" {
	pair_start -m
	backlog
	for _ in 1 2 3; do
		some_time
		daemon_kill pipefs
		run ls "$PIPES"
		[ "$status" -ne 0 ]
		pipefs_start
		[ "$(cat "$PIPES/p/status")" = RUNNING ]
	done
	finished
}

@test "a large file that was half sent is not sent from the beginning again" {
	edge_conf rate_limit 0
	pair_start
	keep_port
	statement 'WAIT PIPE p 30'
	generate -d root.big -n 1 -s "$SIZE"
	wait_until 30 sending 20000000
	daemon_kill recvd
	recvd_start
	statement 'WAIT PIPE p 90'
	archive_equals_edge
	size=$(stat -c %s "$DATADIR"/sequence/root.big/*/*/*.tsfile)
	again=$(progress p resent_bytes)
	echo "size=$size resent_bytes=$again"
	[ "$again" -lt "$size" ]
	nothing_left
}
