# Peers that mean harm, or are broken: each is refused before memory is spent on it, in words and
# with a counter in metrics, and an honest edge beside them is served.
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

# A loader that applies everything by saying so.
lazy_loader() {
	cat >"$T/${1:-loader}" <<-'LOADER'
		#!/usr/bin/python3
		import sys
		for line in sys.stdin:
		    if line == "end\n":
		        print("end", flush=True)
		    else:
		        print(line.split("\t")[0] + "\tresult=" + (sys.argv[0].endswith("never") and "retry\ttext=no" or "applied"))
	LOADER
	chmod +x "$T/${1:-loader}"
	cloud_conf loader "$T/${1:-loader}"
}

count() { value /metrics | sed -n "s/^tsferry_recvd_refused_total{cause=\"$1\"} //p"; }
counted() { [ "$(count "$1")" -ge "$2" ]; }
# What the sanitizers keep says nothing about what the daemon does.
small() { [ -n "${TSFERRY_SANITIZED:-}" ] || [ "$(awk '/^VmRSS/ { print $2 }' "/proc/$(daemon_pid recvd)/status")" -lt 40000 ]; }

@test "lengths of zero and of gigabytes, flags, types and sums are refused with the head alone" {
	start_cloud
	peer <<-'END'
		def head(length, kind, flags=0, serial=0, bulk=0):
		    return struct.pack("<IHHQII", length, kind, flags, serial, bulk, 0)

		# before HELLO: nothing but a HELLO, and no byte more than one has
		for h in head(0, HELLO), head(2**32 - 1, HELLO), head(660, HELLO), head(100, ENTRY), head(8, DURABLE), \
		        head(100, 4711), head(2**20, 4711, 1), head(100, HELLO, 2), head(50, HELLO, 0, 0, 50):
		    p = Peer(port)
		    p.raw(h)
		    refused(p, PROTOCOL, "bytes that are no HELLO")
		# behind it
		for h in head(0, STATUS), head(2**32 - 1, BLOCK_), head(393234, ENTRY), head(1, 4711), head(8, DURABLE), \
		        head(25, END, 0, 1), head(2**24, 4711, 1), head(100, STATUS, 4):
		    p = Peer(port).hello(assigned=1)
		    p.raw(h + bytes(9))
		    refused(p, PROTOCOL)
		# a flipped bit in the message, an unknown type that may be ignored
		p = Peer(port).hello(assigned=1)
		p.send(4711, b"whatever", flags=1)
		p.raw(frame(DROP, p.incarnation)[:-1] + b"?")
		refused(p, PROTOCOL, "bytes that are no frame")
	END
	counted protocol 18
}

@test "names with .., NUL, 4 KiB and control bytes, IoTDB's own databases, and numbers out of bounds are no entries" {
	start_cloud
	peer <<-'END'
		names = ["..", ".", "", "../../etc", "a/b", "root.sg\0x", "r" * 4096, "root.\n", "root.__system", "root.__audit",
		         b"\xff\xfe", "r" * 256]
		for n in names:
		    p = Peer(port).hello(assigned=1)
		    p.entry(1, schema_head(1, n, 1), b"x")
		    refused(p, PROTOCOL, "an ENTRY that does not decode")
		for n in ["..", "", "a/b", "x\0", "n" * 256, "\x1b[2J"]:
		    p = Peer(port)
		    p.send(HELLO, p.hello_message(name=n))
		    refused(p, PROTOCOL, "HELLO that does not decode")
		    p = Peer(port, pipe=n)
		    p.send(HELLO, p.hello_message())
		    refused(p, PROTOCOL, "HELLO that does not decode")
		whole = dict(assigned=1)
		for bad in [file_head(1, "root.sg", "1-1-0-0", 0), file_head(1, "root.sg", "1-1-0-0", 2**40),
		            file_head(1, "root.sg", f"{2**63}-1-0-0", 5), delete_head(1, "root.sg", "d", 0),
		            delete_head(1, "root.sg", "d" * 65537, 5), delete_head(1, "root.sg", "d", 2**26 + 1),
		            delete_head(1, "root.sg", "d", 5, 7, 6), schema_head(1, "root.sg", 0), schema_head(1, "root.sg", 2**27),
		            struct.pack("<QQB", 1, 0, SCHEMA) + text("root.sg") + struct.pack("<Q", 1),
		            struct.pack("<QQB", 1, 1, 9) + text("root.sg")]:
		    p = Peer(port).hello(**whole)
		    p.begin(1, bad)
		    refused(p, PROTOCOL)
	END
	counted protocol 30
	[ -z "$(find "$CLOUD" -name 'etc*')" ]
}

