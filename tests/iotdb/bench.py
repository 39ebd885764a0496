#!/usr/bin/env python3
"""Throughput and latency from one IoTDB into another, beside its own means: bench.py [-b BUILD]
[VERSION [SMALL [LARGE [ROWS]]]]. Called by scripts/bench iotdb, which says what is measured."""

import argparse
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from live import SOURCE, Cloud, Edge, Failed, Server, Stage, wait

BENCH = os.path.join(SOURCE, "tests", "bench")
WARM_FILES = 300


class Meter:
    """CPU and memory of processes and all that they start (tests/bench/meter.py)."""

    def __init__(self, *pids):
        self.cpu_s = None  # known otherwise: a child's child that ended is not seen
        with tempfile.TemporaryDirectory() as d:
            ready = os.path.join(d, "ready")
            self.process = subprocess.Popen([sys.executable, os.path.join(BENCH, "meter.py"), ready, *map(str, pids)],
                                            stdout=subprocess.PIPE, text=True)
            wait(30, "the meter is ready", lambda: os.path.exists(ready))

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        cpu, rss = self.process.communicate()[0].split()
        return [cpu if self.cpu_s is None else f"cpu_s={self.cpu_s:.2f}", rss]


def wire():
    """Bytes through this network's loopback; each once."""
    with open("/proc/net/dev", encoding="ascii") as f:
        for line in f:
            if line.strip().startswith("lo:"):
                return int(line.split()[9])
    return 0


