# A pair of tsferry daemons for bats: everything below $BATS_TEST_TMPDIR, ports
# chosen by the kernel, conditions instead of sleeps, and a teardown that fails on
# whatever is left behind.
#
#	load lib/tsferry
#	setup() { pair_setup; }
#	teardown() { pair_teardown; }
#
#	@test "a sealed file arrives" {
#		pair_start			# recvd, syncd, pipefs; a pipe p is RUNNING
#		seal tests/data/x.tsfile root.sg 1-1-0-0
#		statement 'WAIT PIPE p 30'
#		archive_has root.sg 1-1-0-0
#	}
#
# The programs are those of a build directory when TSFERRY_BUILD names one (as meson
# does; by hand: TSFERRY_BUILD=build bats tests/bats), else the installed ones.

TSFERRY_SOURCE=${TSFERRY_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)}
if [ -z "${TSFERRY_BUILD:-}" ] && [ -x "$TSFERRY_SOURCE/build/syncd/syncd" ]; then
	TSFERRY_BUILD=$TSFERRY_SOURCE/build
fi
export TSFERRY_BUILD=${TSFERRY_BUILD:-}
if [ -n "$TSFERRY_BUILD" ]; then
	TSFERRY_BUILD=$(cd "$TSFERRY_BUILD" && pwd)
	PATH=$TSFERRY_BUILD/syncd:$TSFERRY_BUILD/recvd:$TSFERRY_BUILD/fs:$PATH
else
	PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
fi
DATA=$TSFERRY_SOURCE/tests/data
# A TsFile of one row, for who has none at hand.
SAMPLE=$DATA/tsfile/v3/tiny.tsfile
[ -e "$SAMPLE" ] || SAMPLE=$(dirname "${BASH_SOURCE[0]}")/sample.tsfile
# For what hangs: no test takes a tenth of it where nothing else runs.
BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-300}

if declare -F bats_require_minimum_version >/dev/null; then bats_require_minimum_version 1.5.0; fi

# ---- waiting ----

# wait_until SECONDS COMMAND...: polls every 20 ms.
wait_until() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < deadline)) || {
			echo "timed out waiting for: $*" >&2
			return 1
		}
		sleep 0.02
	done
}

gone() { ! kill -0 "$1" 2>/dev/null; }

# ---- configuration ----

# pair_setup: directories and the two configuration files. Extra lines can be
# added with edge_conf and cloud_conf before the start.
pair_setup() {
	T=$BATS_TEST_TMPDIR
	EDGE=$T/edge CLOUD=$T/cloud PIPES=$T/pipes
	DATADIR=$EDGE/data
	SYNCD_SOCK=$T/syncd.sock RECVD_SOCK=$T/recvd.sock
	mkdir -p "$DATADIR/sequence" "$DATADIR/unsequence" "$EDGE/state" "$CLOUD/state" "$PIPES"
	ARCHIVE=$CLOUD/archive
	cat >"$T/syncd.conf" <<-END
		state_dir=$EDGE/state
		control_socket=$SYNCD_SOCK
		sender_name=edge-1
		data_dirs=$DATADIR
		spool_min_free=0
		scan_interval=1s
	END
	cat >"$T/recvd.conf" <<-END
		state_dir=$CLOUD/state
		control_socket=$RECVD_SOCK
		bind=127.0.0.1
		pipe_server_port=0
		archive_dir=$ARCHIVE
		staging_min_free=0
	END
}

# conf_set FILE KEY VALUE: replaces or adds a line.
conf_set() {
	sed -i "/^$2=/d" "$1"
	echo "$2=$3" >>"$1"
}
edge_conf() { conf_set "$T/syncd.conf" "$1" "$2"; }
cloud_conf() { conf_set "$T/recvd.conf" "$1" "$2"; }

# ---- daemons ----

# daemon_start NAME COMMAND...: in the background, without bats' descriptors.
daemon_start() {
	local name=$1
	shift
	"$@" >>"$T/$name.log" 2>&1 </dev/null 3>&- 4>&- &
	echo $! >"$T/$name.pid"
	disown
}

daemon_pid() { cat "$T/$1.pid"; }

answers() { pipectl -s "$1" 'SHOW VERSION' >/dev/null 2>&1; }

# answers_or_dies SOCKET NAME: so that a daemon that refuses to start is seen at once.
answers_or_dies() { answers "$1" || gone "$(daemon_pid "$2")"; }

daemon_ready() { # NAME SOCKET
	wait_until 30 answers_or_dies "$2" "$1"
	answers "$2" || {
		echo "$1 did not start:" >&2
		tail -n 20 "$T/$1.log" >&2
		return 1
	}
}

