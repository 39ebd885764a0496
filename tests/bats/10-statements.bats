# Statements: what the documentation says is understood, what is wrong is refused in
# the documented words, with the documented code and errno.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

@test "every statement of the documentation is answered" {
	recvd_start
	syncd_start
	statement 'START PIPESERVER'
	port=$(server_port)
	statement 'SHOW PIPESERVER STATUS' | grep -q true
	statement "CREATE PIPESINK my_iotdb AS IoTDB (IP='127.0.0.1'，PORT=$port)"
	statement 'SHOW PIPESINKTYPE' | grep -q IoTDB
	statement 'SHOW PIPESINKS' | grep -q "ip='127.0.0.1',port=$port"
	statement 'SHOW PIPESINK my_iotdb' | grep -q my_iotdb
	statement "CREATE PIPE p TO my_iotdb FROM (select ** from root where time>='2022-03-30 00:00:00') WITH SyncDelOp=false"
	statement 'SHOW PIPE p' | grep -q STOP
	statement 'START PIPE p'
	statement 'STOP PIPE p'
	statement 'SHOW SENDERS' | grep -q edge-1
	statement 'SHOW QUARANTINE'
	statement 'SHOW VERSION' | grep -q syncd
	statement 'SHOW STATEMENTS' | grep -q 'START PIPE'
	statement 'LOAD CONFIGURATION'
	statement 'DROP PIPE p'
	statement 'DROP PIPESINK my_iotdb'
	[ "$(rows 'SHOW PIPESINKS')" = "" ]
}

@test "refusals have the documented words and codes" {
	recvd_start
	syncd_start
	refused 411 'There is no existing pipe.' 'START PIPE p'
	refused 411 'PipeSink s is not exist.' 'DROP PIPESINK s'
	refused 411 'Can not find pipeSink s.' 'CREATE PIPE p TO s'
	refused 411 'Do not support pipeSink type kafka' 'CREATE PIPESINK s AS Kafka'
	refused 411 'There is No attribute colour in IoTDB pipeSink.' "CREATE PIPESINK s AS IoTDB (colour='red')"
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$(server_port))"
	refused 411 'There is a pipeSink named s in IoTDB, please drop it.' 'CREATE PIPESINK s AS IoTDB'
	statement 'CREATE PIPE p TO s'
	refused 411 'Pipe p is STOP, please retry after drop it.' 'CREATE PIPE q TO s'
	refused 411 'Can not drop pipeSink s, because pipe p is using it.' 'DROP PIPESINK s'
	refused 411 'There is no existing pipe q.' 'START PIPE q'
}

@test "the errno of a write tells the kind of refusal" {
	pair_start -m
	errno_of() {
		python3 - "$PIPES/ctl" "$1" <<-'END'
			import errno, os, sys
			fd = os.open(sys.argv[1], os.O_WRONLY)
			try:
			    os.write(fd, sys.argv[2].encode() + b"\n")
			    print("none")
			except OSError as e:
			    print(errno.errorcode[e.errno])
		END
	}
	chmod 755 "$BATS_RUN_TMPDIR" "$T"
	[ "$(errno_of 'START PIPE p')" = none ]
	[ "$(errno_of 'FROBNICATE')" = EINVAL ]
	[ "$(errno_of 'START PIPE q')" = ENOENT ]
	[ "$(errno_of 'CREATE PIPESINK s AS IoTDB')" = EEXIST ]
	[ "$(errno_of 'DROP PIPESINK s')" = EBUSY ]
	[ "$(errno_of "SHOW $(head -c 70000 /dev/zero | tr '\0' x)")" = E2BIG ]
	run setpriv --reuid=nobody --regid=nogroup --clear-groups bash -c "echo 'STOP PIPE p' >'$PIPES/ctl'"
	[[ $output == *"Permission denied"* ]] # EACCES
	statement 'STOP PIPE p'
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	[ "$(errno_of 'WAIT PIPE p 1')" = ETIMEDOUT ]
	[ "$(errno_of 'SKIP 17')" = ENOENT ]
	ctl 'DROP PIPE p'
	statement 'STOP PIPESERVER' || wait_until 20 statement 'STOP PIPESERVER'
	[ "$(errno_of 'CREATE PIPE p TO s')" = ECONNREFUSED ]
	statement 'START PIPESERVER'
	cloud_conf ip_white_list 192.0.2.0/24
	statement 'LOAD CONFIGURATION'
	statement "ALTER PIPESINK s (port=$(server_port))"
	[ "$(errno_of 'CREATE PIPE p TO s')" = EACCES ]
	daemon_stop recvd
	[ "$(errno_of 'START PIPESERVER')" = ENXIO ]
	[ "$(errno_of 'CREATE PIPE p TO s')" = ECONNREFUSED ]
}

