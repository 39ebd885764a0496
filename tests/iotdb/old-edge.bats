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
	for i in 0 1 2 3 4 5 6 7 8 9; do # 1.0 has no memory for all at once
		answers_equal "SELECT count(s) FROM root.many.d$i*"
		answers_equal "SELECT count(s) FROM root.many.*.d$i*"
	done
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

@test "every type that the edge knows, aligned and not, and rows that are null" {
	local types="BOOLEAN INT32 INT64 FLOAT DOUBLE TEXT" all=() t d how
	declare -A value=([BOOLEAN]=true [INT32]=-7 [INT64]=9007199254740993 [FLOAT]=1.5 [DOUBLE]=-2.25 [TEXT]="'x y'"
		[TIMESTAMP]=86400000 [DATE]="'2024-02-29'" [BLOB]="X'00ff'" [STRING]="'ä'")
	[[ ${EDGE_VERSION:-1.3.3} < 1.3.3 ]] || types+=" TIMESTAMP DATE BLOB STRING"
	all=("CREATE DATABASE root.types" "CREATE ALIGNED TIMESERIES root.types.x.al ($(for t in $types; do echo "s$t $t,"; done | tr '\n' ' ' | sed 's/, $//'))")
	for t in $types; do
		all+=("CREATE TIMESERIES root.types.d.s$t WITH DATATYPE=$t")
		for d in d x.al; do
			[ $d = d ] && how="" || how=ALIGNED
			all+=("INSERT INTO root.types.$d(time, s$t) $how VALUES (1, ${value[$t]})" "INSERT INTO root.types.$d(time, s$t) $how VALUES ($((10 + ${#t})), ${value[$t]})")
		done
	done
	sql edge "${all[@]}" FLUSH >/dev/null
	pair_start
	all_applied
	for t in $types; do
		[ "$(answer edge "SELECT s$t FROM root.types.d" | wc -l)" = 2 ]
		answers_equal "SELECT s$t FROM root.types.d"
		answers_equal "SELECT s$t FROM root.types.x.al"
	done
	answers_equal "SELECT count(sINT32), count(sTEXT) FROM root.types.**"
}

@test "deletions that the edge's recovery put beside a file (offset 0) take nothing more in 2.x" {
	sql edge "CREATE DATABASE root.wal" "INSERT INTO root.wal.d(time, s) VALUES (1, 1), (2, 2), (3, 3)" \
		"DELETE FROM root.wal.d.s WHERE time <= 2" "INSERT INTO root.wal.d(time, s) VALUES (2, 22), (4, 4)" \
		"INSERT INTO root.wal.x.d(time, s) VALUES (1, 1)" >/dev/null
	server_kill edge
	server_again edge
	sql edge FLUSH >/dev/null
	pair_start
	all_applied
	[ -n "$(answer edge "SELECT s FROM root.wal.d")" ]
	answers_equal "SELECT s FROM root.wal.d"
	answers_equal "SELECT s FROM root.wal.x.d"
}
