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
# half received: so many bytes of it are staged
staged_has() { [ "$(find "$CLOUD/state/staging" -name '*.tsfile' -size +"$1"c | wc -l)" = 1 ]; }
half_received() { [ "$(find "$CLOUD/state/staging" -name '*.blocks' | wc -l)" = 1 ]; }

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

# recvd is killed when 24 MB of a larger file are there, seconds before its end; the rest comes as fast as it can.
half_of() { # SIZE
	edge_conf rate_limit 10000000
	pair_start
	keep_port
	statement 'WAIT PIPE p 30'
	generate -d root.big -n 1 -s "$1"
	wait_until 60 staged_has 24000000
	daemon_kill recvd
	half_received
	edge_conf rate_limit 0
	statement 'LOAD CONFIGURATION' >/dev/null || true # one of the two is away
}

@test "a large file that was half sent is not sent from the beginning again" {
	half_of "$SIZE"
	recvd_start
	statement 'WAIT PIPE p 90'
	archive_equals_edge
	size=$(stat -c %s "$DATADIR"/sequence/root.big/*/*/*.tsfile)
	again=$(progress p resent_bytes)
	echo "size=$size resent_bytes=$again"
	[ "$again" -lt 12000000 ]
	nothing_left
}

@test "a block that a crash took from a half-received file is found out while the rest travels, and comes again" {
	half_of 60M
	staged=$(find "$CLOUD/state/staging" -name '*.tsfile')
	printf damaged | dd of="$staged" bs=1 seek=300000 conv=notrunc status=none
	recvd_start
	statement 'WAIT PIPE p 90'
	archive_equals_edge
	grep -q 'is not what it was when it came' "$T/recvd.log"
	again=$(progress p resent_bytes)
	size=$(stat -c %s "$DATADIR"/sequence/root.big/*/*/*.tsfile)
	echo "size=$size resent_bytes=$again"
	[ "$again" -lt 12000000 ]
	nothing_left
}
