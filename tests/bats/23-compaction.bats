# Compaction at the edge: a product travels only when the cloud cannot have its rows.
load lib/tsferry
load lib/compaction

setup() { pair_setup; }
teardown() { pair_teardown; }

@test "the product of captured sequence files is derived: nothing is sent" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/al.tsfile" root.sg 2-2-0-0
	statement 'WAIT PIPE p 30'
	compact "$V3/compacted.tsfile" sequence 1-1-1-0 inner sequence/1-1-0-0 sequence/2-2-0-0
	wait_until 20 derived 1 1
	settled
	known_is 'count(*) FROM known' 1
	statement 'WAIT PIPE p 30'
	sent_is 2
	run ! archive_has root.sg 1-1-1-0
	archive_has root.sg 2-2-0-0
	value_has /p/events 'sequence/root.sg/1/0/1-1-1-0.tsfile is derived from 2 captured files: not sent'
}

@test "a product is known to reach as far as its sources, before anybody read it" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/tinyal.tsfile" root.sg 2-2-0-0
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	compact "$V3/tiny.tsfile" sequence 1-1-1-0 inner sequence/1-1-0-0 sequence/2-2-0-0
	wait_until 20 derived 1 1
	[[ "$(sqlite3 "$EDGE/state/catalog.db" "SELECT time_min || ' ' || time_max FROM known")" =~ ^1\ (102|3)$ ]]
}

@test "a cross product is derived, and stays so through restarts and for the next compaction" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/tiny.tsfile" root.sg 3-3-0-0 unsequence
	statement 'WAIT PIPE p 30'
	compact "$V3/tiny.tsfile" sequence 1-1-0-1 cross sequence/1-1-0-0 unsequence/3-3-0-0
	wait_until 20 derived 1 0 1
	daemon_kill syncd
	syncd_start
	seal "$V3/old.tsfile" root.sg 4-4-0-0
	statement 'WAIT PIPE p 30'
	sent_is 3
	compact "$V3/compacted.tsfile" sequence 1-1-1-1 inner sequence/1-1-0-1 sequence/4-4-0-0
	# a source that was derived moments ago has deletions that nobody read: none here
	wait_until 20 derived 1 1 1
	statement 'WAIT PIPE p 30'
	sent_is 3
}

@test "an insertion links a file over: derived as well" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 9-2-0-0 unsequence
	statement 'WAIT PIPE p 30'
	begin sequence 4-2-0-0.tsfile.insertion-compaction.log sequence 4-2-0-0.tsfile unsequence/9-2-0-0
	seen 4-2-0-0.tsfile.insertion-compaction.log
	for suffix in '' .resource; do
		ln "$(dir_of unsequence)/9-2-0-0.tsfile$suffix" "$(dir_of sequence)/4-2-0-0.tsfile$suffix"
	done
	end sequence 4-2-0-0.tsfile.insertion-compaction.log unsequence/9-2-0-0
	wait_until 20 derived 2
	known_is 'count(*) FROM known' 1
	statement 'WAIT PIPE p 30'
	sent_is 1
}

@test "a product whose source was never captured is sent, and what it overlaps follows" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 5-5-0-0 unsequence
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	before=$(progress p sent_entries)
	begin sequence 1-1-1-0.inner.inner-compaction.log sequence 1-1-1-0.inner sequence/1-1-0-0 sequence/2-2-0-0
	seen 1-1-1-0.inner.inner-compaction.log
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	end sequence 1-1-1-0.inner.inner-compaction.log sequence/1-1-0-0
	wait_until 20 archive_has root.sg 1-1-1-0
	statement 'WAIT PIPE p 30'
	sent_is $((before + 2)) # the product, the overwrite behind it
	value_has /p/events 'not all of its sources were captured'
	known_is 'max(serial) FROM known' "$(sqlite3 "$EDGE/state/catalog.db" 'SELECT serial FROM known WHERE unsequence')"
}

@test "an unsequence product with the lowest version stands above a sequence file in between" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 2-2-0-0 unsequence
	seal "$V3/tiny.tsfile" root.sg 5-5-0-0 unsequence
	statement 'WAIT PIPE p 30'
	compact "$V3/tiny.tsfile" unsequence 2-2-1-0 inner unsequence/2-2-0-0 unsequence/5-5-0-0
	wait_until 20 derived 2 1
	statement 'WAIT PIPE p 30'
	sent_is 2
	# now the sequence file seals: the product, never sent so far, must win in the cloud
	seal "$V3/tiny.tsfile" root.sg 3-3-0-0
	wait_until 20 archive_has root.sg 2-2-1-0 unsequence
	statement 'WAIT PIPE p 30'
	sent_is 4
	known_is 'group_concat(v) FROM (SELECT v FROM known ORDER BY serial)' 3,2
}

