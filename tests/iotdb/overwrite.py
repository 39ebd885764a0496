#!/usr/bin/env python3
"""A backlog of files that overwrite each other's rows: overwrite.py [-b BUILD] [FILES [VERSION]].

FILES (300) sealed files with values of their own over the same 330 times, so that only the right
order gives the right ones: carried by tsferry, then by the server's own pipe into a fresh cloud.
"""

import argparse
import os
import signal
import subprocess
import sys
import time

from live import SOURCE, Cloud, Edge, Failed, Server, Stage

COLUMNS = ("a", "b", "c")
ROWS = 330


def fill(edge, files):
    """Each file has a third of the rows again, so that most rows were written a hundred times."""
    edge.sql("CREATE DATABASE root.over")
    statements = []
    for n in range(1, files + 1):
        rows = ", ".join(f"({t}, {n}, {n * 2}, {-n})" for t in range(n % 3, ROWS, 3))
        statements += [f"INSERT INTO root.over.d(time, {', '.join(COLUMNS)}) VALUES {rows}", "FLUSH"]
    edge.sql(*statements)


def cells(server):
    rows = server.scan([f"SELECT {c} FROM root.over.d" for c in COLUMNS], may_fail=True)
    return {(c, r[0]): r[1] for c, of in zip(COLUMNS, rows) for r in of if r[1] != "null"}


def compare(what, version, files, edge, cloud, began):
    want, have = cells(edge), cells(cloud)
    wrong = sum(have.get(k) != v for k, v in want.items()) + len(set(have) - set(want))
    print(f"overwrite version={version} peer={what} files={files} values={len(want)} present={len(have)} wrong={wrong}",
          f"seconds={time.monotonic() - began:.1f}", flush=True)
    return wrong


def tsferry(args, stage, edge):
    cloud_server = stage.add(Server(stage.root, "cloud", args.version, Server.COMPACTION_OFF))
    cloud_server.start()
    cloud = stage.add(Cloud(args.build, stage.root, cloud_server))
    cloud.start()
    syncd = stage.add(Edge(args.build, stage.root, "edge-0", edge, cloud))
    syncd.start()
    began = time.monotonic()
    syncd.create()
    syncd.drain()
    wrong = compare("tsferry", args.version, args.files, edge, cloud_server, began)
    syncd.stop()
    cloud.stop()
    cloud_server.stop()
    return wrong


def own_pipe(args, stage, edge):
    cloud = stage.add(Server(stage.root, "cloud2", args.version, Server.COMPACTION_OFF))
    cloud.start()
    began = time.monotonic()
    edge.sql("CREATE PIPE own WITH SOURCE ('source.pattern'='root.over') "
             f"WITH SINK ('sink'='iotdb-thrift-sink','sink.node-urls'='127.0.0.1:{cloud.port}')")
    last, since = None, time.monotonic()
    # it does not say when it is through: nothing new for a while
    while time.monotonic() - since < 10 and time.monotonic() - began < 120:
        try:
            now = cells(cloud)
        except Failed:
            now = {}
        if now != last or not now:
            last, since = now, time.monotonic()
        time.sleep(0.5)
    compare("own_pipe", args.version, args.files, edge, cloud, began)
    edge.sql("DROP PIPE own")


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("-b", dest="build", default=os.path.join(SOURCE, "build"))
    p.add_argument("files", nargs="?", type=int, default=300)
    p.add_argument("version", nargs="?", default="1.3.3")
    args = p.parse_args()
    args.build = os.path.abspath(args.build)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with Stage("overwrite") as stage:
        edge = stage.add(Server(stage.root, "edge", args.version, Server.COMPACTION_OFF, "1g"))
        edge.start()
        fill(edge, args.files)
        wrong = tsferry(args, stage, edge)
        own_pipe(args, stage, edge)
    return 1 if wrong else 0


try:
    sys.exit(main())
except (Failed, subprocess.CalledProcessError) as why:
    sys.exit(f"overwrite: {why}")
