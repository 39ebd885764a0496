# Compaction at the edge: a product travels only when the cloud cannot have its rows.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

V3=$DATA/tsfile/v3
V4=$DATA/tsfile/v4

dir_of() { echo "$DATADIR/$1/root.sg/1/0"; } # SPACE

# begin JOURNAL-SPACE JOURNAL TARGET-SPACE TARGET-NAME SOURCE...: the journal as IoTDB
# writes it, in pieces. A source is SPACE/NAME.
begin() {
	local journal target
	journal=$(dir_of "$1")/$2 target="target $3 root.sg 1 0 $4"
	shift 4
	mkdir -p "${journal%/*}"
	: >"$journal"
	for source in "$@"; do
		printf 'source %s root.sg 1 0 %s' "${source%%/*}" "${source#*/}.tsfile" >>"$journal"
		printf '\n' >>"$journal"
	done
	printf '%s\n' "$target" >>"$journal"
}
# product FILE SPACE NAME SUFFIX: written under its temporary name, then renamed.
product() {
	local to
	to=$(dir_of "$2")/$3
	mkdir -p "${to%/*}"
	cp "$1" "$to.$4"
	mv "$to.$4" "$to.tsfile"
	printf '\001\001' >"$to.tsfile.resource.temp"
	mv "$to.tsfile.resource.temp" "$to.tsfile.resource"
}
# end JOURNAL-SPACE JOURNAL SOURCE...
end() {
	local journal
	journal=$(dir_of "$1")/$2
	shift 2
	for source in "$@"; do
		rm -f "$(dir_of "${source%%/*}")/${source#*/}.tsfile"{,.resource,.mods,.mods2}
	done
	rm "$journal"
}
# compact FILE SPACE TARGET inner|cross SOURCE...
compact() {
	local file=$1 space=$2 target=$3 kind=$4
	shift 4
	begin "$space" "$target.$kind.$kind-compaction.log" "$space" "$target.$kind" "$@"
	seen "$target.$kind.$kind-compaction.log"
	product "$file" "$space" "$target" "$kind"
	end "$space" "$target.$kind.$kind-compaction.log" "$@"
}
# So that the look at the sources is not a matter of luck in a test.
seen() { wait_until 20 known_is "count(*) FROM compaction WHERE journal = '$1'" 1; }
known_is() { [ "$(sqlite3 -cmd '.timeout 5000' "$EDGE/state/catalog.db" "SELECT $1")" = "$2" ]; }
derived() { known_is "count(*) FROM known WHERE is_derived AND v = ${1:-0} AND i = ${2:-0} AND c = ${3:-0}" 1; }
settled() { known_is 'count(*) FROM compaction' 0; }
sent_is() { progress_is p sent_entries "$1"; }

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
	! archive_has root.sg 1-1-1-0
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

@test "deletions that a source got before its journal count as read only when they were" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/old.tsfile" root.sg 2-2-0-0
	statement 'WAIT PIPE p 30'
	daemon_stop syncd
	printf 'DELETION,root.sg.d1.s1,9223372036854775807,1,1\n' >"$(dir_of sequence)/1-1-0-0.tsfile.mods"
	begin sequence 1-1-1-0.inner.inner-compaction.log sequence 1-1-1-0.inner sequence/1-1-0-0 sequence/2-2-0-0
	syncd_start
	seen 1-1-1-0.inner.inner-compaction.log
	# the record may have become a DELETE by now; make it one that was not read
	wait_until 20 known_is 'mods FROM (SELECT instr(body, " 47") > 0 AS mods FROM compaction)' 1
	daemon_kill syncd
	sqlite3 "$EDGE/state/catalog.db" 'UPDATE known SET mods_seen = 0'
	product "$V3/compacted.tsfile" sequence 1-1-1-0 inner
	end sequence 1-1-1-0.inner.inner-compaction.log sequence/1-1-0-0 sequence/2-2-0-0
	syncd_start
	wait_until 20 archive_has root.sg 1-1-1-0
	value_has /p/events 'may not have been read to the end'
	# the rows do not add up: a RESTATE goes before the product
	value_has /p/events 'RESTATE of'
	statement 'WAIT PIPE p 30'
	sent_is 5
	known_is 'serial FROM known' 5
	grep -q 'DELETION,root' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
	[ ! -e "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-1-0.tsfile.mods" ]
}

surveyed() { known_is 'count(*) FROM known WHERE row_sum IS NULL' 0; }

