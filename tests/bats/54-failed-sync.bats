# A sync that fails once: the kernel forgets what it could not write, so nothing of it may be believed, and what
# waits behind it may not become durable before it.
load lib/tsferry

setup() {
	pair_setup
	edge_conf transport plain
	cloud_conf transport plain
}
teardown() { pair_teardown; }

# failing_peer: Python on stdin, as peer, with next_sync_fails(): recvd's next sync takes half a second and is EIO.
failing_peer() {
	{
		cat <<-'END'
			import subprocess

			def next_sync_fails():
			    s = subprocess.Popen(["strace", "-f", "-e", "trace=fdatasync,syncfs", "-e",
			                          "inject=fdatasync,syncfs:error=EIO:delay_enter=500000:when=1", "-e", "signal=none",
			                          "-o", sys.argv[3], "-p", sys.argv[2]], stderr=subprocess.PIPE)
			    while b"attached" not in s.stderr.readline():
			        pass

			def again():
			    """A new connection, how much of it is durable, and how many PARTIALs came."""
			    p = Peer(port)
			    p.send(HELLO, p.hello_message(assigned=4))
			    durable, _, _, partials = struct.unpack("<QQQI", p.until(WELCOME)[18:])
			    return p, durable, partials
		END
		cat
	} | peer "$(daemon_pid recvd)" "$T/trace"
}

@test "entries behind a failed one do not become durable, and half-received ones are not believed" {
	recvd_start
	statement 'START PIPESERVER'
	failing_peer <<-'END'
		whole = bytes(range(256)) * 3072
		def first_two(p):
		    p.entry(1, file_head(1, "root.sg", "1-1-0-0", 200000), bytes(200000))
		    p.entry(2, file_head(2, "root.sg", "2-2-0-0", 9), b"123456789")

		p = Peer(port).hello(assigned=4)
		time.sleep(0.3)  # what HELLO changed is in the catalog
		next_sync_fails()
		first_two(p)
		p.begin(3, file_head(3, "root.sg", "3-3-0-0", len(whole)))
		for i in range(2):
		    p.block(3, i, whole[i * BLOCK:(i + 1) * BLOCK])
		refused(p, BUSY, "could not make it durable", "Input/output error")
		assert p.durable == 0, p.durable
		deadline = time.time() + 10
		while True:
		    p, durable, partials = again()
		    assert durable == 0, durable
		    if partials == 0 or time.time() > deadline:
		        break
		    p.close()  # what failed may still be on its way out
		assert partials == 0, "a half-received file is believed after a failed sync"
		first_two(p)
		p.until_durable(2)
	END
	[ "$(grep -c 'EIO' "$T/trace")" -eq 1 ]
}

@test "rows behind a transaction that failed do not become durable" {
	recvd_start
	statement 'START PIPESERVER'
	failing_peer <<-'END'
		p = Peer(port).hello(assigned=4)
		time.sleep(0.3)
		next_sync_fails()
		p.entry(1, file_head(1, "root.sg", "1-1-0-0", 9), b"123456789")
		time.sleep(0.2)  # the next one waits for the group that fails
		p.entry(2, file_head(2, "root.sg", "2-2-0-0", 9), b"123456789")
		p.until_bye()
		assert p.durable == 0, p.durable
	END
	# whether it goes on or was started again: it knows of nothing
	if gone "$(daemon_pid recvd)"; then recvd_start; fi
	failing_peer <<-'END'
		p, durable, _ = again()
		assert durable == 0, durable
		for i in (1, 2):
		    p.entry(i, file_head(i, "root.sg", "%d-%d-0-0" % (i, i), 9), b"123456789")
		p.until_durable(2)
	END
	[ "$(grep -c 'EIO' "$T/trace")" -eq 1 ]
}
