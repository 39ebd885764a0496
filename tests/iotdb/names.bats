# Names and schemas that are seldom: databases whose names need back quotes, deep ones, other scripts; devices that
# have their series from a template, at the edge or in the cloud; databases above and below each other; a type that
# was made wrong in the cloud and is mended. $EDGE_VERSION (1.3.3) into $CLOUD_VERSION (the same), as $LOAD_VIA says.
load lib

setup_file() {
	servers_setup
	export IOTDB_PROPS='enable_seq_space_compaction=false\nenable_unseq_space_compaction=false\nenable_cross_space_compaction=false'
	server_start edge "${EDGE_VERSION:-1.3.3}"
	server_start cloud "${CLOUD_VERSION:-${EDGE_VERSION:-1.3.3}}"
}
teardown_file() { servers_teardown; }
setup() {
	pair_setup
	live_setup
	edge_conf iotdb_rpc "127.0.0.1:$(server_port_of edge)"
	edge_conf scan_interval 1s
	# 2.0 says DEVICE TEMPLATE as well
	TEMPLATE="SCHEMA TEMPLATE"
}
teardown() {
	pair_teardown || return 1
	live_clean
	! ls -d "$CLOUD"/state/load/*/*/*/ 2>/dev/null
}

equal() { # DATABASE...: rows and series
	local db
	for db in "$@"; do
		answers_equal "SELECT * FROM $db.**"
		series_equal "$db"
	done
}
series() { answer "$1" "SHOW TIMESERIES $2.**" | cut -f 1,3-6 | sort; } # NAME DATABASE
series_equal() { diff <(series edge "$1") <(series cloud "$1"); }
# schema_told TEXT: the schema of what was written is through, as the cloud shows.
schema_told() { wait_until 30 eval "answer cloud 'SHOW TIMESERIES root.**' | cut -f 1 | grep -xF -- '$1'"; }

@test "databases that need back quotes, with a dot in them, four levels deep, in other scripts: rows and deletions" {
	local names=('root.`a.b`' root.d1.d2.d3.d4 root.数据 'root.`1`' 'root.s.`select`' 'root.back.`t``k`') db
	for db in "${names[@]}"; do
		sql edge "CREATE DATABASE $db" "INSERT INTO $db.dev(time, s, \`s.2\`) VALUES (1, 1, 2), (2, 3, 4)" \
			"INSERT INTO $db.\`líne é\`.\`d\`\`d\`(time, 温度) VALUES (1, 1), (2, 2)" >/dev/null
	done
	sql edge FLUSH >/dev/null
	pair_start
	all_applied
	equal "${names[@]}"
	for db in "${names[@]}"; do
		sql edge "DELETE FROM $db.dev.\`s.2\` WHERE time = 1" "DELETE FROM $db.\`líne é\`.** WHERE time = 2" >/dev/null
	done
	for db in "${names[@]}"; do wait_until 30 same_answer "SELECT * FROM $db.**"; done
	[ "$(answer cloud 'SELECT * FROM root.`a.b`.**' | wc -l)" = 2 ]
	value_is /p/message ""
	progress_is p quarantined_entries 0
}

@test "series from a template at the edge, aligned and not, are ordinary ones in the cloud; so are deletions from them" {
	sql edge "CREATE DATABASE root.tp" "CREATE $TEMPLATE t1 (temp FLOAT encoding=RLE, st BOOLEAN encoding=PLAIN)" \
		"CREATE $TEMPLATE t2 ALIGNED (lat FLOAT encoding=GORILLA, lon FLOAT encoding=GORILLA)" \
		"SET $TEMPLATE t1 TO root.tp.plain" "SET $TEMPLATE t2 TO root.tp.al" >/dev/null
	sql edge "INSERT INTO root.tp.plain.d1(time, temp, st) VALUES (1, 1.5, true), (2, 2.5, false)" \
		"INSERT INTO root.tp.al.d1(time, lat, lon) ALIGNED VALUES (1, 1.5, 2.5), (2, null, 3.5), (3, 4, 5)" \
		"INSERT INTO root.tp.al.d2(time, lat, lon) ALIGNED VALUES (1, 1.5, 2.5)" FLUSH >/dev/null
	pair_start
	all_applied
	equal root.tp
	sql edge "DELETE FROM root.tp.al.d1.lon WHERE time = 2" "DELETE FROM root.tp.al.d1.* WHERE time = 1" "DELETE FROM root.tp.plain.** WHERE time = 2" >/dev/null
	wait_until 30 same_answer "SELECT * FROM root.tp.**"
	progress_is p quarantined_entries 0
	sql edge "DELETE DATABASE root.tp" "DROP $TEMPLATE t1" "DROP $TEMPLATE t2" >/dev/null
}

