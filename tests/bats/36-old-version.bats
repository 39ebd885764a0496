# Releases of versions 1 and 2 of the protocol still talk to this one, and the reverse. The old side is
# tests/old/proto_v1.py and proto_v2.py, frozen; the same with the machines alone, and with programs that speak more versions, is
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
from proto_v2 import *
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
	wait_until 20 grep -qx all "$T/old.out"
	wait_until 20 value_is /p/message ""
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

@test "an edge of version 2: frames, references, ranges as a prefix; what is not held is asked for" {
	mkdir "$T/large"
	"$TSFERRY_BUILD/tests/bench/tsgen" -d root.big -n 1 -s 700K "$T/large"
	recvd_start
	statement 'START PIPESERVER'
	old "$(server_port)" "$DATA/tsfile/v3/idx.tsfile" "$(find "$T/large" -name '*.tsfile' | head -n 1)" <<-'END'
		small, large = read(sys.argv[2]), read(sys.argv[3])
		mods = b"DELETION,root.big.d.s,9223372036854775807,1,2\n"
		e = Edge2(sys.argv[1], 4)
		assert e.version == 2 and e.durable == 0 and not e.partials
		head = lambda s, name, n, m=0: e.file_head(s, "root.big", name, n, m)
		e.inline_squeezed(1, head(1, "1-1-0-0", len(small)), small)
		e.begin(2, head(2, "2-2-0-0", len(large)), large)
		for i in range(0, len(large), BLOCK):
		    plain = large[i:i + BLOCK]
		    z = squeeze(plain)
		    if len(z) < len(plain):
		        e.block(2, i // BLOCK, plain, SQUEEZED, z)
		    else:
		        e.block(2, i // BLOCK, plain)
		e.end(2)
		e.until("applied", 2)
		# the same bytes under another name: two blocks held, one behind a prefix, one not held
		third = large + mods
		parts = [third[i:i + BLOCK] for i in range(0, len(third), BLOCK)]
		assert len(parts) == 3
		e.begin(3, head(3, "3-3-0-0", len(large), len(mods)), third,
		        [identity("root.big", "2-2-0-0"), identity("root.big", "9-9-0-0")])
		e.block(3, 0, parts[0], REFERENCE, ranges=[(0, 0, 1000), (0, 1000, len(parts[0]) - 1000)])
		e.block(3, 1, parts[1], REFERENCE, ranges=[(1, BLOCK, len(parts[1]))])
		source = large[2 * BLOCK:]
		e.block(3, 2, parts[2], PREFIX, squeeze(parts[2], source), [(0, 2 * BLOCK, len(source))])
		e.end(3)
		e.until("applied", 3)
		assert e.wants == [(3, 1)], e.wants
		e.restate(4, "root.big", b"root.big.d")
		e.until("applied", 4)
		e.sock.close()
		e = Edge2(sys.argv[1], 4)
		assert (e.durable, e.applied) == (4, 4)
		e.send(DROP, INCARNATION)
		assert e.take()[0] == BYE
	END
	local dir=$ARCHIVE/edge-old/root.big/sequence/1/0
	cmp "$DATA/tsfile/v3/idx.tsfile" "$dir/1-1-0-0.tsfile"
	cmp "$(find "$T/large" -name '*.tsfile' | head -n 1)" "$dir/2-2-0-0.tsfile"
	cmp "$dir/2-2-0-0.tsfile" "$dir/3-3-0-0.tsfile"
	grep -q '^DELETION,root.big.d.s' "$dir/3-3-0-0.tsfile.mods"
}

@test "a receiver of version 2 gets frames and references from this edge, and its WANT is answered" {
	edge_conf rate_limit 4M
	generate -z -d root.big -n 1 -s 1200K
	for n in 1 2 3; do seal "$DATA/tsfile/v3/idx.tsfile" root.sg "$n-$n-0-0"; done
	old >"$T/old.out" 2>&1 3>&- 4>&- <<-'END' &
		l, store = listen(), {}
		say(l.getsockname()[1])
		assert Receiver2(l, store).flags == 1  # CREATE PIPE asks
		r = Receiver2(l, store)
		r.run(4)
		assert r.seen[REFERENCE] == r.seen[PREFIX] == 0 and r.seen[SQUEEZED] + r.n_inline_squeezed > 0, r.seen
		before = sorted(r.files.values())
		say("all")
		r.rest()
		r = Receiver2(l, store, lost=2)
		assert r.flags == 2  # RESYNC
		r.run(4)
		assert sorted(r.files.values()) == before and r.asked == 2 and r.seen[REFERENCE] > 2, r.seen
		say("again")
		r.rest()
	END
	local pid=$!
	wait_until 20 test -s "$T/old.out"
	syncd_start
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1', port=$(head -n 1 "$T/old.out"))"
	statement 'CREATE PIPE p TO s'
	statement 'START PIPE p'
	statement 'WAIT PIPE p 30'
	[ "$(sed -n 2p "$T/old.out")" = all ]
	statement 'RESYNC PIPE p'
	statement 'WAIT PIPE p 30'
	[ "$(sed -n 3p "$T/old.out")" = again ]
	[ -z "$(value /p/message)" ]
	daemon_stop syncd
	wait $pid
}
