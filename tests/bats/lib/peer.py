"""A peer of recvd that says what a test wants it to say: plain transport, every field by hand.

Used by bats through `peer`, see tsferry.bash. The wire is that of tsferry-proto(5); XXH3 comes
from the library that tsferry itself links.
"""
import ctypes
import os
import socket
import struct
import time

BLOCK = 262144
HELLO, WELCOME, PARTIAL, ENTRY, BLOCK_, END, DURABLE, APPLIED, QUARANTINE, STATUS, PONG, DROP, BYE = range(1, 14)
HELD, WANT, ASK_KEPT, KEPT, WAITS = 14, 15, 20, 21, 22
OPTIONAL = 1
LITERAL, SQUEEZED, REFERENCE, PREFIX = range(4)
FILE, DELETE, SCHEMA, RESTATE = 1, 2, 3, 4
PROBE, RESYNC = 1, 2

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


def text(s):
    b = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<H", len(b)) + b


def lines(s):
    return struct.pack("<I", len(s.encode())) + s.encode()


def frame(kind, message, serial=0, bulk=0, flags=0):
    head = struct.pack("<IHHQI", len(message), kind, flags, serial, bulk)
    summed = message[:len(message) - bulk]
    seed = _xxh.XXH3_64bits(head, len(head))
    return head + struct.pack("<I", _xxh.XXH3_64bits_withSeed(summed, len(summed), seed) & 0xFFFFFFFF) + message


def nonce(serial):
    """Any but 0; the same for the same serial, so that a test can say it twice."""
    return serial * 2654435761 % 2**64 or 1


def _head(serial, kind, database):
    return struct.pack("<QQB", serial, nonce(serial), kind) + text(database)


def file_head(serial, database, name, body_len, mods=b"", mods_kind=0, unsequence=False, region=1, partition=0):
    t, v, i, c = (int(n) for n in name.split("-"))
    return _head(serial, FILE, database) + struct.pack(
        "<BIqQQQQQBQ", unsequence, region, partition, t, v, i, c, body_len, mods_kind, len(mods))


def delete_head(serial, database, devices, records_len, first=-2**63, last=2**63 - 1, form=1, region=1):
    return _head(serial, DELETE, database) + struct.pack("<Iqq", region, first, last) + lines(devices) + \
        struct.pack("<BQ", form, records_len)


def schema_head(serial, database, length):
    return _head(serial, SCHEMA, database) + struct.pack("<Q", length)


def restate_head(serial, database, devices, first=-2**63, last=2**63 - 1, held=False, region=1):
    return _head(serial, RESTATE, database) + struct.pack("<Iqq", region, first, last) + lines(devices) + \
        struct.pack("<B", held)


def held_file(database, name, unsequence=False, region=1, partition=0):
    """A file by its identity, as HELD has it."""
    return text(database) + struct.pack("<BIq4Q", unsequence, region, partition, *(int(n) for n in name.split("-")))


def zstd_raw(data, claim=None, window=None):
    """A zstd frame (RFC 8878) of raw blocks that claims to hold `claim` bytes, or names only a window."""
    head = b"\x28\xb5\x2f\xfd" + (bytes([0, window]) if window is not None else
                                   b"\xa0" + struct.pack("<I", len(data) if claim is None else claim))
    blocks = [data[i:i + 65536] for i in range(0, len(data), 65536)] or [b""]
    return head + b"".join(
        struct.pack("<I", len(b) << 3 | (i == len(blocks) - 1))[:3] + b for i, b in enumerate(blocks))


def zstd_same(byte, n, claim=None):
    """n times the same byte, in a few bytes for each 128 KiB of it."""
    head = b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", n if claim is None else claim)
    parts = [min(131072, n - i) for i in range(0, n, 131072)]
    return head + b"".join(struct.pack("<I", k << 3 | 2 | (i == len(parts) - 1))[:3] + byte
                           for i, k in enumerate(parts))


class Closed(Exception):
    pass


