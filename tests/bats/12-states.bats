# Statements in every state, over restarts, by several users at once.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

both_started() {
	recvd_start
	syncd_start
	statement 'START PIPESERVER' >/dev/null
	keep_port
	statement "CREATE PIPESINK s AS IoTDB (port=$(server_port))" >/dev/null
}

# state NAME: brings the pipe p there.
state() {
	statement 'DROP PIPE p' >/dev/null || true
	statement 'START PIPESERVER' >/dev/null
	case $1 in
	none) return ;;
	esac
	statement 'CREATE PIPE p TO s' >/dev/null
	case $1 in
	RUNNING | STOPPED) statement 'START PIPE p' >/dev/null ;;&
	STOPPED) statement 'STOP PIPE p' >/dev/null ;;
	DROP) statement 'DROP PIPE p' >/dev/null ;;
	esac
}

status_of() { rows 'SHOW PIPE p' | tail -n 1 | cut -f4; }

OK='Msg: The statement is executed successfully.'
STATES='
# state | statement | answer | status of p behind it ("-": as before)
none    | START PIPE p | Msg: 411: There is no existing pipe. | -
none    | STOP PIPE p | Msg: 411: There is no existing pipe. | -
none    | DROP PIPE p | Msg: 411: There is no existing pipe. | -
none    | RESYNC PIPE p | Msg: 411: There is no existing pipe. | -
none    | WAIT PIPE p | Msg: 411: There is no existing pipe. | -
none    | CREATE PIPE p TO nosuch | Msg: 411: Can not find pipeSink nosuch. | -
none    | CREATE PIPE p TO s WITH retry=3 | Msg: 411: Can not recognition attribute retry | -
none    | CREATE PIPE p TO s | OK | STOP
STOP    | CREATE PIPE p TO s | Msg: 411: Pipe p is STOP, please retry after drop it. | -
STOP    | CREATE PIPE q TO s | Msg: 411: Pipe p is STOP, please retry after drop it. | -
STOP    | CREATE PIPE q TO nosuch WITH retry=3 | Msg: 411: Pipe p is STOP, please retry after drop it. | -
STOP    | START PIPE q | Msg: 411: There is no existing pipe q. | -
STOP    | STOP PIPE q | Msg: 411: There is no existing pipe q. | -
STOP    | DROP PIPE q | Msg: 411: There is no existing pipe q. | -
STOP    | STOP PIPE p | OK | STOP
STOP    | RESYNC PIPE p | OK | STOP
STOP    | WAIT PIPE p | OK | STOP
STOP    | DROP PIPESINK s | Msg: 411: Can not drop pipeSink s, because pipe p is using it. | -
STOP    | STOP PIPESERVER | OK | STOP
STOP    | START PIPESERVER | OK | STOP
STOP    | START PIPE p | OK | RUNNING
STOP    | DROP PIPE p | OK | DROP
RUNNING | START PIPE p | OK | RUNNING
RUNNING | CREATE PIPE q TO s | Msg: 411: Pipe p is RUNNING, please retry after drop it. | -
RUNNING | WAIT PIPE p 30 | OK | RUNNING
RUNNING | RESYNC PIPE p | OK | RUNNING
RUNNING | DROP PIPESINK s | Msg: 411: Can not drop pipeSink s, because pipe p is using it. | -
RUNNING | CREATE PIPESINK s AS IoTDB | Msg: 411: There is a pipeSink named s in IoTDB, please drop it. | -
RUNNING | START PIPESERVER | OK | RUNNING
RUNNING | STOP PIPE p | OK | STOP
RUNNING | DROP PIPE p | OK | DROP
STOPPED | STOP PIPE p | OK | STOP
STOPPED | START PIPE p | OK | RUNNING
STOPPED | DROP PIPE p | OK | DROP
DROP    | START PIPE p | Msg: 411: There is no existing pipe. | DROP
DROP    | STOP PIPE p | Msg: 411: There is no existing pipe. | DROP
DROP    | DROP PIPE p | Msg: 411: There is no existing pipe. | DROP
DROP    | CREATE PIPE p TO s FROM (select ** from root where time>2099-01-01) | Msg: 411: Start time 2099-01-01T00:00:00.000 is later than current time * | DROP
DROP    | ALTER PIPESINK s (ip=localhost) | OK | DROP
DROP    | DROP PIPESINK nosuch | Msg: 411: PipeSink nosuch is not exist. | DROP
DROP    | DROP PIPESINK s | OK | DROP
'

