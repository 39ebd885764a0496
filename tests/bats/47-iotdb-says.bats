# What the cloud's IoTDB answers is in `message` at the edge, in its own words and at once, and
# goes when it is mended; nothing is lost by it, and the order stays.
load lib/tsferry
load lib/fake_iotdb

setup() { pair_setup; }
teardown() { pair_teardown; }

# at_once TEXT: message has it as soon as recvd's log, and not with one of the heartbeats, which are 10 s apart.
at_once() {
	wait_until 20 value_has /p/message "$1"
	python3 - "$T/recvd.log" "$(value /p/message)" "$1" <<-'END'
		import datetime, re, sys
		log, message, text = sys.argv[1:]
		said = re.search(r"\[(\d{4}-\S+)\]", message)[1]
		heard = next(line for line in open(log) if text in line.replace('\\"', '"'))
		heard = re.search(r"ts=(\S+?)\+00:00", heard)[1]
		late = datetime.datetime.fromisoformat(said) - datetime.datetime.fromisoformat(heard)
		assert abs(late.total_seconds()) < 4, (said, heard)
	END
}

# refused_then_cured TEXT LINE...: three files while the server answers by these lines, then the cure.
refused_then_cured() {
	local text=$1
	shift
	fake_says "$@"
	pair_start
	for n in 1 2 3; do seal "$SAMPLE" root.sg "$n-$n-0-0"; done
	at_once "$text"
	progress_is p quarantined_entries 0
	progress_is p applied_serial 0
	[ "$(value /p/status)" = RUNNING ]
	fake_says "${CURED:-{\}}"
	all_there
}
all_there() {
	statement 'WAIT PIPE p 60'
	wait_until 10 value_is /p/message ""
	progress_is p applied_serial 3
	nothing_left
	run ! compgen -G "$CLOUD/state/load/*/*/*/" >/dev/null
}
# What the server took, by its log: each file once, ascending.
in_order() {
	local told
	told=$(fake_serials)
	[[ $told =~ ^(1\ )?(2\ )?3(\ 4)?$ ]] || {
		echo "loaded in this order: $told" >&2
		return 1
	}
}

@test "read-only" {
	fake_cloud
	refused_then_cured "IoTDB at 127.0.0.1:$(cat "$T/iotdb.port"): 600: Current system mode is read only, does not support load file" \
		'{"match": "LOAD .*", "code": 600, "text": "Current system mode is read only, does not support load file"}'
	in_order
}

@test "read-only, 2.0: it is not even asked to load, because it would make rows of the files" {
	fake_cloud
	CURED='{"version": "2.0.6"}'
	refused_then_cured "IoTDB at 127.0.0.1:$(cat "$T/iotdb.port") is read-only" '{"version": "2.0.6"}' '{"read_only": true}'
	in_order
}

@test "out of memory, said as a load that failed" {
	fake_cloud
	refused_then_cured "Detail: forceAllocate: failed to allocate memory from query engine after 10 retries" \
		'{"match": "LOAD .*", "code": 1100, "text": "Auto create or verify schema error when executing statement LoadTsFileStatement.  Detail: forceAllocate: failed to allocate memory from query engine after 10 retries."}'
	in_order
}

@test "writing rejected for want of memory" {
	fake_cloud
	refused_then_cured "606: System rejected over 5000 ms" '{"match": "LOAD .*", "code": 606, "text": "System rejected over 5000 ms"}'
	in_order
}

@test "the disk is full, by its number and said as a load that failed" {
	fake_cloud
	refused_then_cured "611: Can't get next folder from [/data], because they are all full." \
		'{"match": "LOAD .*", "code": 611, "text": "Can'"'"'t get next folder from [/data], because they are all full."}'
	fake_says '{"match": "LOAD .*", "code": 1100, "text": "Load /x piece error in 1st phase. Because No space left on device"}'
	seal "$SAMPLE" root.sg 4-4-0-0
	at_once "1100: Load /x piece error in 1st phase. Because No space left on device"
	progress_is p quarantined_entries 0
	fake_says
	statement 'WAIT PIPE p 60'
	wait_until 10 value_is /p/message ""
	in_order
}

