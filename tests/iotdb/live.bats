# From an IoTDB at the edge into one in the cloud: $EDGE_VERSION (1.3.3) into $CLOUD_VERSION
# (the same), as load_via=$LOAD_VIA (auto) says.
load lib

setup_file() {
	servers_setup
	# What a merge in the background does to deletion records is the server's (docs/iotdb.md).
	export IOTDB_PROPS='enable_seq_space_compaction=false\nenable_unseq_space_compaction=false\nenable_cross_space_compaction=false'
	server_start edge "${EDGE_VERSION:-1.3.3}"
	server_start cloud "${CLOUD_VERSION:-${EDGE_VERSION:-1.3.3}}"
}
teardown_file() { servers_teardown; }
setup() {
	pair_setup
	live_setup
}
teardown() {
	pair_teardown || return 1
	live_clean
	run ! ls -d "$CLOUD"/state/load/*/*/*/ 2>/dev/null
}

# bats test_tags=short
@test "INSERT and FLUSH at the edge, SELECT in the cloud" {
	pair_start
	sql edge "CREATE DATABASE root.line1.press" "INSERT INTO root.line1.press.m(time, temp, note) VALUES (1, 1.5, 'it''s')" FLUSH
	wait_until 30 cloud_says "SELECT temp, note FROM root.line1.press.m" $'1\t1.5\tit\'s'
	# Later versions have more columns.
	[ "$(answer edge "SHOW DEVICES root.line1.**" | cut -f 1,2)" = "$(answer cloud "SHOW DEVICES root.line1.**" | cut -f 1,2)" ]
	all_applied
	wait_until 20 value_is /p/message ""
}

# bats test_tags=short
@test "a backlog of 60 files that overwrite each other: every value is right" {
	insert_files edge root.over 1 60
	pair_start
	all_applied
	answers_equal "SELECT a, b FROM root.over.d"
	[ "$(answer cloud "SELECT a, b FROM root.over.d WHERE time <= 2")" = $'1\t60.0\t60.0\n2\t60.0\t120.0' ]
}

@test "rows deleted before their file was captured do not come back" {
	insert_files edge root.del 1 3
	sql edge "DELETE FROM root.del.d.a WHERE time = 2" FLUSH >/dev/null
	insert_files edge root.del 4 2
	pair_start
	all_applied
	answers_equal "SELECT a, b FROM root.del.d"
}

# bats test_tags=short
@test "kill -9 of the loader in the middle of its work: everything arrives, once and in order" {
	insert_files edge root.kill 1 40
	pair_start
	for _ in 1 2 3; do
		wait_until 20 test -n "$(loader_pid)"
		kill -KILL "$(loader_pid)" 2>/dev/null || true
		sleep 0.2
	done
	insert_files edge root.kill 41 10
	all_applied 90
	answers_equal "SELECT a, b FROM root.kill.d"
	[ "$(answer cloud "SELECT count(a) FROM root.kill.d")" = 52 ]
}

# bats test_tags=short
@test "a wrong password stops with the server's sentence; the right one goes on by itself" {
	(umask 077 && echo wrong >"$T/password")
	cloud_conf iotdb_password_file "$T/password"
	pair_start
	sql edge "INSERT INTO root.pw.d(time, s) VALUES (1, 1)" FLUSH
	wait_until 30 value_has /server/loader "801: Authentication failed."
	run ! grep -r wrong "$T/recvd.log"
	echo root >"$T/password"
	statement 'LOAD CONFIGURATION' >/dev/null
	wait_until 30 cloud_says "SELECT s FROM root.pw.d" $'1\t1.0'
}

@test "the doctor logs in, and says what mends a log-in that is refused" {
	run -0 "$TSFERRY_BUILD/recvd/recvd" -c "$T/recvd.conf" -n
	[[ $output == *"is IoTDB ${CLOUD_VERSION:-${EDGE_VERSION:-1.3.3}}, times in ms"* ]]
	(umask 077 && echo wrong >"$T/password")
	cloud_conf iotdb_password_file "$T/password"
	run -1 "$TSFERRY_BUILD/recvd/recvd" -c "$T/recvd.conf" -n
	[[ $output == *"801: Authentication failed."* ]]
	chmod 644 "$T/password"
	run -1 "$TSFERRY_BUILD/recvd/recvd" -c "$T/recvd.conf" -n
	[[ $output == *"chmod 0600"* ]]
}

# bats test_tags=short
@test "the server is killed in the middle and comes back: nothing is lost, nothing out of order" {
	insert_files edge root.away 1 10
	pair_start
	all_applied
	insert_files edge root.away 11 30
	server_kill cloud
	insert_files edge root.away 41 5
	wait_until 30 value_has /server/loader "127.0.0.1:$(server_port_of cloud)"
	server_again cloud
	all_applied 90
	answers_equal "SELECT a, b FROM root.away.d"
}

@test "rows deleted after they were loaded stay deleted, also when the server starts again" {
	insert_files edge root.late 1 5
	pair_start
	all_applied
	sql edge "DELETE FROM root.late.d.a WHERE time <= 12" "DELETE FROM root.late.d.b WHERE time = 1" >/dev/null
	wait_until 30 same_answer "SELECT a, b FROM root.late.d"
	all_applied
	server_stop cloud
	server_again cloud
	answers_equal "SELECT a, b FROM root.late.d"
}

# bats test_tags=short
@test "a server that is read-only holds everything, in its own words at the edge, and goes on when it may write" {
	[[ $(cat "$BATS_FILE_TMPDIR/cloud.version") != 1.0.* ]] || skip "1.0 loads files although it is read-only"
	sql edge "CREATE DATABASE root.ro" "INSERT INTO root.ro.d(time, s) VALUES (1, 1)" FLUSH
	pair_start
	all_applied
	sql cloud "SET SYSTEM TO READONLY"
	sql edge "INSERT INTO root.ro.d(time, s) VALUES (2, 2)" FLUSH
	wait_until 20 value_has /p/message "the receiver tries again: IoTDB at "
	[ "$(value /p/status)" = RUNNING ]
	[ "$(progress p quarantined_entries)" = 0 ]
	sql cloud "SET SYSTEM TO RUNNING"
	all_applied
	answers_equal "SELECT s FROM root.ro.d"
	wait_until 10 value_is /p/message ""
}
