# The mount under stress: crowds, cuts, daemons that hang, mounts that are left behind.
load lib/tsferry

setup() {
	pair_setup
	export PIPES
}
teardown() { pair_teardown; }

# Under the sanitizers the same with fewer rounds.
rounds() { if [ -n "${TSFERRY_SANITIZED:-}" ]; then echo $(($1 / 20)); else echo "$1"; fi; }
n_fds() { find "/proc/$(daemon_pid "$1")/fd" -mindepth 1 2>/dev/null | wc -l; }
# few_more BEFORE AFTER: lists of numbers. Connections that are kept for the next question
# are no leak: they are bounded.
few_more() {
	local a b
	read -ra a <<<"$1"
	read -ra b <<<"$2"
	for i in "${!a[@]}"; do ((b[i] <= a[i] + 16)) || return 1; done
}
rss_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$(daemon_pid "$1")/status"; }

@test "a thousand readers at once all read what is there" {
	pair_start -m
	cat >"$T/crowd.py" <<-'END'
		import os, resource, sys
		pipes = sys.argv[1]
		resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
		files = ["p/status", "help", "p/limits", "server/key", "sinks/s/ip"]
		want = {f: open(f"{pipes}/{f}").read() for f in files}
		go_r, go_w = os.pipe()
		children = []
		for c in range(20):
		    pid = os.fork()
		    if pid == 0:
		        os.close(go_w)
		        os.read(go_r, 1)
		        fds = [(f, os.open(f"{pipes}/{f}", os.O_RDONLY)) for f in files * 10]
		        good = all(os.pread(fd, 65536, 0).decode() == want[f] for f, fd in fds)
		        os._exit(0 if good else 1)
		    children.append(pid)
		os.close(go_w)
		bad = sum(os.waitpid(pid, 0)[1] != 0 for pid in children)
		assert bad == 0, f"{bad} of 20 groups of 50 readers were wrong"
	END
	timeout 60 python3 "$T/crowd.py" "$PIPES"
	[ "$(cat "$PIPES/p/status")" = RUNNING ]
}

@test "statements that are cut anywhere act as if they were not cut" {
	pair_start -m
	cat >"$T/cut.py" <<-'END'
		import os, random, sys
		ctl, rounds = sys.argv[1], int(sys.argv[2])
		text = ("SHOW PIPESINK `a;b`;STOP PIPE p\n-- no; comment\nCREATE PIPESINK `c\"d` AS IoTDB\n"
		        "(ip='127.0.0.1'\uff0cport=7;)\n# x\nDROP PIPESINK `c\"d`; START PIPE p\nSHOW PIPESINKS\n"
		        "CREATE PIPE q\nTO s\nWITH SyncDelOp=true\nSHOW PIPES\n").encode()
		def run(pieces):
		    fd = os.open(ctl, os.O_RDWR)
		    failed = None
		    for n, piece in enumerate(pieces):
		        try:
		            assert os.write(fd, piece) == len(piece)
		        except OSError as e:
		            failed = e.errno
		            break
		    answer = os.read(fd, 1 << 20)
		    os.close(fd)
		    return failed, answer
		want = run([text])
		assert want[0], "CREATE PIPE q should have been refused"
		assert b"Pipe p is RUNNING" in want[1], want
		# A newline at the end of a write ends a statement; only within one write does
		# the line behind it continue it.
		free = [n for n in range(1, len(text)) if not text[:n].endswith((b"IoTDB\n", b"PIPE q\n", b"TO s\n"))]
		for at in free:
		    got = run([text[:at], text[at:]])
		    assert got == want, (at, got, want)
		r = random.Random(7)
		for _ in range(rounds):
		    cuts = sorted(r.sample(free, r.randint(2, 40)))
		    got = run([text[a:b] for a, b in zip([0] + cuts, cuts + [len(text)])])
		    assert got == want, (cuts, got, want)
		ends = [0] + free + [len(text)]
		assert run([text[a:b] for a, b in zip(ends, ends[1:])]) == want
	END
	python3 "$T/cut.py" "$PIPES/ctl" "$(rounds 200)"
	[ "$(cat "$PIPES/p/status")" = RUNNING ]
}

@test "listings made during CREATE and DROP are whole" {
	pair_start -m
	cat >"$T/list.py" <<-'END'
		import os, sys
		dir, fixed, inside, stop = sys.argv[1], set(sys.argv[2].split()), sys.argv[3], sys.argv[4]
		n = 0
		while not os.path.exists(stop) or n < 20:
		    names = os.listdir(dir)
		    assert len(names) == len(set(names)), names
		    assert set(names) - {"q"} == fixed, names
		    try:
		        assert inside in os.listdir(dir + "/q")
		        assert open(f"{dir}/q/{inside}").read()
		    except OSError as e:
		        assert e.errno in (2, 116), e
		    n += 1
	END
	python3 "$T/list.py" "$PIPES/sinks" s type "$T/stop" 3>&- 4>&- &
	one=$!
	statement 'DROP PIPE p'
	python3 "$T/list.py" "$PIPES" 'ctl help identity last_error log metrics server sinks sinktypes' status "$T/stop" 3>&- 4>&- &
	two=$!
	for _ in $(seq "$(rounds 200)"); do
		ctl 'CREATE PIPESINK q AS IoTDB'
		ctl 'DROP PIPESINK q'
	done
	for _ in 1 2 3 4 5; do # a receiver bounds how often a sender may connect
		wait_until 20 ctl 'CREATE PIPE q TO s'
		ctl 'DROP PIPE q'
	done
	touch "$T/stop"
	wait "$one"
	wait "$two"
}

