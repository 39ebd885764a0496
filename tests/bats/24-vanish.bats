# A captured file that is gone without a journal: nothing is deleted in the cloud by
# inference, and nothing is kept quiet.
load lib/tsferry
load lib/fake_iotdb

setup() {
	pair_setup
	edge_conf scan_interval 100ms # nothing tells of a file that is removed
}
teardown() { pair_teardown; }

V3=$DATA/tsfile/v3 # tiny: root.sg.d1, times 1 to 3; tinyal: root.sg.d2, 100 to 102
MAX=9223372036854775807

vanish() { rm "$DATADIR/${2:-sequence}/root.sg/1/0/$1".tsfile*; }
there() { cat "$ARCHIVE/edge-1/root.sg/${2:-sequence}/1/0/$1.tsfile.mods" 2>/dev/null; }
catalog() { sqlite3 -cmd '.timeout 5000' "$EDGE/state/catalog.db" "$1"; }
known_is() { [ "$(catalog 'SELECT count(*) FROM known')" = "$1" ]; }
surveyed() { [ "$(catalog 'SELECT count(*) FROM known WHERE row_sum IS NULL')" = 0 ]; }
held() { value_has /server/quarantine 'RESTATE root.sg region 1'; }
# An edge IoTDB that is asked: one that says no at once, and one that is not there, which is tried for seconds.
with_rpc() {
	fake_start
	fake_says '{"match": "SELECT count.*", "code": 803, "text": "No permissions"}' '{"match": "SHOW ALL TTL", "code": 803, "text": "No permissions"}'
}
with_rpc_away() { edge_conf iotdb_rpc 127.0.0.1:6667; }
two_files() {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/tinyal.tsfile" root.sg 2-2-0-0
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
}

@test "without iotdb_rpc nothing is sent, the events tell it, and limits says what would lift it" {
	two_files
	vanish 1-1-0-0
	wait_until 20 known_is 1
	statement 'WAIT PIPE p 30'
	progress_is p sent_entries 2
	value_has /p/events '1 captured files are gone and no journal says why: the cloud keeps their rows (see limits)'
	value_has /p/limits 'set iotdb_rpc'
	value_is /p/message ''
	[ -z "$(there 1-1-0-0)" ]
}

@test "with iotdb_rpc a RESTATE of its devices and times waits, and RETRY deletes just these" {
	with_rpc_away
	two_files
	vanish 1-1-0-0
	wait_until 20 held
	value_has /server/quarantine 'times 1..3'
	value_has /p/events 'a RESTATE waits at the receiver for RETRY or SKIP'
	[ -z "$(there 1-1-0-0)" ]
	statement 'RETRY ALL'
	statement 'WAIT PIPE p 30'
	[ "$(there 1-1-0-0)" = "DELETION,root.sg.d1.*,$MAX,1,3"$'\n'"DELETION,root.sg.d2.*,$MAX,1,3" ]
	progress_is p applied_serial 3
	known_is 1
}

@test "SKIP keeps the rows, and what came behind is applied" {
	with_rpc
	edge_conf inferred_deletes send # nobody said that they are deleted: held all the same
	two_files
	vanish 1-1-0-0
	wait_until 20 held
	seal "$V3/old.tsfile" root.sg 3-3-0-0
	wait_until 20 progress_is p durable_serial 4
	run ! archive_has root.sg 3-3-0-0
	statement "SKIP $(rows 'SHOW QUARANTINE' | cut -f1)"
	statement 'WAIT PIPE p 30'
	archive_has root.sg 3-3-0-0
	[ -z "$(there 1-1-0-0)" ]
}

@test "inferred_deletes=ignore, and a pipe without deletions, send none" {
	with_rpc
	edge_conf inferred_deletes ignore
	two_files
	vanish 1-1-0-0
	wait_until 20 known_is 1
	value_has /p/events 'the cloud keeps their rows (inferred_deletes=ignore)'
	statement 'WAIT PIPE p 30'
	progress_is p sent_entries 2
	statement 'DROP PIPE p'
	daemon_stop syncd
	edge_conf inferred_deletes hold
	syncd_start
	statement 'CREATE PIPE q TO s WITH SyncDelOp=false'
	statement 'START PIPE q'
	statement 'WAIT PIPE q 30'
	vanish 2-2-0-0
	forgotten() { [ "$(catalog "SELECT count(*) FROM known, pipe WHERE pipe = pipe.id AND name = 'q'")" = 0 ]; }
	wait_until 20 forgotten
	statement 'WAIT PIPE q 30'
	progress_is q sent_entries 1
}

