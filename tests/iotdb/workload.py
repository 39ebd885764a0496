"""A random workload for an IoTDB as statements, and a model of what must be seen afterwards.

The model knows two truths: `edge`, what the server at the edge answers, and `cloud`, what the
server in the cloud has to answer once everything is applied; they differ by a start time and by
deletions that do not travel. Values are those that the client prints.
"""

import collections
import random

DAY = 86400000
BASE = 1704067200000  # 2024-01-01T00:00:00Z
OLD = ("BOOLEAN", "INT32", "INT64", "FLOAT", "DOUBLE", "TEXT")
TYPES = OLD + ("STRING", "BLOB", "DATE", "TIMESTAMP")
ENCODINGS = {"BOOLEAN": ("PLAIN", "RLE"), "INT32": ("TS_2DIFF", "RLE", "GORILLA", "PLAIN"),
             "INT64": ("TS_2DIFF", "GORILLA"), "FLOAT": ("GORILLA", "PLAIN"), "DOUBLE": ("GORILLA", "PLAIN"),
             "TEXT": ("PLAIN", "DICTIONARY")}
Device = collections.namedtuple("Device", "path aligned columns")


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def make_value(rnd, kind):
    """(as a literal, as the client prints it)."""
    n = rnd.randrange(-1000, 1000)
    if kind == "BOOLEAN":
        return ("true", "True") if n & 1 else ("false", "False")
    if kind == "INT32":
        n = n if rnd.random() < 0.9 else rnd.randrange(-2**31, 2**31)
    elif kind in ("INT64", "TIMESTAMP"):
        n = n if rnd.random() < 0.9 else rnd.randrange(-2**62, 2**62)
    elif kind == "DATE":
        d = f"20{rnd.randrange(10, 40)}-{rnd.randrange(1, 13):02d}-{rnd.randrange(1, 29):02d}"
        return quoted(d), d.replace("-", "")
    elif kind in ("FLOAT", "DOUBLE"):
        return str(n / 8), str(n / 8)
    elif kind == "BLOB":
        raw = rnd.randbytes(rnd.randrange(12)).hex()
        return f"X'{raw}'", "0x" + raw
    elif kind in ("TEXT", "STRING"):
        s = rnd.choice(("on", "größe", "日本", "it's", 'a "b"', "x" * 40, "1,2;3")) + str(n)
        return quoted(s), s
    return str(n), str(n)


def nodes(path):
    """Names of a path; a name in back quotes is one, whatever it holds."""
    out, at = [], 0
    while at < len(path):
        end = path.index("`", at + 1) + 1 if path[at] == "`" else path.find(".", at)
        end = len(path) if end < 0 else end
        out.append(path[at:end])
        at = end + 1
    return out


def matches(pattern, path):
    """Whether a series is meant by a pattern with * and **."""
    def go(p, s):
        if not p or not s:
            return not p and not s
        if p[0] == "**":
            return any(go(p[1:], s[i:]) for i in range(1, len(s) + 1))
        return p[0] in ("*", s[0]) and go(p[1:], s[1:])
    return go(nodes(pattern), nodes(path))


