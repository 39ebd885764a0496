#!/usr/bin/env bats
# What is watched: the alert rules and the board name metrics that are there.
load lib/tsferry

setup() {
	pair_setup
	pair_start -m
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	statement 'WAIT PIPE p 30' >/dev/null
}
teardown() { pair_teardown; }

@test "every metric of the alert rules and of the board is in metrics" {
	names=$(cat "$TSFERRY_SOURCE"/packaging/monitoring/* | grep -oE 'tsferry_(syncd|recvd)_[a-z_]+' | sort -u)
	[ "$(wc -l <<<"$names")" -gt 12 ]
	for name in $names; do
		grep -q "^$name[{ ]" "$PIPES/metrics" || {
			echo "not there: $name"
			false
		}
	done
}

@test "histograms count each acknowledgement, cumulatively" {
	run -0 awk '/^tsferry_syncd_durable_seconds_bucket/ { if ($2 < last) bad = 1; last = $2; n++ }
		/^tsferry_syncd_durable_seconds_count/ { count = $2 } END { print n, count, last, bad + 0 }' "$PIPES/metrics"
	[[ $output =~ ^19\ ([1-9][0-9]*)\ ([1-9][0-9]*)\ 0$ ]]
	[ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]
	grep -qE '^tsferry_syncd_applied_seconds_count\{pipe="p"\} [1-9]' "$PIPES/metrics"
	grep -qE '^tsferry_recvd_commit_seconds_count [1-9]' "$PIPES/metrics"
}

@test "the alert rules are what Prometheus takes" {
	promtool check rules "$TSFERRY_SOURCE/packaging/monitoring/tsferry.rules.yml"
}
