#!/usr/bin/env python3
"""Whether an archive answers as the edge's IoTDB does, value by value.

    compare.py ARCHIVE JOBS PORT [PATTERN]    of the series that match (root.**)
"""
import os
import sys

sys.dont_write_bytecode = True
from archive_reader import Archive, bare_path, matches, nodes
from server import Refused, Server


def answer(server, series):
    """One series: {time: value}; none for one that does not exist (any more)."""
    device, column = series.rsplit(".", 1)
    try:
        return {t: v for t, v in server.rows("SELECT %s FROM %s" % (column, device)) if v is not None}
    except Refused as e:
        if "does not exist" in str(e) or "not found" in str(e):
            return {}
        raise


def compare(archive, server, pattern="root.**", more=(), sender=None, start=None):
    """[(series, time, edge's value, archive's value)] of what differs; values compared."""
    have = {bare_path(s): rows for s, rows in archive.rows(sender).items()}
    names = set(have) | set(more) | {r[0] for r in server.rows("SHOW TIMESERIES " + pattern)}
    wrong, compared = [], 0
    for series in sorted(n for n in names if matches(nodes(pattern), nodes(n)) and not n.startswith("root.__")):
        want, got = answer(server, series), have.get(series, {})
        if start is not None:
            want = {t: v for t, v in want.items() if t >= start}
        compared += len(want)
        wrong += [(series, t, want.get(t), got.get(t)) for t in sorted(set(want) | set(got)) if want.get(t) != got.get(t)]
    return wrong, compared


def show(archive, wrong):
    print("%d values differ:" % len(wrong))
    for series, t, want, got in wrong[:4] + wrong[4:][-4:]:
        print("  %s at %d: the edge says %r, the archive %r" % (series, t, want, got))
    for series, t, _, _ in {wrong[0], wrong[-1]}:
        print("  history of %s at %d:" % (series, t))
        for name, value, deletions in archive.history(series, t):
            print("    %s %r %s" % (name, value, "; ".join(
                "deleted by %s %d..%d" % (".".join(d.pattern), d.first, d.last) for d in deletions)))


def main(args):
    if len(args) not in (3, 4):
        sys.exit(__doc__)
    archive = Archive(args[0], args[1])
    wrong, compared = compare(archive, Server(int(args[2])), *args[3:], sender=os.environ.get("SENDER"))
    if wrong:
        show(archive, wrong)
    print("%d values, %d differ" % (compared, len(wrong)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
