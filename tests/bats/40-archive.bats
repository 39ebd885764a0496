# The cloud: applied in order, once; what does not apply is kept with its reason.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

# A loader of our own that refuses what is listed beside it: the job protocol of
# tsferry-loader(7) in a few lines of shell.
refusing_loader() {
	cat >"$T/loader" <<-'END'
		#!/bin/bash
		# Applies by listing serials; refuses names in $0.bad; held behind a refusal.
		declare -A held
		while IFS= read -r line; do
			if [ "$line" = end ]; then echo end; held=(); continue; fi
			job=${line%%$'\t'*}
			name=$(tr '\t' '\n' <<<"$line" | sed -n 's/^name=//p')
			db=$(tr '\t' '\n' <<<"$line" | sed -n 's/^database=//p')
			if [ -n "${held[$db]:-}" ]; then
				printf '%s\tresult=held\n' "$job"
			elif grep -qx "$db $name" "$0.bad" 2>/dev/null; then
				held[$db]=1
				printf '%s\tresult=quarantine\ttext=the type of root.sg.d1.s1 is INT32, not INT64\n' "$job"
			else
				echo "$db $name" >>"$0.applied"
				printf '%s\tresult=applied\n' "$job"
			fi
		done
	END
	chmod +x "$T/loader"
	cloud_conf loader "$T/loader"
}

applied_has() { grep -qx "$1" "$T/loader.applied" 2>/dev/null; }

@test "a file that does not apply is quarantined with its reason, holds its database only, and shows at both ends" {
	refusing_loader
	echo 'root.sg 1-1-0-0' >"$T/loader.bad"
	pair_start -m
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	wait_until 20 value_has /p/message 'RETRY'
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 2-2-0-0
	seal "$DATA/tsfile/v3/tiny.tsfile" root.other 3-3-0-0
	wait_until 20 applied_has 'root.other 3-3-0-0'
	run ! applied_has 'root.sg 2-2-0-0'
	value_has /p/message '[WARN]'
	value_has /p/message 'INT32, not INT64'
	value_has /p/quarantine 'INT32, not INT64'
	progress_is p quarantined_entries 1
	[ "$(value /p/status)" = RUNNING ]
	grep -q 'INT32, not INT64' "$PIPES/server/quarantine"
	grep -q . "$PIPES/server/senders/edge-1/p/message"
	rows 'SHOW QUARANTINE' | grep -q 'edge-1.p.1.*INT32'

	: >"$T/loader.bad"
	id=$(rows 'SHOW QUARANTINE' | cut -f1)
	statement "RETRY $id"
	statement 'WAIT PIPE p 30'
	[ "$(grep -n 'root.sg 1-1-0-0' "$T/loader.applied" | cut -d: -f1)" -lt "$(grep -n 'root.sg 2-2-0-0' "$T/loader.applied" | cut -d: -f1)" ]
	wait_until 10 value_is /p/message ''
	nothing_left
}

@test "SKIP passes over a quarantined entry, and what waited behind it applies" {
	refusing_loader
	echo 'root.sg 1-1-0-0' >"$T/loader.bad"
	pair_start
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 2-2-0-0
	wait_until 20 progress_is p quarantined_entries 1
	run -1 statement 'SKIP 4711'
	statement "SKIP $(rows 'SHOW QUARANTINE' | cut -f1)"
	statement 'WAIT PIPE p 30'
	applied_has 'root.sg 2-2-0-0'
	run ! applied_has 'root.sg 1-1-0-0'
	wait_until 10 value_is /p/message ''
	nothing_left
}

@test "a quarantine survives restarts of both daemons" {
	refusing_loader
	echo 'root.sg 1-1-0-0' >"$T/loader.bad"
	pair_start
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	wait_until 20 progress_is p quarantined_entries 1
	keep_port
	daemon_stop syncd
	daemon_kill recvd
	recvd_start
	syncd_start
	wait_until 30 progress_is p quarantined_entries 1
	wait_until 30 value_has /p/message 'RETRY'
}

@test "the loader is started again when it is killed, and nothing is applied twice" {
	pair_start
	generate -n 200 -s 30K
	loader_pid() { pgrep -P "$(daemon_pid recvd)" -f recvd-load; }
	for _ in 1 2 3 4 5; do
		if pid=$(loader_pid); then kill -KILL "$pid" && wait_until 10 gone "$pid"; fi
		wait_until 20 loader_pid
	done
	statement 'WAIT PIPE p 60'
	archive_equals_edge
	nothing_left
}

@test "deletions beside a file arrive beside it" {
	cp "$DATA/tsfile/v3/al.tsfile" "$T/f.tsfile"
	printf 'DELETION,root.sg.d1.s1,97679,0,5\nDELETION,root.sg.d1.s2,97679,7,9\nDELETION,root.sg.d1' >"$T/f.tsfile.mods"
	pair_start
	seal "$T/f.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	# the torn last record is not yet there
	head -n 2 "$T/f.tsfile.mods" | cmp - "$ARCHIVE/edge-1/root.sg/sequence/1/0/1-1-0-0.tsfile.mods"
}

@test "deletions with a malformed line do not travel, and the file is named" {
	pair_start
	cp "$DATA/tsfile/v3/tiny.tsfile" "$T/f.tsfile"
	printf 'DELETION,root.sg.d1.s1,1,0,5\nDELETION,nonsense\n' >"$T/f.tsfile.mods"
	seal "$T/f.tsfile" root.sg 1-1-0-0
	wait_until 10 value_has /p/message '1-1-0-0.tsfile.mods'
	run ! archive_has root.sg 1-1-0-0
}

@test "the same identity sealed again replaces file and deletions" {
	pair_start
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30'
	statement 'STOP PIPE p'
	statement 'DROP PIPE p'
	rm -r "$DATADIR/sequence/root.sg"
	seal "$DATA/tsfile/v3/al.tsfile" root.sg 1-1-0-0
	statement 'CREATE PIPE p TO s'
	statement 'START PIPE p'
	statement 'WAIT PIPE p 30'
	archive_equals_edge
}
