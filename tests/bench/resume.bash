# shellcheck shell=bash disable=SC2154
# One file of RESUME_SIZE (1G), kill -9 of one side when half of it is on the wire, that side
# started again. resume_s: from its start until the file's bytes flow again; rest_s: until durable.
# resent_mb: what went through the wire beyond a run that nobody disturbed. rsync with what it
# kept (--partial), as whole files and with its own algorithm.
# own network

. tests/bench/peers.bash

resume_flows() { until [ $(($(wire) - $1)) -ge 2000000 ]; do sleep 0.005; done; } # WIRE

# resume_tsferry SIDE|none
resume_tsferry() {
	local at t side=$1 took rest
	sync
	pair_up "$W/data"
	at=$(wire)
	pctl 'START PIPE p' >/dev/null
	if [ "$side" != none ]; then
		until [ $(($(wire) - at)) -ge $((bytes / 2)) ]; do sleep 0.002; done
		kill -KILL "${!side}"
		wait "${!side}" 2>/dev/null || true
		t=$(now)
		before=$(wire)
		"${side}_up"
		resume_flows "$before"
		took=$(since "$t")
	fi
	reaches durable_serial 1
	rest=$(since "${t:-$(now)}")
	at=$(($(wire) - at))
	if [ "$side" = none ]; then
		undisturbed=$at
		echo "resume peer=tsferry killed=none wire_mb=$(mb "$at")"
	else
		echo "resume peer=tsferry killed=$side resume_s=$took rest_s=$rest wire_mb=$(mb "$at") resent_mb=$(mb $((at - undisturbed)))"
	fi
	pair_down "$W/data"
}

resume_rsync() { # OPTIONS
	local at t client undisturbed=$bytes
	rsyncd_up "$W/rs"
	sync
	at=$(wire)
	rsync "$@" "$W/plain/" "$rsync_to" 2>/dev/null &
	client=$!
	until [ $(($(wire) - at)) -ge $((bytes / 2)) ]; do sleep 0.002; done
	kill -KILL "$client"
	wait "$client" 2>/dev/null || true
	# its daemon puts what it has in place when it notices
	until [ -n "$(find "$W/rs" -name '*.tsfile' ! -name '.*' -size +0)" ]; do sleep 0.05; done
	t=$(now)
	rsync "$@" "$W/plain/" "$rsync_to"
	at=$(($(wire) - at))
	echo "resume peer=rsync options='$*' killed=client rest_s=$(since "$t") wire_mb=$(mb "$at") resent_mb=$(mb $((at - undisturbed)))"
	rsyncd_down
	rm -rf "$W/rs"
}

bench_resume() {
	local bytes undisturbed before
	mkdir -p "$W/data/sequence" "$W/data/unsequence" "$W/plain"
	"$B/tests/bench/tsgen" -n 1 -s "${RESUME_SIZE:-1G}" "$W/data"
	find "$W/data/sequence" -name '*.tsfile' -exec cp -l -t "$W/plain" {} +
	bytes=$(find "$W/plain" -type f -printf '%s')
	if [ -z "${BENCH_INSIDE:-}" ]; then
		echo "scripts/bench: resume counts the bytes on the wire and needs a network of its own: run it as root" >&2
		return 1
	fi
	resume_tsferry none
	resume_tsferry syncd
	resume_tsferry recvd
	resume_rsync -aW --partial
	resume_rsync -a --no-whole-file --partial
	rm -rf "$W/data" "$W/plain"
}
