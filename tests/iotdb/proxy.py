#!/usr/bin/env python3
"""proxy.py TARGET_PORT DIR: a TCP proxy, its port in DIR/port. While DIR/cut holds a number, a
connection is cut for good after so many bytes towards the server; while DIR/seal exists, right
after the seal of a file went through (iotdb-formats, section 10.3), before its answer. Each cut
removes the file. DIR/log has a line per connection and per cut."""
import os
import socket
import sys
import threading
import time

SEALS = (b"\x06\x00\x02\x00\x05\x0b\x00\x03", b"\x06\x00\x02\x00\x09\x0b\x00\x03")
target, where = int(sys.argv[1]), sys.argv[2]


def log(text):
    with open(where + "/log", "a") as f:
        f.write(text + "\n")


def take(name):
    try:
        with open(where + "/" + name) as f:
            text = f.read()
        os.unlink(where + "/" + name)
        return text
    except FileNotFoundError:
        return None


def end(a, b, why):
    log(why)
    for s in (a, b):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        s.close()


def towards_server(client, server):
    total, tail = 0, b""
    while True:
        data = client.recv(65536)
        if not data:
            break
        total += len(data)
        server.sendall(data)
        tail = (tail + data)[-200:] if len(data) < 200 else data
        if any(s in tail for s in SEALS) and take("seal") is not None:
            # the answer is on its way by then, or the work goes on without us
            end(client, server, "cut after a seal")
            return
        if os.path.exists(where + "/cut") and total > int(open(where + "/cut").read() or 0):
            if take("cut") is not None:
                end(client, server, "cut after %d bytes" % total)
                return
    try:
        server.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def towards_client(client, server):
    try:
        while True:
            data = server.recv(65536)
            if not data:
                break
            client.sendall(data)
        client.close()
    except OSError:
        pass


def serve(client):
    try:
        server = socket.create_connection(("127.0.0.1", target))
    except OSError:
        client.close()
        return
    log("connection")
    threading.Thread(target=towards_client, args=(client, server), daemon=True).start()
    try:
        towards_server(client, server)
    except OSError:
        pass


listener = socket.create_server(("127.0.0.1", 0))
with open(where + "/port.new", "w") as f:
    f.write(str(listener.getsockname()[1]))
os.rename(where + "/port.new", where + "/port")
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
