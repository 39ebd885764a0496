# In the cloud the last loaded wins: entries follow the precedence of the edge wherever
# files overlap, also when they seal in another order.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

V3=$DATA/tsfile/v3

# The entries so far: SERIAL SPACE/REGION/PARTITION/NAME, oldest first, whatever is applied.
# The PIPESERVER is off, so that the queue keeps them.
hold() {
	recvd_start
	syncd_start
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$(server_port))"
	statement 'CREATE PIPE p TO s'
	statement 'STOP PIPESERVER'
	statement 'START PIPE p'
	keep_port
}
queued() { [ "$(value /p/queue | wc -l)" = "$1" ]; }
queue() { value /p/queue | grep -oE '(sequence|unsequence)/[^ ]*' | sed -E 's|/1/0/|/|; s|\.tsfile||'; }
queue_is() {
	wait_until 20 queued $#
	diff <(queue) <(printf '%s\n' "$@")
}
known_is() { [ "$(sqlite3 "$EDGE/state/catalog.db" "SELECT $1")" = "$2" ]; }

@test "a sequence file that seals after an overwrite of its rows is followed by the overwrite again" {
	hold
	seal "$V3/tiny.tsfile" root.sg 5-5-0-0 unsequence
	wait_until 20 queued 1
	seal "$V3/tiny.tsfile" root.sg 2-2-0-0
	queue_is unsequence/5-5-0-0 sequence/2-2-0-0 unsequence/5-5-0-0
	statement 'START PIPESERVER'
	statement 'WAIT PIPE p 30'
	archive_equals_edge
	progress_is p applied_serial 3
	value_has /p/events 'follow again'
	nothing_left
}

@test "what shares no device or no time with the late file does not follow" {
	hold
	seal "$V3/al.tsfile" root.sg 5-5-0-0 unsequence
	seal "$V3/old.tsfile" root.sg 6-6-0-0 unsequence
	wait_until 20 queued 2
	seal "$V3/tiny.tsfile" root.sg 2-2-0-0
	queue_is unsequence/5-5-0-0 unsequence/6-6-0-0 sequence/2-2-0-0
	known_is 'sum(is_owed) FROM known' 0
}

@test "what follows again is followed by what overlaps it, in ascending precedence" {
	hold
	seal "$V3/tiny.tsfile" root.sg 7-7-0-0 unsequence
	seal "$V3/tiny.tsfile" root.sg 9-9-0-0 unsequence
	wait_until 20 queued 2
	seal "$V3/tiny.tsfile" root.sg 8-8-0-0 unsequence
	wait_until 20 queued 4
	seal "$V3/tiny.tsfile" root.sg 2-2-0-0
	queue_is unsequence/7-7-0-0 unsequence/9-9-0-0 \
		unsequence/8-8-0-0 unsequence/9-9-0-0 \
		sequence/2-2-0-0 unsequence/7-7-0-0 unsequence/8-8-0-0 unsequence/9-9-0-0
}

@test "up to 1.3.2 a late file is followed by the higher versions of both spaces" {
	edge_conf iotdb_version 1.3.2
	hold
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0 unsequence
	wait_until 20 queued 1
	seal "$V3/tiny.tsfile" root.sg 3-3-0-0
	wait_until 20 queued 2
	seal "$V3/tiny.tsfile" root.sg 2-2-0-0
	queue_is unsequence/1-1-0-0 sequence/3-3-0-0 sequence/2-2-0-0 sequence/3-3-0-0
}

@test "the debt to follow outlives syncd" {
	hold
	seal "$V3/tiny.tsfile" root.sg 5-5-0-0 unsequence
	wait_until 20 queued 1
	daemon_kill syncd
	# as if it had been killed between the late file and the one that follows
	sqlite3 "$EDGE/state/catalog.db" 'UPDATE known SET is_owed = 1'
	syncd_start
	queue_is unsequence/5-5-0-0 unsequence/5-5-0-0
	known_is 'sum(is_owed) FROM known' 0
}

@test "files born below captured ones while syncd was down are followed, too" {
	hold
	seal "$V3/tiny.tsfile" root.sg 5-5-0-0 unsequence
	seal "$V3/al.tsfile" root.sg 6-6-0-0 unsequence
	wait_until 20 queued 2
	daemon_stop syncd
	seal "$V3/tiny.tsfile" root.sg 3-3-0-0
	seal "$V3/tiny.tsfile" root.sg 4-4-0-0 unsequence
	seal "$V3/tiny.tsfile" root.sg 7-7-0-0 unsequence
	syncd_start
	queue_is unsequence/5-5-0-0 unsequence/6-6-0-0 sequence/3-3-0-0 unsequence/4-4-0-0 \
		unsequence/5-5-0-0 unsequence/7-7-0-0
}

@test "--explain says offline what would be sent, in which order, and why not the rest" {
	cp -r "$DATA/datadir-1.3.3/." "$DATADIR/"
	seal "$V3/tiny.tsfile" root.sg 5-5-1-0 unsequence
	seal "$V3/tiny.tsfile" root.sg 2-2-0-0
	seal "$V3/tiny.tsfile" root.sg x-2-0-0
	seal "$V3/tiny.tsfile" root.__system 1-1-0-0
	echo 'a letter' >"$T/letter"
	seal "$T/letter" root.sg 9-9-0-0
	cp "$V3/tiny.tsfile" "$DATADIR/sequence/root.sg/1/0/6-6-0-0.tsfile"
	mkdir "$DATADIR/load"
	run -0 "$TSFERRY_BUILD/syncd/syncd" --explain "$DATADIR"
	[[ ${lines[0]} == '# IoTDB of unknown version'* ]]
	has() { grep -qE -- "$1" <<<"$output"; }
	has '^- skip load: only what stands below'
	has "^- skip sequence/root.__system: IoTDB's own"
	has '^- skip sequence/root.sg/1/0/x-2-0-0.tsfile: a TsFile is named'
	has '^- skip sequence/root.sg/1/0/9-9-0-0.tsfile: not a sealed TsFile'
	has '^- wait sequence/root.sg/1/0/6-6-0-0.tsfile: not sealed'
	has '^[0-9]+ send unsequence/root.sg/1/0/5-5-1-0.tsfile: [0-9]+ bytes; wins over rows of files before it; a product of inner compaction'
	[ ! -e "$DATADIR/.tsferry-spool" ]
	# the daemon does what was said
	grep -oE '^[0-9]+ send [^:]*' <<<"$output" | sed 's/.* send //' >"$T/said"
	rm "$DATADIR/sequence/root.sg/1/0/9-9-0-0.tsfile"*
	hold
	wait_until 20 queued "$(wc -l <"$T/said")"
	sqlite3 "$EDGE/state/catalog.db" "SELECT iif(unsequence, 'unsequence', 'sequence') || '/' || database || '/' ||
		region || '/' || partition || '/' || t || '-' || v || '-' || i || '-' || c || '.tsfile'
		FROM known ORDER BY database, region, partition, serial" | diff "$T/said" -
	run -0 "$TSFERRY_BUILD/syncd/syncd" --explain -c "$T/syncd.conf"
	has ' to send, '
	has '^# [0-9]+ to send, [0-9]+ bytes in [0-9]+ partitions; [0-9]+ not$'
	run -1 "$TSFERRY_BUILD/syncd/syncd" --explain "$T/nowhere"
	run -1 "$TSFERRY_BUILD/syncd/syncd" --explain "$T" # a level too high
	has 'has neither sequence nor unsequence: expected what stands in dn_data_dirs'
}
