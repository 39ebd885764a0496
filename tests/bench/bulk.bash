# shellcheck shell=bash disable=SC2154
# Many files to durable: bulk, BULK_FILES (2000) of 1 MiB, and small, SMALL_FILES (100000)
# of 10 KiB; tsferry, rsync plain and with --fsync, lsyncd, syncthing (SYNCTHING_FILES: it is
# slow). durable_s: until the receiver has acknowledged the last entry, committed; applied_s:
# until the last file stands in the archive, synced. wall_s: the peer's own end.
# own network

. tests/bench/peers.bash

# tsferry LINE DATA_DIR FILES
tsferry() {
	local t durable at
	sync
	pair_up "$2"
	at=$(wire)
	t=$(now)
	pctl 'START PIPE p' >/dev/null
	reaches durable_serial "$3"
	durable=$(since "$t")
	reaches applied_serial "$3"
	echo "$1 peer=tsferry files=$3 durable_s=$durable applied_s=$(since "$t") syncd_cpu_s=$(cpu_of "$syncd")" \
		"recvd_cpu_s=$(cpu_of "$recvd") syncd_rss_mb=$(rss_of "$syncd") recvd_rss_mb=$(rss_of "$recvd") $(wire_since "$at")"
	pair_down "$2"
}

# rsync_run LINE SOURCE FILES OPTIONS...
rsync_run() {
	local line=$1 source=$2 files=$3 t at client wall
	shift 3
	rsyncd_up "$W/rs"
	sync
	at=$(wire)
	t=$(now)
	rsync "$@" "$source/" "$rsync_to" &
	client=$!
	meter "$rsyncd" "$client"
	wait "$client"
	wall=$(since "$t")
	metered
	echo "$line peer=rsync options='$*' files=$files wall_s=$wall $spent $(wire_since "$at")"
	rsyncd_down
	rm -rf "$W/rs"
}

# lsyncd_run LINE SOURCE FILES: what it does first, with all of them there.
lsyncd_run() {
	local t at wall
	rsyncd_up "$W/rs"
	sync
	at=$(wire)
	t=$(now)
	lsyncd_up "$2"
	meter "$rsyncd" "$lsyncd"
	lsyncd_started
	wall=$(since "$t")
	metered
	echo "$1 peer=lsyncd files=$3 wall_s=$wall $spent $(wire_since "$at")"
	lsyncd_down
	rsyncd_down
	rm -rf "$W/rs"
}

# syncthing_run LINE SOURCE FILES: from the moment both are connected, files put there at once.
syncthing_run() {
	local t at wall
	has_syncthing || return 0
	mkdir -p "$W/st-from" "$W/st-to"
	syncthing_up "$W/st-from" "$W/st-to"
	sync
	at=$(wire)
	meter "$st_a" "$st_b"
	t=$(now)
	find "$2" -name '*.tsfile' | head -n "$3" | xargs cp -l -t "$W/st-from" || true
	until [ "$(find "$W/st-to" -name '*.tsfile' ! -name '.*' | wc -l)" -ge "$3" ]; do sleep 0.05; done
	wall=$(since "$t")
	metered
	echo "$1 peer=syncthing files=$3 wall_s=$wall $spent $(wire_since "$at")"
	syncthing_down
	rm -rf "$W/st-from" "$W/st-to"
}

# transfer LINE FILES SIZE FILES_FOR_SYNCTHING
transfer() {
	mkdir -p "$W/data/sequence" "$W/data/unsequence"
	"$B/tests/bench/tsgen" -n "$2" -s "$3" "$W/data"
	mkdir -p "$W/plain"
	find "$W/data/sequence" -name '*.tsfile' -print0 | xargs -0 cp -l -t "$W/plain"
	echo "$1 files=$2 bytes=$(du -sb "$W/plain" | cut -f1)"
	tsferry "$1" "$W/data" "$2"
	rsync_run "$1" "$W/plain" "$2" -aW
	rsync_run "$1" "$W/plain" "$2" -aW --fsync
	lsyncd_run "$1" "$W/plain" "$2"
	syncthing_run "$1" "$W/plain" "$(($2 < $4 ? $2 : $4))"
	rm -rf "$W/data" "$W/plain"
}

bench_bulk() { transfer bulk "${BULK_FILES:-2000}" 1M "${SYNCTHING_FILES:-300}"; }
bench_small() { transfer small "${SMALL_FILES:-100000}" 10K "${SYNCTHING_FILES:-1000}"; }
