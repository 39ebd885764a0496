# What version 2 of the protocol and the optional messages add, in the hands of those who mean harm: HELD, WANT, zstd
# frames, prefixes, ASK_KEPT at the receiver; WANT, KEPT, WAITS at the edge.
load lib/tsferry

setup() {
	pair_setup
	cloud_conf transport plain
	edge_conf transport plain
}
teardown() { pair_teardown; }

start_cloud() {
	recvd_start
	statement 'START PIPESERVER'
}
count() { value /metrics | sed -n "s/^tsferry_recvd_refused_total{cause=\"$1\"} //p"; }
counted() { [ "$(count "$1")" -ge "$2" ]; }
small() { [ -n "${TSFERRY_SANITIZED:-}" ] || [ "$(awk '/^VmHWM/ { print $2 }' "/proc/$(daemon_pid "$1")/status")" -lt 40000 ]; }

# A peer of version 2 whose entry 1 has 300 000 bytes and is begun, as `begun()`; another each time.
begun='
n = 0
big = bytes(300000)
def fresh(versions=(1, 2)):
    global n
    n += 1
    return Peer(port, name=f"edge-{n}").hello(assigned=9, versions=versions)
def begun(versions=(1, 2)):
    p = fresh(versions)
    p.begin(1, file_head(1, "root.sg", "1-1-0-0", len(big)))
    return p
one = held_file("root.sg", "5-5-0-0")
d = digest(big[:BLOCK])
'

@test "HELD: names that are paths, too many files, holes, an entry that is not open" {
	start_cloud
	{
		echo "$begun"
		cat <<-'END'
			for name in ["..", "../../etc", "a/b", "", "root.sg\0x", "r" * 4096, "root.\x1b[2J", "root.__system", b"\xff\xfe"]:
			    p = begun(); p.held(1, [held_file(name, "1-1-0-0")]); refused(p, PROTOCOL)
			p = begun(); p.held(1, [held_file("root.sg", f"{2**63}-1-0-0")]); refused(p, PROTOCOL)
			p = begun(); p.held(1, [one] * 65); refused(p, PROTOCOL)
			p = begun(); p.held(1, [one], n=2**32 - 1); refused(p, PROTOCOL)
			p = begun(); p.held(1, [one], first=2**32 - 1); refused(p, PROTOCOL)
			p = begun(); p.held(1, [one], first=1); refused(p, PROTOCOL, "begins at file 1, expected at most 0")
			p = begun(); p.held(1, []); refused(p, PROTOCOL)
			p = fresh(); p.held(1, [one]); refused(p, PROTOCOL, "a HELD came for entry 1, which is not open")
			p = begun(); p.held(2, [one]); refused(p, PROTOCOL, "which is not open")
			p = begun(); p.raw(struct.pack("<IHHQII", 2**32 - 1, HELD, 0, 1, 0, 0)); refused(p, PROTOCOL)
			p = begun(); p.raw(struct.pack("<IHHQII", 0, HELD, 0, 1, 0, 0)); refused(p, PROTOCOL)
			# to a receiver with which version 1 was agreed they are nothing
			p = begun((1, 1)); p.held(1, [one]); refused(p, PROTOCOL)
			# what a receiver says is not for a receiver
			p = fresh(); p.send(WANT, struct.pack("<QQ", 1, 0), 1); refused(p, PROTOCOL, "is not for a receiver")
			# named anew for ever: bounded by what one entry may name
			p = begun()
			for _ in range(20000):
			    p.held(1, [one] * 64)
			p.send(STATUS, text("") * 4)
			p.until(PONG)
		END
	} >"$T/peer.py"
	peer <"$T/peer.py"
	counted protocol 19
	small recvd
}

@test "ranges that lie: none, too many, empty, of files that were not named, too long; references in answer to a WANT" {
	start_cloud
	{
		echo "$begun"
		cat <<-'END'
			def bad(ranges, how=REFERENCE, packed=b"", index=0, **more):
			    p = begun()
			    p.held(1, [one])
			    p.ranges(1, index, d, ranges, how, packed, **more)
			    refused(p, PROTOCOL)
			bad([])
			bad([(0, 0, 1)] * 33)
			bad([(0, 0, 0)])
			bad([(1, 0, BLOCK)])		# file 1 has no name
			bad([(255, 0, BLOCK)])
			bad([(0, 0, BLOCK - 1)])	# not just the block
			bad([(0, 0, BLOCK), (0, 0, 1)])
			bad([(0, 0, 2**32 - 1)])
			bad([(0, 2**64 - 1, BLOCK)])
			bad([(0, 2**63, BLOCK)])
			bad([(0, 0, BLOCK)], n=2)	# a range that is not there
			bad([(0, 0, BLOCK)], index=2)
			bad([(0, 0, BLOCK)], index=2**64 - 1)
			bad([(0, 0, BLOCK)], packed=b"x")
			bad([(0, 0, 2**20), (0, 0, 1)], PREFIX, b"x")
			bad([(0, 0, 2**32 - 1)] * 32, PREFIX, b"x")
			bad([(0, 0, 1)], PREFIX)
			for how in (SQUEEZED, REFERENCE, PREFIX):
			    p = begun((1, 1))
			    p.ranges(1, 0, d, [(0, 0, BLOCK)], how, b"x" if how == PREFIX else b"")
			    refused(p, PROTOCOL)
			# outside of what there is: asked for, once, and then only literally
			p = begun()
			p.held(1, [one])
			p.ranges(1, 0, d, [(0, 2**39, BLOCK)])
			assert p.until(WANT) == struct.pack("<QQ", 1, 0)
			p.ranges(1, 0, d, [(0, 0, BLOCK)])
			refused(p, PROTOCOL, "was asked for literally")
		END
	} >"$T/peer.py"
	peer <"$T/peer.py"
	counted protocol 21
	small recvd
}