@test "a daemon that is stopped holds nobody longer than its deadline" {
	pair_start -m
	for d in syncd recvd; do
		kill -STOP "$(daemon_pid $d)"
		began=$SECONDS
		for _ in 1 2 3; do
			timeout 10 ls "$PIPES" >/dev/null
			timeout 10 ls -l "$PIPES" >/dev/null
			timeout 10 cat "$PIPES/help" >/dev/null
		done
		took=$((SECONDS - began))
		kill -CONT "$(daemon_pid $d)"
		[ "$took" -le 20 ]
	done
	back() { [ "$(cat "$PIPES/p/status")$(cat "$PIPES/server/status")" = RUNNINGtrue ]; }
	wait_until 10 back
}

@test "a hundred parked WAITs keep neither ls nor a statement waiting" {
	pair_start -m
	statement 'STOP PIPE p'
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	cat >"$T/park.py" <<-'END'
		import os, subprocess, sys, threading, time
		pipes = sys.argv[1]
		ends = []
		def wait():
		    try:
		        open(f"{pipes}/ctl", "w").write("WAIT PIPE p 60\n")
		        ends.append("")
		    except OSError as e:
		        ends.append(str(e))
		crowd = [threading.Thread(target=wait) for _ in range(100)]
		for t in crowd:
		    t.start()
		time.sleep(0.5)
		assert not ends, ends
		began = time.monotonic()
		subprocess.run(["ls", "-lR", pipes], stdout=subprocess.DEVNULL, check=True)
		open(f"{pipes}/ctl", "w").write("SHOW PIPES\n")
		open(f"{pipes}/ctl", "w").write("START PIPE p\n")
		took = time.monotonic() - began
		for t in crowd:
		    t.join()
		assert took < 10, took
		assert ends == [""] * 100, ends[:5]
	END
	timeout 90 python3 "$T/park.py" "$PIPES"
}

@test "a mount that kill -9 left behind is replaced at the start" {
	pair_start -m
	exec 9<"$PIPES/p/status"
	inodes=$(find "$PIPES/p" "$PIPES/sinks" -printf '%i %P\n' | sort)
	daemon_kill pipefs
	run ! cat "$PIPES/p/status"
	pipefs_start
	wait_until 10 test -e "$PIPES/p/status"
	[ "$(cat "$PIPES/p/status")" = RUNNING ]
	exec 9<&-
	[ "$(find "$PIPES/p" "$PIPES/sinks" -printf '%i %P\n' | sort)" = "$inodes" ]
	[ "$(grep -c " $PIPES fuse" /proc/mounts)" = 1 ]
}

@test "SIGTERM ends a busy mount: nobody hangs, nothing is left" {
	pair_start -m
	exec 9<"$PIPES/p/status"
	(cd "$PIPES/p" && exec sleep 30) 3>&- 4>&- 9<&- &
	inside=$!
	echo 'WAIT PIPE p 30' >"$PIPES/ctl"
	statement 'STOP PIPE p'
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	(echo 'WAIT PIPE p 60' >"$PIPES/ctl") 2>"$T/waiter" 3>&- 4>&- 9<&- &
	waiter=$!
	parked() { grep -qs fuse "/proc/$waiter/wchan" || sleep 0.3; }
	parked
	daemon_stop pipefs
	run ! mountpoint -q "$PIPES"
	wait "$waiter" || true
	kill "$inside"
	exec 9<&-
	pipefs_start
	[ "$(cat "$PIPES/p/status")" = STOP ]
}

@test "fusermount3 takes a busy mount only by force, and then the program ends" {
	pair_start -m
	exec 9<"$PIPES/p/status"
	run ! fusermount3 -u "$PIPES"
	[ "$(cat "$PIPES/p/status")" = RUNNING ]
	fusermount3 -uz "$PIPES"
	run ! mountpoint -q "$PIPES"
	[ "$(cat <&9)" = RUNNING ] # who has it open still reads
	exec 9<&-
	wait_until 10 gone "$(daemon_pid pipefs)"
	rm "$T/pipefs.pid"
	[ "$(statement 'SHOW PIPES' | grep -c RUNNING)" = 1 ] # nothing of the transfer depends on it
}

