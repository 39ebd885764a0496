# What the original answered, and what its documentation tells people to type.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

@test "every statement of the record is answered as the original did, or differs for a reason" {
	mkdir "$T/hosts"
	python3 "$TSFERRY_SOURCE/tests/conformance/conformance.py" "$TSFERRY_BUILD" "$T/hosts" \
		"$DATA/original.jsonl" -v >"$T/table" || {
		grep -A 5 -B 1 UNEXPLAINED "$T/table"
		return 1
	}
	cp "$T/table" "$TSFERRY_BUILD/conformance.txt"
	echo "# $(tail -n 1 "$T/table"): see $TSFERRY_BUILD/conformance.txt" >&3
}

@test "the documentation's quick start, pasted with its prompts and its second spelling" {
	own_network
	cloud_conf pipe_server_port 6670
	inside recvd
	inside syncd
	pipefs_start
	paste() { cat >"$PIPES/ctl"; }
	paste <<-'END'
		IoTDB> START PIPESERVER
	END
	run paste <<-'END'
		IoTDB> CREATE PIPESINK central_iotdb AS IoTDB (IP='There is your goal IP')
	END
	[ "$status" -ne 0 ]
	[[ $(cat "$PIPES/ctl") == "Msg: 411: ip='There is your goal IP' has wrong format, require for TEXT. (an IPv4"* ]]
	paste <<-'END'
		IoTDB> CREATE PIPESINK central_iotdb AS IoTDB (IP='127.0.0.1')
		IoTDB> CREATE PIPE my_pipe TO central_iotDB
		IoTDB> START PIPE my_pipe
		IoTDB> SHOW PIPES
	END
	cat "$PIPES/ctl" | grep -qE '\|my_pipe\|central_iotdb\|RUNNING\|'
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE my_pipe 30'
	archive_equals_edge
	paste <<-'END'
		IoTDB> STOP PIPE my_pipe
		IoTDB> START PIPE my_pipe
		IoTDB> DROP PIPE my_pipe
	END
	stopped() { echo 'IOTDB> STOP PIPESERVER' | paste; }
	wait_until 20 stopped
}

@test "the documentation's section 7, pasted into two files and into ctl, is what it promises" {
	own_network 192.168.0.1 192.168.0.2
	cat >>"$T/recvd.conf" <<-'END'
		####################
		### PIPE Server Configuration
		####################
		# PIPE server port to listen
		# Datatype: int
		# pipe_server_port=6670

		# White IP list of Sync client.
		# Please use the form of network segment to present the range of IP, for example: 192.168.0.0/16
		# If there are more than one IP segment, please separate them by commas
		# The default is to allow all IP to sync
		# Datatype: String
		ip_white_list=192.168.0.1/1
	END
	sed -i '/^bind=/d; /^pipe_server_port=/d' "$T/recvd.conf"
	cat >>"$T/syncd.conf" <<-'END'
		####################
		### PIPE Sender Configuration
		####################
		# The maximum number of retry when syncing a file to receiver fails.
		max_number_of_sync_file_retry=10
	END
	inside recvd
	inside syncd
	pipefs_start
	cat >"$PIPES/ctl" <<-'END'
		IoTDB> START PIPESERVER
		IoTDB> SHOW PIPESERVER STATUS
		IoTDB> CREATE PIPESINK my_iotdb AS IoTDB (IP='192.168.0.2'，PORT=6670)
		IoTDB> CREATE PIPE p TO my_iotdb FROM (select ** from root where time>='2022-03-30 00:00:00') WITH SyncDelOp=false
		IoTDB> SHOW PIPE p
	END
	cat "$PIPES/ctl" | grep -qE '\| +p\|my_iotdb\| +STOP\|'
	[ "$(cat "$PIPES/p/sync_del_op")" = false ]
	[[ $(cat "$PIPES/p/query") == "select ** from root where time >= 2022-03-30T00:00:00.000"* ]]
	[ "$(cat "$PIPES/server/port")" = 6670 ]
	ctl 'START PIPE p'
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	ctl 'WAIT PIPE p 30'
	ctl 'STOP PIPE p'
	ctl 'DROP PIPE p'
	grep -q '192.168.0.1/1' "$T/recvd.log" # named as strange, and meant as its network
}