trim() { sed -E 's/^ +//; s/ +$//' <<<"$1"; }

@test "every statement in every state gives its answer and leaves the state that it should" {
	both_started
	n=0
	while IFS='|' read -r from text answer behind; do
		from=$(trim "$from")
		case $from in '' | '#'*) continue ;; esac
		text=$(trim "$text") answer=$(trim "$answer") behind=$(trim "$behind")
		[ "$answer" != OK ] || answer=$OK
		state "$from"
		before=$(status_of)
		said=$(statement "$text") || true
		now=$(status_of)
		[ "$behind" != - ] || behind=$before
		# shellcheck disable=SC2053 # the answer may be a pattern
		if [[ $said != $answer || $now != "$behind" ]]; then
			printf 'in state %s: %s\n  expected: %s, then %s\n  answered: %s, then %s\n' \
				"$from" "$text" "$answer" "$behind" "$said" "$now"
			return 1
		fi
		n=$((n + 1))
	done <<<"$STATES"
	[ "$n" -ge 38 ]
}

@test "every state survives a stop and a kill of both daemons" {
	both_started
	for end in stop kill; do
		for s in STOP RUNNING STOPPED DROP; do
			state "$s"
			before=$(rows 'SHOW PIPES' && rows 'SHOW PIPESINKS' && rows 'SHOW PIPESERVER')
			"daemon_$end" syncd
			"daemon_$end" recvd
			recvd_start
			syncd_start
			[ "$(rows 'SHOW PIPES' && rows 'SHOW PIPESINKS' && rows 'SHOW PIPESERVER')" = "$before" ]
		done
	done
	state none
	for s in on off; do
		if [ $s = on ]; then statement 'START PIPESERVER'; else statement 'STOP PIPESERVER'; fi
		before=$(rows 'SHOW PIPESERVER')
		daemon_kill recvd
		recvd_start
		[ "$(rows 'SHOW PIPESERVER')" = "$before" ]
	done
}

@test "START, STOP, DROP and RESYNC are done at once while the receiver is away" {
	both_started
	state STOP
	daemon_stop recvd
	for s in 'START PIPE p' 'STOP PIPE p' 'START PIPE p' 'RESYNC PIPE p' 'DROP PIPE p'; do
		[ "$(statement "$s")" = "$OK" ]
	done
	[ "$(status_of)" = DROP ]
	daemon_stop syncd
	syncd_start
	[ "$(status_of)" = DROP ]
}

@test "two users who write at once each read their own answers" {
	pair_start -m
	chmod 755 "$BATS_RUN_TMPDIR" "$T"
	cat >"$T/user.py" <<-'END'
		import os, sys
		path, name = sys.argv[1], sys.argv[2]
		if name == "nobody":
		    os.setgroups([])
		    os.setgid(65534)
		    os.setuid(65534)
		for n in range(150):
		    fd = os.open(path, os.O_RDWR)
		    text = f"SHOW PIPESINK {name}{n};START PIPE {name}{n}\n"
		    try:
		        os.write(fd, text.encode())
		        sys.exit("was not refused")
		    except OSError:
		        pass
		    answer = os.read(fd, 65536).decode()
		    want = "602: No perm" if name == "nobody" else f"There is no existing pipe {name}{n}."
		    assert want in answer, answer
		    os.close(fd)
		    last = open(path).read()
		    assert want in last, last
	END
	python3 "$T/user.py" "$PIPES/ctl" nobody 3>&- 4>&- &
	other=$!
	python3 "$T/user.py" "$PIPES/ctl" root
	wait "$other"
}

