"""Version 2 of the protocol over plain transport, frozen: an edge and a receiver of 0.2.0.

Written out from docs/protocol.md of its day; README.md. What version 1 had before it comes from proto_v1.py, which is
frozen too; here stands what version 2 brought: zstd frames, HELD, references, prefixes, WANT.
"""
import ctypes

from proto_v1 import *
from proto_v1 import _xxh  # noqa: F401  (the same library)

HELD, WANT, ASK_KEPT, KEPT, WAITS = 14, 15, 20, 21, 22
LITERAL, SQUEEZED, REFERENCE, PREFIX = range(4)

_zstd = ctypes.CDLL("libzstd.so.1")
_zstd.ZSTD_createCCtx.restype = _zstd.ZSTD_createDCtx.restype = ctypes.c_void_p
for _name in ("ZSTD_compress2", "ZSTD_decompressDCtx"):
    _f = getattr(_zstd, _name)
    _f.restype = ctypes.c_size_t
    _f.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
for _name in ("ZSTD_CCtx_refPrefix", "ZSTD_DCtx_refPrefix"):
    _f = getattr(_zstd, _name)
    _f.restype = ctypes.c_size_t
    _f.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
_zstd.ZSTD_isError.argtypes = [ctypes.c_size_t]
_zstd.ZSTD_freeCCtx.argtypes = _zstd.ZSTD_freeDCtx.argtypes = [ctypes.c_void_p]


def squeeze(data, prefix=b""):
    c, room = _zstd.ZSTD_createCCtx(), ctypes.create_string_buffer(len(data) + 1024)
    if prefix:
        _zstd.ZSTD_CCtx_refPrefix(c, prefix, len(prefix))
    n = _zstd.ZSTD_compress2(c, room, len(room), data, len(data))
    _zstd.ZSTD_freeCCtx(c)
    assert not _zstd.ZSTD_isError(n)
    return room.raw[:n]


def unsqueeze(frame, length, prefix=b""):
    d, room = _zstd.ZSTD_createDCtx(), ctypes.create_string_buffer(length + 1)
    if prefix:
        _zstd.ZSTD_DCtx_refPrefix(d, prefix, len(prefix))
    n = _zstd.ZSTD_decompressDCtx(d, room, length, frame, len(frame))
    _zstd.ZSTD_freeDCtx(d)
    assert not _zstd.ZSTD_isError(n) and n == length, (n, length)
    return room.raw[:n]


def identity(database, name, unsequence=0, region=1, partition=0):
    """A file as HELD has it; the fields of Edge.file_head."""
    t, v, i, c = (int(n) for n in name.split("-"))
    return string(database) + struct.pack("<BIqQQQQ", unsequence, region, partition, t, v, i, c)


class Stream2:
    def take(self):
        """(type, serial, message) as version 2 takes it."""
        while len(self.held) < 24 or len(self.held) < 24 + struct.unpack("<I", self.held[:4])[0]:
            self.more()
        head = self.held[:20]
        n, kind, flags, serial, bulk = struct.unpack("<IHHQI", head)
        summed, = struct.unpack("<I", self.held[20:24])
        message, self.held = self.held[24:24 + n], self.held[24 + n:]
        assert summed == sum_of(head, message, bulk) and bulk < n, kind
        if kind in (ASK_KEPT, KEPT, WAITS):
            assert flags == 1, (kind, flags)
        else:
            assert 1 <= kind <= WANT and flags == 0, (kind, flags)
        return kind, serial, message


class Edge2(Stream2, Edge):
    def __init__(self, port, assigned):
        self.wants = []
        Edge.__init__(self, port, assigned, (1, 2))

    def until(self, what, serial):
        while getattr(self, what) < serial:
            kind, s, m = self.take()
            if kind == DURABLE:
                assert m == struct.pack("<Q", s)
                self.durable = s
            elif kind == APPLIED:
                assert len(m) == 12
                self.applied = s
            elif kind == WANT:
                self.want(*struct.unpack("<QQ", m))
            else:
                assert (kind == PONG and m == b"\0") or kind == WAITS, (kind, m)

    def want(self, serial, index):
        """Literally, whatever was said before."""
        self.wants.append((serial, index))
        self.block(serial, index, self.payloads[serial][index * BLOCK:][:BLOCK])

    def inline_squeezed(self, serial, head, payload):
        z = squeeze(payload)
        assert len(z) < len(payload)
        self.send(ENTRY, b"\2" + head + entry_digest(payload) + z, serial, len(z))

    def begin(self, serial, head, payload, held=()):
        self.payloads = getattr(self, "payloads", {})
        self.payloads[serial] = payload
        self.send(ENTRY, b"\0" + head, serial)
        if held:
            self.send(HELD, struct.pack("<QII", serial, 0, len(held)) + b"".join(held), serial)

    def block(self, serial, index, plain, how=LITERAL, data=None, ranges=()):
        data = {LITERAL: plain, REFERENCE: b""}.get(how, data)
        m = struct.pack("<QQB", serial, index, how) + digest(plain)
        if how in (REFERENCE, PREFIX):
            m += bytes([len(ranges)]) + b"".join(struct.pack("<BQI", *r) for r in ranges)
        self.send(BLOCK_, m + data, serial, len(data))

    def end(self, serial):
        self.send(END, struct.pack("<Q", serial) + entry_digest(self.payloads[serial]), serial)