@test "the columns of every SHOW are those of the documentation" {
	pair_start
	columns() { statement "$1" | sed -n 2p | sed -E 's/^\| *//; s/ *\|$//; s/ *\| */,/g'; }
	while IFS='|' read -r text want; do
		[ "$(columns "$text")" = "$want" ] || {
			echo "$text: $(columns "$text")"
			return 1
		}
	done <<-'END'
		SHOW PIPES|create time,name,pipeSink,status,message
		SHOW PIPE p|create time,name,pipeSink,status,message
		SHOW PIPE nobody|create time,name,pipeSink,status,message
		SHOW PIPESINKS|name,type,attributes
		SHOW PIPESINK s|name,type,attributes
		SHOW PIPESINKTYPE|type
		SHOW PIPESERVER|enable
		SHOW PIPESERVER STATUS|enable
		SHOW SENDERS|name,key,address,state,last seen,version,pipes,message
		SHOW QUARANTINE|id,sender,pipe,serial,entry,since,reason
		LOAD CONFIGURATION|key,value,effect
	END
	[ "$(statement 'START PIPE p')" = 'Msg: The statement is executed successfully.' ]
	statement 'SHOW PIPE nobody' | diff - <(printf '%s\n' '+-----------+----+--------+------+-------+' \
		'|create time|name|pipeSink|status|message|' '+-----------+----+--------+------+-------+' \
		'+-----------+----+--------+------+-------+')
}

@test "what is not understood is refused with line and column" {
	pair_start
	run -2 statement 'START PIPES p'
	[[ $output == "Msg: 401: Error occurred while parsing SQL to physical plan: line 1:"* ]]
	run -2 statement "$(printf 'CREATE PIPE q\nTO s\nWITH SyncDelOp true')"
	[[ $output == *"line 3:15 expected =, came "* ]]
	run -2 statement 'CREATE PIPE'
	[[ $output == *"line 1:"* ]]
	run -2 statement "CREATE PIPESINK x AS IoTDB (ip='127.0.0.1'"
	[[ $output == "Msg: 401: "* ]]
}

@test "a half statement does nothing until its end is written" {
	pair_start -m
	{
		printf 'STOP PI'
		printf 'PE p'
		[ "$(cat "$PIPES/p/status")" = RUNNING ]
		printf '\n'
		[ "$(cat "$PIPES/p/status")" = STOP ]
	} >"$PIPES/ctl"
	printf 'START PIPE p' >"$PIPES/ctl"
	wait_until 20 value_is /p/status RUNNING
}

@test "statements in one write run in order and stop at the first that fails" {
	pair_start -m
	run ctl 'STOP PIPE p; START PIPE nobody; START PIPE p'
	[ "$status" -ne 0 ]
	[ "$(cat "$PIPES/p/status")" = STOP ]
	run -0 cat "$PIPES/ctl"
	[[ $output == *"There is no existing pipe nobody."* ]]
}

@test "a pasted statement over several lines is one statement" {
	recvd_start
	syncd_start
	pipefs_start
	ctl 'START PIPESERVER'
	cat >"$PIPES/ctl" <<-END
		CREATE PIPESINK s AS IoTDB
		(ip='127.0.0.1', port=$(cat "$PIPES/server/port"))
		-- a comment
		CREATE PIPE p
		TO s
		FROM (select ** from root where time >= 2022-03-30T00:00:00.000+08:00)
		WITH SyncDelOp=true
	END
	[ "$(cat "$PIPES/p/sync_del_op")" = true ]
	[[ $(cat "$PIPES/p/query") == *"2022-03-"* ]]
}

@test "200 KB of garbage into ctl is refused and the tree lives on" {
	pair_start -m
	run bash -c "head -c 200000 /dev/urandom >'$PIPES/ctl'"
	[ "$status" -ne 0 ]
	run bash -c "head -c 200000 /dev/zero | tr '\\0' 'a' >'$PIPES/ctl'"
	[ "$status" -ne 0 ]
	[ "$(cat "$PIPES/p/status")" = RUNNING ]
}

@test "names that can be no pipe are refused at CREATE with the reason" {
	pair_start
	statement 'STOP PIPE p'
	statement 'DROP PIPE p'
	for name in 'a/b' '.hidden' 'server' 'ctl' 'metrics'; do
		run -1 statement "CREATE PIPE \`$name\` TO s"
		[[ $output == "Msg: 4"* ]]
	done
	[ "$(rows 'SHOW PIPES' | grep -vc DROP)" = 0 ]
}

@test "a receiver that cannot be reached is named with the cause" {
	recvd_start
	syncd_start
	statement 'START PIPESERVER'
	port=$(server_port)
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$port)"
	statement 'STOP PIPESERVER'
	refused 411 'Can not connect to pipeSink s, please check net and receiver is available, and try again. (PIPESERVER is off)' 'CREATE PIPE p TO s'
	daemon_stop recvd
	run -1 statement 'CREATE PIPE p TO s'
	[[ $output == *"please check net and receiver is available, and try again. (127.0.0.1:$port: "*"onnection refused"* ]]
}

@test "a daemon that is not on this host is named" {
	syncd_start
	run -3 "$TSFERRY_BUILD/fs/pipectl" -s "$RECVD_SOCK" 'SHOW PIPESERVER'
	pipefs_start
	run ctl 'START PIPESERVER'
	[ "$status" -ne 0 ]
	run -0 cat "$PIPES/ctl"
	[ "$output" = "Msg: 411: recvd is not running on this host" ]
}