@test "a hundred thousand opens leave no descriptor and no memory behind" {
	pair_start -m
	statement 'WAIT PIPE p 30'
	cat >"$T/opens.py" <<-'END'
		import os, sys
		pipes, n = sys.argv[1], int(sys.argv[2])
		files = [f"{pipes}/{f}" for f in ("help", "ctl", "help", "p/status", "help", "ctl", "p/ctl", "help")]
		for i in range(n):
		    fd = os.open(files[i & 7], os.O_RDONLY)
		    if not i & 15:
		        os.read(fd, 100)
		    os.close(fd)
	END
	python3 "$T/opens.py" "$PIPES" 2000
	before="$(n_fds pipefs) $(n_fds syncd) $(n_fds recvd)" rss=$(rss_kb pipefs)
	python3 "$T/opens.py" "$PIPES" "$(rounds 100000)"
	settled() {
		after="$(n_fds pipefs) $(n_fds syncd) $(n_fds recvd)"
		few_more "$before" "$after"
	}
	wait_until 20 settled || {
		echo "descriptors of pipefs, syncd, recvd: $before before, $after behind"
		return 1
	}
	[ -n "${TSFERRY_SANITIZED:-}" ] || {
		local now
		now=$(rss_kb pipefs)
		echo "pipefs: $rss kB before, $now kB behind"
		[ "$now" -lt $((rss + 4096)) ] # what one open takes is more than 41 bytes
	}
}

@test "ten thousand statements leave no descriptor and no memory behind" {
	pair_start -m
	statement 'WAIT PIPE p 30'
	cat >"$T/say.py" <<-'END'
		import os, sys
		ctl, n = sys.argv[1], int(sys.argv[2])
		said = [b"SHOW PIPES\n", b"SHOW SENDERS\n", b"START PIPE nobody\n", b"NONSENSE\n", b"SHOW PIPESINK s\n",
		        b"START PIPE p\n", b"SHOW PIPESERVER STATUS\n", b"CREATE PIPESINK s AS IoTDB\n"]
		refused = 0
		for i in range(n):
		    fd = os.open(ctl, os.O_RDWR)
		    try:
		        os.write(fd, said[i % len(said)])
		    except OSError:
		        refused += 1
		    assert os.read(fd, 65536)
		    os.close(fd)
		assert refused == n * 3 // 8, refused
	END
	python3 "$T/say.py" "$PIPES/ctl" 800
	daemons='pipefs syncd recvd'
	before='' after=''
	for d in $daemons; do before+="$(n_fds $d) "; done
	for d in $daemons; do declare "rss_$d=$(rss_kb $d)"; done
	python3 "$T/say.py" "$PIPES/ctl" "$(($(rounds 10000) / 8 * 8))"
	settled() {
		after=''
		for d in $daemons; do after+="$(n_fds $d) "; done
		few_more "$before" "$after"
	}
	wait_until 20 settled
	[ -n "${TSFERRY_SANITIZED:-}" ] && return
	for d in $daemons; do
		was=rss_$d
		[ "$(rss_kb $d)" -lt $((${!was} + 1024)) ] || {
			echo "$d: ${!was} KiB before, $(rss_kb $d) behind"
			return 1
		}
	done
}

@test "a mount of one user is that user's alone, and its statements are made in his name" {
	pair_start
	chmod 755 "$BATS_RUN_TMPDIR" "$T"
	mkdir "$T/mine"
	chown nobody "$T/mine"
	# A mount name space in which everybody may use the device.
	daemon_start space unshare -m bash -c "mknod '$T/fuse' c 10 229; chmod 666 '$T/fuse'; mount --bind '$T/fuse' /dev/fuse
		: >'$T/fuse.conf'; mount --bind '$T/fuse.conf' /etc/fuse.conf
		touch '$T/space.up'; exec sleep 1000"
	wait_until 10 test -e "$T/space.up"
	in_space() { nsenter -t "$(daemon_pid space)" -m -- "$@"; }
	as_nobody() { in_space setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }
	daemon_start pipefs nsenter -t "$(daemon_pid space)" -m -- setpriv --reuid=nobody --regid=nogroup --clear-groups \
		"$TSFERRY_BUILD/fs/pipefs" -f -s "$SYNCD_SOCK" -r "$RECVD_SOCK" "$T/mine"
	wait_until 20 as_nobody test -e "$T/mine/ctl"
	[ "$(as_nobody cat "$T/mine/p/status")" = RUNNING ]
	[ "$(as_nobody stat -c %U "$T/mine/p")" = nobody ]
	run as_nobody bash -c "echo 'STOP PIPE p' >'$T/mine/ctl'"
	[ "$status" -ne 0 ]
	[[ $(as_nobody cat "$T/mine/ctl") == 'Msg: 602: '* ]]
	run ! in_space ls "$T/mine"
	daemon_stop pipefs
	run ! in_space mountpoint -q "$T/mine"
	# Where fuse.conf lets users say so, others may look in.
	echo user_allow_other >"$T/fuse.conf"
	daemon_start pipefs nsenter -t "$(daemon_pid space)" -m -- setpriv --reuid=nobody --regid=nogroup --clear-groups \
		pipefs -f -s "$SYNCD_SOCK" -r "$RECVD_SOCK" "$T/mine"
	wait_until 20 as_nobody test -e "$T/mine/ctl"
	[ "$(in_space cat "$T/mine/p/status")" = RUNNING ]
	in_space bash -c "echo 'SHOW PIPES' >'$T/mine/ctl'"
	daemon_stop pipefs
}
