# shellcheck shell=bash disable=SC2154
# Small files of one database beside a large one of another, on a way of MIXED_RATE bytes a second (rate_limit, 2M): from a
# small file's sealing until it is in the archive, while the large one (MIXED_SIZE, 64M) travels, MIXED_SEALS (20) times;
# and how much of the way the large one had meanwhile. The same seals without a large file, for comparison.

# seal_and_wait N: sets `took` to milliseconds
seal_and_wait() {
	local dir=$W/data/sequence/root.b/1/0 at
	mkdir -p "$dir"
	cp tests/data/tsfile/v3/tiny.tsfile "$dir/$1-$1-0-0.tsfile"
	at=$(date +%s%N)
	printf '\001\001' >"$dir/$1-$1-0-0.tsfile.resource.temp"
	mv "$dir/$1-$1-0-0.tsfile.resource.temp" "$dir/$1-$1-0-0.tsfile.resource"
	until [ -e "$W/cloud/archive/edge-1/root.b/sequence/1/0/$1-$1-0-0.tsfile" ]; do sleep 0.005; done
	took=$((($(date +%s%N) - at) / 1000000))
}

# seals WHAT FIRST: prints a line
seals() {
	local n
	for ((n = $2; n < $2 + ${MIXED_SEALS:-20}; n++)); do
		seal_and_wait "$n"
		echo "$took"
	done | sort -n | awk -v what="$1" '{ ms[NR] = $1 }
		END { printf "mixed beside=%s seals=%d p50_ms=%d max_ms=%d", what, NR, ms[int((NR + 1) / 2)], ms[NR] }'
}

bench_mixed() {
	local start large
	mkdir -p "$W/data/sequence" "$W/data/unsequence"
	pair_up "$W/data"
	echo "rate_limit=${MIXED_RATE:-2M}" >>"$W/syncd.conf"
	pctl 'LOAD CONFIGURATION' >/dev/null
	pctl 'START PIPE p' >/dev/null
	seal_and_wait 1
	seals nothing 100
	echo
	"$B/tests/bench/tsgen" -d root.a -n 1 -s "${MIXED_SIZE:-64M}" "$W/data"
	until [ "$(progress remaining_entries)" = 1 ]; do sleep 0.05; done
	start=$(now)
	seals large 1000
	large=$([ -d "$W/cloud/archive/edge-1/root.a" ] && echo yes || echo no)
	printf ' large_there=%s seconds=%s\n' "$large" "$(since "$start")"
	start=$(now)
	until [ "$(progress remaining_entries)" = 0 ]; do sleep 0.1; done
	printf 'mixed rest_of_large_s=%s cpu_edge_s=%s cpu_cloud_s=%s\n' "$(since "$start")" "$(cpu_of "$syncd")" \
		"$(cpu_of "$recvd")"
	pair_down "$W/data"
}
