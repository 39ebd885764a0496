# The link: keys, pins, white lists, strangers at either end.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }


free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

@test "a key given at CREATE is checked, and a wrong one refuses in words" {
	recvd_start
	syncd_start
	statement 'START PIPESERVER'
	key=$(value /server/key)
	wrong=$(printf '0%.0s' $(seq 64))
	statement "CREATE PIPESINK good AS IoTDB (ip='127.0.0.1',port=$(server_port),key='$key')"
	statement "CREATE PIPESINK bad AS IoTDB (ip='127.0.0.1',port=$(server_port),key='$wrong')"
	run -1 statement 'CREATE PIPE p TO bad'
	[[ $output == *"$key"* ]]
	statement 'CREATE PIPE p TO good'
}

@test "a changed key stops the pipe with both keys, and ALTER PIPESINK mends it" {
	pair_start
	statement 'WAIT PIPE p 30'
	old=$(value /server/key)
	keep_port
	daemon_stop recvd
	rm "$CLOUD/state/key.pem"
	recvd_start
	new=$(value /server/key)
	[ "$old" != "$new" ]
	wait_until 30 value_has /p/message "[ERROR]"
	value_has /p/message "$old"
	value_has /p/message "$new"
	value_is /p/status STOP
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	statement "ALTER PIPESINK s (key='$new')"
	statement 'START PIPE p'
	statement 'WAIT PIPE p 30'
	archive_equals_edge
}

@test "admit=known refuses a stranger until ADMIT SENDER" {
	cloud_conf admit known
	recvd_start
	syncd_start
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$(server_port))"
	run -1 statement 'CREATE PIPE p TO s'
	[[ $output == *"ADMIT SENDER edge-1"* ]]
	statement 'SHOW SENDERS' | grep -q waiting
	statement 'ADMIT SENDER edge-1'
	statement 'CREATE PIPE p TO s'
	statement 'START PIPE p'
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	archive_equals_edge
}

@test "ip_white_list: a stranger's address is refused with the reason, and admitted after LOAD CONFIGURATION" {
	cloud_conf ip_white_list 10.0.0.0/8
	recvd_start
	syncd_start
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$(server_port))"
	refused 411 'Can not connect to pipeSink s, please check net and receiver is available, and try again. (127.0.0.1 is not in ip_white_list)' 'CREATE PIPE p TO s'
	cloud_conf ip_white_list 127.0.0.0/8
	"$TSFERRY_BUILD/fs/pipectl" -s "$RECVD_SOCK" 'LOAD CONFIGURATION' | grep -q ip_white_list
	statement 'CREATE PIPE p TO s'
	statement 'START PIPE p'
	statement 'WAIT PIPE p 30'
	cloud_conf ip_white_list 10.0.0.0/8
	"$TSFERRY_BUILD/fs/pipectl" -s "$RECVD_SOCK" 'LOAD CONFIGURATION'
	wait_until 30 value_has /p/message 'ip_white_list'
	value_is /p/status STOP
}

@test "transport=plain on both sides carries, on one side it is refused in words" {
	edge_conf transport plain
	recvd_start
	syncd_start
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$(server_port))"
	run -1 statement 'CREATE PIPE p TO s'
	[[ $output == *"plain"* && $output == *"tls"* ]]
	keep_port
	cloud_conf pipe_server_port "$(server_port)"
	daemon_stop recvd
	cloud_conf transport plain
	recvd_start
	statement 'CREATE PIPE p TO s'
	statement 'START PIPE p'
	seal "$DATA/tsfile/v3/al.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	archive_equals_edge
}

@test "a receiver that is not tsferry is named at CREATE PIPE" {
	syncd_start
	port=$(free_port)
	daemon_start stranger socat -u FILE:/dev/urandom,readbytes=4000 "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork"
	listening() { python3 -c "import socket; socket.create_connection(('127.0.0.1', $port)).close()" 2>/dev/null; }
	wait_until 10 listening
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$port)"
	run -1 statement 'CREATE PIPE p TO s'
	[[ $output == *"please check net and receiver is available"*"not tsferry"* ]]
	daemon_kill stranger
}

@test "random bytes to the receiver's port harm nobody" {
	pair_start
	port=$(server_port)
	for n in 1 15 16 17 600 70000; do
		head -c "$n" /dev/urandom | timeout 20 socat -t1 - "TCP:127.0.0.1:$port" >/dev/null || [ $? -ne 124 ]
	done
	{
		printf 'TSFERRY 1 plain\n'
		head -c 4000 /dev/urandom
	} | timeout 20 socat -t1 - "TCP:127.0.0.1:$port" >/dev/null || [ $? -ne 124 ]
	seal "$DATA/tsfile/v3/al.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	archive_equals_edge
}

@test "a silent network is no error: the pipe stays RUNNING and link says since when" {
	pair_start
	statement 'WAIT PIPE p 30'
	keep_port
	daemon_kill recvd
	wait_until 10 value_has /p/link offline
	value_is /p/status RUNNING
	value_is /p/message ''
	wait_until 10 value_has /p/link 'next try in' # not just trying
	recvd_start
	wait_until 40 value_has /p/link online
}

@test "START, STOP and DROP need no receiver" {
	pair_start
	statement 'WAIT PIPE p 30'
	daemon_kill recvd
	statement 'STOP PIPE p'
	statement 'START PIPE p'
	statement 'STOP PIPE p'
	statement 'DROP PIPE p'
	[ "$(rows 'SHOW PIPES' | cut -f4)" = DROP ]
}
