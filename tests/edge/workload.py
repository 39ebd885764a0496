"""What a writer does to an IoTDB, at random, from a seed: rows in order and out of order,
overwrites, deletions of ranges and of series, new devices and series, flushes.

Each row has a number of its own in its values, so that a wrong one tells where it came
from. An aligned device is written in whole rows: where three files overlap, servers fill
an aligned row's nulls wrongly. No deletion covers a database: those unlink files and leave
no trace (see 24-vanish).

`model` is what the statements mean. Servers forget a deletion now and then when a compaction
runs at that moment; the archive may then keep to what was said.
"""
import random

from archive_reader import matches, nodes

DATABASES = ("root.f1", "root.f2")
COLUMNS = {"i": "INT32", "l": "INT64", "d": "DOUBLE", "f": "FLOAT", "b": "BOOLEAN", "t": "TEXT"}
SPAN = 40_000  # how far behind the newest row is written and deleted
STEP = 250
PARTITION = 100_000
DEVICES_MAX = 16


class Device:
    def __init__(self, name, is_aligned, columns):
        self.name, self.is_aligned, self.columns = name, is_aligned, columns
        self.newest = 0


def value(column, n):
    return {"i": n % 2 ** 31, "l": n * 1_000_003, "d": n / 8, "f": n % 4096 / 4, "b": n % 3 == 0, "t": "w%d" % n}[column[0]]


def literal(v):
    return str(v).lower() if isinstance(v, bool) else repr(v)


class Statement(str):
    """SQL, and what it does to the model."""

    def __new__(cls, sql, rows=(), gone=None):
        self = super().__new__(cls, sql)
        self.rows, self.gone = rows, gone  # [(series, time, value)]; (pattern, first, last)
        return self

    def mean(self, model):
        for series, t, v in self.rows:
            model.setdefault(series, {})[t] = v
        if self.gone:
            pattern, first, last = self.gone
            for series, rows in model.items():
                if matches(nodes(pattern), nodes(series)):
                    for t in [t for t in rows if first <= t <= last]:
                        del rows[t]


EVER = 1 << 62


def deletion(path, first=-EVER, last=EVER):
    words = (["time >= %d" % first] if first > -EVER else []) + (["time <= %d" % last] if last < EVER else [])
    return Statement("DELETE FROM %s%s" % (path, " WHERE " + " AND ".join(words) if words else ""), gone=(path, first, last))


class Workload:
    def __init__(self, seed):
        self.random, self.devices, self.rows_written, self.counts = random.Random(seed), [], 0, {}
        self.model = {}
        self.waiting = []  # statements of one decision that are not said yet

    def begin(self, anchored=True):
        """With a row that stays at the front of each partition, where syncd cannot ask: what is missing
        before the first row that is left may be a TTL's work, and stays in the cloud (docs/edge.md)."""
        out = []
        for d in DATABASES:
            if not anchored:
                out += ["CREATE DATABASE " + d]
                continue
            out += ["CREATE DATABASE " + d, "CREATE TIMESERIES %s.anchor.l INT64" % d,
                    Statement("INSERT INTO %s.anchor(time, l) VALUES %s" % (d, ", ".join(
                        "(%d, %d)" % (PARTITION * i, i) for i in range(-1, 100))),
                        [(d + ".anchor.l", PARTITION * i, i) for i in range(-1, 100)])]
        return out

    def make_device(self):
        database = self.random.choice(DATABASES)
        name = "%s.%sd%d" % (database, self.random.choice(("", "", "deep.")), len(self.devices))
        device = Device(name, self.random.random() < .4, self.random.sample(sorted(COLUMNS), self.random.randrange(2, 6)))
        if self.devices:
            device.newest = max(d.newest for d in self.devices) - self.random.randrange(SPAN)
        self.devices.append(device)
        return self.create(device, device.columns)

    def create(self, device, columns):
        if device.is_aligned:
            return ["CREATE ALIGNED TIMESERIES %s(%s)" % (
                device.name, ", ".join("%s %s" % (c, COLUMNS[c[0]]) for c in columns))]
        return ["CREATE TIMESERIES %s.%s %s" % (device.name, c, COLUMNS[c[0]]) for c in columns]

    def new_series(self):
        device = self.random.choice(self.devices)
        column = "%s%d" % (self.random.choice(sorted(COLUMNS)), len(device.columns))
        if column in device.columns or device.is_aligned:  # rows without it would have nulls
            return []
        device.columns.append(column)
        return self.create(device, [column])

    def insert(self, device, times):
        columns = device.columns
        if not device.is_aligned and self.random.random() < .3:
            columns = self.random.sample(columns, self.random.randrange(1, len(columns) + 1))
        rows, meant = [], []
        for t in times:
            self.rows_written += 1
            values = [value(c, self.rows_written) for c in columns]
            rows.append("(%d, %s)" % (t, ", ".join(map(literal, values))))
            meant += [(device.name + "." + c, t, v) for c, v in zip(columns, values)]
        return [Statement("INSERT INTO %s(time, %s) %sVALUES %s" % (
            device.name, ", ".join(columns), "ALIGNED " if device.is_aligned else "", ", ".join(rows)), meant)]

    def append(self):
        device = self.random.choice(self.devices)
        times = [device.newest + STEP * i for i in range(1, self.random.randrange(2, 40))]
        device.newest = times[-1]
        return self.insert(device, times)

    def back(self):
        """Old times again: overwrites and, at odd times, rows in between."""
        device = self.random.choice(self.devices)
        first = device.newest - self.random.randrange(1, SPAN)
        first -= first % STEP if self.random.random() < .7 else 0
        return self.insert(device, [first + STEP * i for i in range(self.random.randrange(1, 30))
                                    if first + STEP * i <= device.newest] or [device.newest])

    def delete(self):
        device = self.random.choice(self.devices)
        first = device.newest - self.random.randrange(1, SPAN)
        last = first + self.random.randrange(1, 8000)
        path = device.name + "." + self.random.choice(device.columns + ["*", "**"])
        if self.random.random() < .15:
            path = device.name.rsplit(".", 1)[0] + ".d*." + self.random.choice(sorted(COLUMNS))
        return [deletion(path, first, last)] * self.random.choice((1, 1, 1, 2))

    def delete_old(self):
        device = self.random.choice(self.devices)
        return [deletion(device.name + ".*", last=device.newest - SPAN - 1)]

    def delete_series(self):
        device = self.random.choice(self.devices)
        column = self.random.choice(device.columns)
        if device.is_aligned or self.random.random() < .5 or len(device.columns) < 2:
            return [deletion("%s.%s" % (device.name, column))]
        again = self.create(device, [column]) if self.random.random() < .5 else []
        if not again:
            device.columns.remove(column)
        path = "%s.%s" % (device.name, column)
        return [Statement("DELETE TIMESERIES " + path, gone=(path, -EVER, EVER))] + again

    def flush(self):
        return [self.random.choice(("FLUSH", "FLUSH " + self.random.choice(DATABASES)))]

    def decide(self):
        if len(self.devices) < 3:
            return "make_device"
        names = ("append", "back", "flush", "delete", "delete_old", "delete_series", "new_series", "make_device")
        weights = [40, 26, 18, 9, 1, 1, 1, 1 if len(self.devices) < DEVICES_MAX else 0]
        return self.random.choices(names, weights)[0]

    def next(self):
        while not self.waiting:
            what = self.decide()
            self.waiting = getattr(self, what)()
            self.counts[what] = self.counts.get(what, 0) + 1
        return self.waiting.pop(0)

    def series(self):
        return [d.name + "." + c for d in self.devices for c in d.columns]