@test "a file between the sources of a product keeps it from being derived" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 2-2-0-0 unsequence
	statement 'WAIT PIPE p 30'
	seal "$V3/tiny.tsfile" root.sg 3-3-0-0 unsequence
	statement 'WAIT PIPE p 30'
	seal "$V3/tiny.tsfile" root.sg 5-5-0-0 unsequence
	statement 'WAIT PIPE p 30'
	# 3-3-0-0 is left out: before, 5 won over it; the product with version 2 loses
	compact "$V3/tiny.tsfile" unsequence 2-2-1-0 inner unsequence/2-2-0-0 unsequence/5-5-0-0
	wait_until 20 derived 2 1
	statement 'WAIT PIPE p 30'
	sent_is 4
	known_is 'serial FROM known WHERE v = 3' 4
}

@test "a journal that syncd read before it was killed still names the sources afterwards" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/old.tsfile" root.sg 2-2-0-0
	statement 'WAIT PIPE p 30'
	begin sequence 1-1-1-0.inner.inner-compaction.log sequence 1-1-1-0.inner sequence/1-1-0-0 sequence/2-2-0-0
	seen 1-1-1-0.inner.inner-compaction.log
	daemon_kill syncd
	product "$V3/compacted.tsfile" sequence 1-1-1-0 inner
	end sequence 1-1-1-0.inner.inner-compaction.log sequence/1-1-0-0 sequence/2-2-0-0
	syncd_start
	wait_until 20 derived 1 1
	sent_is 2
}

@test "a compaction that is undone leaves everything as it was" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	begin sequence 1-1-1-0.inner.inner-compaction.log sequence 1-1-1-0.inner sequence/1-1-0-0
	seen 1-1-1-0.inner.inner-compaction.log
	rm "$(dir_of sequence)/1-1-1-0.inner.inner-compaction.log"
	seal "$V3/old.tsfile" root.sg 2-2-0-0
	statement 'WAIT PIPE p 30'
	sent_is 2
	known_is 'count(*) FROM known' 2
}

@test "a compaction between the link and the look at the deletions undoes the capture" {
	pair_start
	statement 'WAIT PIPE p 30'
	daemon_stop syncd
	# the daemon sleeps behind its first link for as long as IoTDB needs to compact
	daemon_start syncd strace -DD -f -q -b execve -o "$T/strace.out" -e trace=linkat \
		-e inject=linkat:delay_exit=1500000:when=1 "$TSFERRY_BUILD/syncd/syncd" -c "$T/syncd.conf"
	daemon_ready syncd "$SYNCD_SOCK"
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	linked() { [ -n "$(find "$DATADIR/.tsferry-spool" -name '*.tsfile')" ]; }
	wait_until 20 linked
	begin sequence 1-1-1-0.inner.inner-compaction.log sequence 1-1-1-0.inner sequence/1-1-0-0
	product "$V3/old.tsfile" sequence 1-1-1-0 inner
	end sequence 1-1-1-0.inner.inner-compaction.log sequence/1-1-0-0
	statement 'WAIT PIPE p 60'
	archive_equals_edge
	sent_is 1
	nothing_left
}

@test "a product may be made in another data directory than its sources" {
	mkdir -p "$EDGE/cold/sequence" "$EDGE/cold/unsequence"
	edge_conf data_dirs "$DATADIR;$EDGE/cold"
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/compacted.tsfile" root.sg 2-2-0-0
	statement 'WAIT PIPE p 30'
	begin sequence 1-1-1-0.inner.inner-compaction.log sequence 1-1-1-0.inner sequence/1-1-0-0 sequence/2-2-0-0
	seen 1-1-1-0.inner.inner-compaction.log
	(DATADIR=$EDGE/cold product "$V3/compacted.tsfile" sequence 1-1-1-0 inner)
	statement 'WAIT PIPE p 30'
	sent_is 2 # its journal stands elsewhere
	end sequence 1-1-1-0.inner.inner-compaction.log sequence/1-1-0-0 sequence/2-2-0-0
	wait_until 20 derived 1 1
	# what is born below it is followed by it, from where it stands
	seal "$V3/compacted.tsfile" root.sg 1-0-0-0
	wait_until 20 archive_has root.sg 1-1-1-0
	statement 'WAIT PIPE p 30'
	sent_is 4
}

@test "files born and compacted while syncd was down: their product is sent, once" {
	pair_start
	statement 'WAIT PIPE p 30'
	daemon_stop syncd
	seal "$V4/tiny.tsfile" root.sg 1-1-0-0
	seal "$V4/al.tsfile" root.sg 2-2-0-0
	begin sequence 1-1-1-0.inner.inner-compaction.log sequence 1-1-1-0.inner sequence/1-1-0-0 sequence/2-2-0-0
	product "$V4/compacted.tsfile" sequence 1-1-1-0 inner
	end sequence 1-1-1-0.inner.inner-compaction.log sequence/1-1-0-0 sequence/2-2-0-0
	syncd_start
	statement 'WAIT PIPE p 30'
	archive_equals_edge
	sent_is 1
}
