# State directories: one owner, one machine, one history.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

# catalog_save DIR / catalog_put_back DIR: the whole state as a stopped daemon left it.
save() { cp -a "$1" "$1.saved"; }
put_back() {
	rm -rf "$1"
	cp -a "$1.saved" "$1"
}

delivered() { # N more files, all applied
	for _ in $(seq "$1"); do
		count=$((${count:-0} + 1))
		seal "$DATA/tsfile/v3/tiny.tsfile" root.sg "$count-$count-0-0"
	done
	statement 'WAIT PIPE p 30'
}

@test "a second syncd on one state directory is refused, naming the first" {
	syncd_start
	first=$(daemon_pid syncd)
	sed "s|^control_socket=.*|control_socket=$T/second.sock|" "$T/syncd.conf" >"$T/second.conf"
	run ! "$TSFERRY_BUILD/syncd/syncd" -c "$T/second.conf"
	[[ $output == *"$first"* ]]
	echo "$first" >"$T/syncd.pid"
}

@test "a state directory of another machine is refused with both cures" {
	for d in syncd recvd; do
		if [ $d = syncd ]; then state=$EDGE/state; else state=$CLOUD/state; fi
		"${d}_start"
		daemon_stop $d
		echo 00000000000000000000000000000000 >"$state/machine-id"
		refuses_to_start $d
		[[ $output == *"cp /etc/machine-id $state/machine-id"* ]]
		[[ $output == *"clone"* ]]
		cp /etc/machine-id "$state/machine-id"
		"${d}_start"
	done
}

@test "a key that is lost is made anew, with the words what that means, at either end" {
	pair_start
	keep_port
	run ! grep -h 'made anew' "$T/syncd.log" "$T/recvd.log"
	daemon_stop syncd
	daemon_stop recvd
	rm "$EDGE/state/key.pem"
	syncd_start
	value_has /log 'key.pem was gone and is made anew: to receivers this is another sender'
	recvd_start
	wait_until 30 value_has /p/message 'FORGET SENDER edge-1'
	statement 'FORGET SENDER edge-1' 'RESYNC PIPE p'
	wait_until 20 online p
	daemon_stop recvd
	rm "$CLOUD/state/key.pem"
	recvd_start
	value_has /log "edges that know the old key stop (bring it back, or ALTER PIPESINK with key='$(value /server/key)'"
}

