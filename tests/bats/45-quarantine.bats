# What does not apply waits for an operator's word, or for the SCHEMA that cures it; the rest of
# its database keeps its order behind it. The edge is a script that says every entry itself.
load lib/tsferry

setup() {
	pair_setup
	cloud_conf transport plain
	knowing_loader
}
teardown() { pair_teardown; }

# A loader of our own: refuses names in $0.bad, says mismatch of those in $0.types until a SCHEMA
# whose statements contain their line; what it applied stands in $0.applied.
knowing_loader() {
	cat >"$T/loader" <<-'LOADER'
		#!/usr/bin/python3
		import os, sys
		me, held = sys.argv[0], set()

		def listed(what):
		    return open(me + what).read().split("\n") if os.path.exists(me + what) else []

		def job(f):
		    if f["database"] in held:
		        return "held"
		    name = f["database"] + " " + (f.get("name") or f["kind"])
		    if name in listed(".bad"):
		        held.add(f["database"])
		        return "quarantine\ttext=no"
		    if name in listed(".types"):
		        held.add(f["database"])
		        return "mismatch\ttext=INT32 is not INT64\tpaths=root.sg.d1.s1"
		    if f["kind"] == "SCHEMA" and "root.sg.d1.s1 " in open(f["path"]).read() and "works" in open(f["path"]).read():
		        open(me + ".types", "w").close()
		    with open(me + ".applied", "a") as a:
		        a.write(f["serial"] + " " + name + "\n")
		    return "applied"

		for line in sys.stdin:
		    if line == "end\n":
		        held.clear()
		        print("end", flush=True)
		        continue
		    fields = dict(x.split("=", 1) for x in line.rstrip("\n").split("\t"))
		    print("job=" + fields["job"] + "\tresult=" + job(fields))
	LOADER
	chmod +x "$T/loader"
	cloud_conf loader "$T/loader"
}

start_cloud() {
	recvd_start
	statement 'START PIPESERVER'
}

applied() { cat "$T/loader.applied" 2>/dev/null; }
applied_are() { [ "$(applied | cut -d' ' -f1 | paste -sd' ')" = "$1" ]; }
quarantined_are() { [ "$(rows 'SHOW QUARANTINE' | cut -f4 | sort -n | paste -sd' ')" = "$1" ]; }
refusals_are() { [ "$(grep -c "entry $1 is quarantined" "$T/recvd.log")" = "$2" ]; }
id_of() { rows 'SHOW QUARANTINE' | awk -F'\t' -v s="$1" '$4 == s { print $1 }'; }

@test "a type mismatch is tried again behind the next SCHEMA of its paths, which passes; order is kept" {
	echo 'root.sg 1-1-0-0' >"$T/loader.types"
	start_cloud
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.file(1, "root.sg", "1-1-0-0", TINY)
		p.file(2, "root.sg", "2-2-0-0", TINY)
		p.schema(3, "root.sg", b"CREATE TIMESERIES root.sg.d2.s1 WITH DATATYPE=INT32")
		p.file(4, "root.sg", "4-4-0-0", TINY)
		p.file(5, "root.other", "5-5-0-0", TINY)
		p.until_durable(5)
	END
	wait_until 20 quarantined_are 1
	wait_until 20 applied_are 5
	rows 'SHOW QUARANTINE' | grep -q 'INT32 is not INT64; tried again behind the next SCHEMA'
	# one that does not help, then one that does; recvd is killed in between
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.schema(6, "root.sg", b"ALTER TIMESERIES root.sg.d1.s1 ADD TAGS a='b'")
		p.until_durable(6)
	END
	wait_until 20 applied_are '5 6'
	wait_until 20 quarantined_are 1
	keep_port
	daemon_kill recvd
	recvd_start
	wait_until 20 quarantined_are 1
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		assert p.durable == 6 and p.applied == 0
		p.schema(7, "root.sg", b"ALTER TIMESERIES root.sg.d1.s1 works")
		p.until_applied(7)
	END
	applied_are '5 6 7 1 2 3 4'
	quarantined_are ''
}

