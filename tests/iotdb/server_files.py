"""What an IoTDB has on its disk, read without it: its TsFiles, and what they say together.

    server_files.py DIR                     each TsFile: database, name, rows, bytes, digest
    server_files.py DIR SERIES [TIME]       the rows of a series, or which files have one of them

Shares nothing with the C code: the reader is tests/edge/tsfile.py. The server has to be flushed,
and not to compact meanwhile. Which of two files wins is the version's (of 1.3.3 and later
unsequence, then V, then T; before V, then T).
"""

import collections
import hashlib
import os
import sys

sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "edge"))
import tsfile  # noqa: E402
from archive_reader import bare_path, deletions_of, matches, nodes  # noqa: E402

DATA = "data/datanode/data"
TsFile = collections.namedtuple("TsFile", "path database unseq time version digest cells")


def read(path):
    """(digest, cells); a cell is a value at a time."""
    with open(path, "rb") as f:
        data = f.read()
    return hashlib.sha256(data).hexdigest(), sum(len(c.points) for c in tsfile.chunks(data))


def files(home):
    """Every TsFile below a server's directory, in the order of their V."""
    found, top = [], os.path.join(home, DATA)
    for here, _, names in os.walk(top):
        for name in names:
            at = os.path.relpath(here, top).split(os.sep)
            if not name.endswith(".tsfile") or at[0] not in ("sequence", "unsequence") or at[1].startswith("root.__"):
                continue
            time, version = (int(n) for n in name.split("-")[:2])
            path = os.path.join(here, name)
            found.append(TsFile(path, at[1], at[0] == "unsequence", time, version, *read(path)))
    return sorted(found, key=lambda f: (f.database, f.version, f.time))


def twice(found):
    """Files whose bytes another file of the same database has too: all but one of them."""
    seen, out = set(), []
    for f in reversed(found):
        if (f.database, f.digest) in seen:
            out.append(f)
        seen.add((f.database, f.digest))
    return out[::-1]


def precedence(version):
    return (lambda f: (f.unseq, f.version, f.time)) if version >= "1.3.3" else (lambda f: (f.version, f.time))


def judged(path):
    """(series, time, value, is_deleted) in the order of the file."""
    deletions, about = deletions_of(path), {}
    with open(path, "rb") as f:
        chunks = list(tsfile.chunks(f.read()))
    for c in chunks:
        series = f"{c.device}.{c.name}"
        if series not in about:
            about[series] = [d for d in deletions if matches(d.pattern, nodes(c.device) + [c.name])]
        for t, value in c.points:
            yield series, t, value, any(d.first <= t <= d.last for d in about[series]
                                        if d.offset is None or c.offset < d.offset)


def rows(home, version):
    """{series: {time: value}}: what the files say, whatever the server answers."""
    out = collections.defaultdict(dict)
    for f in sorted(files(home), key=precedence(version)):
        for series, t, value, is_deleted in judged(f.path):
            if not is_deleted:
                out[bare_path(series)][t] = value
    return out


def shown(value):
    """As the client of live.py prints it."""
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


def main(args):
    if not args or len(args) > 3:
        sys.exit(__doc__)
    for f in files(args[0]):
        if len(args) == 1:
            print(f.database, "unseq" if f.unseq else "seq", os.path.basename(f.path), f.cells, os.path.getsize(f.path), f.digest[:16])
            continue
        for series, t, value, is_deleted in judged(f.path):
            if bare_path(series) == bare_path(args[1]) and args[2:] in ([], [str(t)]):
                print(t, repr(value), "deleted" if is_deleted else "", os.path.relpath(f.path, args[0]), sep="\t")


if __name__ == "__main__":
    main(sys.argv[1:])
