# shellcheck shell=bash disable=SC2154
# A pair of daemons for every subject of scripts/bench: W is the run's directory, B the build,
# pids what cleanup ends. Where the ends run: at_edge and at_cloud are commands that put
# another there (none: here), cloud_address is how the edge reaches the cloud.

at_edge=() at_cloud=() cloud_address=127.0.0.1

now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.2f", b - a }'; }
pctl() { "$B/fs/pipectl" -t -s "$W/syncd.sock" -s "$W/recvd.sock" "$@"; }
cpu_of() { awk '{ printf "%.2f", ($14 + $15) / 100 }' "/proc/$1/stat"; }
rss_of() { awk '/^VmHWM/ { printf "%.1f", $2 / 1024 }' "/proc/$1/status"; }
mb() { awk -v n="$1" 'BEGIN { printf "%.2f", n / 1e6 }'; }
ratio() { awk -v a="$1" -v b="$2" -v f="${3:-%.2f}" 'BEGIN { printf f, a / b }'; }

syncd_up() {
	"${at_edge[@]}" "$B/syncd/syncd" -c "$W/syncd.conf" 2>>"$W/syncd.log" &
	syncd=$!
	pids=("$recvd" "$syncd")
	until pctl 'SHOW PIPES' >/dev/null 2>&1; do sleep 0.01; done
}
recvd_up() {
	"${at_cloud[@]}" "$B/recvd/recvd" -c "$W/recvd.conf" 2>>"$W/recvd.log" &
	recvd=$!
	pids=("$recvd" "${syncd:-$recvd}")
	until pctl 'SHOW PIPESERVER' >/dev/null 2>&1; do sleep 0.01; done
}

# pair_up DATA_DIR: fresh daemons on it, PIPESERVER on, pipe p created, not started.
pair_up() {
	mkdir -p "$W/edge" "$W/cloud"
	printf '%s\n' "state_dir=$W/edge" "control_socket=$W/syncd.sock" "sender_name=edge-1" \
		"data_dirs=$1" "spool_min_free=0" >"$W/syncd.conf"
	printf '%s\n' "state_dir=$W/cloud" "control_socket=$W/recvd.sock" "bind=$cloud_address" \
		"pipe_server_port=16670" "staging_min_free=0" >"$W/recvd.conf"
	unset syncd
	recvd_up
	syncd_up
	pctl 'START PIPESERVER' >/dev/null
	pctl "CREATE PIPESINK s AS IoTDB (ip='$cloud_address',port=16670)" >/dev/null
	pctl 'CREATE PIPE p TO s' >/dev/null
}
pair_down() {
	kill "${pids[@]}"
	wait "${pids[@]}" 2>/dev/null || true
	pids=()
	rm -rf "$W/edge" "$W/cloud" "$1/.tsferry-spool"
}
progress() { pctl cat /p/progress | awk -v k="$1" '$1 == k { print $2 }'; }
# reaches KEY NUMBER: waits until the pipe's progress is there.
reaches() { until [ "$(progress "$1")" -ge "$2" ]; do sleep 0.01; done; }

# ---- what it costs ----

# meter PID...: from now on, with all they start; metered: sets `spent` to cpu_s= and rss_mb=.
meter() {
	rm -f "$W/meter.ready"
	python3 tests/bench/meter.py "$W/meter.ready" "$@" >"$W/meter" &
	meter=$!
}
metered() {
	until [ -e "$W/meter.ready" ]; do sleep 0.01; done
	kill "$meter" && wait "$meter" || true
	spent=$(cat "$W/meter")
}

# Bytes that have gone through this network's loopback, each once, TCP and acknowledgements with
# them. Only where the network is the bench's own (scripts/bench sees to that).
wire() { awk '$1 == "lo:" { print $10 }' /proc/net/dev; }
wire_since() { [ -z "${BENCH_INSIDE:-}" ] || echo "wire_mb=$(mb $(($(wire) - $1)))"; }
