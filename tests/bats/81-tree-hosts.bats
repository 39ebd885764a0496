# The whole tree, on hosts with either daemon and with both.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

EDGE_TOP='ctl help identity last_error log metrics sinks sinktypes'
SINK='attributes ip key pipes port type'
PIPE='create_time ctl events gaps limits link message progress quarantine query queue sink status sync_del_op'
SERVER='ctl ip_white_list key loader port quarantine senders status'
SENDER='address first_seen key last_seen version'
MIRROR='applied durable gaps message partial progress quarantine status'

holds() { # DIRECTORY NAMES: exactly these
	local have
	have=$(ls -1 "$PIPES/$1" | LC_ALL=C sort | tr '\n' ' ')
	[ "$have" = "$2 " ] || {
		echo "/$1 holds: $have"
		return 1
	}
	[ "$(value_list "/$1")" = "$2 " ]
}
value_list() { "$TSFERRY_BUILD/fs/pipectl" -s "$SYNCD_SOCK" -s "$RECVD_SOCK" ls "$1" | LC_ALL=C sort | tr '\n' ' '; }
sorted() { tr ' ' '\n' <<<"$*" | LC_ALL=C sort | tr '\n' ' ' | sed 's/ $//'; }

@test "on an edge host stands the edge's part, on a cloud host the cloud's" {
	syncd_start
	pipefs_start
	statement "CREATE PIPESINK s AS IoTDB"
	holds '' "$EDGE_TOP"
	holds sinks s
	holds sinks/s "$SINK"
	run ctl 'SHOW SENDERS'
	[ "$status" -ne 0 ]
	[ "$(cat "$PIPES/ctl")" = 'Msg: 411: recvd is not running on this host' ]
	grep -q 'recvd is not running' "$PIPES/last_error"
	daemon_stop syncd
	holds '' 'ctl help last_error'
	recvd_start
	for f in ctl help last_error log metrics server; do [ -e "$PIPES/$f" ]; done
	for f in sinks sinktypes; do [ ! -e "$PIPES/$f" ]; done
	holds server "$SERVER"
	run ctl 'SHOW PIPES'
	[ "$status" -ne 0 ]
	[ "$(cat "$PIPES/ctl")" = 'Msg: 411: syncd is not running on this host' ]
	[ "$(cat "$PIPES/server/status")" = false ]
	ctl 'SHOW VERSION'
	grep -q recvd "$PIPES/ctl"
}

@test "with both daemons stands everything, and a pipe's directory goes at once with DROP" {
	pair_start -m
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	holds '' "$(sorted "$EDGE_TOP p server")"
	holds p "$PIPE"
	holds server "$SERVER"
	holds server/senders edge-1
	holds server/senders/edge-1 "$(sorted "$SENDER p")"
	holds server/senders/edge-1/p "$MIRROR"
	[ "$(cat "$PIPES/server/senders/edge-1/key")" = "$(sed -n 's/^key //p' "$PIPES/identity")" ]
	[ "$(cat "$PIPES/sinks/s/key")" = "$(cat "$PIPES/server/key")" ]
	[ "$(cat "$PIPES/sinks/s/port")" = "$(cat "$PIPES/server/port")" ]
	[ "$(cat "$PIPES/sinks/s/pipes")" = p ]
	[[ $(cat "$PIPES/p/create_time") =~ ^20[0-9-]{8}T[0-9:]{8}\.[0-9]{3}$ ]]
	[ "$(cat "$PIPES/p/query")" = 'select ** from root' ]
	for k in name id key version state_dir; do grep -q "^$k " "$PIPES/identity"; done
	diff "$PIPES/help" <("$TSFERRY_BUILD/fs/pipectl" cat /help)
	ctl 'DROP PIPE p'
	[ ! -e "$PIPES/p" ]
	holds '' "$(sorted "$EDGE_TOP server")"
	[ "$(cat "$PIPES/sinks/s/pipes")" = '' ]
}

@test "the cloud mirrors what the edge says: state, message, progress, gaps" {
	pair_start -m
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	m=$PIPES/server/senders/edge-1/p
	same() { [ "$(cat "$m/$1")" = "$(cat "$PIPES/p/$1")" ]; }
	for f in status message gaps quarantine; do wait_until 20 same "$f"; done
	[ "$(cat "$m/durable") $(cat "$m/applied")" = '1 1' ]
	diff <(cut -d' ' -f1 "$m/progress") <(cut -d' ' -f1 "$PIPES/p/progress")
	statement 'STOP PIPE p'
	is_stop() { [ "$(cat "$m/status")" = STOP ]; }
	wait_until 20 is_stop
	grep -rH . "$PIPES"/server/senders/*/*/status | grep -q 'edge-1/p/status:STOP'
}