class Run:
    def __init__(self, args, stage, edge, what):
        self.args, self.stage, self.edge, self.what = args, stage, edge, what
        self.clock = os.path.join(args.build, "tests", "bench", "iotdb_clock")
        self.n = 0

    def cloud(self):
        """A fresh one that has done it before: a cold virtual machine takes seconds for its first files."""
        self.n += 1
        server = self.stage.add(Server(self.stage.root, f"cloud{self.what}{self.n}", self.args.version,
                                       Server.COMPACTION_OFF, "1g"))
        server.start()
        flat = tsgen(self.args, self.stage, "root.warm", WARM_FILES, "9K")
        server.sql("CREATE DATABASE root.warm", *(load_text(self.args, path) for path in sorted(glob.glob(f"{flat}/*"))),
                   *["SELECT count(s1) FROM root.warm.**"] * 20)
        return server

    def warm_pipe(self, server):
        self.own_pipe(server, "root.warm")
        device = self.edge.ask("SHOW TIMESERIES root.warm.**")[0][0].rpartition(".")[0]
        subprocess.run([self.clock, "wait", str(server.port), "60", f"SELECT count(s1) FROM {device}",
                        self.edge.ask(f"SELECT count(s1) FROM {device}")[0][-1]], check=True)
        self.edge.sql("DROP PIPE own")

    def own_pipe(self, server, pattern):
        self.edge.sql(f"CREATE PIPE own WITH SOURCE ('source.pattern'='{pattern}') "
                      f"WITH SINK ('sink'='iotdb-thrift-sink','sink.node-urls'='127.0.0.1:{server.port}')")
        if self.args.version < "1.3":
            self.edge.sql("START PIPE own")

    def over(self, server):
        server.stop()
        shutil.rmtree(server.dir, ignore_errors=True)

    def visible(self, cloud, data):
        """Until the last row is there, and all of them are."""
        at, count, last, value = data
        for ask, answer in ((f"SELECT s1 FROM {at} WHERE time = {last}", value), (f"SELECT count(s1) FROM {at}", count)):
            if answer is None:
                continue
            subprocess.run([self.clock, "wait", str(cloud.port), "300", ask, answer], check=True)

    def carried(self, before):
        """The pipe does not keep an order: the last row may be there while most files are not even sent."""
        size = sum(os.path.getsize(f) for f in self.files())
        end = time.monotonic() + 300
        while os.environ.get("BENCH_INSIDE") and wire() - before < 0.95 * size:
            if time.monotonic() > end:
                raise Failed(f"the pipe sent {wire() - before} bytes of {size}")
            time.sleep(0.01)

    def files(self):
        return sorted(glob.glob(f"{self.edge.dir}/data/datanode/data/*sequence/root.bench/*/*/*.tsfile"),
                      key=lambda p: int(os.path.basename(p).split("-")[0]))

    def line(self, what, peer, began, ours, clouds, bytes_before, done):
        seconds = time.monotonic() - began
        files = self.files()
        size = sum(os.path.getsize(f) for f in files)
        cost = [f"sender_{x}" for x in ours.end()] + [f"cloud_{x}" for x in clouds.end()]
        print(f"iotdb version={self.args.version} what={what} peer={peer} files={len(files)} mb={size / 1e6:.1f}",
              f"visible_s={seconds:.2f} files_per_s={len(files) / seconds:.0f} mb_per_s={size / 1e6 / seconds:.1f}", *done, *cost,
              *([f"wire_mb={(wire() - bytes_before) / 1e6:.1f}"] if os.environ.get("BENCH_INSIDE") else []), flush=True)

    # ---- three ways ----

    def tsferry(self, what, data):
        server = self.cloud()
        root = os.path.join(self.stage.root, f"ferry{what}")
        os.makedirs(root)
        cloud = self.stage.add(Cloud(self.args.build, root, server))
        cloud.start()
        edge = self.stage.add(Edge(self.args.build, root, "edge", self.edge, cloud))
        edge.start()
        os.sync()
        ours, clouds = Meter(cloud.daemon.process.pid, edge.daemon.process.pid), Meter(*server.pids())
        before, began = wire(), time.monotonic()
        edge.create()
        if data:
            self.visible(server, data)
            self.line(what, "tsferry", began, ours, clouds, before, [])
        else:
            edge.drain()
            self.rows(what, "tsferry", server, ours, clouds)
        edge.stop()
        cloud.stop()
        shutil.rmtree(os.path.join(self.edge.dir, "data/datanode/data/.tsferry-spool"), ignore_errors=True)
        self.over(server)

    def pipe(self, what, data):
        server = self.cloud()
        self.warm_pipe(server)
        os.sync()
        ours, clouds = Meter(*self.edge.pids()), Meter(*server.pids())
        before, began = wire(), time.monotonic()
        self.own_pipe(server, "root.bench" if data else "root.lat")
        if data:
            self.visible(server, data)
            self.carried(before)
            self.line(what, "own_pipe", began, ours, clouds, before, [])
        else:
            self.rows(what, "own_pipe", server, ours, clouds)
        self.edge.sql("DROP PIPE own")
        self.over(server)

    def loop(self, what, data):
        server = self.cloud()
        drop = os.path.join(self.stage.root, f"drop{what}")
        os.makedirs(drop)
        os.sync()
        clouds = Meter(*server.pids())
        before, began, cpu = wire(), time.monotonic(), sum(os.times()[:4])
        loads = []
        for n, path in enumerate(self.files()):
            shutil.copyfile(path, os.path.join(drop, f"{n}-{n}-0-0.tsfile"))
            loads.append(load_text(self.args, f"{drop}/{n}-{n}-0-0.tsfile"))
        client = subprocess.Popen([server.tool, "sql", str(server.port), *loads])
        ours = Meter(client.pid)
        if client.wait():
            raise Failed("a LOAD was refused")
        ours.cpu_s = sum(os.times()[:4]) - cpu
        self.visible(server, data)
        self.line(what, "load_loop", began, ours, clouds, before, [])
        self.over(server)

    def rows(self, what, peer, server, ours, clouds):
        out = subprocess.run([self.clock, "rows", str(self.edge.port), str(server.port), f"root.lat.d{self.n}",
                              str(self.args.rows)], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        print(f"iotdb version={self.args.version} what={what} peer={peer} {out}", *[f"sender_{x}" for x in ours.end()],
              *[f"cloud_{x}" for x in clouds.end()], flush=True)


def tsgen(args, stage, database, n, size):
    """A directory with n TsFiles."""
    made, flat = os.path.join(stage.root, "made"), os.path.join(stage.root, "flat")
    for d in (os.path.join(made, "sequence"), flat):
        shutil.rmtree(d, ignore_errors=True)
        os.makedirs(d)
    subprocess.run([os.path.join(args.build, "tests/bench/tsgen"), "-d", database, "-n", str(n), "-s", size, made], check=True)
    for path in glob.glob(f"{made}/*sequence/{database}/*/*/*.tsfile"):
        os.rename(path, os.path.join(flat, os.path.basename(path)))
    return flat


def load_text(args, path):
    return f"LOAD '{path}' " + ("WITH ('on-success'='delete')" if args.version >= "1.3.3" else "ONSUCCESS=DELETE")


def fill_warm(args, stage, edge):
    """What the server's own pipe carries before it is measured; tsferry would carry it too."""
    edge.sql("CREATE DATABASE root.warm", load_text(args, tsgen(args, stage, "root.warm", WARM_FILES, "9K")))


def fill(args, stage, edge, n, size):
    """n sealed files of a size at the edge, made by LOAD; (device, count of rows, last time, its value)."""
    if not n:
        fill_warm(args, stage, edge)
        return None
    edge.sql("CREATE DATABASE root.bench", load_text(args, tsgen(args, stage, "root.bench", n, size)))
    device = edge.ask("SHOW TIMESERIES root.bench.**")[0][0].rpartition(".")[0]
    # of large ones a small server has no memory to count the rows
    count = edge.ask(f"SELECT count(s1) FROM {device}")[0][-1] if size == "9K" else None
    last = edge.ask(f"SELECT s1 FROM {device} ORDER BY TIME DESC LIMIT 1")[0]
    return device, count, last[0], last[1]


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("-b", dest="build", default=os.path.join(SOURCE, "build"))
    p.add_argument("version", nargs="?", default="1.3.3")
    for name, n in (("small", 2000), ("large", 200), ("rows", 100)):
        p.add_argument(name, nargs="?", type=int, default=n)
    args = p.parse_args()
    args.build = os.path.abspath(args.build)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with Stage("bench") as stage:
        for what, n, size in (("small", args.small, "9K"), ("large", args.large, "1126K"), ("rows", args.rows, None)):
            if not n:
                continue
            edge = stage.add(Server(stage.root, f"edge-{what}", args.version, Server.COMPACTION_OFF, "1g"))
            edge.start()
            run = Run(args, stage, edge, what)
            data = fill(args, stage, edge, n if size else 0, size)
            run.tsferry(what, data)
            if data:
                run.loop(what, data)
                fill_warm(args, stage, edge)
            run.pipe(what, data)
            run.over(edge)


try:
    main()
except (Failed, subprocess.CalledProcessError) as why:
    sys.exit(f"bench: {why}")
