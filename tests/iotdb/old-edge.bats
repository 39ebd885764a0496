# An edge of 1.x into a cloud of 2.x ($EDGE_VERSION, 1.3.3; $CLOUD_VERSION, 2.0.6): what the
# younger one takes with "200" and then cannot read, or reads otherwise, is mended on the way.
# A SELECT proves it.
load lib

setup_file() {
	servers_setup
	export IOTDB_PROPS='enable_seq_space_compaction=false\nenable_unseq_space_compaction=false\nenable_cross_space_compaction=false'
	server_start edge "${EDGE_VERSION:-1.3.3}"
	server_start cloud "${CLOUD_VERSION:-2.0.6}"
}
teardown_file() { servers_teardown; }
setup() {
	pair_setup
	live_setup
}
teardown() {
	pair_teardown || return 1
	live_clean
}

@test "devices of several depths in one file: each is found" {
	sql edge "CREATE DATABASE root.deep" \
		"INSERT INTO root.deep.d1(time, s) VALUES (1, 11)" \
		"INSERT INTO root.deep.x.a(time, s) VALUES (1, 12)" \
		'INSERT INTO root.deep.x.`b-1`(time, s) VALUES (1, 13)' \
		"INSERT INTO root.deep.x.b.c.d(time, s) VALUES (1, 14)" \
		"INSERT INTO root.deep.x.y1(time, s) VALUES (1, 15)" \
		'INSERT INTO root.deep.x.`1`.z(time, s) VALUES (1, 16)' \
		"INSERT INTO root.deep.x2(time, s) VALUES (1, 17)" FLUSH >/dev/null
	pair_start
	all_applied
	for d in d1 x.a 'x.`b-1`' x.b.c.d x.y1 'x.`1`.z' x2; do
		answers_equal "SELECT s FROM root.deep.$d"
	done
	answers_equal "SELECT count(s) FROM root.deep.**"
}

@test "three hundred such devices: more than one node of an index holds" {
	local i
	local -a all=()
	for ((i = 0; i < 300; i++)); do
		all+=("INSERT INTO root.many.d$i(time, s) VALUES (1, $i)" "INSERT INTO root.many.x$((i / 10)).d$i(time, s) VALUES (1, $i)")
	done
	sql edge "CREATE DATABASE root.many" "${all[@]}" FLUSH >/dev/null
	pair_start
	all_applied
	answers_equal "SELECT s FROM root.many.d0, root.many.d255, root.many.d299, root.many.x0.d0, root.many.x25.d255, root.many.x29.d299"
	answers_equal "SELECT count(s) FROM root.many.*"
	answers_equal "SELECT count(s) FROM root.many.*.*"
}

@test "deletions beside such a file hold, when it is loaded and after the server starts again" {
	sql edge "CREATE DATABASE root.cutout" \
		"INSERT INTO root.cutout.d1(time, s) VALUES (1, 11), (2, 12), (3, 13)" \
		"INSERT INTO root.cutout.x.a(time, s) VALUES (1, 21), (2, 22), (3, 23)" FLUSH \
		"DELETE FROM root.cutout.d1.s WHERE time = 2" "DELETE FROM root.cutout.x.** WHERE time >= 3" FLUSH >/dev/null
	pair_start
	all_applied
	answers_equal "SELECT s FROM root.cutout.d1, root.cutout.x.a"
	server_stop cloud
	server_again cloud
	answers_equal "SELECT s FROM root.cutout.d1, root.cutout.x.a"
}
