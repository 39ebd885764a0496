# Pipes as an operator uses them: start times, incarnations, two receivers, limits.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

@test "a start time travels as one more deletion record, and > differs from >=" {
	cp -r "$DATA/datadir-1.3.3/." "$DATADIR/"
	recvd_start
	syncd_start
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (port=$(server_port))"
	statement 'CREATE PIPE p TO s FROM (select ** from root where time >= 1704100000000)'
	statement 'START PIPE p'
	statement 'WAIT PIPE p 30'
	[[ $(value /p/query) == 'select ** from root where time >= 2024-01-01T'* ]]
	cut=',9223372036854775807,-9223372036854775808,1704099999999$'
	cut_files=$(find "$ARCHIVE" -name '*.mods' -exec grep -l "$cut" {} + | wc -l)
	[ "$cut_files" -gt 0 ]
	# IoTDB's own files are as they were.
	run ! grep -r "$cut" "$DATADIR/sequence" "$DATADIR/unsequence"
	statement 'DROP PIPE p'
	statement 'CREATE PIPE p TO s FROM (select ** from root where time > 1704100000000)'
	statement 'START PIPE p'
	statement 'WAIT PIPE p 30'
	cut=',9223372036854775807,-9223372036854775808,1704100000000$'
	[ "$(find "$ARCHIVE" -name '*.mods' -exec grep -l "$cut" {} + | wc -l)" = "$cut_files" ]
}

@test "RESYNC sends everything again as a new incarnation, and forgets the old one" {
	cp -r "$DATA/datadir-1.3.3/." "$DATADIR/"
	pair_start
	statement 'WAIT PIPE p 30'
	n=$(progress p sent_entries)
	rm -r "$ARCHIVE/edge-1/root.fleet"
	statement 'RESYNC PIPE p'
	value_is /p/status RUNNING
	statement 'WAIT PIPE p 30'
	progress_is p sent_entries "$n"
	archive_equals_edge
	nothing_left
	[ "$(rows 'SHOW PIPES' | wc -l)" = 1 ]
	daemon_stop syncd
	[ "$(sqlite3 "$EDGE/state/catalog.db" 'SELECT count(*) FROM pipe')" = 1 ]
	[ "$(sqlite3 "$EDGE/state/catalog.db" 'SELECT count(*) FROM known')" = "$n" ]
}

@test "STOP keeps capturing, DROP forgets the spool, and the receiver learns it later" {
	pair_start
	statement 'WAIT PIPE p 30'
	keep_port
	daemon_stop recvd
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	wait_until 10 progress_is p remaining_entries 1
	statement 'STOP PIPE p'
	seal "$DATA/tsfile/v3/al.tsfile" root.sg 2-2-0-0
	wait_until 10 progress_is p remaining_entries 2
	value_has /p/queue 'sequence/1/0/2-2-0-0.tsfile'
	statement 'DROP PIPE p'
	pinned() { [ "$(find "$DATADIR/.tsferry-spool" -name '*.tsfile' | wc -l)" = "$1" ]; }
	wait_until 10 pinned 0
	recvd_start
	told() { grep -q 'pipe p of edge-1 was dropped' "$T/recvd.log"; }
	wait_until 30 told
	[ "$(rows 'SHOW PIPES' | cut -f4)" = DROP ]
}

@test "a pipe that was dropped while the PIPESERVER was off is told by the next one, without a warning" {
	pair_start
	wait_until 20 online p
	statement 'STOP PIPE p' 'STOP PIPESERVER' 'DROP PIPE p'
	was_refused() { value /metrics | grep -q '^tsferry_recvd_refused_total{cause="off"} [1-9]'; }
	wait_until 10 was_refused
	statement 'START PIPESERVER' 'CREATE PIPE p TO s' 'START PIPE p'
	wait_until 20 online p
	statement 'DROP PIPE p'
	all_told() {
		python3 - "$EDGE/state/catalog.db" <<-'END'
			import sqlite3, sys
			rows = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute("SELECT is_told FROM pipe").fetchall()
			sys.exit(rows != [(1,), (1,)])
		END
	}
	wait_until 30 all_told
	run ! grep 'was dropped here' "$T/recvd.log"
}

@test "dropped pipes are kept until newer ones push them out" {
	edge_conf dropped_pipes_kept 2
	recvd_start
	syncd_start
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (port=$(server_port))"
	for p in a b c; do
		statement "CREATE PIPE $p TO s"
		statement "DROP PIPE $p"
	done
	[ "$(rows 'SHOW PIPES' | cut -f2 | tr '\n' ' ')" = 'b c ' ]
	daemon_stop syncd
	syncd_start
	[ "$(rows 'SHOW PIPES' | cut -f2 | tr '\n' ' ')" = 'b c ' ]
}