@test "events and log: what is there is read at once, poll wakes, tail -f follows" {
	pair_start -m
	wait_until 20 online p
	timeout 10 cat "$PIPES/p/events" | grep -q RUNNING
	timeout 10 cat "$PIPES/log" | grep -q 'PIPESERVER is on'
	tail -n 1 -f "$PIPES/p/events" >"$T/events.out" 2>/dev/null 3>&- 4>&- &
	one=$!
	tail -n 1 -f "$PIPES/log" >"$T/log.out" 2>/dev/null 3>&- 4>&- &
	two=$!
	wait_until 10 test -s "$T/events.out"
	wait_until 10 test -s "$T/log.out"
	cat >"$T/poll.py" <<-'END'
		import os, select, subprocess, sys
		fd = os.open(sys.argv[1], os.O_RDONLY)
		while os.read(fd, 65536):
		    pass
		p = select.poll()
		p.register(fd, select.POLLIN)
		assert p.poll(300) == [], "nothing new, and yet it wakes"
		open(sys.argv[2], "w").write("STOP PIPE p\n")
		assert p.poll(20000), "it does not wake"
		assert b"STOP" in os.read(fd, 65536)
	END
	python3 "$T/poll.py" "$PIPES/p/events" "$PIPES/ctl"
	wait_until 20 grep -q STOP "$T/events.out"
	wait_until 20 grep -q 'pipe p: STOP' "$T/log.out"
	# A daemon that goes and comes back is followed on.
	daemon_stop recvd
	recvd_start
	wait_until 20 grep -q 'recvd: version .* ready' "$T/log.out"
	ctl 'START PIPE p'
	wait_until 20 grep -q RUNNING "$T/events.out"
	kill "$one" "$two"
	[ "$(grep -c ' STOP$' "$T/events.out")" = 1 ] || {
		cat "$T/events.out" "$PIPES/p/events"
		return 1
	}
}

@test "metrics are well formed, with both daemons, with one, and with odd names" {
	edge_conf max_pipes 2
	pair_start -m
	check() { python3 "$TSFERRY_SOURCE/tests/bats/lib/metrics.py" <"$PIPES/metrics"; }
	check
	if command -v promtool >/dev/null; then promtool check metrics <"$PIPES/metrics"; fi
	grep -q '^tsferry_syncd_up 1$' "$PIPES/metrics"
	grep -q '^tsferry_recvd_up 1$' "$PIPES/metrics"
	statement 'DROP PIPE p'
	statement 'CREATE PIPE `a"b\c{d}` TO s'
	check
	grep -qF '{pipe="a\"b\\c{d}"}' "$PIPES/metrics"
	daemon_stop recvd
	check
	recvd_start
	daemon_stop syncd
	check
}

@test "pipectl cat equals the mount byte by byte, for every file" {
	pair_start -m
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	statement 'STOP PIPE p'
	run ctl 'START PIPE nobody'
	equal() { cmp -s <(value "$1") "$PIPES$1"; }
	n=0
	while read -r f; do
		case $f in */ctl) [ "$(value "$f" | head -n 1)" = 'Write statements to this file, then read it for the answer:' ] && continue ;; esac
		wait_until 10 equal "$f" || {
			diff <(value "$f") "$PIPES$f"
			return 1
		}
		n=$((n + 1))
	done < <(cd "$PIPES" && find . -type f | sed 's|^\.||')
	[ "$n" -ge 40 ]
}

@test "the server's ctl takes its short forms, and names what it does not have" {
	pair_start -m
	statement 'WAIT PIPE p 30'
	tells() { # STATEMENT ANSWER
		run bash -c "echo '$1' >'$PIPES/server/ctl'"
		[[ $(cat "$PIPES/server/ctl") == $2 ]] || {
			echo "$1: $(cat "$PIPES/server/ctl")"
			return 1
		}
	}
	tells 'RETRY 17' 'Msg: 411: There is no quarantined entry 17. (SHOW QUARANTINE lists them)'
	tells 'SKIP 17' 'Msg: 411: There is no quarantined entry 17. (SHOW QUARANTINE lists them)'
	tells 'RETRY ALL' 'Msg: The statement is executed successfully.'
	tells 'ADMIT nobody' 'Msg: 411: There is no sender nobody. (SHOW SENDERS lists them)'
	tells 'FORGET edge-1' 'Msg: 411: Can not forget sender edge-1, because it is connected*'
	tells 'ADMIT edge-1' 'Msg: The statement is executed successfully.'
	tells 'START' 'Msg: The statement is executed successfully.'
	tells 'STOP' 'Msg: 328: *'
	tells 'DANCE' 'Msg: 401: *line 1:0 expected *'
}
