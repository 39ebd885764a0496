# Whole data directories of real servers (tests/data/README.md) carried into one that runs:
# $CLOUD_VERSION (1.3.3), as load_via=$LOAD_VIA (auto) says. It answers as the first one did.
load lib

setup_file() {
	servers_setup
	export IOTDB_PROPS='enable_seq_space_compaction=false\nenable_unseq_space_compaction=false\nenable_cross_space_compaction=false'
	server_start cloud "${CLOUD_VERSION:-1.3.3}"
}
teardown_file() { servers_teardown; }
setup() {
	pair_setup
	cloud_loader
}
teardown() {
	pair_teardown || return 1
	sql cloud "DELETE DATABASE root.**" >/dev/null 2>&1 || true
}

# Not cp -p, not links: an edge's files are young.
stand() { rm -rf "$DATADIR"/{sequence,unsequence} && cp -r "$DATA/$1/." "$DATADIR/"; }
surveyed() { [ "$(sqlite3 -cmd '.timeout 5000' "$EDGE/state/catalog.db" 'SELECT count(*) FROM known WHERE row_sum IS NULL')" = 0 ]; }

# as_recorded VERSION ANSWERS STATEMENT...: as recorded, then with all compactions done.
as_recorded() {
	local version=$1 want=$DATA/answers/$2
	shift 2
	edge_conf iotdb_version "$version"
	stand "datadir-$version"
	pair_start
	all_applied
	"$ASK" "$(server_port_of cloud)" "$@" | "$TSFERRY_SOURCE/tests/iotdb/answers.py" "$want"
	wait_until 20 surveyed
	daemon_stop syncd
	stand "compacted-$version"
	syncd_start
	all_applied
	"$ASK" "$(server_port_of cloud)" "$@" | "$TSFERRY_SOURCE/tests/iotdb/answers.py" "$want"
	[ "$(progress p quarantined_entries)" = 0 ]
}
is_at_least() { [ "$(printf '%s\n' "$1" "${CLOUD_VERSION:-1.3.3}" | sort -V | head -n 1)" = "$1" ]; }

@test "0.13.4: the cloud answers as the edge did, before and after compaction" {
	as_recorded 0.13.4 0.13.4.txt.xz "SELECT ** FROM root.sg1" "SELECT ** FROM root.al"
}

@test "1.3.3: the cloud answers as the edge did, before and after compaction" {
	is_at_least 1.3.3 || skip "types that 1.3.3 brought"
	as_recorded 1.3.3 1.3.3 "SELECT ** FROM root.plant" "SELECT ** FROM root.fleet"
}

@test "2.0.2: the cloud answers as the edge did, before and after compaction" {
	is_at_least 2.0.2 || skip "files that 2.0 brought"
	as_recorded 2.0.2 2.0.2 "SELECT ** FROM root.plant" "SELECT ** FROM root.fleet"
}