@test "a node that restarts, and one that is being removed" {
	fake_cloud
	refused_then_cured "602: The storage engine is not ready" '{"match": "LOAD .*", "code": 602, "text": "The storage engine is not ready"}'
	fake_says '{"match": "LOAD .*", "code": 301, "text": "This DataNode is Removing", "retry": true}'
	seal "$SAMPLE" root.sg 4-4-0-0
	at_once "301: This DataNode is Removing"
	progress_is p quarantined_entries 0
	fake_says '{"match": "LOAD .*", "code": 906, "text": "No available RegionGroup"}'
	at_once "906: No available RegionGroup"
	fake_says
	statement 'WAIT PIPE p 60'
	wait_until 10 value_is /p/message ""
}

@test "a wrong password" {
	fake_cloud
	(umask 077 && echo wrong >"$T/password")
	cloud_conf iotdb_password_file "$T/password"
	CURED='{"password": "right"}'
	fake_says '{"password": "right"}'
	pair_start
	for n in 1 2 3; do seal "$SAMPLE" root.sg "$n-$n-0-0"; done
	at_once "801: Authentication failed."
	progress_is p quarantined_entries 0
	echo right >"$T/password"
	statement 'LOAD CONFIGURATION' >/dev/null
	all_there
	in_order
}

@test "no privilege" {
	fake_cloud
	refused_then_cured "803: No permissions for this operation, please add privilege WRITE_DATA" \
		'{"match": "LOAD .*", "code": 803, "text": "No permissions for this operation, please add privilege WRITE_DATA"}'
	in_order
}

@test "a directory of which the first file failed and the others were taken: they are loaded again behind it" {
	fake_cloud
	fake_says '{"match": "LOAD .*", "code": 600, "text": "not yet"}'
	pair_start
	for n in 1 2 3; do seal "$SAMPLE" root.sg "$n-$n-0-0"; done
	at_once "600: not yet"
	progress_is p durable_serial 3 || wait_until 20 progress_is p durable_serial 3
	fake_says '{"match": "LOAD .*/1-3. .*", "once": true, "code": 1100, "text": "Load 1-1-0-0 error in 2nd phase", "take": ["[23]-*.tsfile*"]}'
	wait_until 20 fake_was_told "took 3-3-0-0.tsfile"
	all_there
	# 1 alone, then what had been taken before it
	[[ "$(fake_serials)" =~ ^(.*\ )?1\ (2\ )?3$ ]]
	progress_is p quarantined_entries 0
}

# say_jobs SERIAL...: a batch of files for a loader of ours.
say_jobs() {
	local n file
	for n in "$@"; do
		file=$T/staging/sender/pipe/$n-$n-0-0.tsfile
		printf 'job=%s\tkind=FILE\tsender=e\tdatabase=root.sg\tserial=%s\tregion=1\tspace=sequence\tpartition=0\tname=%s-%s-0-0\tpath=%s\tlength=%s\tdigest=%032d\ttake=no\n' \
			"$n" "$n" "$n" "$n" "$file" "$(stat -c %s "$SAMPLE")" 0
	done
	echo end
}

