# shellcheck shell=bash disable=SC2154
# RESTATE_FILES (2000) in 20 partitions, RESTATES (50).
#
# What a RESTATE costs the archive loader: the deletion files of a partition written anew.
bench_restate() {
	python3 tests/bench/restate.py "$B/recvd/recvd-load" "$B/tests/bench/tsgen" "$W" "${RESTATE_FILES:-2000}" 20 "${RESTATES:-50}"
}