@test "compacted while syncd was down: when no row is missing, the product is sent and that is all" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/tiny.tsfile" root.sg 5-5-0-0 unsequence
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	before=$(progress p sent_entries)
	daemon_stop syncd
	rm "$(dir_of sequence)/1-1-0-0.tsfile"*
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	syncd_start
	statement 'WAIT PIPE p 30'
	value_has /p/events 'no row is missing'
	archive_has root.sg 1-1-1-0
	known_is 'group_concat(serial) FROM (SELECT serial FROM known ORDER BY serial)' "$((before + 1)),$((before + 2))"
	! grep -r DELETION "$ARCHIVE"
}

@test "compacted while syncd was down: when rows are missing, the partition is restated" {
	pair_start
	seal "$V3/al.tsfile" root.sg 1-1-0-0
	seal "$V3/tiny.tsfile" root.sg 5-5-0-0 unsequence
	seal "$V3/tiny.tsfile" root.sg 7-7-0-0 sequence 1 9
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_stop syncd
	rm "$(dir_of sequence)/1-1-0-0.tsfile"*
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	syncd_start
	statement 'WAIT PIPE p 30'
	value_has /p/events 'rows may have been deleted before it'
	# RESTATE, the product, the overwrite above it; the other partition is left alone
	progress_is p applied_serial 6
	known_is "group_concat(v || ':' || serial, ' ') FROM (SELECT v, serial FROM known WHERE partition = 0 ORDER BY v)" '1:5 5:6'
	known_is 'serial < 4 FROM known WHERE v = 7' 1
	# what was read of it is not forgotten because it goes again
	known_is 'time_min FROM known WHERE v = 5' 1
	# a device that has no row left at the edge is named as well
	grep -q 'DELETION,root.sg.al0' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
	[ ! -e "$ARCHIVE/edge-1/root.sg/unsequence/1/0/5-5-0-0.tsfile.mods" ]
}

@test "restated while another compaction is under way: its product is sent, for its rows are deleted too" {
	pair_start
	seal "$V3/al.tsfile" root.sg 1-1-0-0
	seal "$V3/tiny.tsfile" root.sg 9-9-0-0 unsequence
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_stop syncd
	rm "$(dir_of sequence)/1-1-0-0.tsfile"*
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	begin sequence 4-9-0-0.tsfile.insertion-compaction.log sequence 4-9-0-0.tsfile unsequence/9-9-0-0
	for suffix in '' .resource; do
		ln "$(dir_of unsequence)/9-9-0-0.tsfile$suffix" "$(dir_of sequence)/4-9-0-0.tsfile$suffix"
	done
	rm "$(dir_of unsequence)"/9-9-0-0.tsfile*
	syncd_start
	wait_until 20 value_has /p/events 'RESTATE of'
	rm "$(dir_of sequence)/4-9-0-0.tsfile.insertion-compaction.log"
	wait_until 20 archive_has root.sg 4-9-0-0
	value_has /p/events 'one of its sources still had to follow'
	statement 'WAIT PIPE p 30'
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

@test "compacted while syncd was down: without SyncDelOp missing rows are no reason to delete any" {
	recvd_start
	syncd_start
	statement 'START PIPESERVER'
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$(server_port))"
	statement 'CREATE PIPE p TO s WITH SyncDelOp=false'
	statement 'START PIPE p'
	seal "$V3/al.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_stop syncd
	rm "$(dir_of sequence)/1-1-0-0.tsfile"*
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	syncd_start
	statement 'WAIT PIPE p 30'
	progress_is p applied_serial 2
	archive_has root.sg 1-1-1-0
	! grep -r DELETION "$ARCHIVE"
}

@test "a file that somebody removed is no source of a product that happens to be new" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/al.tsfile" root.sg 2-2-0-0
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_stop syncd
	rm "$(dir_of sequence)/2-2-0-0.tsfile"*
	product "$V3/old.tsfile" sequence 5-5-1-0 inner # its sources were born and gone meanwhile
	syncd_start
	statement 'WAIT PIPE p 30'
	archive_has root.sg 5-5-1-0
	archive_has root.sg 2-2-0-0
	! value_has /p/events 'was not seen'
	! grep -r DELETION "$ARCHIVE"
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

@test "compacted again and again while syncd was down: a product need not bear the name of a captured file" {
	pair_start
	seal "$V3/al.tsfile" root.sg 5-1-0-0
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_stop syncd
	# a file that was inserted in front of it, as 3-4-0-0, gave the name
	rm "$(dir_of sequence)/5-1-0-0.tsfile"*
	product "$V3/tiny.tsfile" sequence 3-4-1-0 inner
	syncd_start
	statement 'WAIT PIPE p 30'
	value_has /p/events 'rows may have been deleted before it'
	value_has /p/events 'RESTATE of'
	! value_has /p/events 'no journal says why'
	grep -q 'DELETION,root.sg.al0' "$ARCHIVE/edge-1/root.sg/sequence/1/0/5-1-0-0.tsfile.mods"
	archive_has root.sg 3-4-1-0
}

