# shellcheck shell=bash disable=SC2154
# Time and memory per entry as their number grows: GROWTH (1000 10000 100000; 1000000 takes
# a quarter of an hour) files of 600 bytes in directories of 1000.
#
#	captured	all of them, while PIPESERVER is off: nothing leaves
#	waiting		syncd started again with all of them waiting, and asked
#	carried		PIPESERVER on, until the last is durable; until it is applied
#
# us_per_entry, and of it the processes' own time as cpu; rss: peak so far; catalog: bytes
# on disk per entry. flat: us_per_entry beside that of the smallest number.
# own network

growth_files() { # N
	"$B/tests/bench/tsgen" -d root.template -n 1 -s 600 "$W/template"
	python3 - "$(find "$W/template" -name '*.tsfile')" "$W/data" "$1" <<-'END'
		import os, sys
		body, data, files = open(sys.argv[1], "rb").read(), sys.argv[2], int(sys.argv[3])
		for n in range(files):
		    at = f"{data}/sequence/root.d{n // 1000 % 10}/1/{n // 10000}"
		    if n % 1000 == 0: os.makedirs(at, exist_ok=True)
		    name = f"{at}/{1700000000000 + n}-{n}-0-0.tsfile"
		    with open(name, "wb") as f: f.write(body)
		    with open(name + ".resource", "wb") as f: f.write(b"\1\1")
	END
}

us_per() { awk -v s="$1" -v n="$2" 'BEGIN { printf "%.1f", s * 1e6 / n }'; }
bytes_per() { awk -v b="$(du -cb "$1"/catalog.db* | awk 'END { print $1 }')" -v n="$2" 'BEGIN { printf "%.0f", b / n }'; }

# growth_line WHAT N SECONDS CPU REST...
growth_line() {
	local us
	us=$(us_per "$3" "$2")
	[ -n "${first[$1]:-}" ] || first[$1]=$us
	echo "growth what=$1 entries=$2 wall_s=$3 us_per_entry=$us cpu_us_per_entry=$(us_per "$4" "$2") flat=$(ratio "$us" "${first[$1]}")" "${@:5}"
}

growth_of() { # N
	local n=$1 t cpu durable before
	mkdir -p "$W/data/sequence" "$W/data/unsequence" "$W/template"
	growth_files "$n"
	pair_up "$W/data"
	pctl 'STOP PIPESERVER' >/dev/null
	sync
	t=$(now)
	pctl 'START PIPE p' >/dev/null
	until [ "$(progress remaining_entries)" -ge "$n" ]; do sleep 0.02; done
	growth_line captured "$n" "$(since "$t")" "$(cpu_of "$syncd")" "syncd_rss_mb=$(rss_of "$syncd") catalog_bytes=$(bytes_per "$W/edge" "$n")"
	kill "$syncd"
	wait "$syncd" 2>/dev/null || true
	t=$(now)
	syncd_up
	until [ "$(progress remaining_entries)" -ge "$n" ]; do sleep 0.01; done
	growth_line waiting "$n" "$(since "$t")" "$(cpu_of "$syncd")" "syncd_rss_mb=$(rss_of "$syncd")"
	before=$(cpu_of "$syncd")
	sync
	t=$(now)
	pctl 'START PIPESERVER' >/dev/null
	until is_on_its_way; do sleep 0.01; done
	t=$(now)
	reaches durable_serial "$n"
	durable=$(since "$t")
	growth_line durable "$n" "$durable" "$(awk -v a="$(cpu_of "$syncd")" -v b="$before" -v c="$(cpu_of "$recvd")" 'BEGIN { print a - b + c }')" \
		"syncd_rss_mb=$(rss_of "$syncd") recvd_rss_mb=$(rss_of "$recvd")"
	reaches applied_serial "$n"
	growth_line applied "$n" "$(since "$t")" "$(awk -v a="$(cpu_of "$syncd")" -v b="$before" -v c="$(cpu_of "$recvd")" 'BEGIN { print a - b + c }')" \
		"syncd_rss_mb=$(rss_of "$syncd") recvd_rss_mb=$(rss_of "$recvd") recvd_catalog_bytes=$(bytes_per "$W/cloud" "$n")"
	pair_down "$W/data"
	rm -rf "$W/data" "$W/template"
}
is_on_its_way() { [[ $(pctl cat /p/link) == online* ]]; }

bench_growth() {
	local n
	declare -A first
	for n in ${GROWTH:-1000 10000 100000}; do growth_of "$n"; done
}
