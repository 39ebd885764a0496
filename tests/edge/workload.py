"""What a writer does to an IoTDB, at random, from a seed: rows in order and out of order,
overwrites, deletions of ranges and of series, new devices and series, flushes.

Each row has a number of its own in its values, so that a wrong one tells where it came
from. An aligned device is written in whole rows: where three files overlap, servers fill
an aligned row's nulls wrongly. No deletion covers a database: those unlink files and leave
no trace (see 24-vanish).
"""
import random

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


def literal(column, n):
    return {"i": n % 2 ** 31, "l": n * 1_000_003, "d": repr(n / 8), "f": repr(n % 4096 / 4),
            "b": "true" if n % 3 == 0 else "false", "t": "'w%d'" % n}[column[0]]


class Workload:
    def __init__(self, seed):
        self.random, self.devices, self.rows_written, self.counts = random.Random(seed), [], 0, {}
        self.waiting = []  # statements of one decision that are not said yet

    def begin(self):
        """With a row that stays at the front of each partition: what is missing before the first row
        that is left may be a TTL's work, and a RESTATE leaves it in the cloud (docs/edge.md)."""
        out = []
        for d in DATABASES:
            out += ["CREATE DATABASE " + d, "CREATE TIMESERIES %s.anchor.l INT64" % d,
                    "INSERT INTO %s.anchor(time, l) VALUES %s" % (d, ", ".join(
                        "(%d, %d)" % (PARTITION * i, i) for i in range(-1, 100)))]
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
        rows = []
        for t in times:
            self.rows_written += 1
            rows.append("(%d, %s)" % (t, ", ".join(str(literal(c, self.rows_written)) for c in columns)))
        return ["INSERT INTO %s(time, %s) %sVALUES %s" % (
            device.name, ", ".join(columns), "ALIGNED " if device.is_aligned else "", ", ".join(rows))]

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
        return ["DELETE FROM %s WHERE time >= %d AND time <= %d" % (path, first, last)] * self.random.choice((1, 1, 1, 2))

    def delete_old(self):
        device = self.random.choice(self.devices)
        return ["DELETE FROM %s.* WHERE time < %d" % (device.name, device.newest - SPAN)]

    def delete_series(self):
        device = self.random.choice(self.devices)
        column = self.random.choice(device.columns)
        if device.is_aligned or self.random.random() < .5 or len(device.columns) < 2:
            return ["DELETE FROM %s.%s" % (device.name, column)]
        again = self.create(device, [column]) if self.random.random() < .5 else []
        if not again:
            device.columns.remove(column)
        return ["DELETE TIMESERIES %s.%s" % (device.name, column)] + again

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
