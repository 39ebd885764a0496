# A pipe with a start time: exactly the rows from it on, of history and of new files.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

V3=$DATA/tsfile/v3 # tiny: root.sg.d1, times 1 to 3; tinyal (aligned): root.sg.d2, 100 to 102
V4=$DATA/tsfile/v4
MIN=-9223372036854775808 MAX=9223372036854775807

from() { # CONDITION
	recvd_start
	syncd_start
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$(server_port))"
	statement "CREATE PIPE p TO s FROM (select ** from root where time $1)"
	statement 'START PIPE p'
}
mods() { cat "$ARCHIVE/edge-1/root.sg/sequence/1/0/$1.tsfile.mods${2:-}" 2>/dev/null; }
cut_is() { [ "$(mods "$1")" = "DELETION,root.**,$MAX,$MIN,$2" ]; }
arrived() { (cd "$ARCHIVE/edge-1" && find . -name '*.tsfile' | sort | xargs -rn1 basename | paste -sd' '); }

@test "a file wholly before the start is no entry, one behind it is whole, one on both sides is cut" {
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/tinyal.tsfile" root.sg 2-2-0-0
	seal "$V3/old.tsfile" root.sg 3-3-0-0
	from '>= 101'
	statement 'WAIT PIPE p 30'
	[ "$(arrived)" = '2-2-0-0.tsfile 3-3-0-0.tsfile' ]
	cut_is 2-2-0-0 100
	[ -z "$(mods 3-3-0-0)" ]
	progress_is p sent_entries 2
	# new files likewise, and nothing of IoTDB's own is touched
	seal "$V3/tiny.tsfile" root.sg 4-4-0-0
	seal "$V3/tinyal.tsfile" root.sg 5-5-0-0
	wait_until 20 cut_is 5-5-0-0 100
	statement 'WAIT PIPE p 30'
	progress_is p sent_entries 3
	[ -z "$(find "$DATADIR/sequence" -name '*.mods')" ]
	[ "$(sqlite3 "$EDGE/state/catalog.db" 'SELECT count(*) FROM known WHERE serial = 0')" = 2 ]
	# known is known, also after a restart
	daemon_kill syncd
	syncd_start
	statement 'WAIT PIPE p 30'
	progress_is p sent_entries 3
	nothing_left
}

@test "> leaves the very instant out, >= takes it" {
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/tinyal.tsfile" root.sg 2-2-0-0
	from '> 3'
	statement 'WAIT PIPE p 30'
	[ "$(arrived)" = 2-2-0-0.tsfile ]
	statement 'DROP PIPE p'
	rm -r "$ARCHIVE/edge-1"
	statement 'CREATE PIPE p TO s FROM (select ** from root where time >= 3)'
	statement 'START PIPE p'
	statement 'WAIT PIPE p 30'
	[ "$(arrived)" = '1-1-0-0.tsfile 2-2-0-0.tsfile' ]
	cut_is 1-1-0-0 2
	[ -z "$(mods 2-2-0-0)" ]
}

@test "times below zero, and files of version 4, whose record is binary" {
	seal "$V4/idx.tsfile" root.sg 1-1-0-0 # times -5 to 1003
	from '>= -4'
	statement 'WAIT PIPE p 30'
	[ "$(mods 1-1-0-0 2 | od -An -v -tx1 | tr -d ' \n')" = \
		"018000000000000000fffffffffffffffb0e$(printf 'root.**' | od -An -tx1 | tr -d ' ')" ]
	statement 'DROP PIPE p'
	rm -r "$ARCHIVE/edge-1"
	statement 'CREATE PIPE p TO s FROM (select ** from root where time >= -5)'
	statement 'START PIPE p'
	statement 'WAIT PIPE p 30'
	[ -z "$(mods 1-1-0-0 2)" ]
	[ "$(arrived)" = 1-1-0-0.tsfile ]
}

@test "a date is taken in the precision of the edge: ms, us, ns" {
	for precision in ms us ns; do
		edge_conf timestamp_precision "$precision"
		from "> 1970-01-01T00:00:00.001+00:00"
		case $precision in ms) at=1 ;; us) at=1000 ;; ns) at=1000000 ;; esac
		[ "$(sqlite3 "$EDGE/state/catalog.db" 'SELECT from_time FROM pipe WHERE state <> 3')" = $at ]
		statement 'DROP PIPE p'
		daemon_stop syncd
		daemon_stop recvd
		rm -r "$EDGE/state" "$CLOUD/state" "$DATADIR/.tsferry-spool"
		mkdir "$EDGE/state" "$CLOUD/state"
	done
}

@test "its own deletions travel beside the cut, and later ones are cut to the rows that went" {
	cp "$V3/tiny.tsfile" "$T/a.tsfile"
	echo "DELETION,root.sg.d1.s1,$MAX,2,2" >"$T/a.tsfile.mods"
	seal "$T/a.tsfile" root.sg 1-1-0-0
	seal "$V3/tiny.tsfile" root.sg 2-2-0-0
	from '>= 2'
	statement 'WAIT PIPE p 30'
	[ "$(mods 1-1-0-0)" = "DELETION,root.sg.d1.s1,$MAX,2,2"$'\n'"DELETION,root.**,$MAX,$MIN,1" ]
	printf "DELETION,root.**,$MAX,$MIN,$MAX\n" >>"$DATADIR/sequence/root.sg/1/0/2-2-0-0.tsfile.mods"
	deleted() { mods 2-2-0-0 | grep -qF "DELETION,root.**,$MAX,2,3"; }
	wait_until 20 deleted
	# what touches only rows that never went is no entry
	printf "DELETION,root.sg.d1.s1,$MAX,1,1\n" >>"$DATADIR/sequence/root.sg/1/0/1-1-0-0.tsfile.mods"
	read_all() { [ "$(sqlite3 -cmd '.timeout 5000' "$EDGE/state/catalog.db" 'SELECT count(*) FROM known WHERE mods_stamp <> 0')" = 2 ]; }
	wait_until 20 read_all
	progress_is p sent_entries 3
}
