#!/usr/bin/env python3
"""What an archive says: all rows of every series.

An independent reader: it shares nothing with the C code. Of two files that have a row,
the one that was applied later wins, whatever their names; the order is in the journal
of jobs that tests/edge/loader keeps. Deletion files (text and binary) beside a file
take rows out of that file only.

    archive_reader.py ARCHIVE JOBS                  every series and how many rows it has
    archive_reader.py ARCHIVE JOBS SERIES           its rows
    archive_reader.py ARCHIVE JOBS SERIES TIME      which files have that row, and why not
    archive_reader.py ARCHIVE JOBS --is RESULTS     compares with a server's own answers:
                                                    DEVICE.csv.xz, or one transcript

$SENDER: of one sender only.
"""
import collections
import csv
import lzma
import os
import re
import struct
import sys
import time

sys.dont_write_bytecode = True
import tsfile

Deletion = collections.namedtuple("Deletion", "pattern offset first last")


# ---- jobs ----

def job_fields(line):
    plain = {"\\t": "\t", "\\n": "\n", "\\\\": "\\"}
    out = {}
    for field in line.rstrip("\n").split("\t"):
        key, _, value = field.partition("=")
        out[key] = re.sub(r"\\[tn\\]", lambda m: plain[m.group()], value)
    return out


def order_of_jobs(path):
    """{file below the archive: when it was applied last}"""
    order = {}
    with open(path, encoding="utf-8") as lines:
        for n, line in enumerate(lines):
            job = job_fields(line)
            if job.get("kind") == "FILE" and line.endswith("\n"):  # else it is being written
                order["/".join(job[k] for k in (
                    "sender", "database", "space", "region", "partition", "name")) + ".tsfile"] = n
    return order


# ---- deletions ----

def nodes(path):
    return re.findall(r"`(?:[^`]|``)*`|[^.]+", path)


def bare(node):
    return node[1:-1].replace("``", "`") if node.startswith("`") else node


def node_matches(pattern, node):
    if pattern.startswith("`"):
        return bare(pattern) == bare(node)
    if "*" in pattern:
        return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), bare(node)) is not None
    return pattern == bare(node)


def matches(pattern, path):
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(matches(pattern[1:], path[i:]) for i in range(1, len(path) + 1))
    return bool(path) and node_matches(pattern[0], path[0]) and matches(pattern[1:], path[1:])


def text_deletions(data):
    out = []
    for line in data.decode("utf-8").split("\n")[:-1]:
        if line.strip() == "aborted":
            del out[-1:]
            continue
        what, rest = line.split(",", 1)
        path, offset, first, last = rest.rsplit(",", 3)
        if what != "DELETION":
            raise tsfile.Unreadable("a deletion record: " + line)
        out.append(Deletion(nodes(path), int(offset), int(first), int(last)))
    return out


def binary_deletions(data):
    out, src = [], tsfile.Bytes(data)
    while src.left():
        if src.u8() != 1:
            raise tsfile.Unreadable("a deletion record about a table")
        first, last = src.i64(), src.i64()
        out.append(Deletion(nodes(src.text()), None, first, last))
    return out


def deletions_of(path):
    for suffix, read in ((".mods", text_deletions), (".mods2", binary_deletions)):
        if os.path.exists(path + suffix):
            with open(path + suffix, "rb") as f:
                return read(f.read())
    return []


# ---- the archive ----

class Archive:
    """Asked again and again while it grows: what was decoded is kept."""

    def __init__(self, root, jobs):
        self.root, self.jobs, self.decoded = root, jobs, {}

    def files(self):
        """Paths, the first applied first. What came just now may be there before its job is in the journal."""
        for attempts_left in range(50, -1, -1):
            found = self.found()
            order = order_of_jobs(self.jobs)
            unknown = [f for f in found if f not in order]
            if not unknown:
                return sorted(found, key=order.get)
            if attempts_left:
                time.sleep(.02)
        raise tsfile.Unreadable("never applied: %s" % unknown[0])

    def found(self):
        found = []
        for top, dirs, names in os.walk(self.root):
            dirs[:] = [d for d in dirs if not d.startswith(".")]
            found += [os.path.relpath(os.path.join(top, n), self.root)
                      for n in names if n.endswith(".tsfile")]
        return found

    def chunks(self, name):
        path = os.path.join(self.root, name)
        stat = os.stat(path)
        key = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if self.decoded.get(name, (None,))[0] != key:
            with open(path, "rb") as f:
                self.decoded[name] = key, list(tsfile.chunks(f.read()))
        return self.decoded[name][1]

    def judged(self, name):
        """(series, chunk, [deletions that are about it])"""
        deletions = deletions_of(os.path.join(self.root, name))
        about = {}
        for chunk in self.chunks(name):
            series = chunk.device + "." + chunk.name
            if series not in about:
                path = nodes(chunk.device) + [chunk.name]
                about[series] = [d for d in deletions if matches(d.pattern, path)]
            yield series, chunk, [d for d in about[series]
                                  if d.offset is None or chunk.offset < d.offset]

    def rows(self, sender=None):
        """{series: {time: value}}; of one sender, if named."""
        out = {}
        for name in self.files():
            if sender and not name.startswith(sender + "/"):
                continue
            for series, chunk, deletions in self.judged(name):
                points = chunk.points
                for d in deletions:
                    points = [p for p in points if not d.first <= p[0] <= d.last]
                if points:
                    out.setdefault(series, {}).update(points)
        return out

    def history(self, series, time):
        """Of one row: every file that has it, in the order of applying, with what took it out."""
        for name in self.files():
            for of, chunk, deletions in self.judged(name):
                if of != series:
                    continue
                for t, value in chunk.points:
                    if t == time:
                        yield name, value, [d for d in deletions if d.first <= t <= d.last]