@test "two pipes go to two receivers, and never to one" {
	edge_conf max_pipes 2
	pair_start
	refused 411 'Pipe p already goes to this receiver (drop it, or use another receiver).' 'CREATE PIPE q TO s'
	mkdir "$T/second"
	sed -e "s|^state_dir=.*|state_dir=$T/second|; s|^control_socket=.*|control_socket=$T/second.sock|" \
		-e "s|^archive_dir=.*|archive_dir=$T/second/archive|" "$T/recvd.conf" >"$T/second.conf"
	daemon_start second "$TSFERRY_BUILD/recvd/recvd" -c "$T/second.conf"
	daemon_ready second "$T/second.sock"
	second() { "$TSFERRY_BUILD/fs/pipectl" -s "$T/second.sock" "$@"; }
	second 'START PIPESERVER'
	statement "CREATE PIPESINK s2 AS IoTDB (ip='localhost',port=$(second cat /server/port))"
	statement 'CREATE PIPE q TO s2'
	statement 'START PIPE q'
	refused 411 'Pipe p already goes to this receiver (drop it, or use another receiver).' \
		"ALTER PIPESINK s2 (key='$(value /server/key)')"
	cp -r "$DATA/datadir-2.0.2/." "$DATADIR/"
	statement 'WAIT PIPE p 30'
	statement 'WAIT PIPE q 30'
	archive_equals_edge
	ARCHIVE=$T/second/archive archive_equals_edge
	nothing_left
	kill "$(daemon_pid second)"
	wait_until 10 gone "$(daemon_pid second)"
	rm "$T/second.pid"
}

@test "stop_after_disconnected stops in words, and START goes on" {
	edge_conf stop_after_disconnected 1s
	pair_start
	statement 'WAIT PIPE p 30'
	keep_port
	daemon_stop recvd
	wait_until 20 value_is /p/status STOP
	value_has /p/message stop_after_disconnected
	recvd_start
	statement 'START PIPE p'
	wait_until 20 value_has /p/link online
	value_is /p/message ''
}

@test "rate_limit holds, and its end takes effect at once" {
	edge_conf rate_limit 20K
	pair_start
	generate -n 20 -s 20K
	statement 'WAIT PIPE p 2' && return 1
	edge_conf rate_limit 0
	statement 'LOAD CONFIGURATION' | grep -q rate_limit
	statement 'WAIT PIPE p 20'
	archive_equals_edge
}

@test "the limit of watches is named, and the scan goes on without" {
	recvd_start
	daemon_start syncd unshare -Ur bash -c \
		"echo 5 >/proc/sys/user/max_inotify_watches && exec '$TSFERRY_BUILD/syncd/syncd' -c '$T/syncd.conf'"
	daemon_ready syncd "$SYNCD_SOCK"
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (port=$(server_port))"
	statement 'CREATE PIPE p TO s'
	statement 'START PIPE p'
	cp -r "$DATA/datadir-1.3.3/." "$DATADIR/"
	wait_until 10 value_has /p/message fs.inotify.max_user_watches
	seal "$DATA/tsfile/v3/tiny.tsfile" root.late 1-1-0-0
	there() { archive_has root.late 1-1-0-0; }
	wait_until 20 there
	statement 'WAIT PIPE p 30' # other databases go their own way
	archive_equals_edge
}

@test "the doctor names what is wrong and what mends it, and ends with 1" {
	run -0 "$TSFERRY_BUILD/syncd/syncd" -c "$T/syncd.conf" -n
	[[ $output == *'scan_interval=1s'* && $output == *'can be watched'* ]]
	cp -r "$DATA/datadir-1.3.3/." "$DATADIR/"
	run -0 "$TSFERRY_BUILD/syncd/syncd" -c "$T/syncd.conf" -n
	[[ $output == *'can be linked into'* ]]
	[ ! -e "$DATADIR/.tsferry-spool" ] # another user may start it
	edge_conf data_dirs "$T/nowhere"
	run -1 "$TSFERRY_BUILD/syncd/syncd" -c "$T/syncd.conf" -n
	[[ $output == *"FAIL  data directory $T/nowhere"* ]]
	edge_conf colour red
	run -1 "$TSFERRY_BUILD/syncd/syncd" -c "$T/syncd.conf" -n
	[[ $output == *'colour'* ]]
	run -2 "$TSFERRY_BUILD/syncd/syncd"
	sed -i /colour/d "$T/syncd.conf"
	edge_conf data_dirs "$DATADIR"
	edge_conf control_socket "$T/nowhere/syncd.sock"
	run -1 syncd -c "$T/syncd.conf" -n
	[[ $output == *"FAIL  control_socket $T/nowhere/syncd.sock: $T/nowhere: No such file"* ]]
	run -1 syncd -c "$T/nowhere.conf" -n
	[[ $output == *'nowhere.conf: No such file or directory; name a file that can be read'* ]]
}
