# The edge: what is sealed is captured, in order, once, whatever happens meanwhile.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

spool_list() { find "$DATADIR/.tsferry-spool" -name '*.tsfile' | wc -l; }
durable_is() { progress_is p durable_serial "$1"; }

@test "history and new files arrive, sequence and unsequence, negative partitions, with their deletions" {
	cp -r "$DATA/datadir-1.3.3/." "$DATADIR/"
	pair_start
	statement 'WAIT PIPE p 60'
	archive_equals_edge
	n=$(sealed_list | wc -l)
	[ "$n" -gt 5 ]
	progress_is p sent_entries "$n"
	# deletion files stand beside the same files, byte for byte
	while read -r mods; do
		name=${mods#"$DATADIR"/}
		space=${name%%/*} rest=${name#*/}
		cmp "$mods" "$ARCHIVE/edge-1/${rest%%/*}/$space/${rest#*/}"
	done < <(find "$DATADIR/sequence" "$DATADIR/unsequence" -name '*.mods')
	nothing_left
}

@test "a data directory of 2.0 arrives with its binary deletions" {
	cp -r "$DATA/datadir-2.0.2/." "$DATADIR/"
	pair_start
	statement 'WAIT PIPE p 60'
	archive_equals_edge
	while read -r mods; do
		name=${mods#"$DATADIR"/}
		space=${name%%/*} rest=${name#*/}
		cmp "$mods" "$ARCHIVE/edge-1/${rest%%/*}/$space/${rest#*/}"
	done < <(find "$DATADIR/sequence" "$DATADIR/unsequence" -name '*.mods2')
}

@test "history goes in precedence order: all sequence files, then unsequence, by version" {
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 5-5-0-0
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 2-2-0-0 unsequence
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 9-1-0-0
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-10-0-0
	recvd_start
	syncd_start
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$(server_port))"
	statement 'CREATE PIPE p TO s'
	statement 'STOP PIPESERVER'
	statement 'START PIPE p'
	queued() { [ "$(value /p/queue | wc -l)" = 4 ]; }
	wait_until 20 queued
	run -0 value /p/queue
	[[ ${lines[0]} == "1 "*"sequence/1/0/9-1-0-0"* ]]
	[[ ${lines[1]} == "2 "*"sequence/1/0/5-5-0-0"* ]]
	[[ ${lines[2]} == "3 "*"sequence/1/0/1-10-0-0"* ]]
	[[ ${lines[3]} == "4 "*"unsequence/1/0/2-2-0-0"* ]]
}

@test "precedence up to 1.3.2 is by version alone" {
	edge_conf iotdb_version 1.2.2
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 5-5-0-0
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 2-2-0-0 unsequence
	pair_start
	statement 'WAIT PIPE p 30'
	statement 'STOP PIPE p'
	run -0 sqlite3 "$EDGE/state/catalog.db" 'SELECT unsequence FROM known ORDER BY v'
	[ "${lines[0]}" = 1 ]
	grep -q . "$T/syncd.log"
}

@test "a new file is carried within a moment, also in directories that did not exist" {
	edge_conf scan_interval 1h
	pair_start
	statement 'WAIT PIPE p 30'
	seal "$DATA/tsfile/v3/al.tsfile" root.new 1-1-0-0 sequence 7 -3
	wait_until 10 archive_has root.new 1-1-0-0 sequence 7 -3
	seal "$DATA/tsfile/v3/tiny.tsfile" root.new 2-2-0-0 sequence 7 -3
	wait_until 10 archive_has root.new 2-2-0-0 sequence 7 -3
	archive_equals_edge
}

@test "what is not sealed is not taken: no resource, a temporary resource, a foreign name or place" {
	pair_start
	dir=$DATADIR/sequence/root.sg/1/0
	mkdir -p "$dir" "$DATADIR/load/x" "$DATADIR/snapshot/1/sequence/root.sg/1/0"
	cp "$DATA/tsfile/v3/tiny.tsfile" "$dir/1-1-0-0.tsfile"
	cp "$DATA/tsfile/v3/tiny.tsfile" "$dir/2-2-0-0.tsfile"
	touch "$dir/2-2-0-0.tsfile.resource.temp"
	cp "$DATA/tsfile/v3/tiny.tsfile" "$dir/x-2-0-0.tsfile"
	touch "$dir/x-2-0-0.tsfile.resource"
	cp "$DATA/tsfile/v3/tiny.tsfile" "$DATADIR/load/x/3-3-0-0.tsfile"
	touch "$DATADIR/load/x/3-3-0-0.tsfile.resource"
	cp "$DATA/tsfile/v3/tiny.tsfile" "$DATADIR/snapshot/1/sequence/root.sg/1/0/4-4-0-0.tsfile"
	touch "$DATADIR/snapshot/1/sequence/root.sg/1/0/4-4-0-0.tsfile.resource"
	seal "$DATA/tsfile/v3/tiny.tsfile" root.__system 5-5-0-0
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 6-6-0-0
	statement 'WAIT PIPE p 30'
	progress_is p sent_entries 1
	archive_has root.sg 6-6-0-0
}

@test "a compaction target waits for its journal to go" {
	pair_start
	dir=$DATADIR/sequence/root.sg/1/0
	mkdir -p "$dir"
	journal=$dir/1-1-0-1.cross.cross-compaction.log
	echo 'target sequence root.sg 1 0 1-1-0-1.cross' >"$journal"
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-1
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 2-2-0-0
	statement 'WAIT PIPE p 30'
	archive_has root.sg 2-2-0-0
	run ! archive_has root.sg 1-1-0-1
	rm "$journal"
	wait_until 10 archive_has root.sg 1-1-0-1
}

@test "a pinned file arrives although the edge deleted it before it could be sent" {
	pair_start
	statement 'WAIT PIPE p 30'
	keep_port
	daemon_stop recvd
	seal "$DATA/tsfile/v3/al.tsfile" root.sg 1-1-0-0
	wait_until 10 progress_is p remaining_entries 1
	digest=$(sha256sum <"$DATADIR/sequence/root.sg/1/0/1-1-0-0.tsfile")
	rm -r "$DATADIR/sequence/root.sg"
	recvd_start
	statement 'WAIT PIPE p 60'
	[ "$(sha256sum <"$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile")" = "$digest" ]
	nothing_left
}

@test "a restart of syncd at any moment sends every file once" {
	pair_start
	generate -n 300 -s 20K
	for _ in 1 2 3 4 5; do
		daemon_kill syncd
		syncd_start
	done
	statement 'WAIT PIPE p 60'
	archive_equals_edge
	[ "$(progress p applied_serial)" = 300 ]
	nothing_left
}

@test "a .tsfile cut short or of another kind is named in message and holds nothing up" {
	pair_start
	head -c 100 "$DATA/tsfile/v3/al.tsfile" >"$T/short"
	echo 'a letter' >"$T/other"
	seal "$T/short" root.sg 1-1-0-0
	wait_until 10 value_has /p/message '1-1-0-0.tsfile'
	value_has /p/message 'not a sealed TsFile'
	seal "$T/other" root.sg 2-2-0-0
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 3-3-0-0
	statement 'WAIT PIPE p 30'
	archive_has root.sg 3-3-0-0
	run ! archive_has root.sg 1-1-0-0
	run ! archive_has root.sg 2-2-0-0
	seal "$DATA/tsfile/v3/al.tsfile" root.sg 1-1-0-0
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 2-2-0-0
	statement 'WAIT PIPE p 30'
	archive_equals_edge
	wait_until 10 value_is /p/message ''
}

@test "a data directory that does not exist is named at start, one that vanishes is waited for" {
	pair_start
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	mv "$DATADIR" "$DATADIR.away"
	wait_until 20 value_has /p/message "$DATADIR"
	mv "$DATADIR.away" "$DATADIR"
	wait_until 20 value_is /p/message ''
	seal "$DATA/tsfile/v3/al.tsfile" root.sg 2-2-0-0
	statement 'WAIT PIPE p 30'
	archive_equals_edge
	daemon_stop syncd
	edge_conf data_dirs "$T/nowhere"
	refuses_to_start syncd
	[[ $output == *"$T/nowhere"* ]]
}

@test "a spool on another mount is refused in words, and spool_copy=yes lifts that" {
	mkdir -p "$T/other"
	mount -t tmpfs -o size=16m none "$T/other"
	mkdir "$T/other/spool"
	edge_conf spool_dir "$T/other/spool"
	pair_start
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	wait_until 10 value_has /p/message 'spool_copy=yes'
	daemon_stop syncd
	edge_conf spool_copy yes
	syncd_start
	statement 'WAIT PIPE p 30'
	archive_equals_edge
	daemon_stop syncd
	umount "$T/other"
}

@test "files of another owner that cannot be linked are named with the cure" {
	[ "$(cat /proc/sys/fs/protected_hardlinks)" = 1 ]
	chmod 755 "$T" "$EDGE" "$BATS_RUN_TMPDIR"
	chown -R nobody "$EDGE/state"
	mkdir -m 777 "$DATADIR/.tsferry-spool"
	chmod 777 "$T" "$DATADIR"
	recvd_start
	daemon_start syncd setpriv --reuid=nobody --clear-groups "$TSFERRY_BUILD/syncd/syncd" -c "$T/syncd.conf"
	daemon_ready syncd "$SYNCD_SOCK"
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$(server_port))"
	statement 'CREATE PIPE p TO s'
	statement 'START PIPE p'
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	chmod 600 "$DATADIR/sequence/root.sg/1/0/1-1-0-0.tsfile"
	chmod 644 "$DATADIR/sequence/root.sg/1/0/1-1-0-0.tsfile"
	wait_until 10 value_has /p/message 'CAP_FOWNER'
}
