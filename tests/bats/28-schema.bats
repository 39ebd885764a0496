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

V3=$DATA/tsfile/v3 # tiny: root.sg.d1, times 1 to 3

S1='["root.sg.d1.s1", "temp", "INT64", "RLE", "SNAPPY", "{\"unit\":\"K\",\"line no\":\"it'"'"'s 4\"}", "{\"max\":\"10\"}"]'
G1='["root.sg.g.a", null, "FLOAT", "GORILLA", "LZ4", null, null]'
G2='["root.sg.g.b", null, "TEXT", "PLAIN", "LZ4", null, null]'
schema_text() { cat "$ARCHIVE/edge-1/root.sg/schema.sql"; }

@test "schema goes first: databases, series, aligned devices, aliases, tags and attributes" {
	fake_start
	ALIGNED='["root.sg.g", "true"], ["root.sg.d1", "false"]' fake_schema "$G2" "$S1" "$G1"
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	pair_start
	statement 'WAIT PIPE p 30'
	[ "$(schema_text)" = "CREATE DATABASE root.sg
CREATE TIMESERIES root.sg.d1.s1 WITH DATATYPE=INT64, ENCODING=RLE, COMPRESSOR=SNAPPY
ALTER TIMESERIES root.sg.d1.s1 UPSERT ALIAS=\`temp\` TAGS('line no'='it''s 4', unit='K') ATTRIBUTES(max='10')
CREATE ALIGNED TIMESERIES root.sg.g(a FLOAT ENCODING=GORILLA COMPRESSOR=LZ4)
CREATE ALIGNED TIMESERIES root.sg.g(b TEXT ENCODING=PLAIN COMPRESSOR=LZ4)" ]
	progress_is p applied_serial 2
	value_has /p/events 'schema: 4 created, 0 changed, 0 deleted'
	value_has /p/limits 'TTL, triggers, views and templates do not travel'
	# The same again says nothing, after a restart either.
	daemon_stop syncd
	syncd_start
	statement 'WAIT PIPE p 30'
	progress_is p applied_serial 2
	archive_has root.sg 1-1-0-0
}

# With the receiver away everything stays in the queue.
alone() {
	recvd_start
	syncd_start
	statement 'START PIPESERVER' >/dev/null
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$(server_port))" >/dev/null
	statement 'CREATE PIPE p TO s' >/dev/null
	daemon_stop recvd
	statement 'START PIPE p' >/dev/null
}
queued() { [ "$(value /p/queue | wc -l)" = "$1" ]; }
last_entry() { sqlite3 -cmd '.timeout 5000' "$EDGE/state/catalog.db" "SELECT CAST(body AS TEXT) FROM entry ORDER BY serial DESC LIMIT 1"; }
last_is() { [ "$(last_entry)" = "$1" ]; }
# Another listing now: so do the configuration's readers.
look() { statement 'LOAD CONFIGURATION' >/dev/null; }

@test "the schema's entry comes before the files that were there, even of thousands of series" {
	fake_start
	mapfile -t many < <(seq -f '["root.sg.d%05.0f.s", null, "INT64", "RLE", "SNAPPY", null, null]' 4000)
	fake_schema "${many[@]}"
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	alone
	wait_until 20 value_has /p/queue FILE
	value /p/queue | awk '{ print $2 }' | uniq -c | awk '{ print $2 }' | tr '\n' ' ' | grep -qx 'SCHEMA FILE '
	[ "$(value /p/queue | grep -c SCHEMA)" -gt 1 ]
	value /p/queue | awk '$2 == "SCHEMA" && $3 > 210000 { exit 1 }'
	[ "$(sqlite3 "$EDGE/state/catalog.db" 'SELECT count(*) FROM series')" = 4001 ]
	[ ! -e "$EDGE/state/schema.list" ]
}

@test "tags and aliases that change, series that come, that go and that are made anew as others" {
	fake_start
	ALIGNED='["root.sg.g", "true"]' fake_schema "$S1" "$G1" "$G2"
	alone
	wait_until 20 queued 1
	ALIGNED='["root.sg.g", "true"]' fake_schema '["root.sg.d1.s1", "t2", "INT64", "RLE", "SNAPPY", "{\"unit\":\"C\"}", null]' "$G1" "$G2" \
		'["root.sg.d1.s2", null, "DOUBLE", "PLAIN", "SNAPPY", null, null]'
	look
	wait_until 20 queued 2
	last_is "ALTER TIMESERIES root.sg.d1.s1 DROP 'line no', max
ALTER TIMESERIES root.sg.d1.s1 UPSERT ALIAS=\`t2\` TAGS(unit='C')
CREATE TIMESERIES root.sg.d1.s2 WITH DATATYPE=DOUBLE, ENCODING=PLAIN, COMPRESSOR=SNAPPY"
	# One is gone, one another: both in two listings.
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	ALIGNED='["root.sg.g", "true"]' fake_schema '["root.sg.d1.s1", "t2", "INT64", "RLE", "SNAPPY", "{\"unit\":\"C\"}", null]' "$G2" \
		'["root.sg.d1.s2", null, "FLOAT", "PLAIN", "SNAPPY", null, null]'
	look
	wait_until 20 queued 4
	value /p/queue | sed -n 3p | grep -q FILE # sealed before it was told
	last_is "DELETE TIMESERIES root.sg.d1.s2
CREATE TIMESERIES root.sg.d1.s2 WITH DATATYPE=FLOAT, ENCODING=PLAIN, COMPRESSOR=SNAPPY
DELETE TIMESERIES root.sg.g.a"
	# What one listing alone lacks is not gone.
	n=$(fake_count 'SHOW TIMESERIES root.sg.**')
	ALIGNED='["root.sg.g", "true"]' fake_schema "$G2"
	look
	asked_again() { [ "$(fake_count 'SHOW TIMESERIES root.sg.**')" -gt "$n" ]; }
	wait_until 20 asked_again
	ALIGNED='["root.sg.g", "true"]' fake_schema '["root.sg.d1.s1", "t2", "INT64", "RLE", "SNAPPY", "{\"unit\":\"C\"}", null]' "$G2" \
		'["root.sg.d1.s2", null, "FLOAT", "PLAIN", "SNAPPY", null, null]'
	n=$((n + 1))
	wait_until 20 asked_again
	look
	n=$((n + 1))
	wait_until 20 asked_again
	queued 4
}

@test "another server, a user who does not see all, SyncDelOp=false: the cloud keeps" {
	fake_start
	fake_schema "$S1" "$G1"
	alone
	wait_until 20 queued 1
	IDENTITY=two fake_schema "$G1"
	look
	wait_until 20 value_has /p/events 'are kept in the cloud (another server'
	queued 1
	# Most at once, of a server that tells no identity.
	mapfile -t many < <(seq -f '["root.sg.d%g.s", null, "INT64", "RLE", "SNAPPY", null, null]' 40)
	run ! value_has /p/limits 'a database that is dropped'
	IDENTITY= fake_schema "${many[@]}"
	look
	wait_until 20 queued 2
	value_has /p/limits 'a database that is dropped at the edge stays in the cloud'
	IDENTITY= fake_schema "${many[0]}"
	look
	kept_40() { value /p/events | grep -q 'schema: 39 series .* are kept in the cloud'; }
	wait_until 20 kept_40
	queued 2
	# A user other than root.
	IDENTITY=two fake_schema "${many[0]}" "$S1" "$G1"
	look
	wait_until 20 queued 3
	edge_conf iotdb_user reader
	look
	IDENTITY=two fake_schema "$S1"
	n=$(fake_count 'SHOW TIMESERIES root.sg.**')
	look
	asked_again() { [ "$(fake_count 'SHOW TIMESERIES root.sg.**')" -gt "$n" ]; }
	wait_until 20 asked_again
	value_has /p/limits 'a user other than root may not see all series'
	queued 3
}

@test "a password that is refused, a server that is down or silent: files travel, the message says it" {
	fake_start
	fake_says '{"password": "right"}'
	echo s3cret-word >"$T/password"
	chmod 600 "$T/password"
	edge_conf iotdb_password_file "$T/password"
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	wait_until 20 archive_has root.sg 1-1-0-0
	wait_until 20 value_has /p/message 'the edge IoTDB cannot be asked, and files travel all the same'
	value_has /p/message '801: Authentication failed.'
	statement 'WAIT PIPE p 30'
	fake_says '{"mute": "openSession"}'
	seal "$V3/tiny.tsfile" root.sg 2-2-0-0
	wait_until 20 archive_has root.sg 2-2-0-0
	daemon_kill iotdb
	seal "$V3/tiny.tsfile" root.sg 3-3-0-0
	wait_until 20 archive_has root.sg 3-3-0-0
	fake_schema "$S1"
	edge_conf iotdb_password_file ''
	fake_start
	look
	wait_until 20 value_is /p/message ''
	statement 'WAIT PIPE p 30'
	schema_text | grep -q 'CREATE TIMESERIES root.sg.d1.s1 '
	run ! grep -r s3cret-word "$T"/*.log "$EDGE/state"
}

@test "syncd-ask that is killed, or hangs, is another one soon, and nobody waits for it" {
	fake_start
	fake_says '{"match": "SHOW DATABASES", "hang": true}'
	pair_start
	asker() { pgrep -P "$(daemon_pid syncd)" -f syncd-ask; }
	wait_until 20 asker
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	wait_until 20 archive_has root.sg 1-1-0-0
	first=$(asker)
	kill -KILL "$first"
	wait_until 20 value_has /p/message 'syncd-ask died of signal 9'
	fake_schema "$S1"
	look
	wait_until 20 value_is /p/message ''
	statement 'WAIT PIPE p 30'
	schema_text | grep -q 'CREATE TIMESERIES root.sg.d1.s1 '
	[ "$(asker)" != "$first" ]
	kill -STOP "$(asker)"
	seal "$V3/tiny.tsfile" root.sg 2-2-0-0
	wait_until 20 archive_has root.sg 2-2-0-0
	kill -KILL "$(asker)"
}

# open_file T-V-I-C: as IoTDB has it until it seals it.
open_file() {
	mkdir -p "$DATADIR/sequence/root.sg/1/0"
	: >"$DATADIR/sequence/root.sg/1/0/$1.tsfile"
}
flushes() { fake_count FLUSH; }
flushed() { [ "$(flushes)" -ge "$1" ]; }

@test "flush_interval asks for a FLUSH when unsealed data is older than that, and progress tells its age" {
	fake_start
	fake_schema "$S1"
	edge_conf flush_interval 2s
	edge_conf scan_interval 1h
	pair_start
	statement 'WAIT PIPE p 9' # asks for a listing of its own: the next poll is 10 s away
	[ "$(flushes)" = 0 ] # nothing is open
	born=$(date +%s%3N)
	open_file "$born-1-0-0"
	wait_until 20 flushed 1
	age=$(($(date +%s%3N) - born))
	[ "$age" -ge 2000 ]
	[ "$(progress p oldest_unsealed_seconds)" -ge 1 ]
	# The series are listed first.
	[ "$(grep -n 'SHOW TIMESERIES\|^FLUSH' "$T/iotdb.said" | grep -B 1 FLUSH | head -n 1 | grep -c TIMESERIES)" = 1 ]
	# It seals: no more of it.
	cp "$V3/tiny.tsfile" "$DATADIR/sequence/root.sg/1/0/$born-1-0-0.tsfile"
	printf '\001\001' >"$DATADIR/sequence/root.sg/1/0/$born-1-0-0.tsfile.resource"
	statement 'WAIT PIPE p 30'
	archive_has root.sg "$born-1-0-0"
	wait_until 20 progress_is p oldest_unsealed_seconds 0
	n=$(flushes)
	MORE='{"match": "FLUSH", "code": 803, "text": "No permissions for this operation"}' fake_schema "$S1"
	open_file 1000-2-0-0 # long ago
	wait_until 20 value_has /p/message 'flush_interval: the edge IoTDB refuses FLUSH'
	value_has /p/message '803: No permissions for this operation'
	[ "$(flushes)" -le $((n + 2)) ]
	edge_conf flush_interval 0
	look
	wait_until 20 value_is /p/message ''
}