@test "with quarantine=pass the rest goes on, and a SCHEMA that comes in its turn cures too" {
	echo 'root.sg 1-1-0-0' >"$T/loader.types"
	echo 'root.sg 2-2-0-0' >"$T/loader.bad"
	cloud_conf quarantine pass
	start_cloud
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		for n in 1, 2, 3:
		    p.file(n, "root.sg", f"{n}-{n}-0-0", TINY)
		p.until_durable(3)
	END
	wait_until 20 quarantined_are '1 2'
	wait_until 20 applied_are 3
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.schema(4, "root.sg", b"ALTER TIMESERIES root.sg.d1.s1 works")
		p.until_applied(1)
	END
	applied_are '3 4 1'
	quarantined_are 2
}

@test "from pass back to hold, what is quarantined holds again; RETRY ALL and SKIP release all that waited, in order" {
	printf 'root.sg %s\n' 2-2-0-0 4-4-0-0 >"$T/loader.bad"
	cloud_conf quarantine pass
	start_cloud
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		for n in range(1, 6):
		    p.file(n, "root.sg", f"{n}-{n}-0-0", TINY)
		p.until_durable(5)
	END
	wait_until 20 applied_are '1 3 5'
	wait_until 20 quarantined_are '2 4'
	cloud_conf quarantine hold
	statement 'LOAD CONFIGURATION'
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.file(6, "root.sg", "6-6-0-0", TINY)
		p.file(7, "root.sg", "7-7-0-0", TINY)
		p.until_durable(7)
	END
	statement 'RETRY ALL' # in vain
	# SHOW QUARANTINE has both of them also while they are tried again
	wait_until 20 refusals_are 2 2
	quarantined_are '2 4'
	applied_are '1 3 5'
	: >"$T/loader.bad"
	statement "SKIP $(id_of 2)" # entry 4 was released, and waited its turn
	wait_until 20 applied_are '1 3 5 4 6 7'
	quarantined_are ''
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		assert p.applied == 7
	END
}

@test "deletions and removals of a database that this sender did not deliver wait for an operator" {
	start_cloud
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.schema(1, "root.a", b"CREATE TIMESERIES root.a.d1.s1 WITH DATATYPE=INT64")
		p.delete(2, "root.a", "root.a.d1", b"DELETION,root.a.**,5,0,5\n")
		p.restate(3, "root.b", "root.b.d1")
		p.schema(4, "root.c", b"DELETE TIMESERIES root.c.**")
		p.schema(5, "root.d", b"CREATE TIMESERIES root.elsewhere.d1.s1 WITH DATATYPE=INT64")
		p.until_durable(5)
	END
	wait_until 20 quarantined_are '2 3 4 5'
	applied_are 1
	rows 'SHOW QUARANTINE' | grep -q 'a DELETE of database root.a, of which this sender delivered no file'
	rows 'SHOW QUARANTINE' | grep -q 'a RESTATE of database root.b, of which'
	rows 'SHOW QUARANTINE' | grep -q 'takes away what is in database root.c'
	rows 'SHOW QUARANTINE' | grep -q 'speaks of root.elsewhere.d1.s1'
	# an operator's word, and what was delivered may be deleted: by a new pipe as well
	statement 'RETRY ALL'
	wait_until 20 applied_are '1 2 3 4 5'
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.file(6, "root.a", "6-6-0-0", TINY)
		p.delete(7, "root.a", "root.a.d1", b"DELETION,root.a.**,5,0,5\n")
		p.until_applied(7)
		p.close()
		p = Peer(port, incarnation=b"another" + bytes(9)).hello(assigned=9)
		p.delete(1, "root.a", "root.a.d1", b"DELETION,root.a.**,5,0,5\n")
		p.until_applied(1)
	END
}

@test "the end of a database: applied in order, but not where another sender has data in it, and never past a mismatch" {
	echo 'root.sg 3-3-0-0' >"$T/loader.types"
	start_cloud
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.file(1, "root.sg", "1-1-0-0", TINY)
		p.file(2, "root.own", "2-2-0-0", TINY)
		p.until_applied(2)
		q = Peer(port, name="edge-2").hello(assigned=9)
		q.file(1, "root.sg", "5-5-0-0", TINY)
		q.until_applied(1)
		p.schema(3, "root.own", b"DELETE DATABASE root.own\n")
		p.until_applied(3)
		p.file(4, "root.sg", "3-3-0-0", TINY)
		p.until_durable(4)
	END
	wait_until 20 quarantined_are 4 # in one batch both would be refused, each for itself
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.schema(5, "root.sg", b"DELETE DATABASE root.sg\n")
		p.until_durable(5)
	END
	quarantined_are 4
	: >"$T/loader.types"
	statement 'RETRY ALL'
	wait_until 20 quarantined_are 5
	rows 'SHOW QUARANTINE' | grep -q 'database root.sg was dropped at the edge, and another sender has data in it here'
	applied_are '1 2 1 3 4'
	statement 'SKIP '"$(id_of 5)"
	cloud_conf hold_deletes database
	statement 'LOAD CONFIGURATION'
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.file(6, "root.own", "6-6-0-0", TINY)
		p.schema(7, "root.own", b"DELETE DATABASE root.own\n")
		p.until_durable(7)
	END
	wait_until 20 quarantined_are 7
	rows 'SHOW QUARANTINE' | grep -q 'hold_deletes: database root.own was dropped at the edge'
	statement 'RETRY ALL'
	wait_until 20 applied_are '1 2 1 3 4 6 7'
}

