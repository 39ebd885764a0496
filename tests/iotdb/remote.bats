# Into an IoTDB that does not see our files: in a container of its own, behind a link that
# breaks, one of several nodes. $EDGE_VERSION, $CLOUD_VERSION as live.bats.
load lib

setup_file() {
	servers_setup
	unshare -m true 2>/dev/null || skip_or_fail "no mount namespaces here"
	export IOTDB_PROPS='enable_seq_space_compaction=false\nenable_unseq_space_compaction=false\nenable_cross_space_compaction=false'
	export HIDDEN=$BATS_FILE_TMPDIR/hidden
	mkdir "$HIDDEN"
	server_start edge "${EDGE_VERSION:-1.3.3}"
	# Where recvd has load_dir, this one sees an empty file system.
	SERVER_WRAP=(unshare -m sh -c 'mount -t tmpfs none "$HIDDEN" && exec "$@"' sh)
	server_start cloud "${CLOUD_VERSION:-${EDGE_VERSION:-1.3.3}}"
}
teardown_file() { servers_teardown; }
setup() {
	pair_setup
	LOAD_VIA=auto live_setup
	LOAD=$HIDDEN/$BATS_TEST_NUMBER
	cloud_conf load_dir "$LOAD"
}
teardown() {
	[ ! -e "$T/proxy.pid" ] || kill "$(cat "$T/proxy.pid")"
	pair_teardown || return 1
	live_clean
	# What was handed over is gone; the marks of the last batch stay until the next one.
	[ -z "$(find "$LOAD" -type f -not -name applied)" ]
}

# proxy_start: between recvd and the server.
proxy_start() {
	mkdir "$T/proxy"
	daemon_start proxy python3 "$TSFERRY_SOURCE/tests/iotdb/proxy.py" "$(server_port_of cloud)" "$T/proxy"
	wait_until 10 test -e "$T/proxy/port"
	cloud_conf iotdb_rpc "127.0.0.1:$(cat "$T/proxy/port")"
}

# bats test_tags=short
@test "a server that does not see load_dir is found out, and gets everything all the same" {
	insert_files edge root.plant.hall 1 30
	sql edge "DELETE FROM root.plant.hall.d.a WHERE time = 2" FLUSH >/dev/null
	insert_files edge root.plant.hall 31 2
	pair_start
	all_applied
	answers_equal "SELECT a, b FROM root.plant.hall.d"
	wait_until 20 value_is /p/message ""
}

@test "load_via=path refuses such a server, and says what mends it" {
	cloud_conf load_via path
	pair_start
	sql edge "INSERT INTO root.via.d(time, s) VALUES (1, 1)" FLUSH
	wait_until 30 value_has /server/loader "the server does not see load_dir $LOAD"
	value_has /server/loader "load_via=auto"
	cloud_conf load_via transfer
	statement 'LOAD CONFIGURATION' >/dev/null
	wait_until 30 cloud_says "SELECT s FROM root.via.d" $'1\t1.0'
}

@test "of several nodes the next one is used when one is away" {
	cloud_conf iotdb_rpc "127.0.0.1:1,127.0.0.1:$(server_port_of cloud)"
	insert_files edge root.nodes 1 5
	pair_start
	all_applied
	answers_equal "SELECT a, b FROM root.nodes.d"
}

@test "the link breaks in the middle of files and behind seals: once, and in order" {
	proxy_start
	insert_files edge root.cut 1 10
	pair_start
	echo 2000 >"$T/proxy/cut"
	insert_files edge root.cut 11 10
	for i in 1 2 3; do
		: >"$T/proxy/seal"
		insert_files edge root.cut $((15 + 5 * i)) 5
		wait_until 60 test ! -e "$T/proxy/seal"
	done
	all_applied 90
	[ "$(grep -c "cut after a seal" "$T/proxy/log")" = 3 ]
	answers_equal "SELECT a, b FROM root.cut.d"
}

@test "a file of 40 MB: in pieces, and the loader stays small" {
	sed -i '/^iotdb_home=/d' "$T/syncd.conf"
	edge_conf data_dirs "$DATADIR"
	generate -d root.big -n 1 -s 40M
	pair_start
	all_applied
	[ "$(awk '/VmHWM/ { print $2 }' "/proc/$(loader_pid)/status")" -lt 40000 ]
	[ "$(sql cloud "COUNT DEVICES root.big.**" | grep -v '^#')" -gt 0 ]
}

@test "a type that differs is not converted in silence: it waits, and is tried again when it fits" {
	sql cloud "CREATE DATABASE root.type" "CREATE TIMESERIES root.type.d.s BOOLEAN" >/dev/null
	pair_start
	sql edge "CREATE TIMESERIES root.type.d.s INT32" "INSERT INTO root.type.d(time, s) VALUES (1, 5)" FLUSH
	wait_until 30 progress_is p quarantined_entries 1
	value_has /p/message "root.type.d.s is of another type in the file"
	sql cloud "DELETE TIMESERIES root.type.d.s" >/dev/null
	statement "RETRY 1" || statement "RETRY 2"
	wait_until 30 cloud_says "SELECT s FROM root.type.d" $'1\t5'
}
