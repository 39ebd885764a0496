#!/usr/bin/env python3
"""An IoTDB of paper: speaks the client RPC (framed TBinaryProtocol) and answers by script.

	fake_server.py --script FILE [--port N] [--port-file FILE] [--log FILE]

Port 0 (the default) takes a free one; the port is written to --port-file once the server
listens. --log gets a line for each thing said to it: "login USER PASSWORD", the statement
word for word and "refused CODE" behind one that was, "pipe VERSION TYPE LENGTH", "close".

The script is read again for every request, so a test rewrites it (mv, not >) while the
server runs. A JSON object a line; lines that begin with # are none. A line without "match"
sets what the server is:

	{"version": "1.3.3", "precision": "ms"}
	{"user": "root", "password": "secret"}		anybody else: 801
	{"read_only": true}				so getProperties says
	{"mute": "openSession"}				that call is never answered
	{"unknown": ["pipeTransfer"]}			calls that this server does not have
	{"drop": "getProperties"}			closes instead of answering that call

A line with "match", a regular expression for the whole statement, answers it; the first
that fits counts, and what nothing fits is answered with 200 and no rows:

	{"match": "SHOW VERSION", "columns": ["Version"], "rows": [["1.3.3"]]}
	{"match": "FLUSH", "code": 803, "text": "No permissions"}
	{"match": "SELECT .*", "columns": ["a"], "types": ["INT64"], "times": [1, 2],
	 "rows": [[5], [null]]}
	{"match": "SHOW TIMESERIES .*", "columns": [...], "rows_file": "rows.jsonl", "piece": 500}

types: TEXT where not given; INT32, INT64, FLOAT, DOUBLE, BOOLEAN. times: makes a time column.
piece: so many rows in the answer and in each fetchResults (default 1000). retry: needRetry of
the status. hang: true, answered never; drop: true, the connection is closed instead;
take: patterns of names in the directory that the statement
names in quotes, which go as if they had been loaded; wait: seconds before the answer; once: true, this line counts for the first fit only.
rows_file: a JSON array a line, beside the script.

{"match_pipe": 4, "code": ...}: the answer to pipeTransfer of that type.
pipeTransfer without a line for it: 200. The bodies are appended to --pipe-dir/TYPE as they
come. In Python: Server(script, ...) with .port, .start(), .stop(); subclass and override
on_call(session, name, args) for more.
"""
import argparse
import glob
import json
import os
import re
import socket
import struct
import sys
import threading

STOP, BOOL, BYTE, DOUBLE, I16, I32, I64, STRING, STRUCT, MAP, SET, LIST = (
    0, 2, 3, 4, 6, 8, 10, 11, 12, 13, 14, 15)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if n < 0 or self.at + n > len(self.data):
            raise ValueError("a message that ends too early")
        self.at += n
        return self.data[self.at - n:self.at]

    def num(self, form):
        return struct.unpack(">" + form, self.take(struct.calcsize(form)))[0]

    def value(self, kind):
        if kind == STRUCT:
            return self.struct()
        if kind in (SET, LIST):
            of, n = self.num("b"), self.num("i")
            return [self.value(of) for _ in range(n)]
        if kind == MAP:
            of, to, n = self.num("b"), self.num("b"), self.num("i")
            return {self.value(of): self.value(to) for _ in range(n)}
        if kind == STRING:
            return self.take(self.num("i"))
        return self.num({BOOL: "?", BYTE: "b", DOUBLE: "d", I16: "h", I32: "i", I64: "q"}[kind])

    def struct(self):
        """{field id: value}"""
        out = {}
        while True:
            kind = self.num("b")
            if kind == STOP:
                return out
            field = self.num("h")
            out[field] = self.value(kind)


def raw(b):
    b = b.encode() if isinstance(b, str) else bytes(b)
    return struct.pack(">i", len(b)) + b


def fields(*parts):
    """A struct: (kind, id, encoded) each, None is left out."""
    out = b"".join(struct.pack(">bh", kind, field) + body for kind, field, body in (p for p in parts if p))
    return out + b"\0"


def f_i32(field, v):
    return (I32, field, struct.pack(">i", v))


def f_i64(field, v):
    return (I64, field, struct.pack(">q", v))


def f_bool(field, v):
    return (BOOL, field, struct.pack(">?", v))


def f_text(field, v):
    return (STRING, field, raw(v))


def f_struct(field, v):
    return (STRUCT, field, v)


def f_list(field, kind, items):
    return (LIST, field, struct.pack(">bi", kind, len(items)) + b"".join(items))


def status(code=200, text="", retry=None):
    return fields(f_i32(1, code), f_text(2, text) if text else None,
                  f_bool(5, retry) if retry is not None else None)


