# A release of version 1 of the protocol still talks to this one, and the reverse. The old side is
# tests/old/proto_v1.py, frozen; the same with the machines alone, and with programs that speak more versions, is
# tests/old/test_old_*.c.
load lib/tsferry

setup() {
	pair_setup
	edge_conf transport plain
	cloud_conf transport plain
}
teardown() { pair_teardown; }

# old [ARGUMENT...]: Python on stdin, with the frozen peers.
old() {
	PYTHONPATH=$TSFERRY_SOURCE/tests/old PYTHONDONTWRITEBYTECODE=1 timeout 120 python3 -c "import sys
from proto_v1 import *
$(cat)" "$@"
}

@test "an edge of version 1 delivers entries of every kind, and drops its pipe" {
	mkdir "$T/large"
	"$TSFERRY_BUILD/tests/bench/tsgen" -d root.big -n 1 -s 700K "$T/large"
	recvd_start
	statement 'START PIPESERVER'
	old "$(server_port)" "$DATA/tsfile/v3/tiny.tsfile" "$(find "$T/large" -name '*.tsfile' | head -n 1)" <<-'END'
		tiny, large = read(sys.argv[2]), read(sys.argv[3])
		mods = b"DELETION,root.sg.d.s,9223372036854775807,1,2\n"
		e = Edge(sys.argv[1], 6)
		assert e.version == 1 and e.durable == 0 and not e.partials
		e.schema(1, "root.sg", b"CREATE DATABASE root.sg\n")
		e.inline(2, e.file_head(2, "root.sg", "1-1-0-0", len(tiny)), tiny)
		e.blocks(3, e.file_head(3, "root.sg", "2-2-0-0", len(large)), large)
		e.inline(4, e.file_head(4, "root.sg", "3-3-0-0", len(tiny), len(mods)), tiny + mods)
		e.delete(5, "root.sg", b"root.sg.d", mods.replace(b",1,2", b",3,4"))
		e.restate(6, "root.sg", b"root.sg.d")
		e.send(STATUS, string("RUNNING") + string("") + string("retries 0\n") + string(""))
		e.until("durable", 6)
		e.until("applied", 6)
		e.sock.close()
		e = Edge(sys.argv[1], 6)
		assert (e.durable, e.applied) == (6, 6)
		e.send(DROP, INCARNATION)
	END
	local dir=$ARCHIVE/edge-old/root.sg/sequence/1/0
	cmp "$DATA/tsfile/v3/tiny.tsfile" "$dir/1-1-0-0.tsfile"
	cmp "$(find "$T/large" -name '*.tsfile' | head -n 1)" "$dir/2-2-0-0.tsfile"
	# its own and the DELETE's; the RESTATE's times, 5 to 9, have no rows in it
	[ "$(grep -c '^DELETION,root.sg.d' "$dir/3-3-0-0.tsfile.mods")" -eq 2 ]
	grep -q 'CREATE DATABASE root.sg' "$ARCHIVE/edge-old/root.sg/schema.sql"
}

@test "an edge that speaks more versions is answered with the common one, one without any in a sentence" {
	recvd_start
	statement 'START PIPESERVER'
	old "$(server_port)" <<-'END'
		e = Edge(sys.argv[1], 0, (1, 40000))
		assert e.version >= 1
		e = Edge(sys.argv[1], 0, (40000, 40001))
		assert e.bye[0] == 7, e.bye
		assert "no common version of the protocol" in e.bye[1] and "40000 to 40001 at the edge" in e.bye[1], e.bye
	END
}

@test "a receiver of version 1 gets everything from this edge" {
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 2-2-0-0
	old "$DATA/tsfile/v3/tiny.tsfile" >"$T/old.out" 2>&1 3>&- 4>&- <<-'END' &
		tiny, l = read(sys.argv[1]), listen()
		say(l.getsockname()[1])
		assert Receiver(l).flags == 1  # CREATE PIPE asks
		r = Receiver(l)
		r.run(2)
		assert r.files == {1: tiny, 2: tiny}
		say("all")
		try:
		    while True:
		        if r.take()[0] == STATUS:
		            r.send(PONG, b"\0")
		except EOFError:
		    pass
	END
	local pid=$!
	wait_until 20 test -s "$T/old.out"
	syncd_start
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1', port=$(head -n 1 "$T/old.out"))"
	statement 'CREATE PIPE p TO s'
	statement 'START PIPE p'
	statement 'WAIT PIPE p 30'
	[ "$(sed -n 2p "$T/old.out")" = all ]
	[ -z "$(value /p/message)" ]
	daemon_stop syncd
	wait $pid
}

@test "a receiver that chooses a version which was not offered is refused in words" {
	old >"$T/old.out" 2>&1 3>&- 4>&- <<-'END' &
		l = listen()
		say(l.getsockname()[1])
		Receiver(l, choose=40000)
	END
	local pid=$!
	wait_until 20 test -s "$T/old.out"
	syncd_start
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1', port=$(head -n 1 "$T/old.out"))"
	run ! statement 'CREATE PIPE p TO s'
	[[ $output == *"the receiver chose version 40000 of the protocol, offered were"*"update the older side"* ]]
	daemon_stop syncd
	wait $pid
}
