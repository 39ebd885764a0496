# RESYNC sends what the edge still has; what it has not is a line in gaps, unless the receiver retained it.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

V3=$DATA/tsfile/v3
FIRST=sequence/root.sg/1/0
catalog() { sqlite3 -cmd '.timeout 5000' "$EDGE/state/catalog.db" "$1"; }
surveyed() { [ "$(catalog 'SELECT count(*) FROM known WHERE row_sum IS NULL')" = 0 ]; }
gaps_are() { [ "$(value /p/gaps | wc -l)" = "$1" ]; }
forgotten() { [ "$(catalog "SELECT count(*) FROM known WHERE t = $1")" = 0 ]; }
settled() { [ "$(catalog 'SELECT count(*) FROM gone WHERE fate IN (1, 2, 3)')" = 0 ]; }
unseal() { rm "$DATADIR/$FIRST/$1".tsfile*; }

# Files 1 to 4, applied; the edge's IoTDB then removes 2 and 3, which is noticed for 2 only.
four_two_gone() {
	pair_start
	for v in 1 2 3 4; do seal "$V3/tiny.tsfile" root.sg $v-$v-0-0; done
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	unseal 2-2-0-0
	wait_until 20 forgotten 2
	unseal 3-3-0-0
}
resync() {
	statement "RESYNC PIPE p ${1:-}"
	statement 'WAIT PIPE p 30'
	wait_until 20 settled
}

@test "what is gone at the edge and not retained is one line a partition, and a WARN" {
	four_two_gone
	rm -r "$ARCHIVE/edge-1"
	resync
	archive_equals_edge
	gaps_are 1
	value_has /p/gaps "root.sg region 1 times 1..3 devices among root.sg.d1: each of 2 files from $FIRST/2-2-0-0.tsfile on is gone at the edge, and the receiver did not retain it"
	value_has /p/message '1 ranges are missing in the cloud'
	wait_until 20 value_has /server/senders/edge-1/p/gaps '2-2-0-0.tsfile'
	# it stays so, over restarts and another RESYNC
	daemon_kill syncd
	syncd_start
	wait_until 20 value_has /p/message 'ranges are missing'
	resync
	gaps_are 1
}

@test "what the receiver retained is no line" {
	cloud_conf retain_max_bytes 100M
	four_two_gone
	rm -r "$ARCHIVE/edge-1"
	resync
	for v in 1 2 3 4; do archive_has root.sg $v-$v-0-0; done
	gaps_are 0
	value_is /p/message ''
	# nor the next time, when it is retained by the second RESYNC
	resync
	gaps_are 0
	# until it is not any more
	cloud_conf retain_max_bytes 0
	statement 'LOAD CONFIGURATION'
	resync
	gaps_are 1
}

@test "a wiped cloud: everything that is gone at the edge is missing" {
	four_two_gone
	keep_port
	daemon_stop recvd
	rm -rf "$CLOUD/state" "$ARCHIVE"
	mkdir "$CLOUD/state"
	recvd_start
	statement 'START PIPESERVER'
	statement "ALTER PIPESINK s (key='$(value /server/key | head -n 1)')" || true
	resync
	archive_equals_edge
	gaps_are 1
	value_has /p/gaps 'each of 2 files'
}

@test "RESYNC FROM: what lies before it is no line" {
	four_two_gone
	resync 'FROM 4'
	gaps_are 0
}

@test "what was never sent, because RESYNC came first, is a line" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	statement 'STOP PIPE p'
	seal "$V3/tiny.tsfile" root.sg 2-2-0-0
	known() { ! forgotten 2; }
	wait_until 20 known
	unseal 2-2-0-0
	statement 'RESYNC PIPE p'
	statement 'START PIPE p'
	statement 'WAIT PIPE p 30'
	wait_until 20 settled
	gaps_are 1
	value_has /p/gaps '2-2-0-0.tsfile is gone at the edge, and had not been sent before RESYNC'
}

@test "a compaction just before RESYNC is no loss" {
	pair_start
	for v in 1 2; do seal "$V3/tiny.tsfile" root.sg $v-$v-0-0; done
	statement 'WAIT PIPE p 30'
	kill -STOP "$(daemon_pid syncd)" # so that no listing sees it
	seal "$V3/tiny.tsfile" root.sg 1-1-1-0
	unseal 1-1-0-0
	unseal 2-2-0-0
	# in the socket before all else
	python3 - "$SYNCD_SOCK" "$(daemon_pid syncd)" <<-'END'
		import os, signal, socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		s.sendall(b"RESYNC PIPE p\n")
		os.kill(int(sys.argv[2]), signal.SIGCONT)
		answer = s.makefile("rb").readline()
		assert answer.startswith(b"0"), answer
	END
	statement 'WAIT PIPE p 30'
	wait_until 20 settled
	gaps_are 0
}

@test "a receiver that does not know the question: the line says so" {
	edge_conf transport plain
	cloud_conf transport plain
	four_two_gone
	keep_port
	daemon_stop recvd
	deaf_receiver "$(conf_value pipe_server_port)"
	statement 'RESYNC PIPE p'
	wait_until 20 settled
	gaps_are 1
	value_has /p/gaps 'and the receiver does not tell whether it retained it'
}

conf_value() { sed -n "s/^$1=//p" "$T/recvd.conf"; }
# Greets, welcomes, and answers STATUS with PONG: a receiver from before ASK_KEPT.
deaf_receiver() { # PORT
	daemon_start deaf env PYTHONPATH="$TSFERRY_SOURCE/tests/bats/lib" python3 -c "
from peer import *
s = socket.create_server(('127.0.0.1', $1))
while True:
    c, _ = s.accept()
    c.sendall(b'TSFERRY 1 ok\n')
    f = c.makefile('rb')
    f.readline()
    while head := f.read(24):
        n, kind = struct.unpack('<IH', head[:6])
        f.read(n)
        if kind == HELLO:
            c.sendall(frame(WELCOME, struct.pack('<H16sQQQI', 1, b'deaf'.ljust(16), 0, 0, 0, 0)))
        if kind == STATUS:
            c.sendall(frame(PONG, b'\0'))
"
}
