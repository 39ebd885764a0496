# A loader of a site: what tsferry-loader(7) shows is a program that works.
load lib/tsferry

EXAMPLE=$TSFERRY_SOURCE/docs/example/loader.sh

setup() {
	pair_setup
	cloud_conf loader "$EXAMPLE"
}
teardown() { pair_teardown; }

has() { [ -f "$ARCHIVE/edge-1/$1" ]; }

@test "the manual's example is this program, of thirty lines" {
	sed -n '/^#!\/bin\/sh/,/^\.Ed/p' "$TSFERRY_SOURCE/man/tsferry-loader.7" | sed '$d; s/\\e/\\/g' >"$T/shown"
	diff "$T/shown" "$EXAMPLE"
	[ "$(wc -l <"$EXAMPLE")" -le 30 ]
}

@test "it carries files with their deletions, and a later deletion" {
	cp "$SAMPLE" "$T/deleted.tsfile"
	echo "DELETION,root.sg.**,9223372036854775807,1,2" >"$T/deleted.tsfile.mods"
	pair_start
	seal "$SAMPLE" root.sg 1-1-0-0
	seal "$T/deleted.tsfile" 'root.it'\''s' 2-2-0-0
	statement 'WAIT PIPE p 30'
	cmp "$SAMPLE" "$ARCHIVE/edge-1/root.sg/sequence-1-0-1-1-0-0.tsfile"
	cmp "$T/deleted.tsfile.mods" "$ARCHIVE/edge-1/root.it's/sequence-1-0-2-2-0-0.tsfile.mods"
	run ! has root.sg/sequence-1-0-1-1-0-0.tsfile.mods
	printf 'DELETION,root.sg.**,%s,1,2\n' "$(stat -c %s "$SAMPLE")" >"$DATADIR/sequence/root.sg/1/0/1-1-0-0.tsfile.mods"
	wait_until 20 compgen -G "$ARCHIVE/edge-1/root.sg/DELETE-*.job" >/dev/null
	statement 'WAIT PIPE p 30'
	nothing_left
}

@test "what it cannot write is tried again, in order, and holds its database only" {
	mkdir -p "$ARCHIVE/edge-1"
	: >"$ARCHIVE/edge-1/root.sg" # no directory can stand there
	pair_start
	seal "$SAMPLE" root.sg 1-1-0-0
	seal "$SAMPLE" root.sg 2-2-0-0
	seal "$SAMPLE" root.other 3-3-0-0
	wait_until 20 has root.other/sequence-1-0-3-3-0-0.tsfile
	wait_until 20 value_has /p/message "cannot write below $ARCHIVE"
	rm "$ARCHIVE/edge-1/root.sg"
	wait_until 60 has root.sg/sequence-1-0-2-2-0-0.tsfile
	has root.sg/sequence-1-0-1-1-0-0.tsfile
	statement 'WAIT PIPE p 30'
}

@test "a sign of life is no answer, and may come again and again" {
	cat >"$T/slow" <<-'END'
		#!/bin/sh
		jobs=''
		while IFS= read -r line; do
			case $line in
			end) printf '%send\n' "$jobs" && jobs='' ;;
			*)
				job=${line%%	*}
				printf '%s\tresult=working\n%s\tresult=working\n' "$job" "$job"
				jobs="$jobs$(printf '%s\tresult=applied\n.' "$job")" && jobs=${jobs%.}
				;;
			esac
		done
	END
	chmod +x "$T/slow"
	cloud_conf loader "$T/slow"
	pair_start
	for n in 1 2 3; do seal "$SAMPLE" root.sg "$n-$n-0-0"; done
	statement 'WAIT PIPE p 30'
	progress_is p applied_serial 3
	run ! grep -qE 'level=(warn|err)' "$T/recvd.log"
}

@test "killed in the middle it is started again, and everything is there once" {
	for n in $(seq 20); do seal "$SAMPLE" root.sg "$n-$n-0-0"; done
	pair_start
	for _ in 1 2 3; do
		pid=$(pgrep -P "$(daemon_pid recvd)" -f loader.sh) && kill -KILL "$pid"
		wait_until 20 pgrep -P "$(daemon_pid recvd)" -f loader.sh >/dev/null
	done
	statement 'WAIT PIPE p 60'
	[ "$(find "$ARCHIVE/edge-1/root.sg" -name '*.tsfile' | wc -l)" = 20 ]
	run ! compgen -G "$ARCHIVE/edge-1/root.sg/.new"
}

@test "the entry that kills it each time is quarantined, one at which it was only killed is not" {
	# aborts at 3-3-0-0 always; is killed at 2-2-0-0, with others and then three times alone
	cat >"$T/mortal" <<-END
		#!/bin/bash
		coproc L { exec "$EXAMPLE" "\$@"; }
		while IFS= read -r line; do
		    case \$line in
		    *name=3-3-0-0*) kill -ABRT \$\$ ;;
		    *name=2-2-0-0*)
		        [ "\$(wc -l <"$T/two")" -ge 6 ] || { echo >>"$T/two"; kill -KILL \$\$; } ;;
		    esac
		    printf '%s\n' "\$line" >&"\${L[1]}"
		    [ "\$line" = end ] || continue
		    while IFS= read -r -u "\${L[0]}" answer; do
		        printf '%s\n' "\$answer"
		        [ "\$answer" = end ] && break
		    done
		done
	END
	chmod +x "$T/mortal"
	: >"$T/two"
	cloud_conf loader "$T/mortal"
	pair_start
	for n in 1 2 3 4; do seal "$SAMPLE" root.sg "$n-$n-0-0"; done
	seal "$SAMPLE" root.other 9-9-0-0
	wait_until 60 progress_is p quarantined_entries 1
	rows 'SHOW QUARANTINE' | grep -q '3-3-0-0'
	rows 'SHOW QUARANTINE' | grep -q 'of this entry alone'
	has root.sg/sequence-1-0-2-2-0-0.tsfile
	wait_until 20 has root.other/sequence-1-0-9-9-0-0.tsfile
	run ! has root.sg/sequence-1-0-4-4-0-0.tsfile
}
