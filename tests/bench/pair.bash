# shellcheck shell=bash disable=SC2154
# A pair of daemons on this machine, for every subject of scripts/bench: W is the run's
# directory, B the build, pids what cleanup ends.

now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.2f", b - a }'; }
pctl() { "$B/fs/pipectl" -t -s "$W/syncd.sock" -s "$W/recvd.sock" "$@"; }
cpu_of() { awk '{ printf "%.2f", ($14 + $15) / 100 }' "/proc/$1/stat"; }
rss_of() { awk '/^VmHWM/ { printf "%.1f", $2 / 1024 }' "/proc/$1/status"; }

# pair_up DATA_DIR: fresh daemons on it, PIPESERVER on, pipe p created, not started.
pair_up() {
	mkdir -p "$W/edge" "$W/cloud"
	printf '%s\n' "state_dir=$W/edge" "control_socket=$W/syncd.sock" "sender_name=edge-1" \
		"data_dirs=$1" "spool_min_free=0" >"$W/syncd.conf"
	printf '%s\n' "state_dir=$W/cloud" "control_socket=$W/recvd.sock" "bind=127.0.0.1" \
		"pipe_server_port=0" "staging_min_free=0" >"$W/recvd.conf"
	"$B/recvd/recvd" -c "$W/recvd.conf" 2>>"$W/recvd.log" &
	recvd=$!
	"$B/syncd/syncd" -c "$W/syncd.conf" 2>>"$W/syncd.log" &
	syncd=$!
	pids=("$recvd" "$syncd")
	until pctl 'SHOW PIPES' >/dev/null 2>&1 && pctl 'SHOW PIPESERVER' >/dev/null 2>&1; do sleep 0.02; done
	pctl 'START PIPESERVER' >/dev/null
	pctl "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$(pctl cat /server/port))" >/dev/null
	pctl 'CREATE PIPE p TO s' >/dev/null
}
pair_down() {
	kill "${pids[@]}"
	wait "${pids[@]}" 2>/dev/null || true
	pids=()
	rm -rf "$W/edge" "$W/cloud" "$1/.tsferry-spool"
}
progress() { pctl cat /p/progress | awk -v k="$1" '$1 == k { print $2 }'; }

# tsferry LINE DATA_DIR FILES
tsferry() {
	local t durable
	sync
	pair_up "$2"
	t=$(now)
	pctl 'START PIPE p' >/dev/null
	until [ "$(progress durable_serial)" -ge "$3" ]; do sleep 0.01; done
	durable=$(since "$t")
	until [ "$(progress applied_serial)" -ge "$3" ]; do sleep 0.02; done
	echo "$1 peer=tsferry durable_s=$durable applied_s=$(since "$t") syncd_cpu_s=$(cpu_of "$syncd")" \
		"recvd_cpu_s=$(cpu_of "$recvd") syncd_rss_mb=$(rss_of "$syncd") recvd_rss_mb=$(rss_of "$recvd")"
	pair_down "$2"
}
