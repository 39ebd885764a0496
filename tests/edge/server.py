"""A client of IoTDB's RPC (framed binary Thrift), as much as tests ask: statements, rows.

    s = Server(port); s.run("FLUSH"); s.rows("SELECT a FROM root.x") -> [(time, a), ...]

A refusal is a Refused, a lost connection an OSError. Rows keep their types: bool, int,
float, str, bytes, None.
"""
import socket
import struct

BOOL, I32, I64, STRING, STRUCT, MAP, LIST = 2, 8, 10, 11, 12, 13, 15
GOOD = (200, 400)
NUMBERS = {BOOL: ">?", 3: ">b", 4: ">d", 6: ">h", I32: ">i", I64: ">q"}


class Refused(Exception):
    """The server's own sentence."""


def pack(kind, value):
    if kind in NUMBERS:
        return struct.pack(NUMBERS[kind], value)
    if kind == STRING:
        raw = value.encode() if isinstance(value, str) else value
        return struct.pack(">i", len(raw)) + raw
    if kind == MAP:
        return struct.pack(">bbi", STRING, STRING, len(value)) + b"".join(
            pack(STRING, k) + pack(STRING, v) for k, v in value.items())
    return b"".join(struct.pack(">bh", k, i) + pack(k, v) for i, k, v in value) + b"\0"


class Reply:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, fmt):
        value = struct.unpack_from(fmt, self.data, self.at)[0]
        self.at += struct.calcsize(fmt)
        return value

    def value(self, kind):
        if kind in NUMBERS:
            return self.number(NUMBERS[kind])
        if kind == STRING:
            n = self.number(">i")
            self.at += n
            return self.data[self.at - n:self.at]
        if kind == MAP:
            k, v, n = self.number(">b"), self.number(">b"), self.number(">i")
            return {self.value(k): self.value(v) for _ in range(n)}
        if kind in (LIST, 14):
            k, n = self.number(">b"), self.number(">i")
            return [self.value(k) for _ in range(n)]
        out = {}
        while True:
            k = self.number(">b")
            if k == 0:
                return out
            i = self.number(">h")
            out[i] = self.value(k)


def column(raw, bits, n, kind):
    out, at = [], 0
    fmt = {"BOOLEAN": ">?", "INT32": ">i", "DATE": ">i", "FLOAT": ">f", "DOUBLE": ">d"}.get(kind, ">q")
    for row in range(n):
        if not bits[row // 8] >> (7 - row % 8) & 1:
            out.append(None)
        elif kind in ("TEXT", "STRING", "BLOB"):
            size = struct.unpack_from(">i", raw, at)[0]
            text = raw[at + 4:at + 4 + size]
            out.append(text if kind == "BLOB" else text.decode())
            at += 4 + size
        else:
            out.append(struct.unpack_from(fmt, raw, at)[0])
            at += struct.calcsize(fmt)
    return out


class Server:
    def __init__(self, port, timeout=120):
        try:
            self.log_in(port, timeout, "V_1_0")
        except Refused:  # 1.0 knows no V_1_0
            self.log_in(port, timeout, "V_0_13")

    def log_in(self, port, timeout, version):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.stream = self.socket.makefile("rb")
        reply = self.call("openSession", [(1, STRUCT, [
            (1, I32, 2), (2, STRING, "UTC"), (3, STRING, "root"), (4, STRING, "root"),
            (5, MAP, {"version": version})])])
        self.good(reply[1])
        self.session = reply[3]
        self.statement = self.call("requestStatementId", [(1, I64, self.session)])

    def close(self):
        self.stream.close()
        self.socket.close()

    def call(self, name, arguments):
        body = struct.pack(">I", 0x80010001) + pack(STRING, name) + pack(I32, 1) + pack(STRUCT, arguments)
        self.socket.sendall(struct.pack(">i", len(body)) + body)
        head = self.stream.read(4)
        if len(head) < 4:
            raise ConnectionResetError("the server closed the connection")
        reply = Reply(self.stream.read(struct.unpack(">i", head)[0]))
        kind = reply.number(">I") & 255
        reply.value(STRING)
        reply.number(">i")
        result = reply.value(STRUCT)
        if kind == 3 or 0 not in result:
            raise Refused("%s: %r" % (name, result))
        return result[0]

    @staticmethod
    def good(status):
        if status[1] not in GOOD:
            raise Refused("%d: %s %s" % (status[1], status.get(2, b"").decode(), "; ".join(
                s.get(2, b"").decode() for s in status.get(3, []) if s[1] not in GOOD)))

    def execute(self, sql):
        reply = self.call("executeStatement", [(1, STRUCT, [
            (1, I64, self.session), (2, STRING, sql), (3, I64, self.statement), (4, I32, 10000), (5, I64, 600000)])])
        self.good(reply[1])
        return reply

    def run(self, sql):
        self.execute(sql)

    def rows(self, sql):
        """Tuples; the time first, where there is one."""
        reply = self.execute(sql)
        out, data = [], reply.get(7)
        while data and data[1]:
            out += self.page(reply, data)
            more = self.call("fetchResults", [(1, STRUCT, [
                (1, I64, self.session), (2, STRING, sql), (3, I32, 10000), (4, I64, reply[2]),
                (5, BOOL, True), (6, I64, 600000)])])
            self.good(more[1])
            data = more.get(4) if more[2] else None
        return out

    @staticmethod
    def page(reply, data):
        times = [t[0] for t in struct.iter_unpack(">q", data[1])]
        index, columns = reply.get(9), []
        for i, (name, kind) in enumerate(zip(reply[3], reply[6])):
            at = index[name] if index else i
            columns.append(column(data[2][at], data[3][at], len(times), kind.decode()))
        return list(zip(*columns)) if reply.get(5) else list(zip(times, *columns))
