# shellcheck shell=bash disable=SC2154
# Start-up beside a backlog, after a kill -9: until the first control request is answered, and memory; syncd with so many
# entries that wait to be sent, recvd with so many that wait to be applied. BACKLOG: how many ("1000 10000 100000").
# own network

# so many files sealed, of about 1.4 KiB
backlog_files() {
	mkdir -p "$W/data/sequence" "$W/data/unsequence"
	"$B/tests/bench/tsgen" -d root.backlog -n "$1" -s 1K "$W/data"
}

backlog_end() {
	kill -9 "$@" 2>/dev/null || true
	wait "$@" 2>/dev/null || true
}

# start_of SIDE N: three starts, the quickest of them
backlog_start() {
	local i
	for i in 1 2 3; do
		python3 tests/bench/startup.py "$W/$1.sock" "$([ "$i" = 3 ] && echo 4 || echo 0)" \
			"$B/$1/$1" -c "$W/$1.conf"
	done | awk -v side="$1" -v n="$2" '
		{ split($1, a, "="); if (!ms || a[2] < ms) ms = a[2]; split($2, r, "="); split($3, p, "=") }
		p[2] > peak { peak = p[2] }
		END { printf "backlog side=%s waiting=%d start_ms=%.1f rss_mb=%.1f peak_mb=%.1f\n", side, n, ms, r[2], peak }'
}

backlog_one() {
	backlog_files "$1"
	printf '#!/bin/sh\nexec sleep 100000\n' >"$W/idle" # a loader that applies nothing
	chmod +x "$W/idle"
	pair_up "$W/data"
	kill "$recvd"
	wait "$recvd" 2>/dev/null || true
	echo "loader=$W/idle" >>"$W/recvd.conf"
	pctl 'START PIPE p' >/dev/null
	until [ "$(progress remaining_entries)" = "$1" ]; do sleep 0.1; done
	backlog_end "$syncd"
	backlog_start syncd "$1"
	# the port that recvd gets anew
	"$B/recvd/recvd" -c "$W/recvd.conf" 2>>"$W/recvd.log" &
	recvd=$!
	"$B/syncd/syncd" -c "$W/syncd.conf" 2>>"$W/syncd.log" &
	syncd=$!
	pids=("$recvd" "$syncd")
	until pctl 'SHOW PIPESERVER' >/dev/null 2>&1 && pctl 'SHOW PIPES' >/dev/null 2>&1; do sleep 0.05; done
	pctl "ALTER PIPESINK s (port=$(pctl cat /server/port))" >/dev/null
	until [ "$(progress durable_serial)" = "$1" ]; do sleep 0.1; done
	backlog_end "$recvd" "$syncd"
	backlog_start recvd "$1"
	pids=()
	rm -rf "$W/edge" "$W/cloud" "$W/data"
}

bench_backlog() {
	local n
	for n in ${BACKLOG:-1000 10000 100000}; do
		backlog_one "$n"
	done
}
