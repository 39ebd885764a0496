# Real IoTDB servers for bats: started once a file below $BATS_FILE_TMPDIR, stopped and
# looked for at its end. Two at most.
#
#	load lib
#	setup_file() { servers_setup; server_start edge 1.3.3; server_start cloud 1.3.3; }
#	teardown_file() { servers_teardown; }
#	setup() { pair_setup; live_setup; }
#	teardown() { pair_teardown; }
#
# $TSFERRY_IOTDB is a program: start VERSION DIR PORT, stop DIR, sql PORT STATEMENT...,
# pids DIR. Without one the tests are skipped, and fail where $CI is set.

source "$(dirname "${BASH_SOURCE[0]}")/../bats/lib/tsferry.bash"

SERVER_WRAP=()
ASK=$TSFERRY_BUILD/tests/iotdb/iotdb-ask

# skip_or_fail TEXT: nothing is left out in silence where everything must be seen.
skip_or_fail() {
	[ -z "${CI:-}" ] || {
		echo "$1" >&2
		return 1
	}
	skip "$1"
}

servers_setup() {
	export IOTDB_TOOL=${TSFERRY_IOTDB:-}
	[ -x "$IOTDB_TOOL" ] || skip_or_fail "no IoTDB: set TSFERRY_IOTDB to a program that starts one"
	[ -z "${TSFERRY_SANITIZED:-}" ] || skip "live servers are asked as built only"
	: >"$BATS_FILE_TMPDIR/servers"
}

port_is_free() { ! (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
ports_are_free() { # BASE
	local i
	for i in 0 1 2 3 4 5 6; do
		port_is_free $(($1 + i)) || return 1
	done
}

# server_start NAME VERSION: (within SERVER_WRAP, a command and its first arguments) below $BATS_FILE_TMPDIR/NAME; its port in NAME.port.
server_start() {
	local name=$1 base=${IOTDB_PORT_BASE:-17200} dir=$BATS_FILE_TMPDIR/$1
	while ! ports_are_free "$base"; do base=$((base + 10)); done
	[ ! -e "$dir.port" ] || base=$(cat "$dir.port")
	echo "$base" >"$dir.port"
	echo "$2" >"$dir.version"
	grep -qx "$name" "$BATS_FILE_TMPDIR/servers" || echo "$name" >>"$BATS_FILE_TMPDIR/servers"
	IOTDB_WAIT=300 IOTDB_CN_HEAP=256m IOTDB_DN_HEAP=512m "${SERVER_WRAP[@]}" "$IOTDB_TOOL" start "$2" "$dir" "$base" >>"$dir.log" 2>&1 3>&- 4>&- || {
		cat "$dir.log" >&2
		return 1
	}
}
server_port_of() { cat "$BATS_FILE_TMPDIR/$1.port"; }
server_stop() { "$IOTDB_TOOL" stop "$BATS_FILE_TMPDIR/$1" 3>&- 4>&-; }
server_again() { server_start "$1" "$(cat "$BATS_FILE_TMPDIR/$1.version")"; }
# The process that stores: killed as a power cut would, the other one with it.
server_kill() {
	local pid
	for pid in $("$IOTDB_TOOL" pids "$BATS_FILE_TMPDIR/$1"); do
		kill -KILL "$pid"
		wait_until 10 gone "$pid"
	done
}

servers_teardown() {
	local name pid status=0
	[ -e "$BATS_FILE_TMPDIR/servers" ] || return 0
	while read -r name; do
		"$IOTDB_TOOL" stop "$BATS_FILE_TMPDIR/$name" >>"$BATS_FILE_TMPDIR/$name.log" 2>&1
	done <"$BATS_FILE_TMPDIR/servers"
	for pid in $(pgrep -f -- "-Diotdb.dir=$BATS_FILE_TMPDIR/" || true); do
		echo "a server is left: $pid" >&2
		kill -KILL "$pid"
		status=1
	done
	return $status
}

# ---- asking ----

sql() { # NAME STATEMENT...: rows, tab-separated
	local name=$1
	shift
	"$IOTDB_TOOL" sql "$(server_port_of "$name")" "$@"
}
# What both answer, without what comes of the order of columns.
answer() { sql "$1" "$2" 2>&1 | grep -v '^#' | sort; }
same_answer() { # STATEMENT
	[ "$(answer edge "$1")" = "$(answer cloud "$1")" ]
}
answers_equal() { # STATEMENT: with what differs
	diff <(answer edge "$1") <(answer cloud "$1") >"$T/difference" || {
		echo "$1:" >&2
		head -n 20 "$T/difference" >&2
		return 1
	}
}
cloud_says() { [ "$(answer cloud "$1")" = "$2" ]; }

# ---- tsferry between them ----

# live_setup: the edge's data directories are those of the server, the loader is iotdb.
live_setup() {
	sed -i '/^data_dirs=/d' "$T/syncd.conf"
	edge_conf iotdb_home "$BATS_FILE_TMPDIR/edge"
	cloud_loader
}

# cloud_loader: recvd loads into the server of the cloud.
cloud_loader() {
	cloud_conf loader iotdb
	cloud_conf iotdb_rpc "127.0.0.1:$(server_port_of cloud)"
	cloud_conf load_via "${LOAD_VIA:-auto}"
}

# What a test made, and the outbox's pins, are of no concern to the next one.
live_clean() {
	sql edge "DELETE DATABASE root.**" >/dev/null 2>&1 || true
	sql cloud "DELETE DATABASE root.**" >/dev/null 2>&1 || true
	rm -rf "$BATS_FILE_TMPDIR/edge/data/datanode/data/.tsferry-spool"
}

loader_pid() { value /server/loader | awk '$1 == "pid" { print $2 }'; }
loader_text() { value /server/loader | sed -n 's/^text //p'; }
all_applied() { statement "WAIT PIPE p ${1:-60}"; }

# insert_files NAME DB FIRST COUNT: as many sealed files, each with its own values over the
# same times, so that only the right order gives the right ones.
insert_files() {
	local i
	local -a all=()
	for ((i = $3; i < $3 + $4; i++)); do
		all+=("INSERT INTO $2.d(time, a, b) VALUES (1, $i, $i), (2, $i, $((i * 2))), ($((i + 10)), $i, 0)" FLUSH)
	done
	sql "$1" "${all[@]}" >/dev/null
}
