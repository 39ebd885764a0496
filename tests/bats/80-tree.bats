# The tree: what is there, what tools see, what is refused.
load lib/tsferry

setup() {
	pair_setup
	pair_start -m
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30' >/dev/null
}
teardown() { pair_teardown; }

@test "every file of the tree is there" {
	for f in ctl help last_error identity sinktypes metrics sinks/s/type sinks/s/attributes sinks/s/ip \
		sinks/s/port sinks/s/key sinks/s/pipes p/ctl p/status p/message p/create_time p/query p/sync_del_op \
		p/link p/progress p/queue p/gaps p/limits p/quarantine server/ctl server/status server/port server/key \
		server/ip_white_list server/loader server/quarantine server/senders/edge-1/key \
		server/senders/edge-1/p/status server/senders/edge-1/p/progress server/senders/edge-1/p/message; do
		[ -f "$PIPES/$f" ] || {
			echo "missing: $f"
			false
		}
	done
	[ "$(readlink "$PIPES/p/sink")" = ../sinks/s ]
	[ "$(cat "$PIPES/p/sink/type")" = IoTDB ]
	[ "$(cat "$PIPES/sinktypes")" = IoTDB ]
	[ "$(cat "$PIPES/p/status")" = RUNNING ]
	[[ $(cat "$PIPES/p/link") == "online 127.0.0.1"* ]]
}

@test "progress has its keys, and what was sent is counted" {
	for k in remaining_entries remaining_bytes sent_entries sent_bytes durable_serial applied_serial \
		quarantined_entries oldest_unsent_seconds oldest_unsealed_seconds newest_sealed_seconds \
		rate_bytes_per_second eta_seconds retries resent_bytes saved_bytes; do
		grep -qE "^$k [0-9.-]+$" "$PIPES/p/progress" || {
			echo "missing: $k"
			cat "$PIPES/p/progress"
			false
		}
	done
	grep -qx 'applied_serial 1' "$PIPES/p/progress"
	grep -qx 'remaining_entries 0' "$PIPES/p/progress"
}

@test "pipectl ls and cat answer what the mount answers, byte by byte" {
	pctl() { "$TSFERRY_BUILD/fs/pipectl" -s "$SYNCD_SOCK" -s "$RECVD_SOCK" "$@"; }
	n=0
	while read -r f; do
		case $f in *ctl | */progress | */log | */link | */metrics | */events | /metrics | /log) continue ;; esac
		cmp <(pctl cat "$f") "$PIPES$f"
		n=$((n + 1))
	done < <(cd "$PIPES" && find . -type f | sed 's|^\.||')
	[ "$n" -gt 20 ]
	for d in / /p /sinks /sinks/s /server /server/senders; do
		diff <(pctl ls "$d" | awk '{ print $NF }' | sort) <(ls -1 "$PIPES$d" | sort)
	done
}

@test "sizes are real, modes and inodes are stable, tools behave" {
	f=$PIPES/p/status
	[ "$(stat -c %s "$f")" = "$(wc -c <"$f")" ]
	[ "$(stat -c %a "$f")" = 444 ]
	[ "$(stat -c %a "$PIPES/ctl")" = 666 ]
	[ "$(stat -c %a "$PIPES/p")" = 755 ]
	[ "$(stat -c %i "$f")" = "$(stat -c %i "$f")" ]
	[ "$(cat "$f")" = RUNNING ]
	[ "$(head -c 3 "$f")" = RUN ]
	[ "$(dd if="$f" bs=1 2>/dev/null)" = RUNNING ]
	[ "$(sed -n 1p "$f")" = RUNNING ]
	[ "$(<"$f")" = RUNNING ]
	read -r word <"$f"
	[ "$word" = RUNNING ]
	cp "$f" "$T/copy"
	[ "$(cat "$T/copy")" = RUNNING ]
	grep -r RUNNING "$PIPES/p" | grep -q status
	find "$PIPES" -ls >/dev/null
	tar -C "$PIPES" -cf "$T/pipes.tar" p sinks server identity
	tar -xOf "$T/pipes.tar" p/status | grep -qx RUNNING
	python3 -c "assert open('$f').read() == 'RUNNING\n'"
}