@test "devices that have a template in the cloud take what the edge says of them, and series that it lacks" {
	sql cloud "CREATE DATABASE root.c1" "CREATE DATABASE root.c2" "CREATE $TEMPLATE c1 ALIGNED (a FLOAT encoding=RLE, b INT32 encoding=PLAIN)" \
		"CREATE $TEMPLATE c2 (a FLOAT encoding=RLE, b INT32 encoding=PLAIN)" "SET $TEMPLATE c1 TO root.c1" "SET $TEMPLATE c2 TO root.c2" >/dev/null
	pair_start
	sql edge "CREATE DATABASE root.c1" "CREATE DATABASE root.c2" "CREATE ALIGNED TIMESERIES root.c1.d(a FLOAT encoding=RLE, b INT32 encoding=PLAIN)" \
		"CREATE TIMESERIES root.c2.d.a FLOAT encoding=RLE" "CREATE TIMESERIES root.c2.d.b INT32 encoding=PLAIN" \
		"INSERT INTO root.c1.d(time, a, b) ALIGNED VALUES (1, 1, 1), (2, 2, 2)" "INSERT INTO root.c2.d(time, a, b) VALUES (1, 1, 1), (2, 2, 2)" FLUSH >/dev/null
	wait_until 30 same_answer "SELECT * FROM root.c2.**"
	sql edge "INSERT INTO root.c1.d(time, a, b, c) ALIGNED VALUES (3, 1, 1, 1)" "INSERT INTO root.c2.d(time, a, b, c) VALUES (3, 1, 1, 1)" \
		"INSERT INTO root.c2.e(time, x, y) VALUES (1, 1, 1)" FLUSH >/dev/null
	wait_until 30 same_answer "SELECT a, b, c FROM root.c2.d"
	wait_until 30 same_answer "SELECT x, y FROM root.c2.e"
	wait_until 30 same_answer "SELECT a, b, c FROM root.c1.d"
	schema_told root.c2.e.y
	all_applied
	# every device under a template has all of its series
	[ -z "$(comm -23 <(series edge root.c1) <(series cloud root.c1))" ]
	[ -z "$(comm -23 <(series edge root.c2) <(series cloud root.c2))" ]
	progress_is p quarantined_entries 0
	value_is /p/message ""
	sql cloud "DELETE DATABASE root.c1" "DELETE DATABASE root.c2" "DROP $TEMPLATE c1" "DROP $TEMPLATE c2" >/dev/null
}

@test "a database above, and one below, of what the edge has: rows and deletions go there, and it is told" {
	sql cloud "CREATE DATABASE root.n" "CREATE DATABASE root.m.x" >/dev/null
	sql edge "CREATE DATABASE root.n.x.y" "CREATE DATABASE root.m" "INSERT INTO root.n.x.y.d(time, s) VALUES (1, 1), (2, 2)" \
		"INSERT INTO root.m.x.y.d(time, s) VALUES (1, 1), (2, 2)" FLUSH >/dev/null
	pair_start
	all_applied
	answers_equal "SELECT * FROM root.n.**"
	answers_equal "SELECT * FROM root.m.**"
	sql edge "DELETE FROM root.n.x.y.d.s WHERE time = 1" "DELETE FROM root.m.** WHERE time = 1" >/dev/null
	wait_until 30 same_answer "SELECT * FROM root.n.**"
	wait_until 30 same_answer "SELECT * FROM root.m.**"
	grep -q 'warn recvd-load: database root.n.x.y cannot be made' "$T/recvd.log"
	progress_is p quarantined_entries 0
}

@test "a type that was made wrong in the cloud is quarantined in words, and mended by them" {
	sql cloud "CREATE TIMESERIES root.tc.d.s INT32" >/dev/null
	sql edge "CREATE DATABASE root.tc" "INSERT INTO root.tc.d(time, s) VALUES (1, 1.5)" FLUSH >/dev/null
	pair_start
	wait_until 30 progress_is p quarantined_entries 1
	value_has /p/message "root.tc.d.s"
	sql cloud "DELETE TIMESERIES root.tc.d.s" >/dev/null
	statement 'RETRY ALL'
	all_applied
	answers_equal "SELECT * FROM root.tc.**"
	wait_until 10 value_is /p/message ""
}
