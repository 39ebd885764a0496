# What was applied is not applied again when recvd or its loader is killed before that is written down, and
# what was not applied is never taken for it.
load lib/tsferry
load lib/fake_iotdb

setup() {
	pair_setup
	fake_cloud
}
teardown() { pair_teardown; }

# loads PATTERN: how many LOADs were said of such paths.
loads() { grep -c -E "^LOAD '[^']*$1" "$T/iotdb.said" || true; }

TAKEN='{"match": "LOAD .*", "take": ["*.tsfile*"]}'

@test "recvd is killed with half of a batch done: that half is not loaded again" {
	fake_says '{"password": "unknown"}'
	pair_start
	keep_port
	for n in 1 2 3; do
		seal "$SAMPLE" root.a "$n-$n-0-0"
		seal "$SAMPLE" root.b "$n-$n-0-0"
	done
	wait_until 20 progress_is p durable_serial 6
	wait_until 20 value_has /p/message "801: Authentication failed."
	# whichever of the two is second waits for its answer for ever
	fake_says '{"match": "LOAD .*", "take": ["*.tsfile*"], "once": true}' '{"match": "LOAD .*", "hang": true}'
	statement 'LOAD CONFIGURATION' >/dev/null
	wait_until 20 eval '[ "$(loads "")" = 2 ]'
	progress_is p applied_serial 0
	daemon_kill recvd
	fake_says "$TAKEN"
	recvd_start
	statement 'WAIT PIPE p 60'
	[ "$(loads "")" = 3 ]
	[ "$(loads root.a)" = 1 ] || [ "$(loads root.b)" = 1 ]
	progress_is p applied_serial 6
	nothing_left
}

# ---- a loader alone ----

loader_setup() {
	mkdir -p "$T/load" "$T/staging/sender/pipe"
	for n in 1 2 3 4 5; do cp "$SAMPLE" "$T/staging/sender/pipe/$n-$n-0-0.tsfile"; done
	echo 'DELETION,root.sg.d1.s1,99,0,5' >"$T/staging/sender/pipe/records"
	loader=("$TSFERRY_BUILD/recvd/recvd-load" --iotdb "$T/load" "127.0.0.1:$(cat "$T/iotdb.port")" "" "" path)
	MARKS=$T/load/sender-pipe/root.sg/applied
}
job() { # NUMBER KIND SERIAL [DIGEST]
	local dir=$T/staging/sender/${PIPE:=pipe}
	local file=$dir/$3-$3-0-0.tsfile
	[ "$2" = FILE ] || file=$dir/records
	printf 'job=%s\tkind=%s\tsender=e\tincarnation=sender-%s\tdatabase=root.sg\tserial=%s\tregion=1\tpath=%s\tlength=%s\tdigest=%032d\ttake=no' \
		"$1" "$2" "$PIPE" "$3" "$file" "$(stat -c %s "$file")" "${4:-0}"
	if [ "$2" = FILE ]; then
		printf '\tspace=sequence\tpartition=0\tname=%s-%s-0-0\n' "$3" "$3"
	else
		printf '\tmods_kind=text\ttime_min=0\ttime_max=5\tdevices=root.sg.d1\n'
	fi
}
files() { # SERIAL...: a batch
	for n in "$@"; do job "$n" FILE "$n"; done
	echo end
}
applied() { # jobs on stdin, all of them applied
	"${loader[@]}" >"$T/answers"
	run ! grep -v -e 'result=applied' -e '^end$' "$T/answers"
}

@test "files and deletions that were done are not done again, nor what follows them before them" {
	loader_setup
	mkfifo "$T/jobs"
	fake_says '{"match": "LOAD .*/5-5-.*", "hang": true}' "$TAKEN"
	"${loader[@]}" <"$T/jobs" >"$T/first" 3>&- 4>&- &
	pid=$!
	{ job 1 FILE 1 && job 2 DELETE 2 && job 3 FILE 3 && job 4 DELETE 4 && job 5 FILE 5 && echo end; } >"$T/jobs"
	wait_until 20 eval '[ "$(loads 5-5)" = 1 ]'
	kill -KILL "$pid"
	[ "$(grep -c result=applied "$T/first")" = 4 ]
	fake_says "$TAKEN"
	# recvd kept nothing of it, and the edge said more meanwhile
	{ job 1 FILE 1 && job 2 DELETE 2 && job 3 FILE 3 && job 4 DELETE 4 && job 5 FILE 5 && job 6 DELETE 6 && echo end; } | applied
	[ "$(loads 1-1)$(loads 3-3)$(loads 5-5)" = 112 ]
	[ "$(fake_count 'DELETE FROM root.sg.d1.s1 WHERE time >= 0 AND time <= 5')" = 3 ]
	[ "$(cut -d ' ' -f 1 "$MARKS" | paste -sd' ')" = '1 2 3 4 5 6' ]
	# kept: the marks go
	job 1 FILE 5 1 | sed '$aend' | applied
	[ "$(cut -d ' ' -f 1 "$MARKS")" = 5 ]
}

@test "behind an entry that has to be done everything is done, whatever is marked; a torn or strange list marks nothing" {
	loader_setup
	fake_says "$TAKEN"
	files 1 2 3 | applied
	{ job 1 FILE 1 && job 2 FILE 2 7 && job 3 FILE 3 && echo end; } | applied
	[ "$(loads "")" = 2 ]
	[ "$(loads 2-3)" = 1 ]
	: >"$T/iotdb.said"
	printf '4 %032d' 0 >>"$MARKS"
	{ job 1 FILE 1 && job 2 FILE 2 7 && job 3 FILE 3 && job 4 FILE 4 && echo end; } | applied
	[ "$(loads "")$(loads 4-4)" = 11 ]
	printf '\0\0\0\0' >"$MARKS"
	files 1 | applied
	head -c 300000 /dev/zero >"$MARKS"
	files 1 | applied
	[ "$(loads 1-1)" = 2 ]
	[ "$(cat "$MARKS")" = "1 $(printf %032d 0)" ]
}

@test "what was not loaded is not taken for it when the loader is killed while it clears up" {
	loader_setup
	fake_says '{"match": "LOAD .*/1-3. .*", "code": 1100, "text": "one is bad"}' \
		'{"match": "LOAD .*/2-2-.*", "code": 1100, "text": "this one"}' "$TAKEN"
	# behind its answers: a file that is gone then tells nothing, because the list went first
	local status=0
	files 1 2 3 | strace -qq -e trace=unlinkat -e inject=unlinkat:signal=KILL:when=4 -o "$T/trace" "${loader[@]}" >"$T/answers" ||
		status=$?
	[ "$status" = 137 ] # as the loader ended
	grep -q 'job=2.*result=quarantine' "$T/answers"
	grep -q 'killed by SIGKILL' "$T/trace"
	[[ "$(head -n 1 "$T/trace")" == *'"list", 0)'* ]]
	fake_says "$TAKEN"
	files 2 3 | applied
	[ "$(loads 2-3)" = 1 ]
}

@test "what was marked goes with its pipe" {
	loader_setup
	fake_says "$TAKEN"
	files 1 | applied
	[ -s "$MARKS" ]
	mkdir "$T/staging/sender/next"
	mv "$T/staging/sender/pipe/"* "$T/staging/sender/next"
	rmdir "$T/staging/sender/pipe"
	PIPE=next
	files 2 | applied
	[ ! -e "$T/load/sender-pipe" ]
	[ "$(cut -d ' ' -f 1 "$T/load/sender-next/root.sg/applied")" = 2 ]
}
