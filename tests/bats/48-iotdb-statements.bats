# DELETE, RESTATE and SCHEMA as statements to an IoTDB: which are said, and what its answers mean.
# The edge is a script that says every entry itself, the cloud's IoTDB one of paper.
load lib/tsferry
load lib/fake_iotdb

setup() {
	pair_setup
	cloud_conf transport plain
	fake_cloud
	recvd_start
	statement 'START PIPESERVER'
}
teardown() { pair_teardown; }

said() { grep -E '^(CREATE|ALTER|DELETE|DROP)' "$T/iotdb.said"; }
was_told() { wait_until 20 fake_was_told "$1"; }
warned() { grep -qF -- "warn recvd-load: series $1" "$T/recvd.log"; }
reasons() { rows 'SHOW QUARANTINE'; }
quarantined() { wait_until 20 eval "reasons | grep -qF -- \"$1\""; }

@test "a series that exists and is equal is success, in silence" {
	fake_says '{"match": "CREATE .*", "code": 503, "text": "exists"}' \
		'{"match": "SHOW TIMESERIES root.sg.d1.s1", "columns": ["Timeseries", "DataType", "Encoding", "Compression"], "rows": [["root.sg.d1.s1", "INT64", "RLE", "SNAPPY"]]}' \
		'{"match": "SHOW TIMESERIES root.sg.g.`a.b`", "columns": ["Timeseries", "DataType", "Encoding", "Compression"], "rows": [["root.sg.g.`a(b`", "FLOAT", "GORILLA", "LZ4"]]}'
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.schema(1, "root.sg", b"CREATE DATABASE root.sg\n"
		    b"CREATE TIMESERIES root.sg.d1.s1 WITH DATATYPE=INT64, ENCODING=RLE, COMPRESSOR=SNAPPY\n"
		    b"CREATE ALIGNED TIMESERIES root.sg.g(`a(b` FLOAT ENCODING=GORILLA COMPRESSOR=LZ4)")
		p.until_applied(1)
	END
	fake_was_told 'SHOW TIMESERIES root.sg.d1.s1'
	fake_was_told 'SHOW TIMESERIES root.sg.g.`a(b`'
	run ! grep -q 'warn recvd-load' "$T/recvd.log"
	[ -z "$(reasons)" ]
}

@test "one that exists as another is kept, with a WARN of both definitions" {
	fake_says '{"match": "CREATE .*", "code": 503, "text": "exists"}' \
		'{"match": "SHOW TIMESERIES root.sg.encoding.s1", "columns": ["Timeseries", "DataType", "Encoding", "Compression"], "rows": [["root.sg.encoding.s1", "INT64", "PLAIN", "SNAPPY"]]}' \
		'{"match": "SHOW TIMESERIES root.sg.g.a", "columns": ["Timeseries", "DataType", "Encoding", "Compression"], "rows": [["root.sg.g.a", "FLOAT", "GORILLA", "LZ4"]]}' \
		'{"match": "SHOW TIMESERIES root.sg.g.b", "columns": ["Timeseries", "DataType", "Encoding", "Compression"], "rows": [["root.sg.g.b", "TEXT", "PLAIN", "LZ4"]]}'
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.schema(1, "root.sg",
		    b"CREATE TIMESERIES root.sg.encoding.s1 WITH DATATYPE=INT64, ENCODING=RLE, COMPRESSOR=SNAPPY\n"
		    b"CREATE ALIGNED TIMESERIES root.sg.g(a FLOAT ENCODING=GORILLA COMPRESSOR=LZ4, b INT32 ENCODING=PLAIN COMPRESSOR=LZ4)")
		p.until_applied(1)
	END
	wait_until 10 warned 'root.sg.encoding.s1 exists and is kept: here it is DATATYPE=INT64, ENCODING=PLAIN, COMPRESSOR=SNAPPY, at the edge WITH DATATYPE=INT64, ENCODING=RLE, COMPRESSOR=SNAPPY'
	wait_until 10 warned 'root.sg.g.b exists and is kept: here it is DATATYPE=TEXT, ENCODING=PLAIN, COMPRESSOR=LZ4, at the edge INT32 ENCODING=PLAIN COMPRESSOR=LZ4'
	run ! warned 'root.sg.g.a'
	[ -z "$(reasons)" ]
}

