# State directories that released versions left behind (tests/old/state): this version takes them
# over, whatever moment it is killed at, and goes on where they stood.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

OLD=$TSFERRY_SOURCE/tests/old/state

# left_by VERSION: its daemons were killed; here it is as if this host had been theirs.
left_by() {
	rm -r "$EDGE" "$CLOUD"
	tar -C "$T" -xJf "$OLD/$1.tar.xz" edge cloud
	for state in "$EDGE/state" "$CLOUD/state"; do
		if [ -e /etc/machine-id ]; then cp /etc/machine-id "$state/machine-id"; else rm "$state/machine-id"; fi
	done
	sqlite3 "$EDGE/state/catalog.db" "UPDATE volume SET data_dir = '$DATADIR', spool_dir = '$DATADIR/.tsferry-spool'"
	cloud_conf hold_deletes all
}

version_of() { sqlite3 "$1/state/catalog.db" 'PRAGMA user_version'; }

# goes_on: what was durable, half received, quarantined and not yet sent is applied, once.
goes_on() {
	statement "ALTER PIPESINK s (ip='127.0.0.1',port=$(server_port))"
	wait_until 30 progress_is p durable_serial 8
	progress_is p quarantined_entries 1
	wait_until 20 archive_has root.big 1704067200001-1-0-0 sequence 1 2817
	# of 709 377 bytes that were not durable the first block was there, and is not sent again
	received=$(value /metrics | awk '$1 == "tsferry_recvd_received_bytes_total" { print $2 }')
	[ "$received" -gt 0 ] && [ "$received" -le $((709377 - 262144)) ]
	statement "RETRY $(rows 'SHOW QUARANTINE' | cut -f1)"
	statement 'WAIT PIPE p 30'
	value /p/query | grep -q 'time >= 1970-01-01T'
	value_is /p/status RUNNING
	archive_equals_edge
	grep -q 'root.sg.d1.s1' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
	nothing_left
}

@test "what 0.1.0 left goes on: nothing lost, nothing applied twice, no block sent again" {
	left_by 0.1.0
	recvd_start
	syncd_start
	goes_on
	# the same version as catalogs that were made now
	daemon_stop syncd
	daemon_stop recvd
	rm -r "$T/new" 2>/dev/null || true
	edge=$(version_of "$EDGE") cloud=$(version_of "$CLOUD")
	edge_conf state_dir "$T/new/edge/state"
	edge_conf spool_dir "$DATADIR/.new-spool"
	cloud_conf state_dir "$T/new/cloud/state"
	mkdir -p "$T/new/edge/state" "$T/new/cloud/state" "$DATADIR/.new-spool"
	recvd_start
	syncd_start
	[ "$(version_of "$T/new/edge")" = "$edge" ]
	[ "$(version_of "$T/new/cloud")" = "$cloud" ]
}

# killed_at DAEMON CALL N: its first start on the old state is killed at the Nth CALL; 1 when
# it came to its end before.
killed_at() {
	local status
	daemon_start "$1" strace -f -q -o "$T/strace.out" -e "trace=$2" -e "inject=$2:signal=KILL:when=$3" "$1" -c "$T/$1.conf"
	wait_until 30 answers_or_dies "$( [ "$1" = syncd ] && echo "$SYNCD_SOCK" || echo "$RECVD_SOCK")" "$1"
	gone "$(daemon_pid "$1")" && status=0 || status=1
	# strace ends with the daemon and hands signals on
	daemon_kill "$1"
	while pkill -KILL -f "^$1 -c $T/$1.conf"; do sleep 0.02; done
	return "$status"
}

@test "kill -9 at any write or sync of the first start: the next one takes it over" {
	for daemon in syncd recvd; do
		if [ $daemon = syncd ]; then dir=$EDGE; else dir=$CLOUD; fi
		kills=0
		for call in pwrite64 fdatasync fsync; do
			for n in $(seq 40); do
				left_by 0.1.0
				killed_at $daemon $call "$n" || break
				kills=$((kills + 1))
				[ "$(sqlite3 "$dir/state/catalog.db" 'PRAGMA integrity_check')" = ok ]
				[[ "$(version_of "$dir")" = [0-9]* ]]
				# every third one also goes on to the end
				((n % 3 == 1)) || continue
				recvd_start
				syncd_start
				goes_on >/dev/null
				daemon_stop syncd
				daemon_stop recvd
			done
		done
		echo "# $daemon: $kills kills" >&3
		[ "$kills" -gt 0 ]
	done
}