# ---- a data directory ----

def rows_of_sealed(path, series):
    """Of one file, with what its deletion file takes out: (series, time, value)."""
    deletions = deletions_of(path)
    with open(path, "rb") as f:
        chunks = [c for c in tsfile.chunks(f.read()) if c.device + "." + c.name in series]
    for chunk in chunks:
        name = chunk.device + "." + chunk.name
        about = [d for d in deletions if matches(d.pattern, nodes(chunk.device) + [chunk.name]) and
                 (d.offset is None or chunk.offset < d.offset)]
        for t, value in chunk.points:
            if not any(d.first <= t <= d.last for d in about):
                yield name, t, value


def rows_in_files(data, series):
    """{(series, time, value)}: what stands, not deleted, in sealed files of an IoTDB's data directories
    whoever wins. Raises FileNotFoundError when a compaction takes a file away meanwhile."""
    out = set()
    for top, dirs, names in os.walk(data):
        dirs[:] = [d for d in dirs if not d.startswith(".")]
        for name in names:
            if name.endswith(".tsfile") and name + ".resource" in names:
                out.update(rows_of_sealed(os.path.join(top, name), series))
    return out


# ---- a server's own answers ----

def shortest(value):
    """A FLOAT as the answers in DEVICE.csv have it."""
    for places in range(1, 10):
        text = "%.*g" % (places, value)
        if struct.pack(">f", float(text)) == struct.pack(">f", value):
            return text
    return repr(value)


def alike(value, text):
    if isinstance(value, bool):
        return text == ("true" if value else "false")
    if isinstance(value, float):
        return text in (shortest(value), repr(value)) if text else False
    if isinstance(value, bytes):
        return text == "0x" + value.hex()
    return text == str(value)


def csv_answers(folder):
    """DEVICE.csv.xz: an empty cell is null, "" is an empty text."""
    for name in sorted(os.listdir(folder)):
        with lzma.open(os.path.join(folder, name), "rt", encoding="utf-8", newline="") as f:
            rows = list(csv.reader(f))
        device = name[:-len(".csv.xz")]
        for i, column in enumerate(rows[0][1:], 1):
            yield bare_path(device) + "." + column.lstrip("."), {
                int(r[0]): "" if r[i] == '""' else r[i] for r in rows[1:] if r[i] != ""}


def transcript_answers(path):
    """One text: `> select * from DEVICE`, a line of columns, a line a row."""
    text = lzma.open(path, "rt", encoding="utf-8").read()
    for part in re.split(r"^> ", text, flags=re.M):
        if not part.startswith("select * from "):
            continue
        lines = part.split("\n")
        names = [c.rsplit("(", 1)[0] for c in lines[2][len("columns: "):].split(" | ")]
        rows = [r[5:].split(" | ") for r in lines[3:] if r.startswith("row: ")]
        for i, name in enumerate(names[1:], 1):
            yield bare_path(name), {int(r[0]): r[i] for r in rows if r[i] != "null"}


def bare_path(path):
    return ".".join(bare(n) for n in nodes(path))


def differences(archive, answers):
    """Sentences; and how many values were compared."""
    have = {bare_path(s): rows for s, rows in archive.rows(os.environ.get("SENDER")).items()}
    out, compared = [], 0
    for series, wanted in answers:
        rows = have.pop(series, {})
        compared += len(wanted)
        out += ["%s at %d: the server says %r, the archive %r" % (series, t, wanted.get(t), rows.get(t))
                for t in sorted(set(wanted) | set(rows))
                if t not in wanted or t not in rows or not alike(rows[t], wanted[t])]
    out += ["%s: %d rows that no answer has" % (s, len(r)) for s, r in have.items() if r]
    return out, compared


def main(args):
    if len(args) < 2:
        sys.exit(__doc__)
    archive = Archive(args[0], args[1])
    if args[2:3] == ["--is"]:
        answers = csv_answers(args[3]) if os.path.isdir(args[3]) else transcript_answers(args[3])
        out, compared = differences(archive, answers)
        print("\n".join(out[:20] + ["%d values, %d differences" % (compared, len(out))]))
        return 1 if out or not compared else 0
    if len(args) == 4:
        for name, value, deletions in archive.history(args[2], int(args[3])):
            print(name, repr(value), "; ".join(
                "deleted by %s %d..%d" % (".".join(d.pattern), d.first, d.last) for d in deletions))
        return 0
    for series, rows in sorted(archive.rows().items()):
        if len(args) == 2:
            print(series, len(rows))
        elif series == args[2]:
            print("\n".join("%d\t%r" % row for row in sorted(rows.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