@test "living files that overlap what is deleted follow behind it" {
	with_rpc
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/tiny.tsfile" root.sg 2-2-0-0
	seal "$V3/tinyal.tsfile" root.sg 3-3-0-0
	statement 'WAIT PIPE p 30'
	vanish 1-1-0-0
	wait_until 20 held
	statement 'RETRY ALL'
	statement 'WAIT PIPE p 30'
	[ -n "$(there 1-1-0-0)" ]
	[ -z "$(there 2-2-0-0)" ] # came again, whole
	progress_is p applied_serial 5
}

@test "a database that was dropped while syncd was down: one RESTATE a partition, once" {
	with_rpc
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/tiny.tsfile" root.sg 2-2-0-0
	seal "$V3/tinyal.tsfile" root.sg 3-3-0-0 sequence 1 7
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_stop syncd
	rm -r "$DATADIR/sequence/root.sg"
	for _ in 1 2 3; do
		syncd_start
		daemon_kill syncd
	done
	syncd_start
	wait_until 20 held
	wait_until 20 known_is 0
	progress_is p durable_serial 5
	statement 'RETRY ALL'
	wait_until 20 progress_is p applied_serial 4
	wait_until 20 held
	statement 'RETRY ALL'
	statement 'WAIT PIPE p 30'
	progress_is p applied_serial 5
	there 1-1-0-0 | grep -qF "DELETION,root.sg.d1.*,$MAX,1,3"
	[ "$(catalog 'SELECT count(*) FROM entry')" = 0 ]
}

@test "a data directory that is away is no file that vanished" {
	with_rpc
	two_files
	mv "$DATADIR" "$DATADIR.away"
	wait_until 20 value_has /p/message "$DATADIR"
	mv "$DATADIR.away" "$DATADIR"
	back() { ! value_has /p/message "$DATADIR"; }
	wait_until 20 back
	statement 'WAIT PIPE p 30'
	progress_is p sent_entries 2
	known_is 2
}

# with_counts COUNT [TTL]: an edge IoTDB whose devices have so many rows in any range.
with_counts() {
	fake_says '{"match": "SELECT count.*", "columns": ["count(x)"], "types": ["INT64"], "rows": [['"$1"']]}' \
		'{"match": "SHOW ALL TTL", "columns": ["Device", "TTL(ms)"], "rows": [["root.**", "'"${2:-INF}"'"]]}'
}

@test "where the server has no rows left, inferred_deletes=send deletes them in the cloud, hold has them wait" {
	fake_start
	with_counts 0
	edge_conf inferred_deletes send
	two_files
	vanish 1-1-0-0
	wait_until 20 value_has /p/events 'their rows are deleted in the cloud, too'
	statement 'WAIT PIPE p 30'
	[ "$(there 1-1-0-0)" = "DELETION,root.sg.d1.*,$MAX,1,3"$'\n'"DELETION,root.sg.d2.*,$MAX,1,3" ]
	fake_was_told 'SELECT count(*) FROM root.sg.d1 WHERE time >= 1 AND time <= 3'
	edge_conf inferred_deletes hold
	statement 'LOAD CONFIGURATION' >/dev/null
	vanish 2-2-0-0
	wait_until 20 held
}

@test "rows that are there in other files, and those that a TTL took, stay in the cloud" {
	fake_start
	with_counts 7
	edge_conf inferred_deletes send
	two_files
	vanish 1-1-0-0
	wait_until 20 value_has /p/events 'their rows are there, or fell to a TTL'
	wait_until 20 known_is 1
	with_counts 0 3600000 # the rows are of 1970
	vanish 2-2-0-0
	wait_until 20 known_is 0
	statement 'WAIT PIPE p 30'
	progress_is p sent_entries 2
	[ -z "$(there 1-1-0-0)$(there 2-2-0-0)" ]
	[ -z "$(rows 'SHOW QUARANTINE')" ]
}

@test "a server that hangs when it is asked delays no file, and the answer is used when it comes" {
	fake_start
	fake_says '{"match": "SHOW ALL TTL", "hang": true}'
	edge_conf inferred_deletes send
	two_files
	vanish 1-1-0-0
	asked() { fake_was_told 'SHOW ALL TTL'; }
	wait_until 20 asked
	seal "$V3/old.tsfile" root.sg 3-3-0-0
	wait_until 5 archive_has root.sg 3-3-0-0
	known_is 3 # not forgotten
	with_counts 0
	kill -KILL "$(pgrep -P "$(daemon_pid syncd)" -f syncd-ask)"
	wait_until 20 value_has /p/events 'their rows are deleted in the cloud, too'
	statement 'WAIT PIPE p 30'
	[ -n "$(there 1-1-0-0)" ]
}

