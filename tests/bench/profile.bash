# shellcheck shell=bash disable=SC2154
# Where the processor's time goes until everything is durable: PROFILE_SMALL (20000) files of 10 KiB,
# PROFILE_BULK (600) of 1 MiB. Each thread of both daemons with its seconds in user and kernel
# space; where perf is installed and allowed, what it found most often, callees included.
# own network

# threads LINE DAEMON PID
threads() {
	local task
	for task in /proc/"$3"/task/*; do
		awk -v line="$1" -v of="$2" -v name="$(cat "$task/comm")" '{ sub(/.*\) /, "")
			if ($12 + $13 > 1) printf "%s daemon=%s thread=%s user_s=%.2f kernel_s=%.2f\n",
				line, of, name, $12 / 100, $13 / 100 }' "$task/stat"
	done
}

# hot LINE: of what was recorded.
hot() {
	perf report -i "$W/perf.data" --children -g none --sort sym 2>/dev/null |
		awk -v line="$1" '/^ / && $1 + 0 >= 2 && $NF ~ /(^__x64_sys_|^ext4_create$|^sqlite3_step$|^XXH|^EVP_|^ZSTD_)/ {
			printf "%s function=%s percent=%.1f\n", line, $NF, $1 }'
}

# profile LINE FILES SIZE
profile() {
	local t recorder=
	mkdir -p "$W/data/sequence" "$W/data/unsequence"
	"$B/tests/bench/tsgen" -n "$2" -s "$3" "$W/data"
	sync
	pair_up "$W/data"
	if command -v perf >/dev/null; then
		perf record -q -g -F 499 -p "$syncd,$recvd" -o "$W/perf.data" 2>/dev/null &
		recorder=$!
	fi
	t=$(now)
	pctl 'START PIPE p' >/dev/null
	reaches durable_serial "$2"
	echo "$1 files=$2 durable_s=$(since "$t") syncd_cpu_s=$(cpu_of "$syncd") recvd_cpu_s=$(cpu_of "$recvd")"
	threads "$1" syncd "$syncd"
	threads "$1" recvd "$recvd"
	if [ -n "$recorder" ] && kill -INT "$recorder" 2>/dev/null; then
		wait "$recorder" || true
		hot "$1"
	fi
	pair_down "$W/data"
	rm -rf "$W/data" "$W/perf.data"
}

bench_profile() {
	profile profile-small "${PROFILE_SMALL:-20000}" 10K
	profile profile-bulk "${PROFILE_BULK:-600}" 1M
}