syncd_start() {
	daemon_start syncd syncd -c "$T/syncd.conf"
	daemon_ready syncd "$SYNCD_SOCK"
}
recvd_start() {
	daemon_start recvd recvd -c "$T/recvd.conf"
	daemon_ready recvd "$RECVD_SOCK"
}
pipefs_start() {
	daemon_start pipefs pipefs -f -s "$SYNCD_SOCK" -r "$RECVD_SOCK" "$PIPES"
	wait_until 20 test -e "$PIPES/ctl"
}

# refuses_to_start DAEMON: it ends by itself with an error; its words are in $output.
refuses_to_start() {
	daemon_start "$1" "$1" -c "$T/$1.conf"
	wait_until 20 gone "$(daemon_pid "$1")"
	rm -f "$T/$1.pid"
	output=$(tail -n 5 "$T/$1.log")
}

# daemon_stop NAME: SIGTERM, and it must end by itself.
daemon_stop() {
	local pid
	pid=$(daemon_pid "$1")
	kill -TERM "$pid" 2>/dev/null
	if ! wait_until 20 gone "$pid"; then
		kill -KILL "$pid"
		echo "$1 did not end on SIGTERM" >&2
		rm -f "$T/$1.pid"
		return 1
	fi
	rm -f "$T/$1.pid"
}

# daemon_kill NAME: SIGKILL.
daemon_kill() {
	local pid
	pid=$(daemon_pid "$1")
	kill -KILL "$pid" 2>/dev/null || gone "$pid"
	wait_until 10 gone "$pid"
	rm -f "$T/$1.pid"
}

# ---- a network of their own ----

# own_network ADDRESS...: a name space in which these addresses and all ports are free;
# inside DAEMON starts one there. Unix sockets, and so the mount, reach it from outside.
own_network() {
	cat >"$T/network.py" <<-'END'
		import fcntl, os, socket, struct, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		up = lambda name: fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", name, 0x41))
		up(b"lo")
		for n, a in enumerate(sys.argv[2:]):
		    name = b"lo:%d" % n
		    fcntl.ioctl(s, 0x8916, struct.pack("16sHH4s8x", name, 2, 0, socket.inet_aton(a)))
		    up(name)
		open(sys.argv[1], "w").write("up")
		os.execvp("sleep", ["sleep", "1000"])
	END
	daemon_start network unshare -rn python3 "$T/network.py" "$T/network.up" "$@"
	wait_until 10 test -s "$T/network.up"
}
inside() { # DAEMON: starts it
	local socket=$SYNCD_SOCK
	[ "$1" = syncd ] || socket=$RECVD_SOCK
	daemon_start "$1" nsenter -t "$(daemon_pid network)" -U -n --preserve-credentials \
		"$1" -c "$T/$1.conf"
	daemon_ready "$1" "$socket"
}

# ---- talking to them ----

# statement TEXT: through pipectl; prints the answer, fails when it is refused.
statement() {
	pipectl -s "$SYNCD_SOCK" -s "$RECVD_SOCK" "$@" 2>&1
}

# rows TEXT: the rows, tab-separated.
rows() { pipectl -t -s "$SYNCD_SOCK" -s "$RECVD_SOCK" "$@"; }

# ctl TEXT: through the mount, as a person would; fails with the errno's words.
ctl() { echo "$1" >"$PIPES/ctl"; }

# refused CODE TEXT STATEMENT: the statement is refused in exactly these words.
refused() {
	local out
	if out=$(statement "$3"); then
		echo "was not refused: $3: $out" >&2
		return 1
	fi
	[ "$out" = "Msg: $1: $2" ] || {
		echo "expected: Msg: $1: $2" >&2
		echo "answered: $out" >&2
		return 1
	}
}

value() { pipectl -s "$SYNCD_SOCK" -s "$RECVD_SOCK" cat "$1"; }
progress() { value "/$1/progress" | awk -v k="$2" '$1 == k { print $2 }'; }
progress_is() { [ "$(progress "$1" "$2")" = "$3" ]; }
value_is() { [ "$(value "$1" 2>/dev/null)" = "$2" ]; }
# online PIPE: its link is up.
online() { value_has "/$1/link" online; }
value_has() { value "$1" 2>/dev/null | grep -qF -- "$2"; }

server_port() { value /server/port; }

# pair_start [-m]: both daemons, PIPESERVER on, sink s, pipe p RUNNING; -m: mounted.
pair_start() {
	recvd_start
	syncd_start
	[ "${1:-}" != -m ] || pipefs_start
	statement 'START PIPESERVER' >/dev/null
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$(server_port))" >/dev/null
	statement 'CREATE PIPE p TO s' >/dev/null
	statement 'START PIPE p' >/dev/null
}

# The port changes when recvd starts again with port 0: keep the one it had.
keep_port() { cloud_conf pipe_server_port "$(server_port)"; }

