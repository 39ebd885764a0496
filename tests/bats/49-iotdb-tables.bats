# Deletions in databases of tables, as statements of their dialect (docs/iotdb.md). The edge is a script that says every
# entry itself, the cloud's IoTDB one of paper.
load lib/tsferry
load lib/fake_iotdb

setup() {
	pair_setup
	cloud_conf transport plain
	fake_cloud
}
teardown() { pair_teardown; }

said() { grep '^DELETE' "$T/iotdb.said" | sort; }
quarantined() { wait_until 20 eval "rows 'SHOW QUARANTINE' | grep -qF -- \"$1\""; }
# meters DEVICE...: the cloud has a table of two tags with these devices, a JSON array each; recvd begins.
meters() {
	local IFS=,
	fake_says '{"version": "'"${VERSION:-2.0.6}"'"}' \
		'{"match": "DESC \"plant\".\"meters\"", "columns": ["ColumnName", "DataType", "Category"], "rows": [["time", "TIMESTAMP", "TIME"], ["region", "STRING", "TAG"], ["de\"vice", "STRING", "TAG"], ["kind", "STRING", "ATTRIBUTE"], ["v", "INT64", "FIELD"]]}' \
		'{"match": "SHOW DEVICES FROM \"plant\".\"meters\"", "columns": ["region", "de\"vice", "kind"], "rows": ['"$*"']}' \
		'{"match": "SHOW TABLES FROM \"plant\"", "columns": ["TableName", "TTL(ms)"], "rows": [["meters", "INF"]]}'
	recvd_start
	statement 'START PIPESERVER'
}

# As IoTDB 2 writes them (iotdb-formats, section 4.2): all of a table; region = "b".
ANY='struct.pack(">Bqq", 0, -2**63, 20) + b"\x0cmeters\0\0"'
OF_B='struct.pack(">Bqq", 0, 5, 2**63 - 1) + b"\x0cmeters\2\2b\2\0"'
COLUMN='struct.pack(">Bqq", 0, -2**63, 20) + b"\x0cmeters\0\2\2v"'

@test "each device that the edge has had is named with its tags, within its times; none for another gateway's" {
	meters '["a", "it'"'"'s", "x"]' '["b", null, null]' '[null, "b", null]' '["other", "gateway", null]'
	peer <<-END
		import struct
		p = Peer(port).hello(assigned=9)
		p.file(1, "plant", "1-1-0-0", TINY)
		p.delete(2, "plant", "meters.a.it's\nmeters.b\nmeters.null.b\nmeters.gone", $ANY, first=1, last=30, form=2)
		p.delete(3, "plant", "meters.a.it's\nmeters.b\nmeters.null.b", $OF_B, form=2)
		p.until_applied(3)
	END
	diff <(said) - <<-'END'
		DELETE FROM "plant"."meters" WHERE (time >= 1 AND time <= 20 AND "region" = 'a' AND "de""vice" = 'it''s') OR (time >= 1 AND time <= 20 AND "region" = 'b' AND "de""vice" IS NULL) OR (time >= 1 AND time <= 20 AND "region" IS NULL AND "de""vice" = 'b')
		DELETE FROM "plant"."meters" WHERE (time >= 5 AND time <= 9223372036854775807 AND "region" = 'b' AND "de""vice" IS NULL)
	END
}

@test "a hundred devices take two statements" {
	local i devices=""
	local -a all=()
	for ((i = 0; i < 100; i++)); do
		all+=('["d'$i'", null, null]')
		devices+="meters.d$i\\n"
	done
	meters "${all[@]}"
	peer <<-END
		import struct
		p = Peer(port).hello(assigned=9)
		p.file(1, "plant", "1-1-0-0", TINY)
		p.delete(2, "plant", "$devices", $ANY, form=2)
		p.until_applied(2)
	END
	[ "$(said | wc -l)" = 2 ]
	[ "$(said | grep -o "\"region\" = 'd[0-9]*' AND \"de\"\"vice\" IS NULL)" | sort -u | wc -l)" = 100 ]
}

@test "a RESTATE takes every row of its devices" {
	meters '["a", "b", null]' '["other", null, null]'
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.file(1, "plant", "1-1-0-0", TINY)
		p.restate(2, "plant", "meters.a.b", first=1, last=9)
		p.until_applied(2)
	END
	[ "$(said)" = "DELETE FROM \"plant\".\"meters\" WHERE (time >= 1 AND time <= 9 AND \"region\" = 'a' AND \"de\"\"vice\" = 'b')" ]
}

@test "what no statement can carry is quarantined with its sentence: columns, two devices that read alike" {
	meters '["a.b", null, null]' '["a", "b", null]'
	peer <<-END
		import struct
		p = Peer(port).hello(assigned=9)
		p.file(1, "plant", "1-1-0-0", TINY)
		p.file(2, "other", "1-1-0-0", TINY)
		p.until_applied(2)
		p.delete(3, "plant", "meters.a.b", $ANY, form=2)
		p.delete(4, "other", "meters.a.b", $COLUMN, form=2)
		p.until_durable(4)
	END
	quarantined 'table meters has two devices that read meters.a.b'
	quarantined 'a deletion of columns of table meters'
	[ -z "$(said)" ]
}

@test "a cloud of 1.x says that it knows no tables" {
	VERSION=1.3.3 meters
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.file(1, "plant", "1-1-0-0", TINY)
		p.until_durable(1)
	END
	quarantined 'database plant is one of tables, which IoTDB 1.3.3 does not know'
}