@test "what a killed loader had loaded is known to the next one, also when it gets one job at a time" {
	fake_cloud
	mkdir -p "$T/load" "$T/staging/sender/pipe"
	for n in 1 2 3; do cp "$SAMPLE" "$T/staging/sender/pipe/$n-$n-0-0.tsfile"; done
	fake_says '{"match": "LOAD .*", "take": ["*.tsfile*"], "hang": true}'
	loader=("$TSFERRY_BUILD/recvd/recvd-load" --iotdb "$T/load" "127.0.0.1:$(cat "$T/iotdb.port")" "" "" path)
	mkfifo "$T/jobs"
	"${loader[@]}" <"$T/jobs" >"$T/first" 3>&- 4>&- &
	pid=$!
	{ say_jobs 1 2 3; } >"$T/jobs"
	wait_until 20 fake_was_told "took 3-3-0-0.tsfile"
	kill -KILL "$pid"
	fake_says
	{ for n in 1 2 3; do say_jobs "$n"; done; } | "${loader[@]}" >"$T/second"
	[ "$(grep -c 'result=applied' "$T/second")" = 3 ]
	[ "$(grep -c '^LOAD ' "$T/iotdb.said")" = 1 ]
	run ! compgen -G "$T/load/*/*/*/"
}

LONG=$(printf '%500s' | tr ' ' x)
UNMADE="Auto create or verify schema error when executing statement LoadTsFileStatement{file=$LONG}.  Detail: Measurement root.sg.d1.[c,DOUBLE] does not exist in IoTDB and can not be created. Please check weather auto-create-schema is enabled..."

@test "a template that lacked a series has it at the second time; else the end of a long sentence is in message, too" {
	fake_cloud
	fake_says '{"match": "LOAD .*", "once": true, "code": 1100, "text": "'"$UNMADE"'"}'
	pair_start
	seal "$SAMPLE" root.sg 1-1-0-0
	statement 'WAIT PIPE p 60'
	[ "$(grep -c '^LOAD ' "$T/iotdb.said")" = 2 ]
	run ! grep -q level=warn "$T/recvd.log"
	cloud_conf load_via transfer
	statement 'LOAD CONFIGURATION' >/dev/null
	fake_says '{"match_pipe": 5, "code": 1100, "text": "'"$UNMADE"'"}' '{"match_pipe": 9, "code": 1100, "text": "'"$UNMADE"'"}'
	seal "$SAMPLE" root.sg 2-2-0-0
	at_once "root.sg.d1.[c,DOUBLE] does not exist in IoTDB and can not be created. Please check weather auto-create-schema is enabled..."
	progress_is p quarantined_entries 1
	[ "$(grep -c '^pipe 1 [59] ' "$T/iotdb.said")" = 2 ]
	fake_says
	statement 'RETRY ALL'
	statement 'WAIT PIPE p 60'
	fake_says '{"match_pipe": 5, "code": 600, "text": "'"$LONG$LONG"' read-only."}' '{"match_pipe": 9, "code": 600, "text": "'"$LONG$LONG"' read-only."}'
	seal "$SAMPLE" root.sg 3-3-0-0
	wait_until 20 value_has /p/message "read-only."
}

NOT_FOUND='{"match": "LOAD .*", "code": 701, "text": "Can not find /x on this machine, notice that load can only handle files on this machine."}'

@test "a path that the server cannot read: what mends it is said; with load_via=auto files go over the network" {
	fake_cloud
	cloud_conf load_via path
	refused_then_cured "does not see load_dir" "$NOT_FOUND"
	in_order
	value_is /p/message ""
	cloud_conf load_via auto
	statement 'LOAD CONFIGURATION' >/dev/null
	fake_says "$NOT_FOUND"
	seal "$SAMPLE" root.sg 4-4-0-0
	statement 'WAIT PIPE p 60'
	grep -q '^pipe ' "$T/iotdb.said"
	value_is /p/message ""
}

@test "over the network: read-only and out of memory hold everything as well" {
	fake_cloud
	cloud_conf load_via transfer
	refused_then_cured "600: Fail to do non-query operations because system is read-only." \
		'{"match_pipe": 5, "code": 600, "text": "Fail to do non-query operations because system is read-only."}' \
		'{"match_pipe": 9, "code": 600, "text": "Fail to do non-query operations because system is read-only."}'
	fake_says '{"match_pipe": 5, "code": 1808, "text": "failed to allocate memory"}' '{"match_pipe": 9, "code": 1808, "text": "failed to allocate memory"}'
	seal "$SAMPLE" root.sg 4-4-0-0
	at_once "1808: failed to allocate memory"
	fake_says
	statement 'WAIT PIPE p 60'
	wait_until 10 value_is /p/message ""
}

