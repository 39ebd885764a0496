# shellcheck shell=bash disable=SC2154
# From the rename that seals a file of 10 KiB to durable at the receiver, idle:
# LATENCY_FILES (300), and 50 and 10 for the peers, whose file must be whole at its place.
# own network

. tests/bench/peers.bash

one_file() {
	"$B/tests/bench/tsgen" -d root.template -n 1 -s 10K "$W/template"
	template=$(find "$W/template" -name '*.tsfile')
}

bench_latency() {
	local dir=$W/data/sequence/root.lat/1/0 template
	mkdir -p "$dir" "$W/data/unsequence" "$W/template"
	one_file
	pair_up "$W/data"
	pctl 'START PIPE p' >/dev/null
	pctl 'WAIT PIPE p 30' >/dev/null
	echo "latency peer=tsferry $("$B/tests/bench/seal_latency" -c "$W/recvd.sock" /server/senders/edge-1/p/durable \
		"$template" "$dir" "${LATENCY_FILES:-300}")"
	pair_down "$W/data"
	rm -rf "$W/data"
	mkdir -p "$W/data" "$W/st-from" "$W/st-to"
	rsyncd_up "$W/rs"
	lsyncd_up "$W/data"
	lsyncd_started
	echo "latency peer=lsyncd delay=0 $("$B/tests/bench/seal_latency" -f "$W/rs" "$template" "$W/data" 50)"
	lsyncd_down
	rsyncd_down
	! has_syncthing || {
		syncthing_up "$W/st-from" "$W/st-to"
		echo "latency peer=syncthing delay=1 $("$B/tests/bench/seal_latency" -f "$W/st-to" "$template" "$W/st-from" 10)"
		syncthing_down
	}
	rm -rf "$W/data" "$W/rs" "$W/template" "$W/st-from" "$W/st-to"
}