@test "unread deletions of a captured source count beside a source that was never captured, too" {
	pair_start
	seal "$V3/al.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_stop syncd
	begin sequence 1-1-1-0.inner.inner-compaction.log sequence 1-1-1-0.inner sequence/1-1-0-0 sequence/2-2-0-0
	rm "$(dir_of sequence)/1-1-0-0.tsfile"*
	syncd_start
	seen 1-1-1-0.inner.inner-compaction.log
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	end sequence 1-1-1-0.inner.inner-compaction.log
	wait_until 20 archive_has root.sg 1-1-1-0
	value_has /p/events 'not all of its sources were captured'
	grep -q 'DELETION,root.sg.al0' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
	[ ! -e "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-1-0.tsfile.mods" ]
}

@test "a captured file that went into an unknown source of a product is restated" {
	pair_start
	seal "$V3/al.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_stop syncd
	rm "$(dir_of sequence)/1-1-0-0.tsfile"*
	# 1-1-1-0 came and went meanwhile; its own compaction is seen
	begin sequence 1-1-2-0.inner.inner-compaction.log sequence 1-1-2-0.inner sequence/1-1-1-0 sequence/3-3-0-0
	syncd_start
	seen 1-1-2-0.inner.inner-compaction.log
	product "$V3/tiny.tsfile" sequence 1-1-2-0 inner
	end sequence 1-1-2-0.inner.inner-compaction.log
	wait_until 20 archive_has root.sg 1-1-2-0
	statement 'WAIT PIPE p 30'
	grep -q 'DELETION,root.sg.al0' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
}

@test "a RESTATE reaches to the next partition's rows when nobody knows how far a lost file did" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0 # root.sg.d1: 1 to 3
	seal "$V3/al.tsfile" root.sg 2-2-0-0
	seal "$V3/tinyal.tsfile" root.sg 3-3-0-0 sequence 1 1 # root.sg.d2: 100 to 102
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_stop syncd
	sqlite3 "$EDGE/state/catalog.db" 'UPDATE known SET time_min = NULL, time_max = NULL, row_sum = NULL'
	rm "$(dir_of sequence)/"{1-1,2-2}-0-0.tsfile*
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	syncd_start
	statement 'WAIT PIPE p 30'
	value_has /p/events 'times 1..99,'
	grep -q 'DELETION,root.sg.d1.\*,9223372036854775807,1,99' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
}

@test "nor beyond rows of the next partition that are not captured yet" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0 # root.sg.d1: 1 to 3
	seal "$V3/al.tsfile" root.sg 2-2-0-0
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_stop syncd
	sqlite3 "$EDGE/state/catalog.db" 'UPDATE known SET time_min = NULL, time_max = NULL, row_sum = NULL'
	rm "$(dir_of sequence)/"{1-1,2-2}-0-0.tsfile*
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	seal "$V3/tinyal.tsfile" root.sg 3-3-0-0 sequence 1 1 # root.sg.d2: 100 to 102
	syncd_start
	statement 'WAIT PIPE p 30'
	value_has /p/events 'times 1..99,'
}

@test "a deletion first seen beside a product takes no rows that were written behind it" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	seal "$V3/old.tsfile" root.sg 2-2-0-0
	seal "$V3/tiny.tsfile" root.sg 5-5-0-0 unsequence # the same rows, inserted again after the deletion
	statement 'WAIT PIPE p 30'
	begin sequence 1-1-1-0.inner.inner-compaction.log sequence 1-1-1-0.inner sequence/1-1-0-0 sequence/2-2-0-0
	seen 1-1-1-0.inner.inner-compaction.log
	printf 'DELETION,root.sg.d1.**,9223372036854775807,2,9\n' >"$(dir_of sequence)/1-1-1-0.tsfile.mods"
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	end sequence 1-1-1-0.inner.inner-compaction.log sequence/1-1-0-0 sequence/2-2-0-0
	wait_until 20 derived 1 1
	wait_until 20 progress_is p applied_serial 5 # the DELETE, and 5-5-0-0 behind it
	grep -q 'root.sg.d1' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
	[ ! -e "$ARCHIVE/edge-1/root.sg/unsequence/1/0/5-5-0-0.tsfile.mods" ]
}

