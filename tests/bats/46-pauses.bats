# How long is waited before something is tried again: by what is tried, not by what is said of it.
load lib/tsferry

setup() {
	pair_setup
	edge_conf transport plain
	cloud_conf transport plain
}
teardown() { pair_teardown; }

# loader_of: the body of a loader in Python; note() writes down when.
loader_of() {
	{
		echo '#!/usr/bin/python3'
		echo 'import sys, time, os'
		echo "def note(): os.write(os.open('$T/tries', os.O_WRONLY | os.O_APPEND | os.O_CREAT), b'%f\\n' % time.monotonic())"
		cat
	} >"$T/loader"
	chmod +x "$T/loader"
	cloud_conf loader "$T/loader"
}

# pauses FILE LEAST...: between the times in a file, in ms; each at least so long, and nothing like a heartbeat or a scan
# more: a busy machine takes a second or two to start a program.
pauses() {
	python3 - "$@" <<-'END'
		import sys
		at = [float(line) for line in open(sys.argv[1])]
		got = [(b - a) * 1000 for a, b in zip(at, at[1:])]
		want = [float(w) for w in sys.argv[2:]]
		print("pauses:", *("%.0f" % g for g in got))
		assert len(got) >= len(want), (got, want)
		for g, w in zip(got, want):
		    assert w * 0.9 <= g <= w * 2 + 5000, (g, w)
	END
}

one_entry() {
	peer <<-'END'
		p = Peer(port).hello(assigned=1)
		p.file(1, "root.sg", "1-1-0-0", TINY)
		p.until_applied(1)
	END
}

@test "an entry that the loader wants again waits 1 s, then 2 s" {
	loader_of <<-'END'
		n = 0
		for line in sys.stdin:
		    if line == "end\n":
		        print("end", flush=True)
		        continue
		    note()
		    n += 1
		    print(line.split("\t")[0] + "\tresult=" + ("applied" if n > 2 else "retry\ttext=later"))
	END
	recvd_start
	statement 'START PIPESERVER'
	one_entry
	pauses "$T/tries" 1000 2000
	grep -q 'is tried again in 2000 ms: later' "$T/recvd.log"
}

@test "a loader that says stop is left alone for 1 s" {
	loader_of <<-'END'
		n = 0
		for line in sys.stdin:
		    if line == "end\n":
		        print("end", flush=True)
		        continue
		    note()
		    n += 1
		    print(line.split("\t")[0] + "\tresult=" + ("applied" if n > 1 else "stop\ttext=disk broken"))
	END
	recvd_start
	statement 'START PIPESERVER'
	one_entry
	pauses "$T/tries" 1000
}

@test "a loader that dies is started again after 100 ms, 200, 400" {
	loader_of <<-'END'
		note()
		for line in sys.stdin:
		    if line == "end\n":
		        print("end", flush=True)
		    elif sum(1 for _ in open(os.path.dirname(sys.argv[0]) + "/tries")) > 3:
		        print(line.split("\t")[0] + "\tresult=applied")
		    else:
		        sys.exit(3)
	END
	recvd_start
	statement 'START PIPESERVER'
	one_entry
	pauses "$T/tries" 100 200 400
	grep -q 'the loader ended with status 3; started again in 400 ms' "$T/recvd.log"
}

# blocked_links NAME: the next three links fail; then it is captured by itself. When it was tried stands in $T/tries.
blocked_links() {
	rm -f "$T/strace.err"
	strace -f -ttt -e trace=link,linkat -e inject=link,linkat:error=EPERM:when=1..3 -e signal=none -o "$T/trace" \
		-p "$(daemon_pid syncd)" 2>"$T/strace.err" 3>&- 4>&- &
	local pid=$!
	wait_until 20 attached
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg "$1"
	wait_until 20 value_has /p/message 'cannot be linked'
	wait_until 20 archive_has root.sg "$1"
	kill -INT $pid
	wait $pid || true
	awk '/link/ { print $2 }' "$T/trace" >"$T/tries"
}
attached() { grep -qs attached "$T/strace.err"; }

@test "capture that cannot link is tried again after 250 ms, 500, 1000; after a success from the beginning" {
	edge_conf scan_interval 60s
	pair_start
	blocked_links 1-1-0-0
	pauses "$T/tries" 250 500 1000
	wait_until 20 value_is /p/message ''
	blocked_links 2-2-0-0
	pauses "$T/tries" 250 500 1000
	[ "$(awk 'NR == 1 { a = $1 } NR == 2 { print $1 - a < 0.9 }' "$T/tries")" = 1 ]
}

@test "what could not be released is released by itself, 2 s later" {
	pair_start
	edge_conf scan_interval 60s
	python3 - "$EDGE/state/catalog.db" "$T" >"$T/lock.out" 2>&1 3>&- 4>&- <<-'END' &
		import os, sqlite3, sys, time
		while not os.path.exists(sys.argv[2] + "/lock"):
		    time.sleep(0.01)
		db = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
		db.execute("BEGIN IMMEDIATE")
		print("locked", flush=True)
		while not os.path.exists(sys.argv[2] + "/unlock"):
		    time.sleep(0.01)
		db.execute("COMMIT")
	END
	local pid=$!
	# the loader is held back, so that the lock is there before what is applied is released
	kill -STOP "$(pgrep -P "$(daemon_pid recvd)")"
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	wait_until 20 progress_is p durable_serial 1
	saved() { [ "$(sqlite3 -cmd '.timeout 5000' "$EDGE/state/catalog.db" 'SELECT durable FROM pipe WHERE state = 1')" = 1 ]; }
	wait_until 20 saved
	touch "$T/lock"
	wait_until 20 grep -q locked "$T/lock.out"
	kill -CONT "$(pgrep -P "$(daemon_pid recvd)")"
	wait_until 60 grep -q 'keep their room' "$T/syncd.log"
	touch "$T/unlock"
	wait $pid
	wait_until 20 nothing_pinned
}

nothing_pinned() { [ -z "$(find "$DATADIR/.tsferry-spool" -name '*.tsfile')" ]; }
