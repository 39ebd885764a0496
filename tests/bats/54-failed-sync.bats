# A sync that fails once: the kernel forgets what it could not write, so nothing of it may be believed, and what
# waits behind it may not become durable before it.
load lib/tsferry

setup() {
	pair_setup
	edge_conf transport plain
	cloud_conf transport plain
}
teardown() {
	pair_teardown
	local status=$?
	if mountpoint -q "$T/disk"; then umount "$T/disk" || status=1; fi
	return $status
}

# failing_peer: Python on stdin, as peer, with next_sync_fails(): recvd's next sync takes half a second and is EIO. What
# HELLO changed is in the catalog before WELCOME is said.
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

@test "what a failed sync left in the cache alone is not believed after a kill -9 either" {
	truncate -s 32M "$T/image"
	mkfs.ext4 -q -F "$T/image"
	mkdir "$T/disk"
	mount -o loop "$T/image" "$T/disk" || skip "no loop mounts here"
	mkdir "$T/disk/state"
	cloud_conf state_dir "$T/disk/state"
	cloud_conf archive_dir "$ARCHIVE"
	recvd_start
	statement 'START PIPESERVER'
	keep_port
	peer <<-'END'
		whole = b"".join(bytes([65 + i]) * BLOCK for i in range(4))
		p = Peer(port).hello(assigned=4)
		p.begin(1, file_head(1, "root.sg", "1-1-0-0", len(whole)))
		for i in range(3):
		    p.block(1, i, whole[i * BLOCK:(i + 1) * BLOCK])
		p.send(STATUS, text("RUNNING") + text("") * 3)
		p.until(PONG)
	END
	all_there() { [ "$(stat -c %s "$(find "$T/disk" -name '*.tsfile')")" -ge 786432 ]; }
	wait_until 20 all_there
	daemon_kill recvd
	sync -f "$T/disk"
	# the disk has something else in block 1 than the cache, as after a write that was lost
	python3 - "$T/image" <<-'END'
		import mmap, os, sys
		with open(sys.argv[1], "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
		    at = m.find(b"B" * 4096)
		    assert at > 0
		    m[at:at + 4096] = b"?" * 4096
		    m.flush()
	END
	cmp -s <(head -c 524288 "$(find "$T/disk" -name '*.tsfile')" | tail -c 262144) <(head -c 262144 /dev/zero | tr '\0' B) # in the cache
	recvd_start
	peer <<-'END'
		def told():
		    p = Peer(port)
		    p.send(HELLO, p.hello_message(assigned=4))
		    n = struct.unpack("<QQQI", p.until(WELCOME)[18:])[3]
		    has = set()
		    for _ in range(n):
		        first, count = struct.unpack("<QI", p.until(PARTIAL)[16:28])
		        has |= set(range(first, first + count))
		    return p, has
		# as its list has it at first; then it is read, while the rest might travel
		p, has = told()
		if has == {0, 1, 2}:
		    refused(p, BUSY, "is not what it was when it came")
		    p, has = told()
		assert has == {0, 2}, has
	END
}