@test "what cannot be made because something else is there is told; an alias that is another's is left out, its tags are not" {
	fake_says '{"match": "CREATE DATABASE root.sg.a", "code": 501, "text": "root.sg has already been created as database"}' \
		'{"match": "CREATE DATABASE .*", "code": 501, "text": "root.sg.b has already been created as database"}' \
		'{"match": "CREATE TIMESERIES .*", "code": 506, "text": "Path [root.sg.b.s] already exist"}' \
		'{"match": "SHOW TIMESERIES .*", "columns": ["Timeseries", "DataType"], "rows": []}' \
		'{"match": "ALTER .* ALIAS=u", "code": 505, "text": "Alias already exists."}' \
		'{"match": "ALTER .* ALIAS=.*", "code": 507, "text": "The alias is duplicated with the name or alias of other measurement."}'
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.schema(1, "root.sg.a", b"CREATE DATABASE root.sg.a")
		p.schema(2, "root.sg.b", b"CREATE DATABASE root.sg.b\n"
		    b"CREATE TIMESERIES root.sg.b.s.deeper WITH DATATYPE=INT64\n"
		    b"ALTER TIMESERIES root.sg.b.s UPSERT ALIAS=`it is` TAGS(unit='K')\n"
		    b"ALTER TIMESERIES root.sg.b.t UPSERT ALIAS=u")
		p.until_applied(2)
	END
	wait_until 10 grep -qF 'warn recvd-load: database root.sg.a cannot be made, another one is there: root.sg has already been created as database' "$T/recvd.log"
	wait_until 10 warned 'root.sg.b.s.deeper cannot be made, something else is there: Path [root.sg.b.s] already exist, at the edge WITH DATATYPE=INT64'
	four() { [ "$(grep -c 'warn recvd-load' "$T/recvd.log")" = 4 ]; }
	wait_until 10 four
	fake_was_told "ALTER TIMESERIES root.sg.b.s UPSERT TAGS(unit='K')"
	[ -z "$(reasons)" ]
}

@test "series that a template in the cloud gives, and a database below: told, and gone on behind" {
	fake_says '{"version": "2.0.6"}' '{"match": "CREATE TIMESERIES .*", "code": 516, "text": "Cannot create timeseries [root.sg.d1.s1] since device template [t] already set on path [root.sg]."}' \
		'{"match": "CREATE DATABASE .*", "code": 529, "text": "some children of root.sg have already been created as database"}' \
		'{"match": "SHOW TIMESERIES root.sg.d1.s1", "columns": ["Timeseries", "DataType"], "rows": []}' \
		'{"match": "SHOW TIMESERIES root.sg.d1.s2", "columns": ["Timeseries", "DataType"], "rows": [["root.sg.d1.s2", "INT64"]]}'
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.schema(1, "root.sg", b"CREATE DATABASE root.sg\n"
		    b"CREATE TIMESERIES root.sg.d1.s1 WITH DATATYPE=INT64\nCREATE TIMESERIES root.sg.d1.s2 WITH DATATYPE=INT64")
		p.file(2, "root.sg", "1-1-0-0", TINY)
		p.until_applied(2)
	END
	[ -z "$(reasons)" ]
	wait_until 10 grep -qF 'warn recvd-load: database root.sg cannot be made, another one is there: some children of root.sg' "$T/recvd.log"
	wait_until 10 warned 'root.sg.d1.s1 cannot be made, something else is there: Cannot create timeseries [root.sg.d1.s1] since device template [t]'
	run ! warned 'root.sg.d1.s2'
}