@test "replayed, reordered and invented messages end the connection and change nothing" {
	start_cloud
	peer <<-'END'
		def fresh():
		    return Peer(port).hello(assigned=9)
		big = bytes(300000)
		p = fresh()
		p.file(1, "root.sg", "1-1-0-0", TINY)
		p.until_durable(1)
		p.file(1, "root.sg", "1-1-0-0", TINY)
		refused(p, PROTOCOL, "entry 1 came, expected entry 2")
		p = fresh(); p.file(3, "root.sg", "3-3-0-0", TINY); refused(p, PROTOCOL, "entry 3 came, expected entry 2")
		p = fresh(); p.block(2, 0, b"x"); refused(p, PROTOCOL, "not open")
		p = fresh(); p.end(2, b"x"); refused(p, PROTOCOL, "not open")
		p = fresh(); p.send(HELLO, p.hello_message()); refused(p, PROTOCOL, "a second HELLO")
		p = fresh(); p.send(DROP, bytes(16)); refused(p, PROTOCOL, "DROP came for another incarnation")
		p = fresh(); p.send(WELCOME, bytes(46)); refused(p, PROTOCOL, "is not for a receiver")
		def begun():
		    p = fresh()
		    p.begin(2, file_head(2, "root.sg", "2-2-0-0", len(big)))
		    return p
		p = begun(); p.block(2, 2, b"x"); refused(p, PROTOCOL, "is no block of its 300000 bytes")
		p = begun(); p.block(2, 1, b"x"); refused(p, PROTOCOL, "is no block of its 300000 bytes")
		p = begun(); p.block(2, 0, big[:BLOCK], how=7); refused(p, PROTOCOL)
		p = begun(); p.block(2, 0, big[:BLOCK], d=bytes(16)); refused(p, MISMATCH, "another digest")
		p = begun(); p.end(2, big); refused(p, MISMATCH, "0 of 2 blocks")
		p = fresh()
		for n in range(2, 67):
		    p.begin(n, file_head(n, "root.sg", f"{n}-{n}-0-0", len(big)))
		refused(p, PROTOCOL, "while 64 others are not complete")
		p = fresh(); p.entry(2, file_head(2, "root.sg", "2-2-0-0", 9), b"short"); refused(p, PROTOCOL)
		p = fresh()
		p.send(ENTRY, b"\1" + file_head(2, "root.sg", "2-2-0-0", 4) + bytes(16) + b"abcd", 2, 4)
		refused(p, MISMATCH, "another digest")
		assert fresh().durable == 1
	END
	wait_until 20 archive_has root.sg 1-1-0-0
	[ "$(find "$ARCHIVE" -name '*.tsfile' | wc -l)" = 1 ]
	counted mismatch 3
}

@test "floods: strangers, HELLOs, pipes, names of others, databases; an honest edge beside them is served" {
	lazy_loader
	start_cloud
	peer <<-'END'
		# so many that say nothing, and one more; another address comes in
		silent = [Peer(port) for n in range(64)]
		one_more = Peer(port)
		assert one_more.greeting == "TSFERRY 1 no too many connections from this address have not said who they are", one_more.greeting
		Peer(port, name="honest", source="127.0.0.2").hello(assigned=1).file(1, "root.sg", "1-1-0-0", TINY)
		for s in silent:
		    s.close()
		# HELLO after HELLO of one sender
		def let_in(): # once the ends of the silent ones are seen
		    while True:
		        p = Peer(port)
		        if " no " not in p.greeting:
		            return p
		try:
		    for n in range(400):
		        p = let_in()
		        p.hello(assigned=1)
		except Closed:
		    pass
		refused(p, BUSY, "edge-1 connects more often than")
		# pipe after pipe
		for n in range(33):
		    p = Peer(port, name="edge-2", incarnation=struct.pack("<QQ", n, 1))
		    p.send(HELLO, p.hello_message(assigned=1))
		    if n < 32:
		        p.until(WELCOME)
		refused(p, BUSY, "edge-2 began more than 32 pipes")
		# the name of another key
		p = Peer(port, name="honest", key=bytes(31) + b"x")
		p.send(HELLO, p.hello_message(assigned=1))
		refused(p, REFUSED, "the name honest belongs to key")
		# a database with every entry
		p = Peer(port, name="edge-3").hello(assigned=9999)
		for n in range(1, 4098):
		    p.schema(n, f"root.d{n}", b"x")
		refused(p, BUSY, "pipe p names more than 4096 databases")
		honest = Peer(port, name="honest").hello(assigned=9)
		honest.file(honest.durable + 1, "root.sg", "2-2-0-0", TINY)
		honest.until_applied(2)
	END
	counted crowd 1
	counted quota 3
	counted key 1
	small
}