@test "deleted behind an insertion that nobody saw: what the cloud has of the file under its former name goes, too" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 9-2-0-0 unsequence
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_kill syncd
	mkdir -p "$(dir_of sequence)"
	for suffix in '' .resource; do
		ln "$(dir_of unsequence)/9-2-0-0.tsfile$suffix" "$(dir_of sequence)/4-2-0-0.tsfile$suffix"
	done
	rm "$(dir_of unsequence)/9-2-0-0.tsfile"*
	printf 'DELETION,root.sg.d1.**,9223372036854775807,2,9\n' >"$(dir_of sequence)/4-2-0-0.tsfile.mods"
	syncd_start
	statement 'WAIT PIPE p 30'
	value_has /p/events 'no row is missing'
	sent_is 3
	[ "$(cat "$ARCHIVE/edge-1/root.sg/unsequence/1/0/9-2-0-0.tsfile.mods")" = 'DELETION,root.sg.d1.**,9223372036854775807,2,3' ]
	archive_has root.sg 4-2-0-0
}

@test "a product that is sent says what was deleted of its captured source since, and only what the cloud lacks" {
	pair_start
	seal "$V3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	printf 'DELETION,root.sg.d1.**,9223372036854775807,1,1\n' >"$(dir_of sequence)/1-1-0-0.tsfile.mods"
	wait_until 20 progress_is p applied_serial 2
	seal "$V3/tiny.tsfile" root.sg 5-5-0-0 unsequence # the same rows, inserted again behind all that was deleted
	statement 'WAIT PIPE p 30'
	begin sequence 1-1-1-0.inner.inner-compaction.log sequence 1-1-1-0.inner sequence/1-1-0-0 sequence/2-2-0-0
	seen 1-1-1-0.inner.inner-compaction.log
	printf 'DELETION,root.sg.d1.**,9223372036854775807,%s,%s\n' 1 1 3 9 >"$(dir_of sequence)/1-1-1-0.tsfile.mods"
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	end sequence 1-1-1-0.inner.inner-compaction.log sequence/1-1-0-0
	wait_until 20 archive_has root.sg 1-1-1-0
	statement 'WAIT PIPE p 30'
	value_has /p/events 'not all of its sources were captured'
	wait_until 20 progress_is p applied_serial 6 # the DELETE, the product, and 5-5-0-0 behind both
	grep -qF 'DELETION,root.sg.d1.**,9223372036854775807,3,3' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
	[ ! -e "$ARCHIVE/edge-1/root.sg/unsequence/1/0/5-5-0-0.tsfile.mods" ]
}

@test "a product that nobody saw made waits, beside an unknown compaction, with the files that may be in it" {
	pair_start
	seal "$V3/al.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	daemon_kill syncd
	rm "$(dir_of sequence)/1-1-0-0.tsfile"*
	product "$V3/tiny.tsfile" sequence 1-1-1-0 inner
	# under way when syncd comes, and of files that it never saw
	begin sequence 7-7-1-0.inner.inner-compaction.log sequence 7-7-1-0.inner sequence/7-7-0-0 sequence/8-8-0-0
	seal "$V3/tiny.tsfile" root.sg 9-9-0-0
	syncd_start
	seen 7-7-1-0.inner.inner-compaction.log
	wait_until 20 archive_has root.sg 9-9-0-0
	[ ! -e "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-1-0.tsfile" ]
	product "$V3/tiny.tsfile" sequence 7-7-1-0 inner
	end sequence 7-7-1-0.inner.inner-compaction.log
	wait_until 20 archive_has root.sg 1-1-1-0
	statement 'WAIT PIPE p 30'
	grep -q 'DELETION,root.sg.al0' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
	! value_has /p/events 'no journal says why'
}

@test "the product of a compaction that was seen, compacted away in turn while syncd was down: its rows are restated" {
	pair_start
	seal "$V3/al.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	wait_until 20 surveyed
	begin sequence 1-1-1-0.inner.inner-compaction.log sequence 1-1-1-0.inner sequence/1-1-0-0
	seen 1-1-1-0.inner.inner-compaction.log
	daemon_kill syncd
	end sequence 1-1-1-0.inner.inner-compaction.log sequence/1-1-0-0
	# 1-1-1-0 was deleted in, and went into this one
	product "$V3/tiny.tsfile" sequence 1-1-2-0 inner
	syncd_start
	wait_until 20 archive_has root.sg 1-1-2-0
	statement 'WAIT PIPE p 30'
	value_has /p/events 'RESTATE of'
	grep -q 'DELETION,root.sg.al0' "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
	[ ! -e "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-2-0.tsfile.mods" ]
}