@test "what a user without the right is told, for every statement that changes something" {
	both_started
	chmod 755 "$BATS_RUN_TMPDIR" "$T"
	as_nobody() { setpriv --reuid=nobody --regid=nogroup --clear-groups "$TSFERRY_BUILD/fs/pipectl" -s "$SYNCD_SOCK" -s "$RECVD_SOCK" "$@" 2>&1; }
	n=0
	while IFS='|' read -r right text; do
		said=$(as_nobody "$text") && return 1
		[[ $said == "Msg: 602: No permissions for this operation $right (root, "* ]] || {
			echo "$text: $said"
			return 1
		}
		n=$((n + 1))
	done <<-'END'
		CREATE_PIPESINK|CREATE PIPESINK x AS IoTDB
		ALTER_PIPESINK|ALTER PIPESINK s (port=1)
		DROP_PIPESINK|DROP PIPESINK s
		CREATE_PIPE|CREATE PIPE p TO s
		START_PIPE|START PIPE p
		STOP_PIPE|STOP PIPE p
		DROP_PIPE|DROP PIPE p
		RESYNC_PIPE|RESYNC PIPE p
		WAIT_PIPE|WAIT PIPE p
		START_PIPE_SERVER|START PIPESERVER
		STOP_PIPE_SERVER|STOP PIPESERVER
		ADMIT_SENDER|ADMIT SENDER x
		FORGET_SENDER|FORGET SENDER x
		RETRY|RETRY ALL
		SKIP|SKIP 1
		LOAD_CONFIGURATION|LOAD CONFIGURATION
	END
	[ "$n" = 16 ]
	while read -r text; do
		as_nobody "$text"
	done < <(rows 'SHOW STATEMENTS' | cut -f1 | grep '^SHOW' | sed 's/ \[.*//')
}

@test "members of the group tsferry may, through the socket and through the mount" {
	chmod 755 "$BATS_RUN_TMPDIR" "$T"
	# A mount name space in which the group exists, whatever this host has.
	{
		grep -v '^tsferry:' /etc/group
		echo 'tsferry:x:4242:'
	} >"$T/group"
	daemon_start space unshare -m bash -c "mount --bind '$T/group' /etc/group; touch '$T/space.up'; exec sleep 1000"
	wait_until 10 test -e "$T/space.up"
	recvd_start
	daemon_start syncd nsenter -t "$(daemon_pid space)" -m -- syncd -c "$T/syncd.conf"
	daemon_ready syncd "$SYNCD_SOCK"
	pipefs_start
	as_group() { setpriv --reuid=nobody --regid=nogroup --groups="$1" "${@:2}"; }
	run -1 as_group 4241 pipectl -s "$SYNCD_SOCK" 'CREATE PIPESINK x AS IoTDB'
	[[ $output == 'Msg: 602: '* ]]
	as_group 4242 pipectl -s "$SYNCD_SOCK" 'CREATE PIPESINK x AS IoTDB'
	run as_group 4241 bash -c "echo 'DROP PIPESINK x' >'$PIPES/ctl'"
	[ "$status" -ne 0 ]
	as_group 4242 bash -c "echo 'DROP PIPESINK x' >'$PIPES/ctl'"
	[ ! -e "$PIPES/sinks/x" ]
}

refuses_with() { # CAUSE
	local said
	said=$(statement 'CREATE PIPE p TO s') && return 1
	[[ $said == "Msg: 411: Can not connect to pipeSink s, please check net and receiver is available, and try again. ("$1")" ]] || {
		echo "$said"
		return 1
	}
}

