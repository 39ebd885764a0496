# shellcheck shell=bash disable=SC2154
# From one real IoTDB into another, of each version in IOTDB_VERSION ("1.3.3 2.0.6"; short: 1.3.3),
# with the program $TSFERRY_IOTDB that starts them (tests/iotdb/lib.bash): IOTDB_SMALL (2000) files of 9 KiB, IOTDB_LARGE (200) of
# 1.1 MiB, sealed at the edge, until the last row is visible in the cloud; then IOTDB_ROWS (100)
# times INSERT and FLUSH until the row is visible. Beside it, with the same files: a loop of
# copy and LOAD over one connection of the server's own client, and the server's own pipe.
# own network

bench_iotdb() {
	local version
	for version in ${IOTDB_VERSION:-1.3.3 2.0.6}; do
		IOTDB_PORT_BASE=${IOTDB_PORT_BASE:-17200} PYTHONDONTWRITEBYTECODE=1 python3 tests/iotdb/bench.py -b "$B" \
			"$version" "${IOTDB_SMALL:-2000}" "${IOTDB_LARGE:-200}" "${IOTDB_ROWS:-100}" || return
	done
}
