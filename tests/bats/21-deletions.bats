# What is deleted at the edge after its capture is deleted in the cloud: once, of the
# files that had it, and of nobody else's.
load lib/tsferry

setup() { pair_setup; }
teardown() {
	if [ -e "$T/syncd2.pid" ]; then daemon_stop syncd2; fi
	pair_teardown
}

V3=$DATA/tsfile/v3 # tiny: root.sg.d1, times 1 to 3; tinyal: root.sg.d2, 100 to 102
V4=$DATA/tsfile/v4
MIN=-9223372036854775808 MAX=9223372036854775807

file_of() { echo "$DATADIR/${2:-sequence}/root.sg/1/0/$1.tsfile"; }
# delete PATTERN FROM TO FILE[:SPACE]...: as IoTDB appends a record, to each in turn.
delete() {
	local pattern=$1 from=$2 to=$3 file
	shift 3
	for file; do
		file=$(file_of "${file%%:*}" "$([[ $file == *:* ]] && echo "${file#*:}")")
		printf 'DELETION,%s,%s,%s,%s\n' "$pattern" "$(stat -c %s "$file")" "$from" "$to" >>"$file.mods"
	done
}
there() { cat "$ARCHIVE/edge-1/root.sg/${2:-sequence}/1/0/$1.tsfile.mods" 2>/dev/null; }
there_is() { [ "$(there "$1")" = "$2" ]; }
applied_is() { progress_is p applied_serial "$1"; }
known_is() { [ "$(sqlite3 -cmd '.timeout 5000' "$EDGE/state/catalog.db" "SELECT $1")" = "$2" ]; }
# Everything that was said is read: no deletion file is another than the one that was read.
all_read() {
	local want
	want=$(find "$DATADIR/sequence" "$DATADIR/unsequence" -name '*.mods' | wc -l)
	known_is 'count(*) FROM known WHERE mods_stamp <> 0' "$want"
}
hold() {
	recvd_start
	syncd_start
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$(server_port))"
	statement "CREATE PIPE p TO s ${1:-}"
	statement 'STOP PIPESERVER'
	statement 'START PIPE p'
	keep_port
}
queued() { [ "$(value /p/queue | wc -l)" = "$1" ]; }
queue() { value /p/queue | grep -oE '(sequence|unsequence)/[^ ]*|times [^ ]*' | sed -E 's|/1/0/|/|; s|\.tsfile||'; }
queue_is() {
	wait_until 20 queued $#
	diff <(queue) <(printf '%s\n' "$@")
}

@test "a record that comes after the capture travels, cut to the times of its file" {
	edge_conf scan_interval 1h
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	delete 'root.**' $MIN $MAX 1-1-0-0
	wait_until 20 there_is 1-1-0-0 "DELETION,root.**,$MAX,1,3"
	wait_until 20 applied_is 2
	delete root.sg.d1.s1 2 9 1-1-0-0
	wait_until 20 applied_is 3
	wait_until 20 there_is 1-1-0-0 "DELETION,root.**,$MAX,1,3"$'\n'"DELETION,root.sg.d1.s1,$MAX,2,3"
	nothing_left
}

@test "one statement over several files is one entry, over all of their times and devices" {
	hold
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/tinyal.tsfile" root.sg 2-2-0-0
	seal "$V3/tiny.tsfile" root.sg 3-3-0-0 unsequence
	wait_until 20 queued 3
	daemon_stop syncd
	delete 'root.sg.**' $MIN 101 1-1-0-0 2-2-0-0 3-3-0-0:unsequence
	syncd_start
	queue_is sequence/1-1-0-0 sequence/2-2-0-0 unsequence/3-3-0-0 'times 1..102'
	sqlite3 "$EDGE/state/catalog.db" 'SELECT CAST(body AS TEXT) FROM entry WHERE serial = 4' |
		grep -qF "DELETION,root.sg.**,$MAX,$MIN,101"
}

@test "what touches no device of a file is no entry of it" {
	hold
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/tinyal.tsfile" root.sg 2-2-0-0
	wait_until 20 queued 2
	delete root.sg.d9.s1 $MIN $MAX 1-1-0-0 2-2-0-0
	delete root.sg.d2.a $MIN $MAX 2-2-0-0
	queue_is sequence/1-1-0-0 sequence/2-2-0-0 'times 100..102'
	wait_until 20 all_read
	queued 3
}

@test "the same deletion again, after its rows were inserted again, is an entry again" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	delete root.sg.d1.s1 1 9 1-1-0-0
	wait_until 20 applied_is 2
	seal "$V3/tiny.tsfile" root.sg 2-2-0-0
	wait_until 20 applied_is 3
	[ -z "$(there 2-2-0-0)" ]
	delete root.sg.d1.s1 1 9 1-1-0-0 2-2-0-0
	wait_until 20 there_is 2-2-0-0 "DELETION,root.sg.d1.s1,$MAX,1,3"
	wait_until 20 all_read
	wait_until 20 applied_is 4
}

