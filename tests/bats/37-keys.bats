# Who a sender is: its key, which TLS proves, and not what it says of itself.
load lib/tsferry

setup() { pair_setup; }
teardown() { pair_teardown; }

# tls_peer: Python on stdin, as peer, with dial(): a connection with the key $T/key.pem whose id is own_id.
tls_peer() {
	openssl req -x509 -newkey ed25519 -nodes -subj / -days 2 -keyout "$T/key.pem" -out "$T/cert.pem" 2>/dev/null
	{
		cat <<-'END'
			import hashlib, ssl, subprocess
			T = sys.argv[2]
			spki = subprocess.run(["openssl", "pkey", "-in", T + "/key.pem", "-pubout", "-outform", "DER"],
			                      capture_output=True, check=True).stdout
			own_id = hashlib.sha256(spki).digest()

			def dial(key, name="edge-1"):
			    p = Peer(port, name=name, greet=False, key=key)
			    p.raw(b"TSFERRY 1 tls\n")
			    line = b""
			    while not line.endswith(b"\n"):
			        line += p.sock.recv(1)
			    assert line == b"TSFERRY 1 ok\n", line
			    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
			    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
			    c.minimum_version = ssl.TLSVersion.TLSv1_3
			    c.set_alpn_protocols(["tsferry/1"])
			    c.load_cert_chain(T + "/cert.pem", T + "/key.pem")
			    p.sock = c.wrap_socket(p.sock)
			    return p
		END
		cat
	} | peer "$T"
}

@test "a sender id that is not the key of the connection is refused in words" {
	recvd_start
	statement 'START PIPESERVER'
	tls_peer <<-'END'
		p = dial(bytes(32))
		p.send(HELLO, p.hello_message())
		refused(p, REFUSED, "the sender id in HELLO is not the key of the connection")
		p = dial(own_id[:-1] + bytes([own_id[-1] ^ 1]))
		p.send(HELLO, p.hello_message())
		refused(p, REFUSED, "not the key of the connection")
		dial(own_id).hello()
	END
	[ "$(rows 'SHOW SENDERS' | wc -l)" -eq 1 ]
}

@test "a name belongs to the key that was admitted under it" {
	recvd_start
	statement 'START PIPESERVER'
	tls_peer <<-'END'
		dial(own_id).hello()
	END
	mv "$T/key.pem" "$T/first.pem"
	tls_peer <<-'END'
		p = dial(own_id)
		p.send(HELLO, p.hello_message())
		refused(p, REFUSED, "the name edge-1 belongs to key", "FORGET SENDER edge-1")
		dial(own_id, "edge-2").hello()
	END
}

@test "an edge whose row the catalog refuses is not served, and what it begins is its own after a restart" {
	recvd_start
	statement 'START PIPESERVER'
	catalog() { sqlite3 -cmd '.timeout 5000' "$CLOUD/state/catalog.db" "$1"; }
	catalog "CREATE TRIGGER stuck BEFORE INSERT ON sender BEGIN SELECT RAISE(ABORT, 'stuck'); END"
	keep_port
	syncd_start
	seal "$DATA/tsfile/v3/tiny.tsfile" root.sg 1-1-0-0
	statement "CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=$(server_port))"
	statement 'CREATE PIPE p TO s'
	statement 'START PIPE p'
	wait_until 20 value_has /p/link 'catalog.db: stuck'
	catalog 'DROP TRIGGER stuck'
	statement 'WAIT PIPE p 30'
	daemon_stop recvd
	recvd_start
	archive_equals_edge
}
