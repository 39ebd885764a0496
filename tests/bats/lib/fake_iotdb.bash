# An IoTDB at the edge that answers by script (tests/iotdb/fake_server.py).
#
#	load lib/tsferry
#	load lib/fake_iotdb
#	fake_start	# edge_conf iotdb_rpc is set to it
#	fake_says '{"match": "FLUSH", "code": 803, "text": "no"}'
#	fake_was_told 'FLUSH'
#
# pair_teardown ends it. fake_schema has it list a schema.

FAKE_SERVER=$TSFERRY_SOURCE/tests/iotdb/fake_server.py

fake_start() { # [PORT]
	[ -e "$T/iotdb.jsonl" ] || echo '{"version": "1.3.3"}' >"$T/iotdb.jsonl"
	rm -f "$T/iotdb.port"
	daemon_start iotdb python3 "$FAKE_SERVER" --script "$T/iotdb.jsonl" --port "${1:-0}" \
		--port-file "$T/iotdb.port" --log "$T/iotdb.said"
	wait_until 20 test -s "$T/iotdb.port"
	edge_conf iotdb_rpc "127.0.0.1:$(cat "$T/iotdb.port")"
}
# fake_says LINE...: the whole script, at once.
fake_says() {
	printf '%s\n' '{"version": "1.3.3"}' "$@" >"$T/iotdb.jsonl.new"
	mv "$T/iotdb.jsonl.new" "$T/iotdb.jsonl"
}
fake_was_told() { grep -qxF -- "$1" "$T/iotdb.said" 2>/dev/null; }
fake_count() { grep -cxF -- "$1" "$T/iotdb.said" 2>/dev/null || true; }

# fake_schema [ROW...]: databases root.sg, or DATABASES, rows in JSON; a row is what SHOW TIMESERIES has of a series, as
# JSON: path, alias, type, encoding, compression, tags, attributes. ALIGNED is a list of devices,
# in JSON; MORE are further lines of the script.
fake_schema() {
	local IFS=,
	fake_says ${MORE:+"$MORE"} \
		'{"match": "SHOW CLUSTERID", "columns": ["ClusterId"], "rows": [["'"${IDENTITY-one}"'"]]}' \
		'{"match": "SHOW DATABASES", "columns": ["Database"], "rows": ['"${DATABASES-[\"root.sg\"],}"'["root.__system"]]}' \
		'{"match": "SHOW DEVICES root.sg[.][*][*]", "columns": ["Device", "IsAligned"], "rows": ['"${ALIGNED:-}"']}' \
		'{"match": "SHOW TIMESERIES .*", "columns": ["Timeseries", "Alias", "DataType", "Encoding", "Compression", "Tags", "Attributes"], "rows": ['"$*"']}'
}

# fake_cloud: it is the cloud's, and recvd loads into it; the edge is not asked.
fake_cloud() {
	fake_start "$@"
	sed -i '/^iotdb_rpc=/d' "$T/syncd.conf"
	cloud_conf loader iotdb
	cloud_conf iotdb_rpc "127.0.0.1:$(cat "$T/iotdb.port")"
}
# fake_serials: the last serial of each LOAD that was not refused, in the order of telling.
fake_serials() {
	awk '/^LOAD / { if (load) print load; load = $2; next }
		/^refused / { load = "" }
		END { if (load) print load }' "$T/iotdb.said" |
		sed -E "s/.*[^0-9]([0-9]+)(-0-0\\.tsfile)?'.*/\1/" | paste -sd' '
}
