# shellcheck shell=bash disable=SC2154
# EDGE_DIRS (10000) directories, EDGE_FILES (300000) files, EDGE_IDLE_S (120).
#
# syncd on a large tree that is all captured: how it starts, and what it costs to sit there.
# own network
bench_edge() {
	local dirs=${EDGE_DIRS:-10000} files=${EDGE_FILES:-300000} t ready cpu
	mkdir -p "$W/template"
	"$B/tests/bench/tsgen" -d root.template -n 1 -s 600 "$W/template"
	python3 - "$(find "$W/template" -name '*.tsfile')" "$W/data" "$dirs" "$files" <<-'END'
		import os, sys
		body, data, dirs, files = open(sys.argv[1], "rb").read(), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
		for d in range(dirs):
		    space = ("sequence", "unsequence")[d % 2]
		    at = f"{data}/{space}/root.d{d // 2 % 100}/1/{d // 200}"
		    os.makedirs(at, exist_ok=True)
		    for n in range(files // dirs):
		        name = f"{at}/{1700000000000 + n * 2 + d % 2}-{n * 2 + d % 2}-0-0.tsfile"
		        with open(name, "wb") as f: f.write(body)
		        with open(name + ".resource", "wb") as f: f.write(b"\1\1")
	END
	mkdir -p "$W/data/sequence" "$W/data/unsequence"
	pair_up "$W/data"
	t=$(now)
	pctl 'START PIPE p' >/dev/null
	until [ "$(progress applied_serial)" -ge "$((files / dirs * dirs))" ]; do sleep 0.2; done
	echo "edge dirs=$dirs files=$files history_applied_s=$(since "$t") syncd_rss_mb=$(rss_of "$syncd")"
	# the survey of what they hold goes on for a while
	until [ "$(sqlite3 -cmd '.timeout 5000' "$W/edge/catalog.db" 'SELECT count(*) FROM known WHERE row_sum IS NULL')" = 0 ]; do sleep 1; done
	echo "edge surveyed_s=$(since "$t") syncd_cpu_s=$(cpu_of "$syncd")"
	kill "$syncd"
	wait "$syncd" 2>/dev/null || true
	t=$(now)
	"$B/syncd/syncd" -c "$W/syncd.conf" 2>>"$W/syncd.log" &
	syncd=$!
	pids=("$syncd" "$recvd")
	until pctl 'SHOW PIPES' >/dev/null 2>&1; do sleep 0.01; done
	ready=$(since "$t")
	pctl 'WAIT PIPE p 600' >/dev/null
	echo "edge restart_ready_s=$ready restart_scanned_s=$(since "$t") cpu_s=$(cpu_of "$syncd")"
	sleep 5
	cpu=$(cpu_of "$syncd")
	sleep "${EDGE_IDLE_S:-120}"
	echo "edge idle_s=${EDGE_IDLE_S:-120} idle_cpu_percent=$(awk -v a="$cpu" -v b="$(cpu_of "$syncd")" -v s="${EDGE_IDLE_S:-120}" \
		'BEGIN { printf "%.2f", (b - a) * 100 / s }') rss_mb=$(awk '/^VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/$syncd/status")" \
		"peak_rss_mb=$(rss_of "$syncd") load=$(cut -d' ' -f1 /proc/loadavg)"
	pair_down "$W/data"
	rm -rf "$W/data" "$W/template"
}
