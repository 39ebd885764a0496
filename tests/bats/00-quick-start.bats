# The quick start of IoTDB's documentation, typed into /pipes/ctl.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

@test "the quick start, as files: create, start, arrive, stop, continue, drop" {
	recvd_start
	syncd_start
	pipefs_start
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0

	ctl 'START PIPESERVER'
	[ "$(cat "$PIPES/server/status")" = true ]
	ctl "CREATE PIPESINK central_iotdb AS IoTDB (IP='127.0.0.1',port=$(cat "$PIPES/server/port");)"
	ctl 'CREATE PIPE my_pipe TO central_iotDB'
	[ "$(cat "$PIPES/my_pipe/status")" = STOP ]
	ctl 'START PIPE my_pipe'
	[ "$(cat "$PIPES/my_pipe/status")" = RUNNING ]
	ctl 'WAIT PIPE my_pipe 30'
	archive_equals_edge

	ctl 'STOP PIPE my_pipe'
	[ "$(cat "$PIPES/my_pipe/status")" = STOP ]
	seal "$DATA/tsfile/v4/tiny.tsfile" root.sg 2-2-0-0
	ctl 'START PIPE my_pipe'
	ctl 'WAIT PIPE my_pipe 30'
	archive_equals_edge
	nothing_left

	ctl 'DROP PIPE my_pipe'
	[ ! -e "$PIPES/my_pipe" ]
	ctl 'SHOW PIPES'
	run -0 cat "$PIPES/ctl"
	[[ $output == *"|my_pipe|central_iotdb|  DROP|"* ]]
}

@test "SHOW PIPES reads back as the table of the documentation" {
	pair_start -m
	exec 7<>"$PIPES/ctl"
	echo 'SHOW PIPES' >&7
	output=$(cat <&7)
	exec 7>&-
	[[ ${output} == *"+-----------------------+----+--------+-------+-------+"* ]]
	[[ ${output} == *"|            create time|name|pipeSink| status|message|"* ]]
	[[ ${output} =~ \|20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}\|\ \ \ p\|\ \ \ \ \ \ \ s\|RUNNING\|\ \ \ \ \ \ \ \| ]]
}

@test "a later cat of ctl by the same user shows the last answer" {
	pair_start -m
	ctl 'SHOW PIPESINKTYPE'
	run -0 cat "$PIPES/ctl"
	[ "${lines[0]}" = "+-----+" ]
	[ "${lines[1]}" = "| type|" ]
	[ "${lines[3]}" = "|IoTDB|" ]
}

@test "STOP PIPESERVER is refused with 328 while a pipe runs, and done after STOP PIPE" {
	pair_start -m
	wait_until 20 online p
	run ctl 'STOP PIPESERVER'
	[ "$status" -ne 0 ]
	run -0 cat "$PIPES/ctl"
	[ "$output" = "Msg: 328: Failed to stop pipe server because there is pipe still running. (edge-1/p)" ]
	ctl 'STOP PIPE p'
	wait_until 10 ctl 'STOP PIPESERVER'
	[ "$(cat "$PIPES/server/status")" = false ]
}

@test "WAIT PIPE says how much remains when its time is over" {
	pair_start
	statement 'WAIT PIPE p 30'
	statement 'STOP PIPE p'
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	run -4 statement 'WAIT PIPE p 1'
	[[ $output == *"1 "* ]]
}

@test "everything survives a restart of both daemons" {
	pair_start
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	keep_port
	daemon_stop syncd
	daemon_stop recvd
	seal "$DATA/tsfile/v3/al.tsfile" root.sg 2-2-0-0
	recvd_start
	value_is /server/status true
	syncd_start
	value_is /p/status RUNNING
	statement 'WAIT PIPE p 30'
	archive_equals_edge
	nothing_left
}

@test "the demo carries everything and says so at its end" {
	run -0 env TMPDIR="$T" "$TSFERRY_SOURCE/scripts/demo" --size 200M
	[[ $output == *"files at the edge, "*" in the archive, all digests equal"* ]]
	[[ $output == *"# the tree"* ]]
	[ -z "$(find "$T" -maxdepth 1 -name 'tsferry-demo.*')" ]
}