class Peer:
    """One connection. `said` holds every message that came, as (type, serial, message)."""

    def __init__(self, port, name="edge-1", pipe="p", greet=True, key=None, incarnation=None, source="127.0.0.1"):
        self.name, self.pipe = name, pipe
        self.key = key or digest(name.encode()) * 2
        self.incarnation = incarnation or digest(b"incarnation of " + name.encode())
        self.said, self.bye, self.durable, self.applied = [], None, 0, 0
        self._in = b""
        self.sock = socket.create_connection(("127.0.0.1", int(port)), timeout=20, source_address=(source, 0))
        if greet:
            self.raw(b"TSFERRY 1 plain\n")
            self.greeting = self._line()

    def _line(self):
        while b"\n" not in self._in:
            self._more()
        line, _, self._in = self._in.partition(b"\n")
        return line.decode()

    def _more(self):
        try:
            b = self.sock.recv(65536)
        except ConnectionResetError:
            b = b""
        if not b:
            raise Closed(self.bye)
        self._in += b

    def raw(self, data):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # why, is still to be read

    def send(self, kind, message, serial=0, bulk=0, flags=0):
        self.raw(frame(kind, message, serial, bulk, flags))

    def take(self):
        """The next message."""
        while len(self._in) < 24 or len(self._in) < 24 + struct.unpack("<I", self._in[:4])[0]:
            self._more()
        n, kind, _, serial = struct.unpack("<IHHQ", self._in[:16])
        message, self._in = self._in[24:24 + n], self._in[24 + n:]
        self.said.append((kind, serial, message))
        if kind == DURABLE:
            self.durable = struct.unpack("<Q", message)[0]
        elif kind == APPLIED:
            self.applied = struct.unpack("<Q", message[:8])[0]
        elif kind == WELCOME:
            self.durable, _, self.applied = struct.unpack("<QQQ", message[18:42])
        elif kind == BYE:
            self.bye = (message[0], message[11:].decode())
        return kind, serial, message

    def until(self, kind):
        while True:
            got = self.take()
            if got[0] == kind:
                return got[2]

    def hello_message(self, flags=0, assigned=0, released=0, versions=(1, 1), name=None):
        return struct.pack("<HHI", *versions, flags) + self.key + text(name if name is not None else self.name) + \
            text("peer") + text(self.pipe) + self.incarnation + struct.pack("<qQQ", 0, assigned, released)

    def hello(self, **fields):
        self.send(HELLO, self.hello_message(**fields))
        self.until(WELCOME)
        return self

    def entry(self, serial, head, payload=b""):
        """Inline, whole."""
        self.send(ENTRY, b"\1" + head + entry_digest(payload) + payload, serial, len(payload))

    def begin(self, serial, head):
        self.send(ENTRY, b"\0" + head, serial)

    def block(self, serial, index, data, how=0, d=None):
        self.send(BLOCK_, struct.pack("<QQB", serial, index, how) + (d or digest(data)) + data, serial, len(data))

    def held(self, serial, files, first=0, n=None):
        self.send(HELD, struct.pack("<QII", serial, first, len(files) if n is None else n) + b"".join(files), serial)

    def ranges(self, serial, index, d, ranges, how=REFERENCE, packed=b"", n=None):
        """A block made of ranges (file, offset, length) of what HELD named."""
        self.send(BLOCK_, struct.pack("<QQB", serial, index, how) + d + bytes([len(ranges) if n is None else n])
                  + b"".join(struct.pack("<BQI", *r) for r in ranges) + packed, serial, len(packed))

    def end(self, serial, payload):
        self.send(END, struct.pack("<Q", serial) + entry_digest(payload), serial)

    def file(self, serial, database, name, path, mods=b"", mods_kind=0, **where):
        with open(path, "rb") as f:
            body = f.read()
        self.entry(serial, file_head(serial, database, name, len(body), mods, mods_kind, **where), body + mods)

    def delete(self, serial, database, devices, records, **where):
        self.entry(serial, delete_head(serial, database, devices, len(records), **where), records)

    def schema(self, serial, database, statements):
        self.entry(serial, schema_head(serial, database, len(statements)), statements)

    def restate(self, serial, database, devices, **where):
        self.entry(serial, restate_head(serial, database, devices, **where))

    def until_durable(self, serial):
        while self.durable < serial:
            self.take()

    def until_applied(self, serial):
        while self.applied < serial:
            self.take()

    def until_bye(self):
        """(class, sentence): why the receiver closed. None: it only closed."""
        try:
            while True:
                self.take()
        except Closed:
            return self.bye

    def close(self):
        self.sock.close()


def refused(peer, why, *words):
    """The receiver said BYE of a class with these words in its sentence."""
    bye = peer.until_bye()
    assert bye and bye[0] == why, (why, bye)
    for w in words:
        assert w in bye[1], (w, bye)


PROTOCOL = 6
BUSY, REFUSED, TAKEN_OVER, MISMATCH, VERSION, HISTORY = 2, 3, 4, 5, 7, 8
TINY = os.environ.get("TSFERRY_SOURCE", ".") + "/tests/data/tsfile/v3/tiny.tsfile"
__all__ = [n for n in dir() if not n.startswith("_")]
