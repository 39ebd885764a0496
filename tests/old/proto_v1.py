"""Version 1 of the protocol over plain transport, frozen: an edge and a receiver.

Written out from docs/protocol.md of its day; README.md. It shares nothing with tests/bats/lib/peer.py, which
follows the wire of today. XXH3 comes from the library that tsferry itself links.
"""
import ctypes
import socket
import struct
import sys

BLOCK = 262144
HELLO, WELCOME, PARTIAL, ENTRY, BLOCK_, END, DURABLE, APPLIED, QUARANTINE, STATUS, PONG, DROP, BYE = range(1, 14)
INCARNATION = bytes([0xB2]) + bytes(15)

_xxh = ctypes.CDLL("libxxhash.so.0")


class _H128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


_xxh.XXH3_64bits.restype = ctypes.c_uint64
_xxh.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
_xxh.XXH3_64bits_withSeed.restype = ctypes.c_uint64
_xxh.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]
_xxh.XXH3_128bits.restype = _H128
_xxh.XXH3_128bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


def digest(data):
    h = _xxh.XXH3_128bits(data, len(data))
    return struct.pack(">QQ", h.high, h.low)


def entry_digest(payload):
    blocks = [payload[i:i + BLOCK] for i in range(0, len(payload), BLOCK)]
    return digest(b"".join(struct.pack("<Q", len(b)) + digest(b) for b in blocks))


def string(s):
    return struct.pack("<H", len(s.encode())) + s.encode()


def sum_of(head, message, bulk):
    seed = _xxh.XXH3_64bits(head, 20)
    n = len(message) - bulk
    return _xxh.XXH3_64bits_withSeed(message[:n], n, seed) & 0xFFFFFFFF


def frame(kind, message, serial=0, bulk=0):
    head = struct.pack("<IHHQI", len(message), kind, 0, serial, bulk)
    return head + struct.pack("<I", sum_of(head, message, bulk)) + message


class Stream:
    def __init__(self, sock, mine, theirs):
        self.sock, self.held = sock, b""
        sock.settimeout(30)
        sock.sendall(mine)
        while b"\n" not in self.held:
            self.more()
        line, _, self.held = self.held.partition(b"\n")
        assert line + b"\n" == theirs, line

    def more(self):
        b = self.sock.recv(1 << 20)
        if not b:
            raise EOFError
        self.held += b

    def take(self):
        """(type, serial, message) as version 1 takes it: flags, bulk and sum must be right."""
        while len(self.held) < 24 or len(self.held) < 24 + struct.unpack("<I", self.held[:4])[0]:
            self.more()
        head = self.held[:20]
        n, kind, flags, serial, bulk = struct.unpack("<IHHQI", head)
        summed, = struct.unpack("<I", self.held[20:24])
        message, self.held = self.held[24:24 + n], self.held[24 + n:]
        assert 1 <= kind <= 13 and flags == 0 and bulk < n, (kind, flags, bulk)
        assert summed == sum_of(head, message, bulk), kind
        return kind, serial, message

    def send(self, kind, message, serial=0, bulk=0):
        self.sock.sendall(frame(kind, message, serial, bulk))