@test "away" {
	fake_cloud
	pair_start
	daemon_kill iotdb
	for n in 1 2 3; do seal "$SAMPLE" root.sg "$n-$n-0-0"; done
	at_once "127.0.0.1:$(cat "$T/iotdb.port")"
	progress_is p quarantined_entries 0
	fake_start "$(cat "$T/iotdb.port")"
	all_there
	in_order
}

@test "something that is no IoTDB, and one that hangs up: said, and waited for" {
	fake_cloud
	local port
	port=$(cat "$T/iotdb.port")
	fake_says '{"drop": "getProperties"}'
	pair_start
	seal "$SAMPLE" root.sg 1-1-0-0
	at_once "IoTDB at 127.0.0.1:$port: getProperties: waiting for the answer: the server closed the connection"
	daemon_kill iotdb
	daemon_start iotdb python3 -c 'import socket, sys
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    c = s.accept()[0]
    c.recv(1)
    c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 100000)
    c.close()' "$port"
	statement 'LOAD CONFIGURATION' >/dev/null
	at_once "is this IoTDB's RPC port"
	progress_is p quarantined_entries 0
	daemon_kill iotdb
	fake_says
	fake_start "$port"
	statement 'LOAD CONFIGURATION' >/dev/null
	statement 'WAIT PIPE p 60'
	wait_until 10 value_is /p/message ""
}

@test "IoTDB 0.13: its own numbers for read-only and a full disk" {
	fake_cloud
	CURED='{"version": "0.13.4"}'
	refused_then_cured "502: Fail to do non-query operations because system is read-only." '{"version": "0.13.4"}' \
		'{"match": "LOAD .*", "code": 502, "text": "Fail to do non-query operations because system is read-only."}'
	fake_says '{"version": "0.13.4"}' '{"match": "LOAD .*", "code": 503, "text": "Disk space is insufficient."}'
	seal "$SAMPLE" root.sg 4-4-0-0
	at_once "503: Disk space is insufficient."
	progress_is p quarantined_entries 0
	fake_says '{"version": "0.13.4"}'
	statement 'WAIT PIPE p 60'
}

@test "a type conflict is quarantined in the server's words, and tries itself again when the schema changed" {
	fake_cloud
	edge_conf iotdb_rpc "127.0.0.1:$(cat "$T/iotdb.port")"
	S1='["root.sg.d1.s1", null, "INT64", "RLE", "SNAPPY", null, null]'
	MORE='{"match": "LOAD .*", "code": 1100, "text": "Auto create or verify schema error when executing statement LoadTsFileStatement. Detail: Measurement PlainDeviceID{deviceID='"'root.sg.d1'"'}.s1 datatype not match, TsFile: INT64, IoTDB: TEXT."}' \
		fake_schema "$S1"
	seal "$SAMPLE" root.sg 1-1-0-0
	seal "$SAMPLE" root.sg 2-2-0-0
	pair_start
	at_once "s1 datatype not match, TsFile: INT64, IoTDB: TEXT."
	progress_is p quarantined_entries 1
	[ "$(value /p/status)" = RUNNING ]
	# mended in the cloud, and something of the series changes at the edge
	fake_schema '["root.sg.d1.s1", null, "INT64", "RLE", "SNAPPY", "{\"unit\":\"K\"}", null]'
	statement 'LOAD CONFIGURATION' >/dev/null
	statement 'WAIT PIPE p 60'
	wait_until 10 value_is /p/message ""
	progress_is p quarantined_entries 0
}