@test "what another sender delivered is not there for this one, whatever its digest" {
	start_cloud
	{
		echo "$begun"
		cat <<-'END'
			secret = os.urandom(BLOCK)
			honest = Peer(port, name="honest").hello(assigned=9, versions=(1, 2))
			honest.entry(1, file_head(1, "root.sg", "5-5-0-0", BLOCK), secret)
			honest.until_durable(1)
			def ask(p, file):
			    p.begin(1, file_head(1, "root.other", "1-1-0-0", BLOCK + 1))
			    p.held(1, [file])
			    p.ranges(1, 0, digest(secret), [(0, 0, BLOCK)])
			    while p.take()[0] not in (WANT, BYE, DURABLE):
			        pass
			    assert p.said[-1][0] == WANT, p.said[-1]
			ask(fresh(), one)
			p = fresh()
			p.begin(1, file_head(1, "root.sg", "1-1-0-0", BLOCK + 1))
			p.held(1, [one])
			p.ranges(1, 0, digest(secret), [(0, 0, BLOCK)], PREFIX, zstd_raw(b"x"))
			p.until(WANT)
			# its own sender has it
			honest.begin(2, file_head(2, "root.sg", "6-6-0-0", BLOCK + 1))
			honest.held(2, [one])
			honest.ranges(2, 0, digest(secret), [(0, 0, BLOCK)])
			honest.block(2, 1, b"y")
			honest.end(2, secret + b"y")
			honest.until_durable(2)
			assert WANT not in [m[0] for m in honest.said]
		END
	} >"$T/peer.py"
	peer <"$T/peer.py"
}

@test "zstd frames that claim gigabytes, windows of terabytes, other lengths, or nothing, cost no memory" {
	start_cloud
	{
		echo "$begun"
		cat <<-'END'
			plain = b"\0" * BLOCK
			frames = [zstd_same(b"\0", BLOCK, claim=2**32 - 1), zstd_same(b"\0", 16 * BLOCK), zstd_same(b"\0", BLOCK - 1),
			          zstd_same(b"\1", BLOCK), zstd_raw(b"\0" * 9, window=0xf8), zstd_same(b"\0", BLOCK)[:-1],
			          b"\x50\x2a\x4d\x18" + struct.pack("<I", 2**32 - 1), b"garbage", b"\x28\xb5\x2f\xfd", bytes(BLOCK - 1)]
			for f in frames:
			    p = begun()
			    p.block(1, 0, f, SQUEEZED, digest(plain))
			    refused(p, MISMATCH)
			    p = fresh()
			    p.send(ENTRY, b"\2" + file_head(1, "root.sg", "1-1-0-0", BLOCK) + entry_digest(plain) + f, 1, len(f))
			    refused(p, MISMATCH if len(f) < BLOCK else PROTOCOL)
			    p = begun()
			    p.held(1, [one])
			    p.ranges(1, 0, digest(plain), [(0, 0, 1)], PREFIX, f)
			    p.until(WANT)
			    p.close()
			p = begun((1, 1)); p.block(1, 0, frames[0], SQUEEZED, digest(plain)); refused(p, PROTOCOL)
			p = fresh((1, 1))
			p.send(ENTRY, b"\2" + file_head(1, "root.sg", "1-1-0-0", BLOCK) + entry_digest(plain) + frames[0], 1, len(frames[0]))
			refused(p, PROTOCOL)
			# one that is right
			p = begun()
			f = zstd_same(b"\0", BLOCK)
			p.block(1, 0, f, SQUEEZED, digest(plain))
			p.block(1, 1, big[BLOCK:])
			p.end(1, big)
			p.until_durable(1)
		END
	} >"$T/peer.py"
	peer <"$T/peer.py"
	counted mismatch 19
	small recvd
}