@test "deleted and inserted again while syncd was down: the deletion goes before the new rows" {
	hold
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	wait_until 20 queued 1
	daemon_kill syncd
	delete root.sg.d1.s1 1 9 1-1-0-0
	seal "$V3/tiny.tsfile" root.sg 2-2-0-0
	syncd_start
	queue_is sequence/1-1-0-0 'times 1..3' sequence/2-2-0-0
	statement 'START PIPESERVER'
	statement 'WAIT PIPE p 30'
	[ -z "$(there 2-2-0-0)" ]
	[ -n "$(there 1-1-0-0)" ]
}

@test "a deletion file that IoTDB settles, and its form of 2.0, say nothing new" {
	hold
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	wait_until 20 queued 1
	delete root.sg.d1.s1 1 1 1-1-0-0
	wait_until 20 queued 2
	delete root.sg.d1.s1 2 2 1-1-0-0
	wait_until 20 queued 3
	mods=$(file_of 1-1-0-0).mods
	echo "DELETION,root.sg.d1.s1,$MAX,1,2" >"$mods.settle"
	rm "$mods"
	mv "$mods.settle" "$mods"
	wait_until 20 all_read
	queued 3
	# as an upgrade converts it: tree deletion, 1 to 2, "root.sg.d1.s1"
	printf '\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\x1aroot.sg.d1.s1' >"${mods}2"
	rm "$mods"
	upgraded() { known_is "mods_seen FROM known" 31; }
	wait_until 20 upgraded
	queued 3
	# and one record more, joined with them
	printf '\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x03\x1aroot.sg.d1.s1' >"${mods}2.settle"
	mv "${mods}2.settle" "${mods}2"
	wait_until 20 queued 4
	[ "$(sqlite3 "$EDGE/state/catalog.db" 'SELECT hex(substr(body, 2, 16)) FROM entry WHERE serial = 4')" = 00000000000000030000000000000003 ]
}

@test "a record that is not whole waits, one without effect never travels" {
	hold
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	wait_until 20 queued 1
	mods=$(file_of 1-1-0-0).mods
	printf 'DELETION,root.sg.d1.s1,0,1,2\nDELETION,root.sg.d1.s1,9999' >"$mods"
	seen() { known_is 'mods_seen FROM known' "$1"; }
	wait_until 20 seen 29
	queued 1
	printf ',3,3\n' >>"$mods"
	queue_is sequence/1-1-0-0 'times 1..3'
}

@test "a record about the front of a file only: the file follows again, whole" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	echo 'DELETION,root.sg.d1.s1,50,1,2' >"$(file_of 1-1-0-0).mods"
	wait_until 20 applied_is 3
	there_is 1-1-0-0 'DELETION,root.sg.d1.s1,50,1,2'
}

@test "SyncDelOp=false keeps back what is deleted later, not what was deleted before" {
	cp "$V3/tiny.tsfile" "$T/a.tsfile"
	echo "DELETION,root.sg.d1.s1,$MAX,1,1" >"$T/a.tsfile.mods"
	hold 'WITH SyncDelOp=false'
	seal "$T/a.tsfile" root.sg 2-2-0-0
	wait_until 20 queued 1
	delete root.sg.d1.s1 2 2 2-2-0-0
	wait_until 20 all_read
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	queue_is sequence/2-2-0-0 sequence/1-1-0-0 sequence/2-2-0-0
	statement 'START PIPESERVER'
	statement 'WAIT PIPE p 30'
	there_is 2-2-0-0 "DELETION,root.sg.d1.s1,$MAX,1,1"
}

@test "DELETE FROM root.** at one gateway never touches another's data" {
	pair_start
	mkdir -p "$T/edge2/data/sequence/root.sg/1/0" "$T/edge2/state"
	sed "s|$EDGE|$T/edge2|; s|edge-1|edge-2|; s|$SYNCD_SOCK|$T/syncd2.sock|" "$T/syncd.conf" >"$T/syncd2.conf"
	cp "$V3/tiny.tsfile" "$T/edge2/data/sequence/root.sg/1/0/1-1-0-0.tsfile"
	touch "$T/edge2/data/sequence/root.sg/1/0/1-1-0-0.tsfile.resource"
	daemon_start syncd2 "$TSFERRY_BUILD/syncd/syncd" -c "$T/syncd2.conf"
	daemon_ready syncd2 "$T/syncd2.sock"
	for s in "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$(server_port))" \
		'CREATE PIPE p TO s' 'START PIPE p' 'WAIT PIPE p 30'; do
		"$TSFERRY_BUILD/fs/pipectl" -s "$T/syncd2.sock" "$s"
	done
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	delete 'root.**' $MIN $MAX 1-1-0-0
	wait_until 20 there_is 1-1-0-0 "DELETION,root.**,$MAX,1,3"
	[ -f "$ARCHIVE/edge-2/root.sg/sequence/1/0/1-1-0-0.tsfile" ]
	[ ! -e "$ARCHIVE/edge-2/root.sg/sequence/1/0/1-1-0-0.tsfile.mods" ]
}