class Edge(Stream):
    def __init__(self, port, assigned, versions=(1, 1)):
        super().__init__(socket.create_connection(("127.0.0.1", int(port))), b"TSFERRY 1 plain\n", b"TSFERRY 1 ok\n")
        self.send(HELLO, struct.pack("<HHI", *versions, 0) + digest(b"edge-old") * 2 + string("edge-old") +
                  string("0.1.0") + string("p") + INCARNATION + struct.pack("<qQQ", 0, assigned, 0))
        self.durable = self.applied = 0
        kind, _, m = self.take()
        self.bye = None
        if kind == BYE:
            self.bye = m[0], m[11:].decode()
            return
        assert kind == WELCOME and len(m) == 46, (kind, m)
        self.version, = struct.unpack("<H", m[:2])
        self.durable, _, self.applied, partials = struct.unpack("<QQQI", m[18:])
        self.partials = [self.take() for _ in range(partials)]

    def until(self, what, serial):
        while getattr(self, what) < serial:
            kind, s, m = self.take()
            if kind == DURABLE:
                assert m == struct.pack("<Q", s)
                self.durable = s
            elif kind == APPLIED:
                assert len(m) == 12
                self.applied = s
            else:
                assert kind == PONG and m == b"\0", (kind, m)

    def head(self, serial, kind, database):
        return struct.pack("<QQB", serial, serial + 70, kind) + string(database)

    def file_head(self, serial, database, name, length, mods=0):
        t, v, i, c = (int(n) for n in name.split("-"))
        return self.head(serial, 1, database) + struct.pack("<BIqQQQQQBQ", 0, 1, 0, t, v, i, c, length, 1 if mods else 0,
                                                            mods)

    def inline(self, serial, head, payload):
        self.send(ENTRY, b"\1" + head + entry_digest(payload) + payload, serial, len(payload))

    def blocks(self, serial, head, payload):
        self.send(ENTRY, b"\0" + head, serial)
        for i in range(0, len(payload), BLOCK):
            b = payload[i:i + BLOCK]
            self.send(BLOCK_, struct.pack("<QQB", serial, i // BLOCK, 0) + digest(b) + b, serial, len(b))
        self.send(END, struct.pack("<Q", serial) + entry_digest(payload), serial)

    def delete(self, serial, database, devices, records):
        head = self.head(serial, 2, database) + struct.pack("<IqqI", 1, -2**63, 2**63 - 1, len(devices)) + devices
        self.inline(serial, head + struct.pack("<BQ", 1, len(records)), records)

    def schema(self, serial, database, statements):
        self.inline(serial, self.head(serial, 3, database) + struct.pack("<Q", len(statements)), statements)

    def restate(self, serial, database, devices):
        head = self.head(serial, 4, database) + struct.pack("<IqqI", 1, 5, 9, len(devices)) + devices
        self.inline(serial, head + b"\0", b"")


class Receiver(Stream):
    """One connection of an edge, which is answered until it has said what is expected; `files` holds payloads by
    serial."""

    def __init__(self, listener, choose=1, bye=None):
        sock, _ = listener.accept()
        super().__init__(sock, b"TSFERRY 1 ok\n", b"TSFERRY 1 plain\n")
        kind, _, m = self.take()
        assert kind == HELLO, kind
        self.versions = struct.unpack("<HH", m[:4])
        self.flags, = struct.unpack("<I", m[4:8])
        self.files, self.open = {}, {}
        if bye:
            self.send(BYE, struct.pack("<BQ", bye[0], 0) + string(bye[1]))
            return
        assert self.versions[0] <= 1 <= self.versions[1], self.versions
        self.send(WELCOME, struct.pack("<H", choose) + bytes([9] * 16) + struct.pack("<QQQI", 0, 0, 0, 0))

    def entry(self, serial, m):
        n, = struct.unpack("<H", m[18:20])
        assert m[0] <= 1 and m[17] == 1, m[:20]  # only FILEs are asked for here
        at = 20 + n + 1 + 4 + 8 + 4 * 8
        body, form, mods = struct.unpack("<QBQ", m[at:at + 17])
        if m[0] == 0:
            self.open[serial] = {}
            return
        payload = m[at + 17 + 16:]
        assert len(payload) == body + mods and entry_digest(payload) == m[at + 17:at + 33], serial
        self.files[serial] = payload

    def run(self, n):
        """Until n entries are here; then they are durable and applied."""
        while len(self.files) < n:
            kind, serial, m = self.take()
            if kind == ENTRY:
                assert serial == len(self.files) + len(self.open) + 1, serial
                self.entry(serial, m)
            elif kind == BLOCK_:
                index, how = struct.unpack("<QB", m[8:17])
                assert how == 0 and digest(m[33:]) == m[17:33], (serial, index, how)
                self.open[serial][index] = m[33:]
            elif kind == END:
                blocks = self.open.pop(serial)
                payload = b"".join(blocks[i] for i in sorted(blocks))
                assert entry_digest(payload) == m[8:], serial
                self.files[serial] = payload
            elif kind == STATUS:
                self.send(PONG, b"\0")
            else:
                assert False, kind
        self.send(DURABLE, struct.pack("<Q", n), n)
        self.send(APPLIED, struct.pack("<QI", n, 0), n)


def listen():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(8)
    s.settimeout(30)
    return s


def read(path):
    with open(path, "rb") as f:
        return f.read()


def say(*words):
    print(*words)
    sys.stdout.flush()
