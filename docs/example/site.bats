# A site's own tests: what its gateways and its cloud must do, on one machine and in
# seconds. Copy it, and say in it what your site relies on. docs/site-tests.md has the
# words that are used here.
#
#	bats site.bats

load "${TSFERRY_TESTS:-/usr/share/tsferry/tests}/tsferry"

setup() { pair_setup; }
teardown() { pair_teardown; }

@test "a sealed file is in the archive, to the byte" {
	pair_start
	seal "$SAMPLE" root.plant1 1-1-0-0
	statement 'WAIT PIPE p 30'
	archive_has root.plant1 1-1-0-0
	archive_equals_edge
}

@test "what seals while the line is down arrives when it is back, nothing twice" {
	pair_start
	seal "$SAMPLE" root.plant1 1-1-0-0
	statement 'WAIT PIPE p 30'
	keep_port
	daemon_stop recvd
	for n in 2 3 4; do seal "$SAMPLE" root.plant1 "$n-$n-0-0"; done
	wait_until 20 progress_is p remaining_entries 3
	[ "$(value /p/status)" = RUNNING ]
	recvd_start
	statement 'WAIT PIPE p 60'
	archive_equals_edge
	nothing_left
}

@test "a gateway that loses power in the middle carries on where it was" {
	pair_start
	for n in $(seq 20); do seal "$SAMPLE" root.plant1 "$n-$n-0-0"; done
	daemon_kill syncd
	syncd_start
	statement 'WAIT PIPE p 60'
	archive_equals_edge
	nothing_left
}

@test "our white list admits our gateways and nobody else" {
	cloud_conf ip_white_list '127.0.0.0/8'
	pair_start
	wait_until 20 online p
	cloud_conf ip_white_list '10.20.0.0/16, 10.21.0.0/16'
	statement 'LOAD CONFIGURATION'
	wait_until 20 value_has /p/message 'is not in ip_white_list'
	value_is /p/status STOP
}

@test "a new gateway waits until somebody admits it" {
	cloud_conf admit known
	recvd_start
	syncd_start
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1', port=$(server_port))"
	run ! statement 'CREATE PIPE p TO s'
	statement 'SHOW SENDERS' | grep -q waiting
	statement 'ADMIT SENDER edge-1'
	statement 'CREATE PIPE p TO s'
}

@test "deletions do not travel from this plant" {
	recvd_start
	syncd_start
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1', port=$(server_port))"
	statement 'CREATE PIPE p TO s WITH SyncDelOp=false'
	value_is /p/sync_del_op false
}

@test "nothing older than the day of the contract leaves the plant" {
	recvd_start
	syncd_start
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1', port=$(server_port))"
	statement "CREATE PIPE p TO s FROM (select ** from root where time >= '2022-03-30 00:00:00')"
	value_has /p/query '2022-03-30T00:00:00.000'
}

@test "the receiver is not switched off under a running pipe" {
	pair_start
	wait_until 20 online p
	refused 328 'Failed to stop pipe server because there is pipe still running. (edge-1/p)' 'STOP PIPESERVER'
	statement 'STOP PIPE p'
	wait_until 20 statement 'STOP PIPESERVER'
}

@test "everything comes back by itself after a restart of both machines" {
	pair_start
	keep_port
	daemon_stop syncd
	daemon_stop recvd
	recvd_start
	syncd_start
	value_is /server/status true
	value_is /p/status RUNNING
	seal "$SAMPLE" root.plant1 1-1-0-0
	statement 'WAIT PIPE p 60'
}

@test "the names that our dashboard draws are there" {
	pair_start
	for name in tsferry_syncd_up tsferry_syncd_online tsferry_syncd_applied_serial tsferry_recvd_waiting_entries; do
		value_has /metrics "$name"
	done
	for key in remaining_entries oldest_unsent_seconds; do
		[ -n "$(progress p "$key")" ]
	done
}
