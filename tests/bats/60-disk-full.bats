# A full disk is back-pressure and a sentence, never loss, and needs no restart.
load lib/tsferry

setup() { pair_setup; }
teardown() {
	pair_teardown
	local status=$?
	for m in "$T/small"; do
		if mountpoint -q "$m"; then umount "$m" || status=1; fi
	done
	return $status
}

small_disk() { # SIZE
	mkdir -p "$T/small"
	mount -t tmpfs -o "size=$1" none "$T/small"
}

@test "the receiver's disk is full: the pipe waits, says so, and goes on when there is room" {
	small_disk 24m
	mkdir "$T/small/state"
	cloud_conf state_dir "$T/small/state"
	cloud_conf archive_dir "$ARCHIVE"
	pair_start
	statement 'WAIT PIPE p 30'
	head -c 16000000 /dev/zero >"$T/small/ballast"
	generate -n 4 -s 8M
	full() { value_has /p/link 'full' || value_has /p/link 'room'; }
	wait_until 40 full
	value_is /p/status RUNNING
	rm "$T/small/ballast"
	statement 'WAIT PIPE p 90'
	archive_equals_edge
	progress_is p remaining_entries 0
}

@test "statements on a full disk are refused with the errno for it, and work when there is room" {
	small_disk 4m
	mkdir "$T/small/edge" "$T/small/cloud"
	edge_conf state_dir "$T/small/edge"
	cloud_conf state_dir "$T/small/cloud"
	cloud_conf archive_dir "$ARCHIVE"
	pair_start -m
	head -c 8000000 /dev/zero >"$T/small/ballast" 2>/dev/null || true
	fills() { # statements until the catalog finds no room
		for n in $(seq 400); do
			ctl "CREATE PIPESINK s$n AS IoTDB" 2>"$T/said" || return 0
		done
		return 1
	}
	fills
	grep -q 'No space left on device' "$T/said"
	[[ $(cat "$PIPES/ctl") == 'Msg: 4'*'disk is full (free space on its file system)'* ]]
	[ "$(cat "$PIPES/p/status")" = RUNNING ]
	before=$(rows 'SHOW PIPESINKS' | wc -l)
	rm "$T/small/ballast"
	ctl 'CREATE PIPESINK after AS IoTDB'
	[ "$(rows 'SHOW PIPESINKS' | wc -l)" = $((before + 1)) ]
	ctl 'STOP PIPE p'
	daemon_stop syncd
	syncd_start
	[ "$(rows 'SHOW PIPESINKS' | wc -l)" = $((before + 1)) ]
}

@test "staging_min_free is kept: the receiver refuses to fill its disk" {
	cloud_conf staging_min_free 99%
	recvd_start
	syncd_start
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$(server_port))"
	statement 'CREATE PIPE p TO s'
	statement 'START PIPE p'
	seal "$DATA/tsfile/v3/al.tsfile" root.sg 1-1-0-0
	wait_until 20 value_has /p/link staging_min_free
	value_is /p/status RUNNING
	cloud_conf staging_min_free 0
	"$TSFERRY_BUILD/fs/pipectl" -s "$RECVD_SOCK" 'LOAD CONFIGURATION'
	statement 'WAIT PIPE p 90'
	archive_equals_edge
}

@test "the edge's disk is full: capture pauses with a sentence and goes on by itself" {
	small_disk 24m
	mkdir -p "$T/small/state"
	edge_conf state_dir "$T/small/state"
	pair_start
	statement 'WAIT PIPE p 30'
	dd if=/dev/zero of="$T/small/ballast" bs=4k 2>/dev/null || true_when_full=yes
	[ "${true_when_full:-}" = yes ]
	generate -n 30 -s 12K
	wait_until 30 value_has /p/message 'WARN'
	rm "$T/small/ballast"
	statement 'WAIT PIPE p 60'
	archive_equals_edge
	wait_until 20 value_is /p/message ''
}