@test "CREATE PIPE says in words why the receiver cannot be had" {
	both_started
	port=$(server_port)
	statement 'STOP PIPESERVER'
	refuses_with 'PIPESERVER is off'
	statement 'START PIPESERVER'
	cloud_conf ip_white_list 192.0.2.0/24
	statement 'LOAD CONFIGURATION'
	refuses_with '127.0.0.1 is not in ip_white_list*'
	cloud_conf ip_white_list ''
	statement 'LOAD CONFIGURATION'
	refuses_with '127.0.0.1 is not in ip_white_list*'
	cloud_conf ip_white_list 127.0.0.1
	statement 'LOAD CONFIGURATION'
	statement 'ALTER PIPESINK s (port=1)'
	refuses_with '127.0.0.1:1: *onnection refused*'
	# something else listens there
	cat >"$T/web.py" <<-'END'
		import socket, sys
		s = socket.create_server(("127.0.0.1", 0))
		open(sys.argv[1], "w").write(str(s.getsockname()[1]))
		while True:
		    c, _ = s.accept()
		    c.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
		    c.close()
	END
	daemon_start web python3 "$T/web.py" "$T/web.port"
	wait_until 10 test -s "$T/web.port"
	statement "ALTER PIPESINK s (port=$(cat "$T/web.port"))"
	refuses_with '*'
	[[ $(statement 'CREATE PIPE p TO s') == *tsferry* ]]
	# another key than the one that was given
	statement "ALTER PIPESINK s (port=$port, key='$(printf 'ab%.0s' {1..32})')"
	refuses_with '*key*'
	statement "ALTER PIPESINK s (key='$(value /server/key)')"
	statement 'CREATE PIPE p TO s'
	# a key that changed under a living pipe
	statement 'START PIPE p'
	wait_until 20 online p
	daemon_stop recvd
	rm "$CLOUD/state"/key*
	recvd_start
	wait_until 40 value_has /p/message '[ERROR]'
	value_has /p/message key
}

@test "a pipe that an ERROR stopped runs again by itself when it is admitted" {
	both_started
	state RUNNING
	wait_until 20 online p
	cloud_conf ip_white_list 192.0.2.0/24
	statement 'LOAD CONFIGURATION'
	wait_until 40 value_has /p/message '127.0.0.1 is not in ip_white_list'
	value_is /p/status STOP
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	# also over a restart of the edge
	message=$(value /p/message)
	daemon_stop syncd
	syncd_start
	value_is /p/status STOP
	[ "$(value /p/message)" = "$message" ]
	cloud_conf ip_white_list '127.0.0.0/8, ::1/128'
	statement 'LOAD CONFIGURATION'
	wait_until 90 value_is /p/status RUNNING
	value_is /p/message ''
	statement 'WAIT PIPE p 30'
	archive_equals_edge
}

@test "a pipe in ERROR that somebody stops, starts or drops does what he says" {
	both_started
	state RUNNING
	wait_until 20 online p
	cloud_conf ip_white_list 192.0.2.0/24
	statement 'LOAD CONFIGURATION'
	in_error() { value_has /p/message '[ERROR]' && value_is /p/status STOP; }
	wait_until 40 in_error
	[[ $(statement 'CREATE PIPE q TO s') == 'Msg: 411: Pipe p is STOP, please retry after drop it.' ]]
	# START asks at once, and is told again
	statement 'START PIPE p'
	wait_until 20 in_error
	# STOP means stopped: nothing is asked any more
	statement 'STOP PIPE p'
	value_is /p/message ''
	value_is /p/status STOP
	[[ $(value /p/link) != *'next try'* ]]
	statement 'START PIPE p'
	wait_until 20 in_error
	statement 'DROP PIPE p'
	[ "$(status_of)" = DROP ]
	[ "$(rows 'SHOW PIPE p' | tail -n 1 | cut -f5)" = '' ]
}

