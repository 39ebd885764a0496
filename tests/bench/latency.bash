# shellcheck shell=bash disable=SC2154
# From the rename that seals a file to durable at the receiver, idle: LATENCY_FILES (300).

bench_latency() {
	local dir=$W/data/sequence/root.lat/1/0
	mkdir -p "$dir" "$W/data/unsequence" "$W/template"
	"$B/tests/bench/tsgen" -d root.template -n 1 -s 10K "$W/template"
	local template
	template=$(find "$W/template" -name '*.tsfile')
	pair_up "$W/data"
	pctl 'START PIPE p' >/dev/null
	pctl 'WAIT PIPE p 30' >/dev/null
	echo "latency peer=tsferry $("$B/tests/bench/seal_latency" -c "$W/recvd.sock" /server/senders/edge-1/p/durable \
		"$template" "$dir" "${LATENCY_FILES:-300}")"
	pair_down "$W/data"
	rm -rf "$W/data"
	mkdir -p "$W/data" "$W/target"
	printf '%s\n' 'settings { nodaemon = true }' \
		"sync { default.rsync, source = '$W/data', target = '$W/target', delay = 0 }" >"$W/lsyncd.lua"
	lsyncd "$W/lsyncd.lua" >"$W/lsyncd.log" 2>&1 &
	pids=($!)
	until grep -q 'Startup of' "$W/lsyncd.log" || [ -e "$W/target/started" ]; do
		touch "$W/data/started"
		sleep 0.1
	done
	echo "latency peer=lsyncd delay=0 $("$B/tests/bench/seal_latency" -f "$W/target" "$template" "$W/data" 50)"
	kill "${pids[@]}"
	wait "${pids[@]}" 2>/dev/null || true
	pids=()
}