@test "hold_deletes and a held RESTATE wait for RETRY; what follows waits behind them" {
	cloud_conf hold_deletes database
	start_cloud
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.file(1, "root.sg", "1-1-0-0", TINY)
		p.delete(2, "root.sg", "root.sg.d1", b"DELETION,root.sg.d1.s1,5,0,5\n")
		p.restate(3, "root.sg", "root.sg.d1", held=True)
		p.file(4, "root.sg", "4-4-0-0", TINY)
		p.delete(5, "root.sg", "root.sg.d1", b"DELETION,root.sg.**,5,%d,%d\n" % (-2**63, 2**63 - 1))
		p.until_durable(5)
	END
	wait_until 20 quarantined_are 3
	applied_are '1 2'
	statement "RETRY $(id_of 3)"
	wait_until 20 quarantined_are 5
	rows 'SHOW QUARANTINE' | grep -q 'hold_deletes=database'
	applied_are '1 2 3 4'
	cloud_conf hold_deletes all
	statement 'LOAD CONFIGURATION'
	statement "RETRY $(id_of 5)"
	wait_until 20 applied_are '1 2 3 4 5'
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.delete(6, "root.sg", "root.sg.d1", b"DELETION,root.sg.d1.s1,5,0,5\n")
		p.restate(7, "root.sg", "root.sg.d1")
		p.until_durable(7)
	END
	wait_until 20 quarantined_are 6
	statement "SKIP $(id_of 6)"
	wait_until 20 quarantined_are 7
	rows 'SHOW QUARANTINE' | grep -q 'hold_deletes=all'
}

@test "RESTATE in the archive: the range is gone from the files of the region, then the living files stand as at the edge" {
	cloud_conf loader archive
	start_cloud
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.file(1, "root.sg", "1-1-0-0", TINY)
		p.file(2, "root.sg", "2-2-0-0", TINY, b"DELETION,root.sg.d1.s2,5,1,1\n", 1)
		p.file(3, "root.sg", "3-3-0-0", TINY, region=2)
		p.restate(4, "root.sg", "root.sg.d1", first=2, last=20)
		p.file(5, "root.sg", "2-2-0-0", TINY, b"DELETION,root.sg.d1.s2,5,1,1\n", 1)
		p.until_applied(5)
	END
	one=$ARCHIVE/edge-1/root.sg/sequence/1/0
	grep -qx 'DELETION,root.sg.d1.\*,9223372036854775807,2,20' "$one/1-1-0-0.tsfile.mods"
	[ "$(cat "$one/2-2-0-0.tsfile.mods")" = DELETION,root.sg.d1.s2,5,1,1 ]
	[ ! -e "$ARCHIVE/edge-1/root.sg/sequence/2/0/3-3-0-0.tsfile.mods" ]
	quarantined_are ''
}

@test "what was let go while the edge was away is no line of its message any more" {
	cloud_conf hold_deletes all
	edge_conf transport plain
	pair_start
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	mods=$DATADIR/sequence/root.sg/1/0/1-1-0-0.tsfile.mods
	echo 'DELETION,root.sg.d1.s1,212,2,9' >"$mods"
	wait_until 20 value_has /p/message '1 in quarantine'
	statement 'STOP PIPE p'
	wait_until 20 value_has /p/link 'offline'
	statement 'RETRY ALL'
	none_held() { [ -z "$(rows 'SHOW QUARANTINE')" ]; }
	wait_until 20 none_held
	value_has /p/message '1 in quarantine'
	statement 'START PIPE p'
	silent() { [ -z "$(value /p/message)" ]; }
	wait_until 20 silent
	progress_is p quarantined_entries 0
}