# peer [ARGUMENT...] <<-'END': a python script that speaks the wire itself (lib/peer.py); plain
# transport. Its arguments: the receiver's port, then those given.
peer() {
	PYTHONPATH=$TSFERRY_SOURCE/tests/bats/lib PYTHONDONTWRITEBYTECODE=1 TSFERRY_SOURCE=$TSFERRY_SOURCE \
		timeout 120 python3 -c "import sys; from peer import *; port = sys.argv[1]
$(cat)" "$(server_port)" "$@"
}

# ---- files ----

# seal FILE DATABASE T-V-I-C [sequence|unsequence [REGION [PARTITION]]]: as IoTDB seals
# it: the data under its final name, then the resource renamed into place.
seal() {
	local dir=$DATADIR/${4:-sequence}/$2/${5:-1}/${6:-0}
	mkdir -p "$dir"
	cp "$1" "$dir/$3.tsfile"
	if [ -e "$1.mods" ]; then cp "$1.mods" "$dir/$3.tsfile.mods"; fi
	printf '\001\001' >"$dir/$3.tsfile.resource.temp"
	mv "$dir/$3.tsfile.resource.temp" "$dir/$3.tsfile.resource"
}

# generate [tsgen options]: valid TsFiles of any size and number.
generate() { "$TSFERRY_BUILD/tests/bench/tsgen" "$@" "$DATADIR"; }

sealed_list() { (cd "$DATADIR" && find sequence unsequence -name '*.tsfile' -printf '%P\n' | sort); }

# Digests of what the edge sealed and of what the archive has, by the same names:
# <space>/<db>/<region>/<partition>/<name> against <sender>/<db>/<space>/<region>/...
edge_digests() {
	(cd "$DATADIR" && find sequence unsequence -name '*.tsfile' -print0 | xargs -0r sha256sum |
		sed -E 's|  (sequence\|unsequence)/([^/]+)/|  \2/\1/|' | sort -k2)
}
archive_digests() {
	[ -d "$ARCHIVE/edge-1" ] || return 0
	(cd "$ARCHIVE/edge-1" && find . -name '*.tsfile' -print0 | xargs -0r sha256sum | sed 's|  \./|  |' | sort -k2)
}

# archive_equals_edge: every file once, nothing else, equal bytes.
archive_equals_edge() {
	diff <(edge_digests) <(archive_digests) >"$T/difference" || {
		head -n 10 "$T/difference" >&2
		return 1
	}
}

# archive_has DATABASE T-V-I-C [sequence|unsequence [REGION [PARTITION]]]
archive_has() { [ -f "$ARCHIVE/edge-1/$1/${3:-sequence}/${4:-1}/${5:-0}/$2.tsfile" ]; }

# nothing_left: no temporary, no orphan, soon after everything is applied.
nothing_left() {
	wait_until 20 no_leftovers && return 0
	echo "left behind:" >&2
	leftovers | head -n 10 >&2
	return 1
}
no_leftovers() { [ -z "$(leftovers)" ]; }
leftovers() {
	find "$CLOUD" "$T/small" -name '.tsferry-*' -not -name .tsferry-spool 2>/dev/null
	find "$CLOUD/state/staging" -type f -not -name instance 2>/dev/null
	find "$DATADIR/.tsferry-spool" -type f -not -name instance 2>/dev/null
	return 0
}

# ---- the end ----

pair_teardown() {
	local status=0 name
	if mountpoint -q "$PIPES" 2>/dev/null && [ ! -e "$T/pipefs.pid" ]; then
		fusermount3 -uz "$PIPES"
	fi
	for name in pipefs syncd recvd; do
		[ -e "$T/$name.pid" ] || continue
		daemon_stop "$name" || status=1
	done
	for name in "$T"/*.pid; do
		[ -e "$name" ] || continue
		kill -KILL "$(cat "$name")" 2>/dev/null && wait_until 5 gone "$(cat "$name")"
	done
	if mountpoint -q "$PIPES" 2>/dev/null; then
		echo "a mount is left at $PIPES" >&2
		fusermount3 -uz "$PIPES"
		status=1
	fi
	if grep -lE 'ERROR: (Address|Leak|Undefined)Sanitizer|runtime error:|Assertion' "$T"/*.log 2>/dev/null; then
		grep -hE -A 12 'ERROR: (Address|Leak|Undefined)Sanitizer|runtime error:|Assertion' "$T"/*.log >&2
		status=1
	fi
	if [ "$status" -ne 0 ] || [ -z "${BATS_TEST_COMPLETED:-}" ]; then
		for name in "$T"/*.log; do
			[ -e "$name" ] || continue
			echo "--- $name" >&2
			tail -n 30 "$name" >&2
		done
	fi
	return $status
}
