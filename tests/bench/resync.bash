# shellcheck shell=bash disable=SC2154
# RESYNC of data that has not changed: RESYNC_FILES (10000) of RESYNC_SIZE (10K), first sent, then again, where the
# way is as fast as it is here and where rate_limit makes it RESYNC_RATES (20M 5M 1M). What goes by reference is
# what a way's rate makes worth it (syncd/upload_refer.c).
# own network

resync_once() { # RATE
	local t at n=$2
	printf 'rate_limit=%s\n' "$1" >>"$W/syncd.conf"
	pctl 'LOAD CONFIGURATION' >/dev/null
	sed -i '/^rate_limit/d' "$W/syncd.conf"
	at=$(wire)
	t=$(now)
	pctl 'RESYNC PIPE p' >/dev/null
	until [ "$(progress durable_serial)" -ge "$n" ] && [ "$(progress remaining_entries)" = 0 ]; do sleep 0.02; done
	echo "resync rate=$1 files=$n durable_s=$(since "$t") referred_mb=$(mb "$(progress saved_reference_bytes)") $(wire_since "$at")"
	until [ "$(progress applied_serial)" -ge "$n" ]; do sleep 0.05; done
}

bench_resync() {
	local n=${RESYNC_FILES:-10000} t at rate
	mkdir -p "$W/data/sequence" "$W/data/unsequence"
	"$B/tests/bench/tsgen" -n "$n" -s "${RESYNC_SIZE:-10K}" "$W/data"
	pair_up "$W/data"
	at=$(wire)
	t=$(now)
	pctl 'START PIPE p' >/dev/null
	reaches durable_serial "$n"
	echo "resync rate=first files=$n durable_s=$(since "$t") $(wire_since "$at")"
	reaches applied_serial "$n"
	for rate in 0 ${RESYNC_RATES:-20M 5M 1M}; do resync_once "$rate" "$n"; done
	pair_down "$W/data"
	rm -rf "$W/data"
}