@test "a statement that is refused for itself is quarantined with the sentence and the statement; in trouble it waits" {
	fake_says '{"match": "ALTER .*", "code": 507, "text": "Attribute key is not to be had"}'
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.schema(1, "root.sg", b"CREATE TIMESERIES root.sg.d1.s1 WITH DATATYPE=INT64\nALTER TIMESERIES root.sg.d1.s1 UPSERT ALIAS=`temp`")
		p.until_durable(1)
	END
	quarantined '507: Attribute key is not to be had'
	quarantined 'ALTER TIMESERIES root.sg.d1.s1 UPSERT ALIAS='
	fake_says '{"match": "ALTER .*", "code": 600, "text": "Fail to do non-query operations because system is read-only."}'
	statement 'RETRY ALL'
	wait_until 20 grep -q 'entry 1 is tried again .*600: Fail to do' "$T/recvd.log"
	fake_says
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.until_applied(1)
	END
	[ -z "$(reasons)" ]
}

@test "a deletion names the devices of the entry only; what is not there is success" {
	fake_says '{"match": "DELETE FROM .*", "code": 508, "text": "Path [root.sg.d1.s1] does not exist"}'
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.file(1, "root.sg", "1-1-0-0", TINY)
		p.delete(2, "root.sg", "root.sg.d1", b"DELETION,root.**,99,0,5\n")
		p.restate(3, "root.sg", "root.sg.d1", first=7, last=9)
		p.delete(4, "root.sg", "root.sg.d1", b"DELETION,root.sg.d2.s1,99,0,5\n")
		p.until_applied(4)
	END
	[ "$(said | grep -v '^CREATE DATABASE')" = "DELETE FROM root.sg.d1.* WHERE time >= 0 AND time <= 5
DELETE FROM root.sg.d1.* WHERE time >= 7 AND time <= 9" ]
	[ -z "$(reasons)" ]
}

@test "a deletion that comes again is said once, and again behind a file" {
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.file(1, "root.sg", "1-1-0-0", TINY)
		for n in 2, 3, 4:
		    p.delete(n, "root.sg", "root.sg.d1", b"DELETION,root.sg.d1.s1,99,5,5\n", first=n - 9)
		p.file(5, "root.sg", "5-5-0-0", TINY, b"DELETION,root.sg.d1.s1,99999,5,5\n", 1)
		p.delete(6, "root.sg", "root.sg.d1", b"DELETION,root.sg.d1.s1,99,5,5\n")
		p.schema(7, "root.sg", b"CREATE TIMESERIES root.sg.d1.s2 WITH DATATYPE=INT64")
		p.delete(8, "root.sg", "root.sg.d1", b"DELETION,root.sg.d1.s1,99,5,5\n")
		p.until_applied(8)
	END
	[ "$(fake_count 'DELETE FROM root.sg.d1.s1 WHERE time = 5')" = 3 ]
}

@test "what this sender did not deliver is not touched: nothing is said to the server before RETRY" {
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.delete(1, "root.a", "root.a.d1", b"DELETION,root.a.**,5,0,5\n")
		p.restate(2, "root.b", "root.b.d1")
		p.schema(3, "root.c", b"DELETE TIMESERIES root.c.**")
		p.schema(4, "root.d", b"CREATE TIMESERIES root.elsewhere.d1.s1 WITH DATATYPE=INT64")
		p.schema(5, "root.e", b"CREATE DATABASE root.e")
		p.until_durable(5)
	END
	was_told 'CREATE DATABASE root.e'
	quarantined 'a DELETE of database root.a, of which this sender delivered no file'
	quarantined 'a RESTATE of database root.b, of which this sender delivered no file'
	quarantined 'takes away what is in database root.c, of which this sender delivered no file'
	quarantined 'a SCHEMA of database root.d speaks of root.elsewhere.d1.s1, which is outside of it'
	[ "$(said)" = 'CREATE DATABASE root.e' ]
	statement 'RETRY ALL'
	was_told 'DELETE FROM root.a.d1.* WHERE time >= 0 AND time <= 5'
	was_told 'DELETE FROM root.b.d1.*'
	was_told 'DELETE TIMESERIES root.c.**'
	was_told 'CREATE TIMESERIES root.elsewhere.d1.s1 WITH DATATYPE=INT64'
	peer <<-'END'
		p = Peer(port).hello(assigned=9)
		p.until_applied(5)
	END
}