@test "a catalog that is lost while its directories hold data is refused, at either end" {
	pair_start
	keep_port
	delivered 1
	daemon_stop syncd
	daemon_stop recvd
	for d in syncd recvd; do
		if [ $d = syncd ]; then state=$EDGE/state; else state=$CLOUD/state; fi
		mkdir "$T/away"
		mv "$state"/catalog.db* "$T/away/"
		refuses_to_start $d
		[[ $output == *"catalog"* ]]
		mv "$T/away"/* "$state/"
		rmdir "$T/away"
		"${d}_start"
	done
	delivered 1
	archive_equals_edge
}

@test "a catalog that belongs to other directories is refused, at either end" {
	pair_start
	delivered 1
	daemon_stop syncd
	daemon_stop recvd
	echo 00112233445566778899aabbccddeeff >"$DATADIR/.tsferry-spool/instance"
	refuses_to_start syncd
	[[ $output == *00112233445566778899aabbccddeeff* ]]
	echo 00112233445566778899aabbccddeeff >"$CLOUD/state/staging/instance"
	refuses_to_start recvd
	[[ $output == *00112233445566778899aabbccddeeff* ]]
}

@test "a state directory from a newer version is refused with both versions" {
	syncd_start
	recvd_start
	daemon_stop syncd
	daemon_stop recvd
	sqlite3 "$EDGE/state/catalog.db" 'PRAGMA user_version=4711'
	refuses_to_start syncd
	[[ $output == *4711* ]]
	sqlite3 "$CLOUD/state/catalog.db" 'PRAGMA user_version=4711'
	refuses_to_start recvd
	[[ $output == *4711* ]]
}

@test "the receiver's catalog put back to an older copy stops the pipe with the numbers" {
	pair_start
	keep_port
	delivered 2
	daemon_stop recvd
	save "$CLOUD/state"
	recvd_start
	wait_until 40 value_has /p/link online
	delivered 3
	daemon_stop recvd
	put_back "$CLOUD/state"
	recvd_start
	wait_until 40 value_has /p/message '[ERROR]'
	value_is /p/status STOP
	value_has /p/message 'RESYNC'
	statement 'SHOW PIPES' | grep -q 'older copy'
	# and RESYNC, which opens a new incarnation, brings everything
	statement 'RESYNC PIPE p'
	statement 'START PIPE p'
	statement 'WAIT PIPE p 30'
	archive_equals_edge
}

@test "the edge's catalog put back to an older copy stops the pipe with the numbers" {
	pair_start
	delivered 2
	daemon_stop syncd
	save "$EDGE/state"
	syncd_start
	delivered 3
	daemon_stop syncd
	put_back "$EDGE/state"
	seal "$DATA/tsfile/v3/al.tsfile" root.sg 90-90-0-0
	syncd_start
	wait_until 40 value_has /p/message '[ERROR]'
	value_is /p/status STOP
	value_has /p/message 'RESYNC'
	run ! archive_has root.sg 90-90-0-0
	statement 'RESYNC PIPE p'
	statement 'START PIPE p'
	statement 'WAIT PIPE p 30'
	archive_equals_edge
}

@test "an older copy of the edge that knows the entry which a filled serial had is found out" {
	pair_start
	keep_port
	delivered 1
	daemon_stop recvd
	for n in 2 3 4; do seal "$DATA/tsfile/v3/tiny.tsfile" root.sg $n-$n-0-0; done
	wait_until 20 progress_is p remaining_entries 3
	daemon_stop syncd
	save "$EDGE/state"
	save "$DATADIR/.tsferry-spool"
	# the pin of serial 3 is lost and its file too: a gap; the serials around it become durable
	pin=$(sqlite3 "$EDGE/state/catalog.db" "SELECT printf('%016x', nonce) FROM entry WHERE serial = 3")
	rm "$DATADIR/.tsferry-spool/$pin".tsfile "$DATADIR"/sequence/root.sg/1/0/3-3-0-0.tsfile*
	syncd_start
	recvd_start
	statement 'WAIT PIPE p 30'
	progress_is p applied_serial 4
	value_has /p/gaps 3-3-0-0
	# the copy's last serial is the receiver's last
	daemon_stop syncd
	put_back "$EDGE/state"
	put_back "$DATADIR/.tsferry-spool"
	syncd_start
	wait_until 40 value_has /p/message '[ERROR]'
	value_is /p/status STOP
	value_has /p/message 'RESYNC'
	progress_is p applied_serial 1
}

@test "and so is one whose entries behind it had passed it" {
	edge_conf rate_limit 400K
	pair_start
	keep_port
	generate -d root.a -n 1 -s 16M
	wait_until 20 progress_is p remaining_entries 1
	for n in 2 3; do seal "$DATA/tsfile/v3/tiny.tsfile" root.sg $n-$n-0-0; done
	passed() { archive_has root.sg 3-3-0-0 && progress_is p remaining_entries 1; }
	wait_until 20 passed
	daemon_stop syncd
	save "$EDGE/state"
	save "$DATADIR/.tsferry-spool"
	# the large one is lost, pin and file, and its serial filled
	rm "$DATADIR"/.tsferry-spool/*.tsfile "$DATADIR"/sequence/root.a/*/*/*.tsfile*
	syncd_start
	statement 'WAIT PIPE p 30'
	progress_is p applied_serial 3
	daemon_stop syncd
	put_back "$EDGE/state"
	put_back "$DATADIR/.tsferry-spool"
	syncd_start
	wait_until 40 value_has /p/message '[ERROR]'
	value_has /p/message 'entry 1 at the receiver is not the one'
	value_has /p/message 'RESYNC'
}

@test "the edge's state copied to a second edge: one of them stops with the sentence" {
	pair_start
	delivered 2
	daemon_stop syncd
	mkdir -p "$T/edge2/data/sequence" "$T/edge2/data/unsequence"
	cp -a "$EDGE/state" "$T/edge2/state"
	cp -a "$DATADIR/.tsferry-spool" "$T/edge2/data/"
	syncd_start
	delivered 2
	daemon_stop syncd
	# the clone, with data of its own
	sed -e "s|$EDGE/|$T/edge2/|" "$T/syncd.conf" >"$T/clone.conf"
	mkdir -p "$T/edge2/data/sequence/root.two/1/0"
	for n in 1 2 3 4; do
		cp "$DATA/tsfile/v3/al.tsfile" "$T/edge2/data/sequence/root.two/1/0/$n-$n-0-0.tsfile"
		printf '\001' >"$T/edge2/data/sequence/root.two/1/0/$n-$n-0-0.tsfile.resource"
	done
	daemon_start syncd "$TSFERRY_BUILD/syncd/syncd" -c "$T/clone.conf"
	daemon_ready syncd "$SYNCD_SOCK"
	wait_until 40 value_has /p/message '[ERROR]'
	value_is /p/status STOP
	value_has /p/message 'clone'
	[ ! -e "$ARCHIVE/edge-1/root.two" ]
}
