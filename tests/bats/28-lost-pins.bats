# What was captured and cannot be read any more must not stop the pipe: it is taken from IoTDB's own directory where it
# stands, captured again where another file stands there, and else a line in gaps; what stands behind it goes on.
load lib/tsferry

setup() {
	pair_setup
	edge_conf max_number_of_sync_file_retry 1
}
teardown() {
	[ ! -e "$T/tracer.pid" ] || kill "$(cat "$T/tracer.pid")" 2>/dev/null || true
	pair_teardown
}

V3=$DATA/tsfile/v3
FIRST=sequence/root.sg/1/0
catalog() { sqlite3 -cmd '.timeout 5000' "$EDGE/state/catalog.db" "$1"; }
# The pin of entry SERIAL.
pin() { printf '%s/.tsferry-spool/%016x.tsfile' "$DATADIR" "$(catalog "SELECT nonce FROM entry WHERE serial = $1")"; }
assigned_is() { [ "$(catalog 'SELECT assigned FROM pipe')" = "$1" ]; }
surveyed() { [ "$(catalog 'SELECT count(*) FROM known WHERE row_sum IS NULL')" = 0 ]; }
gaps_are() { [ "$(value /p/gaps | wc -l)" = "$1" ]; }

# Three files wait, the receiver is away.
three_wait() {
	pair_start
	statement 'WAIT PIPE p 30'
	keep_port
	daemon_stop recvd
	for v in 1 2 3; do
		seal "${1:-$V3/tiny.tsfile}" root.sg $v-$v-0-0
		wait_until 20 assigned_is $v
	done
	wait_until 20 surveyed
}
back() {
	recvd_start
	statement 'WAIT PIPE p 60'
	value_is /p/status RUNNING
	value_is /p/quarantine ''
}

@test "a lost pin is no loss while IoTDB still has the file" {
	three_wait
	rm "$(pin 1)" "$(pin 2)"
	back
	archive_equals_edge
	progress_is p applied_serial 3
	gaps_are 0
	nothing_left
}

@test "a lost pin whose file IoTDB removed is a gap and a WARN, and what stands behind it arrives" {
	three_wait
	lost=$(pin 2)
	rm "$lost" "$DATADIR/$FIRST"/2-2-0-0.tsfile*
	back
	archive_has root.sg 1-1-0-0
	archive_has root.sg 3-3-0-0
	run ! archive_has root.sg 2-2-0-0
	progress_is p applied_serial 3
	gaps_are 1
	value_has /p/gaps "root.sg region 1 times 1..3 devices among root.sg.d1: $FIRST/2-2-0-0.tsfile was lost from the spool before it could be sent, and IoTDB has removed it"
	value_has /p/message '1 ranges are missing in the cloud'
	wait_until 20 value_has /server/senders/edge-1/p/gaps '2-2-0-0.tsfile'
	nothing_left
}

@test "what is lost before anybody surveyed it is told with its times" {
	pair_start
	keep_port
	daemon_stop recvd
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	wait_until 20 assigned_is 1
	daemon_kill syncd
	rm "$(pin 1)" "$DATADIR/$FIRST"/1-1-0-0.tsfile*
	syncd_start
	back
	gaps_are 1
	value_has /p/gaps "root.sg region 1 times 1..3"
}

@test "every pin lost at once costs one look, not one connection each" {
	pair_start
	statement 'WAIT PIPE p 30'
	keep_port
	daemon_stop recvd
	generate -n 300 -s 10K
	wait_until 30 assigned_is 300
	wait_until 30 surveyed
	find "$DATADIR/.tsferry-spool" -name '*.tsfile' -delete
	find "$DATADIR/sequence" -name '*.tsfile*' -delete
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	back
	gaps_are 300
	archive_has root.sg 1-1-0-0
	[ "$(grep -c 'cannot be sent any more' "$T/syncd.log")" = 1 ]
}

