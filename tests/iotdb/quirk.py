#!/usr/bin/env python3
"""A fault of the servers themselves, without tsferry: quirk.py [VERSION...] (1.3.3).

Of an aligned device three files overlap. When a reader of several columns steps to the next row
of the newest file and that cell is null there, it takes the cell of a file that had the row
before as well, be there a newer one that has not (PriorityMergeReader.updateHeap, the same code
in 1.0.1 to 2.0.6). One line a version: what a scan of the device says of the cell, what the cell
alone, a scan of its column, and a scan behind a compaction say, and what the files say, read
without the server. Ends with 1 when the files, or the cell alone, are wrong.
"""

import sys

import server_files
from live import Failed, Server, Stage, wait

FILES = (("(1, 1, 1), (2, 1, 1)", ""), ("(2, 2, 2)", ""), ("(1, 3, 3)", "(2, 3)"))


def fill(server):
    server.sql("CREATE DATABASE root.q", "CREATE ALIGNED TIMESERIES root.q.d(a INT64, b INT64)")
    for both, first in FILES:
        rows = [f"INSERT INTO root.q.d(time, a, b) ALIGNED VALUES {both}"]
        if first:
            rows.append(f"INSERT INTO root.q.d(time, a) ALIGNED VALUES {first}")
        server.sql(*rows, "FLUSH")


def scan(server):
    return {int(r[0]): r[2] for r in server.ask("SELECT a, b FROM root.q.d")}[2]


def ask(version):
    with Stage("quirk") as stage:
        server = stage.add(Server(stage.root, "one", version, Server.COMPACTION_OFF))
        server.start()
        fill(server)
        answers = {"scan": scan(server),
                   "cell": server.ask("SELECT a, b FROM root.q.d WHERE time = 2")[0][2],
                   "column": {int(r[0]): r[1] for r in server.ask("SELECT b FROM root.q.d")}[2],
                   "disk": str(server_files.rows(server.dir, version)["root.q.d.b"][2])}
        n_files = len(server_files.files(server.dir))
        server.stop()
        server.props = Server.COMPACTION_BUSY.replace("compaction_schedule", "enable_cross_space_compaction=true\\ncompaction_schedule")
        server.start()
        try:
            wait(60, "a compaction", lambda: len(server_files.files(server.dir)) < n_files)
            answers["compacted"] = scan(server)
        except Failed:
            answers["compacted"] = "none"
        print(f"quirk version={version} right=2", *[f"{k}={v}" for k, v in answers.items()], flush=True)
        return answers["disk"] == answers["cell"] == "2"


def main():
    return 0 if all([ask(v) for v in sys.argv[1:] or ["1.3.3"]]) else 1


if __name__ == "__main__":
    sys.exit(main())