PACK = {"INT32": "i", "INT64": "q", "FLOAT": "f", "DOUBLE": "d", "BOOLEAN": "?",
        "TIMESTAMP": "q", "DATE": "i"}


def data_set(rows, times, types):
    """TSQueryDataSet: values that are not null, and a bit per row."""
    n = len(rows)
    values, bits = [], []
    for c, kind in enumerate(types):
        body, mark = b"", bytearray((n + 7) // 8)
        for i, row in enumerate(rows):
            if row[c] is None:
                continue
            mark[i // 8] |= 0x80 >> i % 8
            body += struct.pack(">" + PACK[kind], row[c]) if kind in PACK else raw(str(row[c]))
        values.append(raw(body))
        bits.append(raw(mark))
    time_of = b"".join(struct.pack(">q", times[i] if times else 0) for i in range(n))
    return fields((STRING, 1, raw(time_of)), f_list(2, STRING, values), f_list(3, STRING, bits))


class Unanswered(Exception):
    """drop: the connection is closed."""


class Session:
    def __init__(self):
        self.is_open = False
        self.queries = {}  # id: rows, times, types, piece
        self.n_queries = 0


class Server:
    def __init__(self, script, port=0, log=None, pipe_dir=None):
        self.script, self.log_path, self.pipe_dir = script, log, pipe_dir
        self.parsed = None, []  # which script, its lines
        self.spent = set()
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]

    # ---- the script ----

    def lines(self):
        with open(self.script, encoding="utf-8") as f:
            stat = os.fstat(f.fileno())
            which = stat.st_ino, stat.st_mtime_ns, stat.st_size
            if self.parsed[0] != which:
                self.parsed = which, [json.loads(s) for s in f if s.strip() and not s.startswith("#")]
        return self.parsed[1]

    def setting(self, key, default=None):
        for line in self.lines():
            if key in line and "match" not in line and "match_pipe" not in line:
                default = line[key]
        return default

    def find(self, statement):
        with self.lock:
            for line in self.lines():
                if "match" not in line:
                    continue
                text = json.dumps(line) if "once" in line else ""
                if text in self.spent:
                    continue
                if re.fullmatch(line["match"], statement, re.S | re.I):
                    if line.get("once"):
                        self.spent.add(text)
                    return line
        return {}

    def note(self, text):
        if self.log_path:
            with self.lock, open(self.log_path, "a", encoding="utf-8") as f:
                f.write(text.replace("\n", "\\n") + "\n")

    # ---- calls: each returns the encoded answer ----

    def on_call(self, session, name, args):
        if name in (self.setting("unknown") or []):
            return None
        for word in ("mute", "drop"):
            if self.setting(word) == name:
                self.pause({"hang": word == "mute", "drop": True})
        handler = getattr(self, "do_" + name, None)
        return handler(session, args) if handler else None

    def pause(self, line):
        if line.get("wait"):
            self.ended.wait(line["wait"])
        if line.get("hang"):
            self.ended.wait()
        if line.get("hang") or line.get("drop"):
            raise Unanswered

    def do_getProperties(self, session, args):
        return fields(f_text(1, self.setting("version", "1.3.3")), f_list(2, STRING, []),
                      f_text(3, self.setting("precision", "ms")), f_bool(6, bool(self.setting("read_only"))))

    def do_openSession(self, session, args):
        req = args[1]
        user, password = req.get(3, b"").decode(), req.get(4, b"").decode()
        self.note("login %s %s" % (user, password))
        known = self.setting("password")
        session.is_open = known is None or (user, password) == (self.setting("user", "root"), known)
        answer = status() if session.is_open else status(801, "Authentication failed.")
        return fields(f_struct(1, answer), f_i32(2, 2), f_i64(3, 1))

    def do_closeSession(self, session, args):
        self.note("close")
        return status()

    def do_requestStatementId(self, session, args):
        return struct.pack(">q", 1)

    def do_executeStatement(self, session, args):
        statement = args[1].get(2, b"").decode()
        if not session.is_open:
            return fields(f_struct(1, status(802, "Log in failed. Either you are not authorized "
                                                  "or the session has timed out.")))
        self.note(statement)
        line = self.find(statement)
        self.take(statement, line.get("take", ()))
        self.pause(line)
        code = line.get("code", 200)
        if code != 200:
            self.note("refused %d" % code)
        if code != 200 or "columns" not in line:
            return fields(f_struct(1, status(code, line.get("text", ""), line.get("retry"))))
        return self.begin_query(session, line)

    def take(self, statement, patterns):
        """As LOAD with on-success=delete takes files of a directory away."""
        for pattern in patterns:
            for path in glob.glob(os.path.join(re.search("'(.*?)'", statement)[1], pattern)):
                os.unlink(path)
                self.note("took %s" % os.path.basename(path))

    do_executeQueryStatement = do_executeUpdateStatement = do_executeStatement

    def begin_query(self, session, line):
        rows = line.get("rows", [])
        if "rows_file" in line:
            path = os.path.join(os.path.dirname(os.path.abspath(self.script)), line["rows_file"])
            with open(path, encoding="utf-8") as f:
                rows = [json.loads(s) for s in f if s.strip()]
        columns = line["columns"]
        types = line.get("types") or ["TEXT"] * len(columns)
        session.n_queries += 1
        session.queries[session.n_queries] = [rows, line.get("times"), types, line.get("piece", 1000)]
        body, more = self.next_piece(session, session.n_queries)
        return fields(f_struct(1, status()), f_i64(2, session.n_queries),
                      f_list(3, STRING, [raw(c) for c in columns]),
                      f_bool(5, "times" not in line),
                      f_list(6, STRING, [raw(t) for t in types]),
                      f_struct(7, body), f_bool(14, more))

    def next_piece(self, session, query):
        rows, times, types, piece = session.queries[query]
        session.queries[query][0] = rows[piece:]
        session.queries[query][1] = times[piece:] if times else None
        return data_set(rows[:piece], times[:piece] if times else None, types), len(rows) > piece

    def do_fetchResults(self, session, args):
        query = args[1].get(4, 0)
        # moreData is the wrong way round here, as in 1.3.3.
        if query not in session.queries:
            return fields(f_struct(1, status()), f_bool(2, False), f_bool(3, True), f_bool(7, True))
        body, more = self.next_piece(session, query)
        if not more:
            del session.queries[query]
        return fields(f_struct(1, status()), f_bool(2, True), f_bool(3, True), f_struct(4, body),
                      f_bool(7, not more))

    def do_closeOperation(self, session, args):
        session.queries.pop(args[1].get(2, 0), None)
        return status()

    def do_pipeTransfer(self, session, args):
        req = args.get(-1) or args.get(1) or {}
        kind, body = req.get(2, 0), req.get(3, b"")
        self.note("pipe %d %d %d" % (req.get(1, 0), kind, len(body)))
        if self.pipe_dir:
            with open(os.path.join(self.pipe_dir, str(kind)), "ab") as f:
                f.write(body)
        for line in self.lines():
            if line.get("match_pipe") == kind:
                self.pause(line)
                return fields(f_struct(1, status(line.get("code", 200), line.get("text", ""),
                                                 line.get("retry"))))
        return fields(f_struct(1, status()))

    # ---- connections ----

    def answer(self, session, message):
        r = Reader(message)
        r.num("i")  # version and type
        name, number = r.take(r.num("i")).decode(), r.num("i")
        body = self.on_call(session, name, r.struct())
        if body is None:  # TApplicationException: unknown method
            head = 0x80010003
            body = fields(f_text(1, "Invalid method name: '%s'" % name), f_i32(2, 1))
        else:
            head = 0x80010002
            if name == "requestStatementId":
                body = fields((I64, 0, body))
            else:
                body = fields((STRUCT, 0, body))
        return struct.pack(">I", head) + raw(name) + struct.pack(">i", number) + body

    def receive(self, conn, n):
        out = b""
        while len(out) < n:
            more = conn.recv(n - len(out))
            if not more:
                raise EOFError
            out += more
        return out

    def serve(self, conn):
        session = Session()
        with conn:
            try:
                while not self.ended.is_set():
                    n, = struct.unpack(">i", self.receive(conn, 4))
                    out = self.answer(session, self.receive(conn, n))
                    conn.sendall(struct.pack(">i", len(out)) + out)
            except (EOFError, Unanswered, OSError):
                pass

    def run(self):
        while not self.ended.is_set():
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def start(self):
        threading.Thread(target=self.run, daemon=True).start()
        return self

    def stop(self):
        self.ended.set()
        self.listener.close()


def main():
    ap = argparse.ArgumentParser(description="an IoTDB that answers by script; see the top of this file")
    ap.add_argument("--script", required=True)
    ap.add_argument("--port", type=int, default=0)
    ap.add_argument("--port-file")
    ap.add_argument("--log")
    ap.add_argument("--pipe-dir")
    a = ap.parse_args()
    server = Server(a.script, a.port, a.log, a.pipe_dir)
    server.lines()  # a script that is none is said now
    if a.port_file:
        with open(a.port_file + ".new", "w", encoding="ascii") as f:
            f.write("%d\n" % server.port)
        os.rename(a.port_file + ".new", a.port_file)
    server.run()


if __name__ == "__main__":
    sys.exit(main())
