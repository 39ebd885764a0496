# On a way slower than a compressor, payloads that give way travel as zstd frames, block by block;
# on a fast one, and to a receiver that does not know how, nothing is touched.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

saved() { progress p saved_compressed_bytes; }
# What went into the socket, as the kernel of this host counts it for the edge's connection.
received() { value /metrics | awk '$1 == "tsferry_recvd_received_bytes_total" { print $2 }'; }

@test "a slow way: small and large files that give way travel in fewer bytes and arrive whole" {
	edge_conf rate_limit 2M
	pair_start
	generate -z -d root.large -n 2 -s 3M
	for n in 1 2 3 4; do seal "$DATA/tsfile/v3/idx.tsfile" root.small "$n-$n-0-0"; done
	statement 'WAIT PIPE p 60'
	archive_equals_edge
	nothing_left
	# at least a third of 6.4 MB
	[ "$(saved)" -gt 2100000 ]
	[ "$(progress p saved_bytes)" -ge "$(saved)" ]
	[ "$(progress p sent_bytes)" -gt 6000000 ] # payload is counted as what it is
}

@test "a slow way: what does not give way travels as it is, and costs nothing" {
	edge_conf rate_limit 4M
	pair_start
	generate -d root.hard -n 3 -s 1M
	statement 'WAIT PIPE p 60'
	archive_equals_edge
	[ "$(saved)" -lt 300000 ]
}

@test "a fast way: nothing is squeezed" {
	pair_start
	generate -z -d root.large -n 2 -s 3M
	statement 'WAIT PIPE p 60'
	archive_equals_edge
	[ "$(saved)" = 0 ]
}

@test "a slow way, the link cut again and again: every block once, and whole" {
	edge_conf rate_limit 3M
	pair_start
	keep_port
	generate -z -d root.large -n 1 -s 8M
	for _ in 1 2 3; do
		more=$(($(received) + 500000))
		came() { [ "$(received)" -gt "$more" ] || progress_is p remaining_entries 0; }
		wait_until 20 came
		daemon_kill recvd
		recvd_start
		statement 'START PIPESERVER' >/dev/null || true
		wait_until 30 online p
	done
	statement 'WAIT PIPE p 60'
	archive_equals_edge
	nothing_left
	[ "$(saved)" -gt 0 ]
}
