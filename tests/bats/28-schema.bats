# The edge IoTDB is asked: its schema goes before its files, and whatever it answers, files
# travel.
load lib/tsferry
load lib/fake_iotdb

setup() { pair_setup; }
teardown() { pair_teardown; }

@test "the doctor logs in, and says what mends a log-in that is refused" {
	fake_start
	run syncd -c "$T/syncd.conf" -n
	[ "$status" -eq 0 ]
	[[ $output == *"ok    iotdb_rpc: 127.0.0.1:$(cat "$T/iotdb.port") is IoTDB 1.3.3, times in ms"* ]]
	fake_says '{"password": "right"}'
	echo s3cret-word >"$T/password"
	chmod 600 "$T/password"
	edge_conf iotdb_password_file "$T/password"
	run ! syncd -c "$T/syncd.conf" -n
	[[ $output == *"FAIL  iotdb_rpc: "*"801: Authentication failed."*"correct iotdb_rpc, iotdb_user and iotdb_password_file"* ]]
	[[ $output != *s3cret-word* ]]
	chmod 644 "$T/password"
	run ! syncd -c "$T/syncd.conf" -n
	[[ $output == *"iotdb_password_file"* ]]
	daemon_kill iotdb
	chmod 600 "$T/password"
	run ! syncd -c "$T/syncd.conf" -n
	[[ $output == *"FAIL  iotdb_rpc: "* ]]
}