@test "START PIPESERVER that cannot listen says 328 and why, and START and STOP are idempotent" {
	recvd_start
	for s in START START STOP STOP START; do [ "$(statement "$s PIPESERVER")" = "$OK" ]; done
	port=$(server_port)
	statement 'STOP PIPESERVER'
	cat >"$T/taker.py" <<-'END'
		import socket, sys, time
		s = socket.create_server(("127.0.0.1", 0))
		open(sys.argv[1], "w").write(str(s.getsockname()[1]))
		time.sleep(1000)
	END
	daemon_start taker python3 "$T/taker.py" "$T/taken"
	wait_until 10 test -s "$T/taken"
	cloud_conf pipe_server_port "$(cat "$T/taken")"
	statement 'LOAD CONFIGURATION'
	said=$(statement 'START PIPESERVER') && return 1
	[[ $said == "Msg: 328: Failed to start pipe server because "*"$(cat "$T/taken")"*"in use"* ]] || {
		echo "$said"
		return 1
	}
	value_is /server/status false
	[ -n "$port" ]
}

@test "a pipe that ran within the last minute still holds the PIPESERVER" {
	both_started
	state RUNNING
	wait_until 20 online p
	named() { [[ $(statement 'STOP PIPESERVER') == 'Msg: 328: Failed to stop pipe server because there is pipe still running. (edge-1/p)' ]]; }
	wait_until 10 named
	daemon_kill syncd
	named
	syncd_start
	state none
	stopped() { statement 'STOP PIPESERVER' >/dev/null; }
	wait_until 20 stopped
}

@test "STOP PIPESERVER names two of the pipes that run and counts the rest" {
	pair_start
	for n in 2 3 4; do
		mkdir -p "$T/edge$n/data/sequence"
		sed -e "s|$EDGE/|$T/edge$n/|; s|^sender_name=.*|sender_name=edge-$n|; s|^control_socket=.*|control_socket=$T/edge$n.sock|" \
			"$T/syncd.conf" >"$T/edge$n.conf"
		daemon_start "edge$n" "$TSFERRY_BUILD/syncd/syncd" -c "$T/edge$n.conf"
		daemon_ready "edge$n" "$T/edge$n.sock"
		for s in "CREATE PIPESINK s AS IoTDB (port=$(server_port))" 'CREATE PIPE p TO s' 'START PIPE p'; do
			"$TSFERRY_BUILD/fs/pipectl" -s "$T/edge$n.sock" "$s"
		done
	done
	all_there() { [ "$(rows 'SHOW SENDERS' | cut -f4 | grep -c online)" = 4 ]; }
	wait_until 20 all_there
	named() { [[ $(statement 'STOP PIPESERVER') == 'Msg: 328: Failed to stop pipe server because there is pipe still running. (edge-'?/p,\ edge-?/p\ and\ 2\ more\) ]]; }
	wait_until 10 named
	for n in 2 3 4; do daemon_stop "edge$n"; done
}

@test "the state that a pipe has already is no news, and a new pipe's events are its own" {
	both_started
	state RUNNING
	wait_until 20 online p
	statement 'STOP PIPE p'
	said=$(value /p/events) link=$(value /p/link) before=$(printf '.stat /p/status\n' | socat -t 20 - "UNIX-CONNECT:$SYNCD_SOCK")
	statement 'STOP PIPE p'
	[ "$(value /p/events)" = "$said" ]
	[ "$(value /p/link)" = "$link" ]
	[ "$(printf '.stat /p/status\n' | socat -t 20 - "UNIX-CONNECT:$SYNCD_SOCK")" = "$before" ]
	statement 'DROP PIPE p; CREATE PIPE p TO s'
	[ "$(value /p/events | sed 's/^[^ ]* //')" = 'info created, to pipeSink s' ]
	[ "$(value /log | grep -c 'pipe p: created, to pipeSink s')" = 2 ]
}