@test "ASK_KEPT: before WELCOME, too often, of another sender's incarnation" {
	start_cloud
	{
		echo "$begun"
		cat <<-'END'
			honest = Peer(port, name="honest").hello(assigned=9)
			honest.file(1, "root.sg", "1-1-0-0", TINY)
			honest.until_applied(1)
			p = Peer(port)
			p.send(ASK_KEPT, bytes(16), flags=OPTIONAL)
			refused(p, PROTOCOL, "bytes that are no HELLO")
			p = fresh()
			p.send(ASK_KEPT, honest.incarnation, flags=OPTIONAL)
			assert p.until(KEPT)[16:24] == bytes(8)  # not known
			for _ in range(32):
			    p.send(ASK_KEPT, p.incarnation, flags=OPTIONAL)
			refused(p, PROTOCOL, "more ASK_KEPT than an edge needs")
			for m in (b"", bytes(15), bytes(17)):
			    p = fresh()
			    p.send(ASK_KEPT, m, flags=OPTIONAL) if m else p.raw(struct.pack("<IHHQII", 0, ASK_KEPT, 1, 0, 0, 0))
			    refused(p, PROTOCOL)
		END
	} >"$T/peer.py"
	peer <"$T/peer.py"
	counted protocol 5
}

@test "a hostile receiver: WANT, KEPT, WAITS and progress that cannot be; the edge hangs up, and delivers to an honest one" {
	recvd_start
	statement 'START PIPESERVER'
	keep_port
	daemon_stop recvd
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	port=$(sed -n 's/^pipe_server_port=//p' "$T/recvd.conf")
	PYTHONPATH=$TSFERRY_TESTS PYTHONDONTWRITEBYTECODE=1 timeout 60 python3 - "$port" >"$T/hostile.out" 2>&1 3>&- 4>&- <<-'END' &
		import sys
		from peer import *
		l = socket.create_server(("127.0.0.1", int(sys.argv[1])))
		l.settimeout(30)
		def kept(durable, runs, n=None, last=1):
		    return struct.pack("<QBI", durable, last, len(runs) if n is None else n) + b"".join(struct.pack("<QQ", *r) for r in runs)
		many = frame(WANT, struct.pack("<QQ", 1, 0), 1) * 100000
		hostile = [
		    frame(WANT, struct.pack("<QQ", 1, 5), 1),
		    frame(WANT, struct.pack("<QQ", 2**62, 2**40), 2**62),
		    frame(HELD, struct.pack("<QII", 1, 0, 1) + held_file("root.sg", "1-1-0-0"), 1),
		    frame(KEPT, bytes(16) + kept(5, [(3, 2)]), flags=OPTIONAL),
		    frame(KEPT, bytes(16) + kept(5, [(1, 3), (3, 4)]), flags=OPTIONAL),
		    frame(KEPT, bytes(16) + kept(5, [], n=4096), flags=OPTIONAL),
		    frame(WAITS, text("x" * 1001), flags=OPTIONAL),
		    frame(WAITS, text("\x1b[2J"), flags=OPTIONAL),
		    struct.pack("<IHHQII", 2**32 - 1, WAITS, 1, 0, 0, 0),
		    struct.pack("<IHHQII", 0, WANT, 0, 1, 0, 0),
		    frame(DURABLE, struct.pack("<Q", 9), 9),
		    many,  # answered one by one, or too many to be remembered
		]
		print("listening", flush=True)
		at = 0
		while at < len(hostile):
		    sock, _ = l.accept()
		    sock.settimeout(3 if at == len(hostile) - 1 else 20)
		    sock.sendall(b"TSFERRY 1 ok\n")
		    got = b""
		    try:
		        while len(got) < 120:
		            b = sock.recv(65536)
		            assert b
		            got += b
		        flags, = struct.unpack("<I", got[16 + 24 + 4:16 + 24 + 8])
		        sock.sendall(frame(WELCOME, struct.pack("<H", 2) + bytes([9] * 16) + struct.pack("<QQQI", 0, 0, 0, 0)))
		        if flags & PROBE:
		            continue
		        at += 1
		        sock.sendall(hostile[at - 1])
		        while sock.recv(65536):  # until it hangs up
		            pass
		    except (ConnectionResetError, BrokenPipeError):
		        pass
		    except TimeoutError:
		        assert at == len(hostile), at
		    sock.close()
		    print("hung up", at, flush=True)
	END
	hostile=$!
	wait_until 20 grep -q listening "$T/hostile.out"
	syncd_start
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1', port=$port)"
	statement 'CREATE PIPE p TO s'
	statement 'START PIPE p'
	hung_up() { grep -q "hung up $1\$" "$T/hostile.out"; }
	for n in $(seq 12); do
		wait_until 20 hung_up "$n"
		# at once again: left to itself it pauses longer each time, up to 5 s
		statement 'STOP PIPE p'
		[ "$n" = 12 ] || statement 'START PIPE p'
	done
	wait "$hostile"
	small syncd
	recvd_start
	statement 'START PIPE p'
	statement 'WAIT PIPE p 30'
	archive_equals_edge
	value_is /p/message ''
}
