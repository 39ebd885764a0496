# The state directories of one version, as its daemons leave them: applied, waiting behind a
# quarantined entry, half received, not yet sent, and a pipe that was dropped. Into $MADE.
load lib/tsferry
setup() { pair_setup; }
teardown() { pair_teardown; }

waiting() { [ "$(find "$CLOUD/state/staging" -name '*.tsfile' -size +300k | wc -l)" -ge 1 ] && progress_is p durable_serial 6; }

@test "made" {
	cloud_conf hold_deletes all
	pair_start
	keep_port
	statement 'STOP PIPE p'; statement 'DROP PIPE p'
	statement "CREATE PIPESINK old AS IoTDB (ip='127.0.0.1',port=1)"
	statement 'CREATE PIPE p TO s FROM (select ** from root WHERE time >= 0)'
	statement 'START PIPE p'
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	seal "$DATA/tsfile/v3/al.tsfile" root.sg 2-2-0-0
	statement 'WAIT PIPE p 30'
	m=$DATADIR/sequence/root.sg/1/0/1-1-0-0.tsfile.mods
	printf '%s\n' "DELETION,root.sg.d1.s1,$(stat -c %s "${m%.mods}"),0,1000" >"$m"
	wait_until 20 progress_is p quarantined_entries 1
	seal "$DATA/tsfile/v3/idx.tsfile" root.sg 3-3-0-0
	seal "$DATA/tsfile/v3/tinyal.tsfile" root.other 1-1-0-0
	seal "$DATA/tsfile/v3/compacted.tsfile" root.sg 4-4-0-0 unsequence
	wait_until 20 progress_is p durable_serial 6
	tid=$(grep -l '^writer' /proc/$(daemon_pid recvd)/task/*/comm | cut -d/ -f5)
	strace -q -o "$T/strace.out" -e trace=pwrite64,write -e inject=pwrite64:signal=KILL:when=3 -p "$tid" 3>&- 4>&- &
	wait_until 5 grep -q 'TracerPid:.[1-9]' "/proc/$tid/status"
	generate -n 1 -s 700000 -d root.big
	wait_until 20 gone "$(daemon_pid recvd)"
	rm "$T/recvd.pid"
	seal "$DATA/tsfile/v3/idxal.tsfile" root.sg 5-5-0-0
	wait_until 20 progress_is p remaining_entries 2
	value /p/progress; value /p/query
	find "$CLOUD/state/staging" -ls
	daemon_kill syncd
	(cd "$T" && tar --sort=name --mtime=@1700000000 --owner=0 --group=0 --numeric-owner -cJf "$MADE" edge cloud syncd.conf recvd.conf)
	echo "$T" >"$MADE.where"
}
