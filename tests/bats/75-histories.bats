# What HELLO must never overlook, and whose connection counts (design, section 3); state
# directories put back and copied are in 70-state.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

quarantined_are() { [ "$(rows 'SHOW QUARANTINE' | cut -f4 | sort -n | paste -sd' ')" = "$1" ]; }

start_cloud() {
	cloud_conf transport plain
	recvd_start
	statement 'START PIPESERVER'
}

@test "a receiver whose applied went backwards while durable fits stops the pipe with the numbers" {
	pair_start
	keep_port
	for n in 1 2 3; do seal "$DATA/tsfile/v3/tiny.tsfile" root.sg $n-$n-0-0; done
	statement 'WAIT PIPE p 30'
	daemon_stop recvd
	sqlite3 "$CLOUD/state/catalog.db" 'UPDATE incarnation SET applied = 1'
	recvd_start
	wait_until 40 value_has /p/message '[ERROR]'
	value_is /p/status STOP
	value_has /p/message 'up to 1 are applied, it had said so up to 3'
	value_has /p/message RESYNC
	statement 'RESYNC PIPE p'
	statement 'WAIT PIPE p 30'
	archive_equals_edge
	value_is /p/message ''
}

@test "a second connection of a sender takes over, and again and again is a WARN with both addresses" {
	start_cloud
	peer <<-'END'
		one = Peer(port).hello(assigned=1)
		two = Peer(port, source="127.0.0.2").hello(assigned=1)
		refused(one, TAKEN_OVER, "a connection from 127.0.0.2", "took over this one from 127.0.0.1")
		# the new one works, although the first had begun the same entry
		two.file(1, "root.sg", "1-1-0-0", TINY)
		two.until_applied(1)
		for n in range(3):
		    one = Peer(port).hello(assigned=1)
		    refused(two, TAKEN_OVER)
		    two = Peer(port, source="127.0.0.2").hello(assigned=1)
		    refused(one, TAKEN_OVER)
	END
	rows 'SHOW SENDERS' | grep -q '\[WARN\].*127.0.0.2.*127.0.0.1.*take each other over'
	wait_until 10 grep -q 'level=warn module=session sender=edge-1 msg="edge-1: a connection from' "$T/recvd.log"
}

@test "a dropped and newly created pipe waits, per database, for what the old one left; the old one is refused" {
	start_cloud
	peer <<-'END'
		old = Peer(port).hello(assigned=9)
		old.file(1, "root.a", "1-1-0-0", TINY)
		old.restate(2, "root.a", "root.sg.d1", held=True)
		old.file(3, "root.b", "3-3-0-0", TINY)
		old.until_applied(1)
		old.send(DROP, old.incarnation)
		old.close()
		new = Peer(port, incarnation=b"newer incarnatio").hello(assigned=9)
		new.file(1, "root.a", "1-1-0-0", TINY, b"DELETION,root.a.d1.s1,5,7,7\n", 1)
		new.file(2, "root.b", "4-4-0-0", TINY)
		new.until_durable(2)
	END
	wait_until 20 archive_has root.b 4-4-0-0
	[ ! -e "$ARCHIVE/edge-1/root.a/sequence/1/0/1-1-0-0.tsfile.mods" ]
	statement "RETRY $(rows 'SHOW QUARANTINE' | cut -f1)"
	peer <<-'END'
		new = Peer(port, incarnation=b"newer incarnatio").hello(assigned=9)
		new.until_applied(2)
		old = Peer(port)
		old.send(HELLO, old.hello_message(assigned=9))
		refused(old, HISTORY, "this incarnation of pipe p was dropped here", "RESYNC PIPE p")
	END
	[ "$(cat "$ARCHIVE/edge-1/root.a/sequence/1/0/1-1-0-0.tsfile.mods")" = DELETION,root.a.d1.s1,5,7,7 ]
}

@test "another sender's incarnation is a stranger's: nothing of it is shown, and it stays as it is" {
	start_cloud
	peer <<-'END'
		one = Peer(port).hello(assigned=2)
		one.file(1, "root.sg", "1-1-0-0", TINY)
		one.until_applied(1)
		thief = Peer(port, name="edge-2", incarnation=one.incarnation).hello(assigned=9)
		assert thief.durable == 0 and thief.applied == 0
		thief.delete(1, "root.sg", "root.sg.d1", b"DELETION,root.sg.**,5,0,5\n")
		thief.until_durable(1)
		one.file(2, "root.sg", "2-2-0-0", TINY)
		one.until_applied(2)
	END
	wait_until 20 quarantined_are 1
	rows 'SHOW QUARANTINE' | grep -q 'edge-2.*of which this sender delivered no file'
	archive_has root.sg 2-2-0-0
	[ -z "$(find "$ARCHIVE" -name '*.mods')" ]
}
