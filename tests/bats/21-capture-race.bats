# A file whose name is taken by another one while it is being captured: the window is held open by strace.
load lib/tsferry

setup() {
	pair_setup
	edge_conf scan_interval 1s
}
teardown() { pair_teardown; }

attached() { grep -qs attached "$T/strace.err"; }
linked() { grep -qs 'linkat(' "$T/trace"; }

@test "another file under the name undoes the capture; what is there then is carried" {
	pair_start
	"$TSFERRY_BUILD/tests/bench/tsgen" -d root.x -n 1 -s 20K "$(mkdir "$T/other" && echo "$T/other")"
	strace -f -e trace=link,linkat -e inject=link,linkat:delay_exit=1500000:when=1 -e signal=none -o "$T/trace" \
		-p "$(daemon_pid syncd)" 2>"$T/strace.err" 3>&- 4>&- &
	wait_until 20 attached
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	wait_until 20 linked
	# the link is made, the name not yet looked at again
	mv "$(find "$T/other" -name '*.tsfile')" "$DATADIR/sequence/root.sg/1/0/1-1-0-0.tsfile"
	wait_until 30 archive_has root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	archive_equals_edge
	run ! cmp -s "$DATA/tsfile/v3/tiny.tsfile" "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile"
	nothing_left
}
