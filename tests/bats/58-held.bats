# What the receiver holds already does not travel again: blocks go as references, and what does not
# verify there is asked for literally.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

metric() { value /metrics | awk -v k="tsferry_recvd_$1" '$1 == k { print $2 }'; }
saved() { value /p/progress | awk '$1 == "saved_reference_bytes" { print $2 }'; }
behind() { value /p/progress | awk '$1 == "saved_prefix_bytes" { print $2 }'; }
retries() { value /p/progress | awk '$1 == "retries" { print $2 }'; }

kept_are() { [ "$(find "$DATADIR/.tsferry-spool/sources" -type f | wc -l)" = "$1" ]; }
kept_within() { [ "$(find "$DATADIR/.tsferry-spool/sources" -type f -printf '%s\n' | awk '{ n += $1 } END { print n + 0 }')" -le "$1" ]; }
arrived() { [ -n "$(find "$ARCHIVE" -name "$1")" ]; }

@test "RESYNC of unchanged data sends almost nothing" {
	pair_start
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	generate -n 20 -s 10K
	generate -d root.big -n 3 -s 1500K
	statement 'WAIT PIPE p 30'
	[ "$(saved)" = 0 ]
	edge_conf rate_limit 2M # on a fast way the small ones are sent sooner than named
	statement 'LOAD CONFIGURATION' | grep -q rate_limit
	archive_digests >"$T/first"
	statement 'RESYNC PIPE p'
	statement 'WAIT PIPE p 30'
	archive_digests >"$T/second"
	cmp "$T/first" "$T/second"
	archive_equals_edge
	[ "$(saved)" -ge $((20 * 10000 + 3 * 1500000)) ]
	[ "$(retries)" = 0 ]
}

@test "what was lost or damaged in the archive comes literally, without an attempt of its entry" {
	pair_start
	generate -d root.big -n 4 -s 1500K
	statement 'WAIT PIPE p 30'
	mapfile -t files < <(find "$ARCHIVE/edge-1/root.big" -name '*.tsfile' | sort)
	rm "${files[0]}"
	printf x | dd of="${files[1]}" bs=1 seek=700000 conv=notrunc status=none
	truncate -s 600000 "${files[2]}"
	statement 'RESYNC PIPE p'
	statement 'WAIT PIPE p 30'
	archive_equals_edge
	[ "$(retries)" = 0 ]
	# all of the fourth, and what was left of the others
	[ "$(saved)" -ge 1500000 ]
	[ "$(saved)" -lt $((4 * 1500000 - 262144)) ]
}

@test "retained entries are held, also while they wait to be applied again" {
	cloud_conf retain_max_bytes 100M
	pair_start
	generate -d root.big -n 3 -s 1500K
	statement 'WAIT PIPE p 30'
	rm -rf "$ARCHIVE/edge-1"
	statement 'RESYNC PIPE p'
	statement 'WAIT PIPE p 30'
	archive_equals_edge
	[ "$(saved)" -ge $((3 * 1500000)) ]
}

@test "a product of compaction goes behind what it was made from, while that is kept" {
	edge_conf diff_max_bytes 100M
	pair_start
	generate -d root.big -n 2 -s 1500K
	statement 'WAIT PIPE p 30'
	wait_until 10 kept_are 2
	# IoTDB made one file of the other, while nobody saw its journal
	source=$(find "$DATADIR/sequence/root.big" -name '*-0-0.tsfile' | sort | head -n 1)
	product=${source/%-0-0.tsfile/-1-0.tsfile}
	cp "$source" "$product"
	cp "$source.resource" "$product.resource"
	wait_until 20 arrived "${product##*/}"
	cmp "$product" "$(find "$ARCHIVE" -name "${product##*/}")"
	before=$(behind)
	[ "$before" -ge 1400000 ]
	# what the receiver does not hold any more comes literally, and saved nothing
	rm -r "$ARCHIVE/edge-1/root.big"
	again=${source/%-0-0.tsfile/-2-0.tsfile}
	cp "$source" "$again"
	cp "$source.resource" "$again.resource"
	wait_until 20 arrived "${again##*/}"
	cmp "$again" "$(find "$ARCHIVE" -name "${again##*/}")"
	[ "$(behind)" = "$before" ]
	# no longer: they go with the next entry that is released
	edge_conf diff_max_bytes 1M
	statement 'LOAD CONFIGURATION'
	generate -d root.other -n 1 -s 100K
	statement 'WAIT PIPE p 30'
	wait_until 10 kept_within 1048576
}