class Workload:
    """Databases below `prefix`; `devices` is what stands below each of them."""

    def __init__(self, seed, prefix, types=TYPES, deletions=True, start=None, shared=None, earliest=-DAY):
        self.rnd = random.Random(seed)
        self.prefix, self.types, self.deletions, self.start = prefix, types, deletions, start
        self.earliest = earliest
        self.shared = shared  # a name of devices in databases of several edges
        self.devices, self.n_databases = [], 0
        self.edge = collections.defaultdict(dict)
        self.cloud = collections.defaultdict(dict)
        self.open = collections.defaultdict(dict)  # not sealed yet
        self.clock = BASE
        self.counts = collections.Counter()

    # ---- schema ----

    def new_database(self, name=None):
        """Statements that make one, with devices of every kind."""
        rnd, out = self.rnd, []
        name = name or f"{self.prefix}{self.n_databases}"
        self.n_databases += 1
        own = f"{self.shared}_" if self.shared else ""
        out.append(f"CREATE DATABASE {name}")
        for i, tail in enumerate(("d0", "d0.sub.x", "d1", "hall.`x-1`", "hall.y.z", "日本")):
            tail = tail if not own else own + tail
            kinds = list(self.types) if i < 2 else rnd.sample(self.types, 3)
            columns = [(f"s{k}" if k != 1 else "`s.1`", kind) for k, kind in enumerate(kinds)]
            device = Device(f"{name}.{tail}", bool(i % 2), columns)
            self.devices.append(device)
            out += self.make_device(device)
        return out

    def make_device(self, device):
        def how(kind):
            return f"{kind} ENCODING={self.rnd.choice(ENCODINGS.get(kind, ('PLAIN',)))}"
        if device.aligned:
            return [f"CREATE ALIGNED TIMESERIES {device.path}(" + ", ".join(f"{c} {how(k)}" for c, k in device.columns) + ")"]
        return [f"CREATE TIMESERIES {device.path}.{c} {how(k)}" for c, k in device.columns]

    # ---- rows ----

    def insert(self, device, times):
        """Rows of some columns, each with its own values; some cells are missing."""
        rnd = self.rnd
        columns = [c for c in device.columns if rnd.random() < 0.7] or device.columns[:1]
        rows = []
        for t in times:
            cells = []
            for name, kind in columns:
                if len(columns) > 1 and rnd.random() < 0.08:
                    cells.append("null")
                    continue
                literal, shown = make_value(rnd, kind)
                cells.append(literal)
                self.edge[f"{device.path}.{name}"][t] = shown
                self.open[f"{device.path}.{name}"][t] = shown
                self.counts["cells"] += 1
            if any(c != "null" for c in cells):
                rows.append(f"({t}, {', '.join(cells)})")
        if not rows:
            return []
        names = ", ".join(name for name, _ in columns)
        return [f"INSERT INTO {device.path}(time, {names}) {'ALIGNED ' if device.aligned else ''}VALUES {', '.join(rows)}"]

    def times(self):
        """New ones, late ones, and those of earlier rows."""
        rnd, n = self.rnd, self.rnd.randrange(1, 40)
        kind = rnd.random()
        if kind < 0.5:
            self.clock += rnd.choice((1000, 60000, DAY // 4))
            return [self.clock + 1000 * i for i in range(n)]
        if kind < 0.6:
            return [rnd.randrange(self.earliest, DAY) for _ in range(3)]
        first = rnd.randrange(BASE, self.clock + 2)
        return [first - first % 1000 + 1000 * i for i in range(n)]

    def flush(self):
        for path, rows in self.open.items():
            for t, v in rows.items():
                if self.start is None or t >= self.start:
                    self.cloud[path][t] = v
        self.open.clear()
        self.counts["flushes"] += 1
        return ["FLUSH"]

    # ---- deletions ----

    def delete(self):
        """A range of a series, of a device, of one column everywhere; or a series as a whole."""
        rnd = self.rnd
        device = rnd.choice(self.devices)
        name, _ = rnd.choice(device.columns)
        database = ".".join(nodes(device.path)[:2])
        kind = rnd.random()
        pattern = f"{device.path}.{name}"
        if kind < 0.25:
            pattern = f"{device.path}.*"
        elif kind < 0.4:
            pattern = f"{database}.**.{name}"
        elif kind < 0.5 and not self.shared:
            pattern = f"{database}.hall.**"
        elif kind < 0.6 and not device.aligned:
            self.forget(pattern, None, None)
            self.counts["series_dropped"] += 1
            kind = dict(device.columns)[name]
            return [f"DELETE TIMESERIES {pattern}", f"CREATE TIMESERIES {pattern} {kind}"]
        first = rnd.randrange(BASE, self.clock + 2)
        last = first + rnd.choice((0, 5000, 200000, DAY))
        self.forget(pattern, first, last)
        self.counts["deletions"] += 1
        return [f"DELETE FROM {pattern} WHERE time >= {first} AND time <= {last}"]

    def forget(self, pattern, first, last):
        for truth in (self.edge, self.open) + ((self.cloud,) if self.deletions else ()):
            for path, rows in truth.items():
                if matches(pattern, path):
                    for t in [t for t in rows if first is None or first <= t <= last]:
                        del rows[t]

    # ---- a round ----

    def round(self, drain):
        """Lists of statements; between two of them `drain` has to be called when deletions do not
        travel, so that it is known what was captured before them."""
        rnd = self.rnd
        yield self.new_database() if not self.n_databases or rnd.random() < 0.3 else []
        for _ in range(rnd.randrange(4, 9)):
            out = []
            for _ in range(rnd.randrange(1, 6)):
                if rnd.random() < 0.25:
                    if not self.deletions:
                        yield out
                        out = []
                        drain()
                    out += self.delete()
                else:
                    out += self.insert(rnd.choice(self.devices), self.times())
            yield out + self.flush()

    def series(self):
        return [(d.path, c) for d in self.devices for c, _ in d.columns]