class Receiver2(Stream2, Receiver):
    """`store`: payloads by identity, as HELD names them, over several connections; `lost`: how many references are not
    found."""

    def __init__(self, listener, store, lost=0):
        self.store, self.lost, self.names, self.heads, self.asked = store, lost, {}, {}, 0
        self.seen = {how: 0 for how in range(4)}
        self.n_inline_squeezed = 0
        Receiver.__init__(self, listener, choose=2)
        assert self.versions[1] >= 2, self.versions

    def entry(self, serial, m):
        n, = struct.unpack("<H", m[18:20])
        assert m[0] <= 2 and m[17] == 1, m[:20]
        at = 20 + n + 1 + 4 + 8 + 4 * 8
        body, _, mods = struct.unpack("<QBQ", m[at:at + 17])
        self.heads[serial] = m[18:at], body + mods
        if m[0] == 0:
            self.open[serial] = {}
            return
        payload = m[at + 17 + 16:]
        if m[0] == 2:
            assert len(payload) < body + mods
            payload = unsqueeze(payload, body + mods)
            self.n_inline_squeezed += 1
        assert len(payload) == body + mods and entry_digest(payload) == m[at + 17:at + 33], serial
        self.whole(serial, payload)

    def whole(self, serial, payload):
        self.files[serial] = payload
        self.store[self.heads[serial][0]] = payload

    def take_held(self, serial, m):
        first, n = struct.unpack("<II", m[8:16])
        names, at = self.names.setdefault(serial, {}), 16
        for i in range(n):
            end = at + 2 + struct.unpack("<H", m[at:at + 2])[0] + 1 + 4 + 8 + 32
            names[first + i] = m[at:end]
            at = end
        assert at == len(m), serial

    def block(self, serial, m):
        index, how = struct.unpack("<QB", m[8:17])
        length = min(BLOCK, self.heads[serial][1] - index * BLOCK)
        data, source = m[33:], b""
        self.seen[how] += 1
        if how in (REFERENCE, PREFIX):
            ranges = [struct.unpack("<BQI", data[1 + 13 * i:14 + 13 * i]) for i in range(data[0])]
            data = data[1 + 13 * len(ranges):]
            for file, offset, n in ranges:
                held = self.store.get(self.names[serial][file], b"")
                source += held[offset:offset + n]
            if self.lost or len(source) != sum(r[2] for r in ranges):
                self.lost = max(0, self.lost - 1)
                self.asked += 1
                self.send(WANT, struct.pack("<QQ", serial, index), serial)
                return
        plain = data if how == LITERAL else source if how == REFERENCE else unsqueeze(data, length, source)
        assert len(plain) == length and digest(plain) == m[17:33], (serial, index, how)
        self.open[serial][index] = plain

    def try_end(self, serial, ends):
        blocks = self.open[serial]
        if serial in ends and len(blocks) * BLOCK >= self.heads[serial][1]:
            payload = b"".join(blocks[i] for i in sorted(blocks))
            assert entry_digest(payload) == ends.pop(serial), serial
            del self.open[serial]
            self.whole(serial, payload)

    def run(self, n):
        """Until n entries are here; then they are durable and applied."""
        ends = {}
        while len(self.files) < n:
            kind, serial, m = self.take()
            if kind == ENTRY:
                assert serial == len(self.files) + len(self.open) + 1, serial
                self.entry(serial, m)
            elif kind == HELD:
                self.take_held(serial, m)
            elif kind == BLOCK_:
                self.block(serial, m)
                self.try_end(serial, ends)
            elif kind == END:
                ends[serial] = m[8:]
                self.try_end(serial, ends)
            elif kind == STATUS:
                self.send(PONG, b"\0")
            else:
                assert kind == ASK_KEPT, kind
        self.send(DURABLE, struct.pack("<Q", n), n)
        self.send(APPLIED, struct.pack("<QI", n, 0), n)

    def rest(self):
        """Answers heartbeats until the edge hangs up."""
        try:
            while True:
                if self.take()[0] == STATUS:
                    self.send(PONG, b"\0")
        except EOFError:
            pass