compacted_unseen() {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/tinyal.tsfile" root.sg 2-2-0-0
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_stop syncd
	vanish 1-1-0-0
	vanish 2-2-0-0
	seal "$V3/tinyal.tsfile" root.sg 1-1-1-0 # the rows at 1 to 3 are gone
	syncd_start
}

@test "a partition's front that was compacted away unseen: deleted in the cloud when no TTL can have done it" {
	fake_start
	with_counts 0
	compacted_unseen
	statement 'WAIT PIPE p 30'
	value_has /p/events 'times 1..102,'
	grep -q "DELETION,root.sg.d1.\*,$MAX,1,102" <<<"$(there 1-1-0-0)"
	progress_is p applied_serial 4
	[ -z "$(there 1-1-1-0)" ]
	[ -z "$(rows 'SHOW QUARANTINE')" ]
}

@test "a TTL that reaches back further than the rows removed none of them" {
	fake_start
	with_counts 0 9000000000000 # 285 years
	compacted_unseen
	statement 'WAIT PIPE p 30'
	value_has /p/events 'times 1..102,'
}

@test "a partition's front that a TTL may have taken stays in the cloud, and the events tell why" {
	fake_start
	with_counts 0 3600000
	compacted_unseen
	statement 'WAIT PIPE p 30'
	value_has /p/events 'rows before 100 are gone at the edge and stay in the cloud: a TTL may have removed them'
	value_has /p/events 'times 100..102,'
	run ! grep -q 'root.sg.d1' <<<"$(there 1-1-0-0 | grep -v ',100,102')"
	progress_is p applied_serial 4
}

@test "a server that does not answer holds a partition's RESTATE up for moments only, and the rows stay" {
	fake_start
	fake_says '{"match": "SHOW ALL TTL", "code": 803, "text": "No permissions"}'
	compacted_unseen
	statement 'WAIT PIPE p 30'
	value_has /p/events 'rows before 100 are gone at the edge and stay in the cloud: the edge IoTDB does not tell'
	daemon_stop iotdb
	seal "$V3/old.tsfile" root.sg 3-3-0-0
	wait_until 20 archive_has root.sg 3-3-0-0
}

schema_text() { cat "$ARCHIVE/edge-1/root.sg/schema.sql"; }
schema_is_known() { [ "$(catalog 'SELECT count(*) FROM listed')" = 1 ]; }

@test "a database that was dropped: the schema tells it, the cloud drops its rows, nobody is asked about files" {
	fake_start
	fake_schema
	two_files
	seal "$V3/tiny.tsfile" root.sg 3-3-0-0 sequence 1 4
	statement 'WAIT PIPE p 30'
	wait_until 20 schema_is_known
	DATABASES='["root.other"],' fake_schema
	vanish 1-1-0-0 # file by file, the directories last
	wait_until 40 known_is 2
	rm -r "$DATADIR/sequence/root.sg"
	wait_until 40 known_is 0
	statement 'WAIT PIPE p 30'
	value_has /p/events 'the database was dropped, as the schema tells'
	schema_text | grep -qxF 'DELETE DATABASE root.sg'
	for f in 1-1-0-0 2-2-0-0; do [ "$(there $f)" = "DELETION,root.sg.**,$MAX,-9223372036854775808,$MAX" ]; done
	[ -z "$(rows 'SHOW QUARANTINE')" ]
	# It comes again, and its rows are there.
	DATABASES='["root.sg"],["root.other"],' fake_schema
	again() { [ "$(schema_text | tail -1)" = 'CREATE DATABASE root.sg' ]; }
	statement 'LOAD CONFIGURATION' >/dev/null
	wait_until 30 again
	seal "$V3/tiny.tsfile" root.sg 9-9-0-0 sequence 2
	statement 'WAIT PIPE p 30'
	archive_has root.sg 9-9-0-0 sequence 2
	[ ! -e "$ARCHIVE/edge-1/root.sg/sequence/2/0/9-9-0-0.tsfile.mods" ]
}

@test "a database that the schema lists still: a whole partition that vanished is asked about as ever" {
	fake_start
	fake_schema
	two_files
	wait_until 20 schema_is_known
	rm -r "$DATADIR/sequence/root.sg"
	wait_until 40 held
	[ "$(schema_text | grep -c DELETE || true)" = 0 ]
}
