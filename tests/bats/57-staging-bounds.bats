# The receiver's staging is bounded: what does not fit waits at the edge, both ends say so, and nobody is restarted when
# there is room again. Retained entries never stand in the way.
load lib/tsferry

setup() { pair_setup; }
teardown() {
	rm -f "$T/gate"
	pair_teardown
	local status=$?
	if mountpoint -q "$T/small"; then umount "$T/small" || status=1; fi
	return $status
}

metric() { value /metrics | awk -v k="tsferry_recvd_$1" '$1 == k { print $2 }'; }
said_by_link() { value /p/link | grep -qE "$1"; }
pids() { cat "$T/syncd.pid" "$T/recvd.pid"; }

# A loader that applies nothing while there is a gate; two of four files fit into staging.
closed_gate() {
	cat >"$T/slow" <<-'END'
		#!/bin/bash
		while [ -e "${0%/*}/gate" ]; do sleep 0.05; done
		exec "$TSFERRY_BUILD/recvd/recvd-load" "$@"
	END
	chmod +x "$T/slow"
	touch "$T/gate"
	cloud_conf loader "$T/slow"
	cloud_conf staging_max_bytes 700K
	pair_start
	generate -n 4 -s 300K
}

@test "staging_max_bytes is reached: back-pressure in words at both ends, and it goes on by itself" {
	closed_gate
	# the pauses grow: nobody knocks six times a second for weeks
	wait_until 40 said_by_link "the receiver's staging is full: [0-9]+ bytes wait to be applied, staging_max_bytes is 716800; next try in [2-5]\."
	value_is /p/status RUNNING
	value_is /p/message ''
	progress_is p durable_serial 2
	progress_is p retries 0
	[ "$(metric staged_bytes)" -le 716800 ]
	[ "$(grep -c "closed: the receiver's staging is full" "$T/recvd.log")" -le 12 ]
	grep -q "staging is full: [0-9]* bytes wait to be applied, staging_max_bytes is 716800" "$T/recvd.log"
	run ! grep -q 'offline: .*hung up' "$T/syncd.log" # each time the sentence, not an end without words
	before=$(pids)
	rm "$T/gate"
	statement 'WAIT PIPE p 60'
	archive_equals_edge
	[ "$(pids)" = "$before" ]
	[ "$(metric staged_bytes)" = 0 ]
	online p
	nothing_left
}

@test "a higher staging_max_bytes lets the rest in at once" {
	closed_gate
	wait_until 20 value_has /p/link 'staging_max_bytes is 716800'
	cloud_conf staging_max_bytes 10M
	pipectl -t -s "$RECVD_SOCK" 'LOAD CONFIGURATION' | grep -q 'staging_max_bytes.*took effect'
	wait_until 20 progress_is p durable_serial 4
	rm "$T/gate"
	statement 'WAIT PIPE p 60'
	archive_equals_edge
}

@test "staging_min_free is kept by letting go of retained entries, the oldest first" {
	mkdir -p "$T/small"
	mount -t tmpfs -o size=96m none "$T/small"
	mkdir "$T/small/state"
	cloud_conf state_dir "$T/small/state"
	cloud_conf archive_dir "$ARCHIVE" # elsewhere: what is retained takes room of its own
	cloud_conf retain_max_bytes 80M
	cloud_conf staging_min_free 30M
	pair_start
	generate -n 4 -s 8M
	statement 'WAIT PIPE p 60'
	before=$(pids)
	[ "$(metric retained_bytes)" -gt 16000000 ]
	generate -n 6 -s 8M -p 7
	statement 'WAIT PIPE p 90'
	archive_equals_edge
	[ "$(pids)" = "$before" ]
	[ "$(metric evicted_entries_total)" -ge 2 ]
	[ "$(metric retained_bytes)" -gt 0 ]
	[ "$(find "$T/small/state/staging" -name '1-*.tsfile' -o -name '2-*.tsfile' | wc -l)" = 0 ]
	kept() { [ "$(stat -f -c '%a' "$T/small")" -ge $((29 * 1024 * 1024 / $(stat -f -c '%S' "$T/small"))) ]; }
	wait_until 20 kept
}

@test "what waits is applied only when the start has looked through staging: the loader's files are not taken for rubbish" {
	closed_gate
	generate -n 40 -s 10K -p 3
	cloud_conf staging_max_bytes 0
	pipectl -t -s "$RECVD_SOCK" 'LOAD CONFIGURATION' >/dev/null
	wait_until 20 progress_is p durable_serial 44
	keep_port
	daemon_kill recvd
	rm "$T/gate"
	# listings take their time, and the loader takes more
	sed -i 's|^exec .*|exec strace -DD -f -qq -o /dev/null -e trace=fsync,fdatasync,syncfs -e inject=fsync,fdatasync,syncfs:delay_enter=600000 "$TSFERRY_BUILD/recvd/recvd-load" "$@"|' "$T/slow"
	daemon_start recvd strace -DD -f -b execve -qq -e trace=getdents64 -e inject=getdents64:delay_enter=100000 \
		-o "$T/trace" recvd -c "$T/recvd.conf"
	daemon_ready recvd "$RECVD_SOCK"
	statement 'WAIT PIPE p 60'
	value_is /p/quarantine ''
	archive_equals_edge
	grep -q 'getdents64.*DELAYED' "$T/trace"
	nothing_left
}
