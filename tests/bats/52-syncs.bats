# What is answered was synced before: the order of system calls, as strace sees it. A forgotten sync loses
# nothing until the power fails; scripts/campaign power cuts it, this sees it in every run.
load lib/tsferry

setup() {
	pair_setup
	edge_conf transport plain
	cloud_conf transport plain
	TRACE=$T/trace
}
teardown() { pair_teardown; }

# traced DAEMON: it is started under strace, whose lines stand in $TRACE.
traced() {
	daemon_start "$1" strace -D -f -y -s 24 -e trace=fdatasync,fsync,syncfs,sendto,rename,renameat,renameat2,write \
		-e signal=none -o "$TRACE" "$TSFERRY_BUILD/$1/$1" -c "$T/$1.conf"
	daemon_ready "$1" "$T/$1.sock"
}

# in_order PATTERN...: calls that ended well, each behind the one before. An interrupted call counts where it ends.
in_order() {
	python3 - "$TRACE" "$@" <<-'END'
		import re, sys
		calls, begun = [], {}
		for line in open(sys.argv[1], errors="replace"):
		    pid, _, call = line.rstrip().partition(" ")
		    call = call.strip()
		    if call.endswith("<unfinished ...>"):
		        begun[pid] = call[:-len("<unfinished ...>")]
		        continue
		    m = re.match(r"<\.\.\. \w+ resumed>(.*)", call)
		    if m:
		        call = begun.pop(pid, "") + m.group(1)
		    if not re.search(r"= -1 ", call):
		        calls.append(call)
		at = 0
		for pattern in sys.argv[2:]:
		    while at < len(calls) and not re.search(pattern, calls[at]):
		        at += 1
		    if at == len(calls):
		        print("not in this order:", *sys.argv[2:], sep="\n  ")
		        print("missing from:", pattern, "\nlast calls:", *calls[-25:], sep="\n  ")
		        sys.exit(1)
		    at += 1
	END
}

DURABLE='sendto\(.*"\\10\\0\\0\\0\\7\\0'
WAL='fdatasync\(.*catalog\.db-wal'

@test "recvd: a file, its deletion records and their directory, then the catalog, then DURABLE" {
	traced recvd
	statement 'START PIPESERVER'
	peer <<-'END'
		body, mods = bytes(700000), b"DELETION,root.sg.d.s,9223372036854775807,1,2\n"
		p = Peer(port).hello(assigned=1)
		p.begin(1, file_head(1, "root.sg", "1-1-0-0", len(body), mods, 1))
		whole = body + mods
		for i in range(0, len(whole), BLOCK):
		    p.block(1, i // BLOCK, whole[i:i + BLOCK])
		p.end(1, whole)
		p.until_durable(1)
	END
	in_order 'fdatasync\(.*staging/[^>]*\.tsfile>' 'fsync\(.*staging/' "$WAL" "$DURABLE"
	in_order 'fdatasync\(.*\.tsfile\.mods>' "$WAL" "$DURABLE"
}

@test "recvd: a large payload that came inline, and a small one that is a row of the catalog" {
	traced recvd
	statement 'START PIPESERVER'
	peer <<-'END'
		p = Peer(port).hello(assigned=1)
		body = bytes(200000)
		p.entry(1, file_head(1, "root.sg", "1-1-0-0", len(body)), body)
		p.until_durable(1)
	END
	in_order 'fdatasync\(.*staging/[^>]*\.tsfile>' 'fsync\(.*staging/' "$WAL" "$DURABLE"
	peer <<-'END'
		p = Peer(port).hello(assigned=2)
		p.entry(2, file_head(2, "root.sg", "2-2-0-0", 9), b"123456789")
		p.until_durable(2)
	END
	in_order "$DURABLE" "$WAL" "$DURABLE"
}

@test "recvd: many files wait for the disk once, and before the catalog" {
	traced recvd
	statement 'START PIPESERVER'
	peer <<-'END'
		p = Peer(port).hello(assigned=12)
		body = bytes(70000)
		for i in range(1, 13):
		    p.entry(i, file_head(i, "root.sg", "%d-%d-0-0" % (i, i), len(body)), body)
		p.until_durable(12)
	END
	in_order 'syncfs\(.*staging' "$WAL" "$DURABLE"
}

@test "syncd: the pinned file and the spool's directory, then the catalog" {
	traced syncd
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1', port=1)"
	# nobody listens: the pipe is made by a receiver that is there for a moment
	recvd_start
	statement 'START PIPESERVER'
	statement "ALTER PIPESINK s (port=$(server_port))"
	statement 'CREATE PIPE p TO s'
	statement 'START PIPE p'
	: >"$TRACE"
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	in_order 'fdatasync\(.*\.tsfile>' 'fsync\(.*\.tsferry-spool>' "$WAL" 'sendto\(.*\\0\\0\\4\\0\\0\\0\\1\\0'
}

@test "syncd: many pinned files wait for the disk once, and before the catalog" {
	pair_start
	daemon_stop syncd
	for i in $(seq 24); do seal "$DATA/tsfile/v3/tiny.tsfile" root.sg "$i-$i-0-0"; done
	traced syncd
	statement 'WAIT PIPE p 30'
	in_order 'syncfs\(.*\.tsferry-spool>' "$WAL" 'sendto\(.*\\0\\0\\4\\0\\0\\0\\1\\0'
}

@test "recvd-load: what is in the archive is synced before it is called applied" {
	recvd_start
	statement 'START PIPESERVER'
	local pid
	pid=$(pgrep -P "$(daemon_pid recvd)")
	strace -f -y -s 24 -e trace=fdatasync,fsync,syncfs,rename,renameat,renameat2,write -e signal=none -o "$TRACE" -p "$pid" \
		2>"$T/strace.err" 3>&- 4>&- &
	wait_until 20 grep -q attached "$T/strace.err"
	peer <<-'END'
		p = Peer(port).hello(assigned=2)
		p.file(1, "root.sg", "1-1-0-0", TINY)
		p.delete(2, "root.sg", "root.sg.d", b"DELETION,root.sg.d.s,9223372036854775807,1,2\n")
		p.until_applied(2)
	END
	in_order 'fdatasync\(.*archive' 'rename.*\.mods"' 'syncfs\(.*archive' 'write\(1<.*"job='
}
