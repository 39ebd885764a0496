#!/usr/bin/env python3
"""answers.py RESULTS < cells of iotdb-ask: whether they are a server's own answers, recorded
(tests/data/README.md)."""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "edge"))
import archive_reader  # noqa: E402

UNESCAPED = {"n": "\n", "t": "\t", "\\": "\\"}


def unescape(text):
    out, it = [], iter(text)
    for c in it:
        out.append(UNESCAPED[next(it)] if c == "\\" else c)
    return "".join(out)


def cells(lines):
    have = {}
    for line in lines:
        time, name, value = line.rstrip("\n").split("\t")
        have.setdefault(archive_reader.bare_path(name), {})[int(time)] = unescape(value)
    return have


def f32(text):
    return struct.pack(">f", float(text))


def same(have, want):
    if have == want:
        return True
    try:
        return float(have) == float(want) or f32(have) == f32(want)
    except ValueError:
        return have.replace("-", "") == want.replace("-", "") and want.isdigit()


def main(results):
    have, out, compared = cells(sys.stdin), [], 0
    answers = archive_reader.csv_answers if os.path.isdir(results) else archive_reader.transcript_answers
    for series, want in answers(results):
        rows = have.pop(series, {})
        compared += len(want)
        out += ["%s at %d: recorded %r, now %r" % (series, t, want.get(t), rows.get(t))
                for t in sorted(set(want) | set(rows))
                if t not in want or t not in rows or not same(rows[t], want[t])]
    out += ["%s: %d rows that no answer has" % (s, len(r)) for s, r in have.items()]
    print("\n".join(out[:20] + ["%d values, %d differences" % (compared, len(out))]))
    return 1 if out or not compared else 0


sys.exit(main(sys.argv[1]))