@test "lost deletions: the file is captured again with those that stand now" {
	cp "$V3/tiny.tsfile" "$T/a.tsfile"
	echo 'DELETION,root.sg.d1.s1,9223372036854775807,1,1' >"$T/a.tsfile.mods"
	three_wait "$T/a.tsfile"
	rm "$(pin 2).mods"
	back
	statement "WAIT PIPE p 30" # 2-2-0-0, and what overlaps it above
	gaps_are 0
	archive_equals_edge
	cmp "$T/a.tsfile.mods" "$ARCHIVE/edge-1/root.sg/sequence/1/0/2-2-0-0.tsfile.mods"
	nothing_left
}

@test "a file that was truncated behind its pin waits until it is sealed again" {
	three_wait
	truncate -s 50 "$DATADIR/$FIRST/2-2-0-0.tsfile"
	back
	archive_has root.sg 3-3-0-0
	run ! archive_has root.sg 2-2-0-0
	gaps_are 0
	rm "$DATADIR/$FIRST"/2-2-0-0.tsfile*
	seal "$V3/tiny.tsfile" root.sg 2-2-0-0
	wait_until 20 archive_has root.sg 2-2-0-0
	archive_equals_edge
}

@test "a product that was not sent because of a lost file is sent" {
	three_wait
	dir=$DATADIR/$FIRST
	printf 'source sequence root.sg 1 0 1-1-0-0.tsfile\nsource sequence root.sg 1 0 2-2-0-0.tsfile\ntarget sequence root.sg 1 0 1-1-1-0.inner\n' >"$dir/1-1-1-0.inner.inner-compaction.log"
	in_catalog() { [ "$(catalog 'SELECT count(*) FROM compaction')" = 1 ]; }
	wait_until 20 in_catalog
	seal "$V3/tiny.tsfile" root.sg 1-1-1-0
	rm "$dir"/{1-1,2-2}-0-0.tsfile* "$dir/1-1-1-0.inner.inner-compaction.log"
	is_derived() { [ "$(catalog 'SELECT count(*) FROM known WHERE is_derived')" = 1 ]; }
	wait_until 20 is_derived
	rm "$(pin 2)"
	back
	wait_until 20 archive_has root.sg 1-1-1-0
	gaps_are 0
}

@test "while the disk of a data directory is away nothing is lost" {
	three_wait
	statement 'STOP PIPE p'
	recvd_start
	mv "$DATADIR" "$T/away"
	mkdir "$DATADIR"
	statement 'START PIPE p'
	wait_until 20 value_has /p/link 'cannot be read'
	value_is /p/status RUNNING
	gaps_are 0
	rm -rf "$DATADIR"
	mv "$T/away" "$DATADIR"
	statement 'WAIT PIPE p 60'
	archive_equals_edge
	gaps_are 0
}

# The reading thread gets EIO: TIMES (strace's when=) of its reads of entry SERIAL's pin.
unreadable() { # SERIAL TIMES
	local tid path
	path=$(pin "$1")
	for tid in /proc/"$(daemon_pid syncd)"/task/*; do
		[ "$(cat "$tid/comm")" != reader ] && [ "$(cat "$tid/comm")" != syncd/reader ] || break
	done
	strace -q -P "$path" -e trace=pread64 -e inject=pread64:error=EIO:when="$2" -o "$T/trace" -p "${tid##*/}" 3>&- 4>&- &
	echo $! >"$T/tracer.pid"
	disown
	traced() { ! grep -q 'TracerPid:	0$' "$tid/status"; }
	wait_until 10 traced
}

@test "a read that fails once is tried again" {
	three_wait
	unreadable 2 1
	back
	grep -q 'entry 2, attempt 1 of 2 failed: .*Input/output error' "$T/syncd.log"
	archive_equals_edge
	gaps_are 0
	value_is /p/message ''
}

@test "a file that its disk does not give back is a gap, and what stands behind it arrives" {
	three_wait
	unreadable 2 1+
	back
	archive_has root.sg 1-1-0-0
	archive_has root.sg 3-3-0-0
	gaps_are 1
	value_has /p/gaps 'root.sg region 1 times 1..3'
	value_has /p/gaps '2-2-0-0.tsfile was given up: entry 2'
	value_has /p/gaps 'Input/output error'
	progress_is p applied_serial 3
	daemon_stop syncd
	syncd_start # it is not captured again and again
	statement 'WAIT PIPE p 30'
	progress_is p applied_serial 3
}