@test "slow peers: no greeting, a HELLO drop by drop, an entry cut in the middle; each has its deadline, nobody waits for them" {
	start_cloud
	peer <<-'END'
		began = time.monotonic()
		mute = Peer(port, greet=False)
		no_hello = Peer(port)
		drop = Peer(port)
		half = Peer(port, name="edge-2").hello(assigned=1)
		half.raw(frame(ENTRY, bytes(200000), 1)[:1000])
		honest = Peer(port, name="honest").hello(assigned=1)
		honest.file(1, "root.sg", "1-1-0-0", TINY)
		honest.until_applied(1)
		h = drop.hello_message()
		h = frame(HELLO, h)
		at = 0
		drop.sock.settimeout(0.5)
		while at < len(h) - 1 and time.monotonic() - began < 20:
		    drop.raw(h[at:at + 1])
		    at += 1
		    try:
		        drop._more()
		    except TimeoutError:
		        pass
		    except Closed:
		        break
		assert 9 < time.monotonic() - began < 20
		for p in mute, no_hello:
		    assert p.until_bye() is None
		assert time.monotonic() - began < 20
		honest.file(2, "root.sg", "2-2-0-0", TINY)
		honest.until_applied(2)
	END
	counted greeting 1
	counted hello 2
}

@test "answers that a peer does not read cost no memory, and come when it reads" {
	start_cloud
	peer <<-'END'
		p = Peer(port).hello(assigned=1)
		one = frame(STATUS, text("") * 4)
		sent, many = 0, one * 1000
		p.sock.settimeout(0.5)
		try:
		    while sent < 3000000:
		        p.sock.sendall(many)
		        sent += 1000
		except TimeoutError:
		    pass
		assert 20000 < sent < 3000000, sent
		# it is read again as soon as we read
		p.sock.settimeout(20)
		for n in range(sent):
		    p.take()
		assert p.said[-1][0] == PONG
	END
	small
}

@test "sender_max_bytes and sender_max_rate hold one sender back and not its neighbour; room comes without a restart" {
	lazy_loader never
	cloud_conf sender_max_bytes 20000
	cloud_conf sender_max_rate 20
	start_cloud
	peer <<-'END'
		p = Peer(port).hello(assigned=99)
		p.schema(1, "root.a", b"x" * 15000)
		p.until_durable(1)
		p.schema(2, "root.a", b"x" * 15000)
		refused(p, BUSY, "15000 bytes of sender edge-1 wait to be applied, sender_max_bytes is 20000")
		other = Peer(port, name="edge-2").hello(assigned=99)
		other.schema(1, "root.a", b"x" * 15000)
		other.until_durable(1)
		# half-received entries count
		p = Peer(port).hello(assigned=99)
		p.begin(2, file_head(2, "root.a", "2-2-0-0", 300000))
		refused(p, BUSY, "sender_max_bytes")
		began = time.monotonic()
		for n in range(2, 52):
		    other.schema(n, "root.a", b"x")
		other.until_durable(51)
		assert time.monotonic() - began > 1, time.monotonic() - began
	END
	counted quota 2
	cloud_conf sender_max_bytes 0
	statement 'LOAD CONFIGURATION'
	peer <<-'END'
		p = Peer(port).hello(assigned=99)
		p.schema(2, "root.a", b"x" * 15000)
		p.until_durable(2)
	END
}