@test "what was deleted just before a file went is read in the spool" {
	cp "$V3/tiny.tsfile" "$T/a.tsfile"
	echo "DELETION,root.sg.d1.s1,$MAX,1,1" >"$T/a.tsfile.mods"
	hold
	seal "$T/a.tsfile" root.sg 1-1-0-0
	wait_until 20 queued 1
	daemon_stop syncd
	delete root.sg.d1.s1 3 3 1-1-0-0
	rm "$(file_of 1-1-0-0)"*
	syncd_start
	queue_is sequence/1-1-0-0 'times 1..3'
}

@test "a product says again what was deleted of its sources: nothing is sent" {
	hold
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/tinyal.tsfile" root.sg 2-2-0-0
	wait_until 20 queued 2
	surveyed() { known_is 'count(*) FROM known WHERE row_sum IS NULL' 0; }
	wait_until 20 surveyed
	journal=$DATADIR/sequence/root.sg/1/0/1-1-1-0.inner.inner-compaction.log
	printf 'source sequence root.sg 1 0 %s.tsfile\n' 1-1-0-0 2-2-0-0 >"$journal"
	echo 'target sequence root.sg 1 0 1-1-1-0.inner' >>"$journal"
	in_catalog() { known_is 'count(*) FROM compaction' 1; }
	wait_until 20 in_catalog
	delete root.sg.d1.s1 1 2 1-1-0-0
	wait_until 20 queued 3
	# inserted again, while the compaction goes on
	seal "$V3/tiny.tsfile" root.sg 9-9-0-0 unsequence
	wait_until 20 queued 4
	seal "$V3/tiny.tsfile" root.sg 1-1-1-0
	echo "DELETION,root.sg.d1.s1,$MAX,1,2" >"$(file_of 1-1-1-0).mods"
	rm "$(file_of 1-1-0-0)"* "$(file_of 2-2-0-0)"* "$journal"
	derived() { known_is 'mods_stamp <> 0 FROM known WHERE is_derived' 1; }
	wait_until 20 derived
	queued 4
	# but what is deleted of it from now on is
	delete root.sg.d1.s1 3 3 1-1-1-0
	wait_until 20 queued 5
}

@test "a malformed deletion file of a captured file is named, and mended it travels" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	echo 'DELETION,nonsense' >"$(file_of 1-1-0-0).mods"
	wait_until 20 value_has /p/message '1-1-0-0.tsfile.mods'
	echo "DELETION,root.sg.d1.s1,$MAX,1,1" >"$(file_of 1-1-0-0).mods"
	wait_until 20 there_is 1-1-0-0 "DELETION,root.sg.d1.s1,$MAX,1,1"
	wait_until 20 value_is /p/message ''
}

@test "without watches the scan finds what was appended" {
	recvd_start
	daemon_start syncd unshare -Ur bash -c \
		"echo 2 >/proc/sys/user/max_inotify_watches && exec '$TSFERRY_BUILD/syncd/syncd' -c '$T/syncd.conf'"
	daemon_ready syncd "$SYNCD_SOCK"
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$(server_port))"
	statement 'CREATE PIPE p TO s'
	statement 'START PIPE p'
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	delete root.sg.d1.s1 1 1 1-1-0-0
	statement 'WAIT PIPE p 30'
	wait_until 20 value_has /p/message fs.inotify.max_user_watches
	# as old as it takes to be trusted: it is not listed again for its own sake
	touch -d '1 minute ago' "$DATADIR/sequence/root.sg/1/0"
	statement 'WAIT PIPE p 30'
	delete root.sg.d1.s1 2 2 1-1-0-0
	second() { there 1-1-0-0 | grep -qF "DELETION,root.sg.d1.s1,$MAX,2,2"; }
	wait_until 20 second
}

@test "killed at every write of the catalog: no deletion is lost, and none comes behind newer rows" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	killed=0
	for n in 2 3 4 5 6 8 10 12 14 17 20 24; do
		daemon_stop syncd
		last=$(cd "$DATADIR/sequence/root.sg/1/0" && ls -v *.tsfile | tail -n 1)
		last=${last%.tsfile}
		delete root.sg.d1.s1 1 9 "$last"
		seal "$V3/tiny.tsfile" root.sg "$n-$n-0-0"
		daemon_start syncd strace -DD -f -q -o "$T/strace.out" -e trace=pwrite64 \
			-e "inject=pwrite64:signal=KILL:when=$n" "$TSFERRY_BUILD/syncd/syncd" -c "$T/syncd.conf"
		settled() { gone "$(daemon_pid syncd)" || archive_has root.sg "$n-$n-0-0"; }
		wait_until 20 settled
		if ! kill -KILL "$(daemon_pid syncd)" 2>/dev/null; then killed=$((killed + 1)); fi
		wait_until 10 gone "$(daemon_pid syncd)"
		syncd_start
		statement 'WAIT PIPE p 30' >/dev/null
		there "$last" | grep -qF "DELETION,root.sg.d1.s1,$MAX,1,3"
		[ -z "$(there "$n-$n-0-0")" ]
	done
	[ "$killed" -ge 6 ]
	archive_equals_edge
	[ "$(progress p applied_serial)" = 25 ] # thirteen files, twelve deletions
	nothing_left
}
