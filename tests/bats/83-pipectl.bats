# pipectl: one statement or many, its forms of output, its exit status, its completion.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

pc() { "$TSFERRY_BUILD/fs/pipectl" -s "$SYNCD_SOCK" -s "$RECVD_SOCK" "$@"; }

@test "one statement as one argument, as words, as several arguments, from standard input" {
	pair_start
	pc 'STOP PIPE p'
	value_is /p/status STOP
	pc START PIPE p
	value_is /p/status RUNNING
	pc 'STOP PIPE p' 'SHOW PIPES; START PIPE p'
	value_is /p/status RUNNING
	echo 'STOP PIPE p' | pc
	value_is /p/status STOP
	pc <<-'END'
		# comments and empty lines

		START PIPE p; SHOW PIPESINKS
		CREATE PIPESINK t
		AS IoTDB
		(ip='127.0.0.1')
	END
	value_is /p/status RUNNING
	value_is /sinks/t/ip 127.0.0.1
	printf 'STOP PIPE p' | pc
	value_is /p/status STOP
	run -1 pc 'START PIPE nobody' 'START PIPE p'
	value_is /p/status STOP
}

@test "tables, tabs and JSON; answers on standard output, refusals on standard error" {
	pair_start
	diff - <(pc 'SHOW PIPESINKTYPE') <<-'END'
		+-----+
		| type|
		+-----+
		|IoTDB|
		+-----+
	END
	[ "$(pc -t 'SHOW PIPES' | cut -f 2-)" = $'p\ts\tRUNNING\t' ]
	pc -j 'SHOW PIPES' >"$T/row"
	python3 - "$T/row" <<-'END'
		import json, sys
		row = json.load(open(sys.argv[1]))
		assert list(row) == ["create time", "name", "pipeSink", "status", "message"], row
		assert row["status"] == "RUNNING"
	END
	[ "$(pc -t 'START PIPE p')" = '' ]
	[ "$(pc 'START PIPE p')" = 'Msg: The statement is executed successfully.' ]
	run -1 pc 'START PIPE q' 2>/dev/null
	[ "$(pc 'START PIPE q' 2>&1 >/dev/null)" = 'Msg: 411: There is no existing pipe q.' ]
	script -qec "'$TSFERRY_BUILD/fs/pipectl' -s '$SYNCD_SOCK' 'SHOW PIPESINKTYPE'" /dev/null </dev/null | grep -q '| type|'
}

@test "the exit status tells the kind of end" {
	pair_start
	run -0 pc 'SHOW PIPES'
	run -1 pc 'START PIPE q'
	run -2 pc 'FROBNICATE'
	run -2 pc -x
	run -2 "$TSFERRY_BUILD/fs/pipectl" -s
	run -3 "$TSFERRY_BUILD/fs/pipectl" -s "$T/nobody.sock" 'SHOW PIPES'
	run -3 "$TSFERRY_BUILD/fs/pipectl" -s "$T/nobody.sock" cat /p/status
	run -3 "$TSFERRY_BUILD/fs/pipectl" -s "$SYNCD_SOCK" 'SHOW SENDERS'
	run -1 pc cat /no/such
	mkdir -m 700 "$T/closed"
	chmod 755 "$BATS_RUN_TMPDIR" "$T"
	run -1 setpriv --reuid=nobody --regid=nogroup --clear-groups pipectl -s "$T/closed/syncd.sock" 'SHOW PIPES'
	[[ $output == "Msg: 411: The control socket $T/closed/syncd.sock may not be opened by this user."* ]]
	run -0 pc ls
	run -0 pc ls /pipes/p
	pc 'STOP PIPE p'
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	run -4 pc 'WAIT PIPE p 1'
	run -0 pc -t <<<'SHOW PIPES'
	run -1 pc 'DROP PIPESINK nobody' 'FROBNICATE'
	# What was not written was not done: a full disk behind standard output.
	for what in 'SHOW VERSION' 'cat /help'; do
		run -1 bash -c 'pipectl -s "$0" $1 >/dev/full' "$SYNCD_SOCK" "$what"
		[[ $output == 'pipectl: standard output: No space left on device' ]]
	done
	run -2 pc cat
	[[ $output == 'usage: pipectl '* ]]
}

complete() { # WORD...: what may stand in the place of the last one
	COMP_WORDS=(pipectl -s "$SYNCD_SOCK" -s "$RECVD_SOCK" "$@")
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	_pipectl
	echo "${COMPREPLY[*]}"
}

@test "bash completes statements, names and paths" {
	pair_start
	pc 'CREATE PIPESINK spare AS IoTDB'
	mkdir "$T/bin"
	ln -s "$TSFERRY_BUILD/fs/pipectl" "$T/bin/pipectl"
	PATH=$T/bin:$PATH
	builtin complete -r 2>/dev/null || true
	source /dev/stdin < <(grep -v '^complete -F' "$TSFERRY_SOURCE/fs/completion/pipectl")
	compopt() { :; }
	[ "$(complete ST)" = 'START STOP' ]
	[ "$(complete '')" = 'ADMIT ALTER CREATE DROP FORGET LOAD RESYNC RETRY SHOW SKIP START STOP WAIT cat ls' ]
	[ "$(complete SHOW PIPES)" = 'PIPES PIPESERVER PIPESINK PIPESINKS PIPESINKTYPE' ]
	[ "$(complete show pipese)" = 'PIPESERVER' ]
	[ "$(complete START '')" = 'PIPE PIPESERVER' ]
	pc 'DROP PIPE p; CREATE PIPE new TO s; START PIPE new; DROP PIPE new; CREATE PIPE p TO s; START PIPE p'
	[ "$(complete START PIPE '')" = p ] # and no dropped one
	[ "$(complete DROP PIPESINK s)" = 's spare' ]
	[ "$(complete CREATE PIPE q TO '')" = 's spare' ]
	[ "$(complete CREATE PIPE q '')" = TO ]
	wait_until 20 online p
	[ "$(complete FORGET SENDER '')" = edge-1 ]
	[ "$(complete RETRY '')" = ALL ]
	[ "$(complete "'START PIPE ")" = p ]
	[ "$(complete "'SHOW PIPES; ST")" = 'START STOP' ]
	[ "$(complete ls /p/st)" = '/p/status' ]
	[ "$(complete cat /server/)" = '/server/ctl /server/ip_white_list /server/key /server/loader /server/port /server/quarantine /server/senders /server/status' ]
	[ "$(complete -t SHOW SEN)" = SENDERS ]
	bash -n "$TSFERRY_SOURCE/fs/completion/pipectl"
}
