# Links that are thin, or dead without saying so.
load lib/tsferry

# A dead way takes half a minute to be noticed: it is there from the beginning, and looked at last.
setup_file() {
	dead_pair
	pair_over_way
	wait_until 20 online p
	kill -STOP "$(daemon_pid way)"
	date +%s >"$T/dead_since"
}
teardown_file() {
	dead_pair
	BATS_TEST_COMPLETED=1 pair_teardown
}
setup() { pair_setup; }
teardown() { pair_teardown; }

dead_pair() { BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR pair_setup; }

# way_start: a way between edge and cloud of its own, tests/faults/proxy.py; $T/up holds how many
# bytes went up. Prints its port.
way_start() {
	daemon_start way env PYTHONPATH="$TSFERRY_SOURCE/tests/faults" PYTHONDONTWRITEBYTECODE=1 python3 -c '
import os, sys, time
from proxy import Proxy
port, to, count = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
way = Proxy("127.0.0.1", port, to)
while True:
    with open(count + ".new", "w") as f:
        f.write(str(way.passed_up))
    os.rename(count + ".new", count)
    time.sleep(0.05)
' "$1" "$(server_port)" "$T/up"
	wait_until 10 test -s "$T/up"
}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

pair_over_way() {
	local port
	recvd_start
	syncd_start
	statement 'START PIPESERVER'
	port=$(free_port)
	way_start "$port"
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$port)"
	statement 'CREATE PIPE p TO s'
	statement 'START PIPE p'
}

@test "rate_limit counts every byte that goes into the wire" {
	edge_conf rate_limit 40K
	pair_over_way
	generate -n 250 -s 600
	since=$(date +%s%N)
	statement 'WAIT PIPE p 60'
	took_ms=$((($(date +%s%N) - since) / 1000000))
	payload=$(find "$DATADIR" -name '*.tsfile' -printf '%s\n' | awk '{ n += $1 } END { print n }')
	counted() { up=$(cat "$T/up") && ((up > payload)); }
	wait_until 10 counted
	echo "$payload bytes of files were $up on the wire in $took_ms ms"
	# a quarter of a second may be saved up, and a second's worth be on its way
	((took_ms >= (up - 40960 * 5 / 4) * 1000 / 40960))
	((took_ms <= up * 1000 / 40960 + 10000))
}

# noticed DAEMON TEXT: how long it was dead when the log told it.
noticed() {
	local at
	at=$(sed -nE "/$2/ { s/.*ts=([^ ]*) .*/\\1/p; q }" "$T/$1.log")
	[ -n "$at" ] && noticed_after=$(($(date -d "$at" +%s) - $(cat "$T/dead_since")))
}

@test "a way that swallows everything is noticed at both ends within half a minute, and left" {
	dead_pair
	for end in "syncd nothing came for 25 s" "recvd nothing for 25 s, closed"; do
		wait_until 60 noticed "${end%% *}" "${end#* }"
		echo "$end: after $noticed_after s"
		((noticed_after <= 35)) # 30 promised; the machine may be busy
	done
	kill -CONT "$(daemon_pid way)"
	seal "$SAMPLE" root.sg 1-1-0-0
	statement 'WAIT PIPE p 60'
	archive_equals_edge
}