@test "a file does not change under who reads it, and follows on behind its end" {
	cat >"$T/look.py" <<-'END'
		import os, subprocess, sys, time
		pipes, seal = sys.argv[1], sys.argv[2]
		fds = {f: os.open(f"{pipes}/p/{f}", os.O_RDONLY) for f in ("queue", "events", "progress")}
		look = lambda fd: (lambda s: (s.st_size, s.st_mtime_ns, s.st_ctime_ns))(os.fstat(fd))
		before = {f: look(fd) for f, fd in fds.items()}
		subprocess.run(["bash", "-c", seal], check=True)
		for f, fd in fds.items():
		    text = os.read(fd, before[f][0])
		    assert look(fd) == before[f], (f, look(fd), before[f])
		    assert len(text) == before[f][0], (f, len(text), before[f])
		    while os.read(fd, 65536):
		        pass
		# Who reads from the beginning again sees the file as it is then.
		fd = os.open(f"{pipes}/p/status", os.O_RDONLY)
		assert os.pread(fd, 100, 0) == b"STOP\n" and look(fd)[0] == 5
		open(f"{pipes}/ctl", "w").write("START PIPE p\n")
		assert look(fd)[0] == 5
		assert os.pread(fd, 100, 0) == b"RUNNING\n" and look(fd)[0] == 8
		deadline = time.monotonic() + 20
		while look(fds["events"])[0] == before["events"][0] or look(fds["progress"]) == before["progress"]:
		    assert time.monotonic() < deadline, "the end was met, and nothing moved"
		    time.sleep(0.02)
	END
	export T DATA DATADIR PIPES
	export -f seal
	python3 "$T/look.py" "$PIPES" \
		'seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 2-2-0-0; echo "STOP PIPE p" >"$PIPES/ctl"'
}

@test "mkdir, rmdir, mv and rm are refused with a sentence that names the statement" {
	run mkdir "$PIPES/q"
	[ "$status" -ne 0 ]
	grep -q 'CREATE PIPE' "$PIPES/last_error"
	run rmdir "$PIPES/p"
	[ "$status" -ne 0 ]
	grep -q 'DROP PIPE' "$PIPES/last_error"
	run rm -rf "$PIPES/p"
	run mv "$PIPES/p" "$PIPES/q"
	[ "$status" -ne 0 ]
	run rm "$PIPES/sinks/s/ip"
	[ "$status" -ne 0 ]
	run bash -c "echo x >'$PIPES/p/status'"
	[ "$status" -ne 0 ]
	[ "$(cat "$PIPES/p/status")" = RUNNING ]
}

@test "last_error keeps the last refusal with user, statement, code and words" {
	run ctl 'START PIPE nobody'
	[ "$status" -ne 0 ]
	run -0 cat "$PIPES/last_error"
	[[ $output == *"START PIPE nobody"* ]]
	[[ $output == *"411"* ]]
	[[ $output == *"There is no existing pipe nobody."* ]]
}

@test "the short forms of a pipe's and the server's ctl" {
	echo STOP >"$PIPES/p/ctl"
	[ "$(cat "$PIPES/p/status")" = STOP ]
	echo START >"$PIPES/p/ctl"
	[ "$(cat "$PIPES/p/status")" = RUNNING ]
	echo 'WAIT 30' >"$PIPES/p/ctl"
	echo STOP >"$PIPES/p/ctl"
	wait_until 10 bash -c "echo STOP >'$PIPES/server/ctl'"
	[ "$(cat "$PIPES/server/status")" = false ]
	echo START >"$PIPES/server/ctl"
	[ "$(cat "$PIPES/server/status")" = true ]
	echo DROP >"$PIPES/p/ctl"
	[ ! -e "$PIPES/p" ]
}

@test "a daemon that is absent takes its part of the tree away, and it comes back" {
	daemon_stop recvd
	[ ! -e "$PIPES/server" ]
	[ "$(cat "$PIPES/p/status")" = RUNNING ]
	recvd_start
	[ -d "$PIPES/server" ]
	daemon_stop syncd
	[ ! -e "$PIPES/p" ]
	[ -d "$PIPES/server" ]
	[ -e "$PIPES/ctl" ]
	syncd_start
}

@test "a daemon that hangs does not hang ls for ever" {
	kill -STOP "$(daemon_pid recvd)"
	run timeout 30 ls "$PIPES"
	kill -CONT "$(daemon_pid recvd)"
	[ "$status" = 0 ]
	[[ $output == *ctl* ]]
}

@test "rights are per statement: SHOW for everybody, the rest for root, the daemon's user and tsferry" {
	chmod 755 "$BATS_RUN_TMPDIR" "$T"
	as_nobody() { setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }
	as_nobody cat "$PIPES/p/status"
	as_nobody bash -c "echo 'SHOW PIPES' >'$PIPES/ctl'"
	run as_nobody bash -c "echo 'STOP PIPE p' >'$PIPES/ctl'"
	[ "$status" -ne 0 ]
	run -0 as_nobody cat "$PIPES/ctl"
	[[ $output == "Msg: 602: No permissions for this operation STOP_PIPE (root, "* ]]
	[ "$(cat "$PIPES/p/status")" = RUNNING ]
}
