#!/usr/bin/env python3
"""What goes wrong in the cloud, against a real IoTDB:
faults.py [-b BUILD] [-r ROUNDS] [-s SEED] [-v VERSION] [-m path|transfer] [-a SECONDS] [-k] [CASE...]

loader, recvd, server	kill -9 of it in the middle of a LOAD, ROUNDS (17) times each, while files that
			overwrite each other, and deletions, are under way
full, serverfull	the file system of the cloud's IoTDB, and of recvd, is full for a while (tmpfs; root only)
readonly, password	the server may not write; it refuses the log-in
away			the server is away for SECONDS (120) while the edge goes on

Files go by path, or over the network (-m transfer). After each: what the edge said meanwhile, and
how long after the fault; then everything is applied, and

* every series is compared row by row with the edge, and count(*) of it;
* the files on the server's disk say the same, read without it;
* every file of the edge is on that disk; one that is there twice is one of those of which
  recvd-load said that the answer was lost and that it is loaded again (loaded_again, cells_again).
  From 1.3.4 on a server in trouble may make rows of a file: such are counted (missing) and no error.
"""

import argparse
import concurrent.futures
import glob
import os
import random
import re
import signal
import subprocess
import sys
import time

import server_files
from live import SOURCE, Cloud, Edge, Failed, Server, Stage, conf, wait

KILLS = ("loader", "recvd", "server")
CASES = KILLS + ("full", "serverfull", "readonly", "password", "away")


class Scene:
    """A pair of servers with daemons between them, and a writer at the edge."""

    def __init__(self, args, stage, name, cloud_root=None, recvd_root=None):
        self.args, self.stage, self.name = args, stage, name
        self.rnd = random.Random(f"{args.seed}{name}")
        self.n, self.database = 0, f"root.{name}"
        self.edge_server = stage.add(Server(stage.root, "edge", args.version, Server.COMPACTION_OFF))
        self.server = stage.add(Server(cloud_root or stage.root, "cloud", args.version, Server.COMPACTION_OFF))
        self.edge_server.start()
        self.server.start()
        self.cloud = stage.add(Cloud(args.build, recvd_root or stage.root, self.server, load_via=args.via))
        self.cloud.start()
        self.edge = stage.add(Edge(args.build, stage.root, "edge-0", self.edge_server, self.cloud))
        self.edge.start()
        self.edge_server.sql(f"CREATE DATABASE {self.database}", f"CREATE DATABASE {self.database}2")
        self.edge.create()

    def write(self, files, deletions=True):
        """Files over the same rows, some rows of their own, and deletions."""
        out = []
        for _ in range(files):
            self.n += 1
            n = self.n
            for db in (self.database, self.database + "2"):
                out.append(f"INSERT INTO {db}.d(time, a, b) VALUES (1, {n}, {n}), (2, {n}, {-n}), ({n + 10}, {n}, 0), ({n + 11}, 1, {n})")
            out.append("FLUSH")
            if deletions and self.rnd.random() < 0.3:
                out.append(f"DELETE FROM {self.database}.d.{self.rnd.choice('ab')} WHERE time = {10 + self.rnd.randrange(1, n + 1)}")
        self.edge_server.sql(*out)

    def says(self, text, began, seconds=20):
        """Seconds from `began` until the edge's message has it."""
        wait(seconds, f"'{text}' in message (it is: {self.edge.ctl.value('/p/message')})",
             lambda: text in self.edge.ctl.value("/p/message"))
        return time.monotonic() - began

    def rows(self, server):
        queries = [f"SELECT {c} FROM {self.database}{db}.d" for db in ("", "2") for c in "ab"]
        return [[r for r in rows if r[1] != "null"] for rows in server.scan(queries)]

    def loading(self):
        """Whether the loader waits for an answer to a LOAD: the directory of its files has its name."""
        return any(not run.endswith(".late") for run in glob.glob(f"{self.cloud.dir}/load/*/*/[0-9]*"))

    def on_disk(self):
        """How many cells the files of the cloud say otherwise than its server; of each file one that is
        missing, or twice without a word about it."""
        self.server.sql("FLUSH")
        said = self.rows(self.server)
        rows = server_files.rows(self.server.dir, self.args.version)
        read = [rows.get(f"{self.database}{db}.d.{c}", {}) for db in ("", "2") for c in "ab"]
        differ = sum(len(set((int(t), float(v)) for t, v in a) ^ set((t, float(v)) for t, v in b.items())) for a, b in zip(said, read))
        found = server_files.files(self.server.dir)
        again = server_files.twice(found)
        sent = {f.digest: f for f in server_files.files(self.edge_server.dir)}
        missing = [f.path for d, f in sent.items() if d not in {c.digest for c in found}]
        with open(os.path.join(os.path.dirname(self.cloud.dir), "recvd.log"), encoding="utf-8", errors="replace") as log:
            told = log.read()
        explained = sum(int(n) for n in re.findall(r"answer to a LOAD was lost; .* loaded, (\d+) are loaded again", told)) + \
            sum(int(last) - int(first) + 1 for first, last in re.findall(r"entries (\d+) to (\d+) were taken before", told))
        stray = [f for f in found if f.digest not in sent]
        return differ, found, again, explained, missing, stray

    def check(self, began, **more):
        self.edge.drain(180)
        at_edge, in_cloud = self.rows(self.edge_server), self.rows(self.server)
        differ = sum(len(set(map(tuple, a)) ^ set(map(tuple, b))) for a, b in zip(at_edge, in_cloud))
        counts = [[sorted(s.ask(f"SELECT count(*) FROM {self.database}{db}.d")[0]) for db in ("", "2")]
                  for s in (self.edge_server, self.server)]
        on_disk, found, again, explained, missing, stray = self.on_disk()
        left = glob.glob(f"{self.cloud.dir}/load/*/*/*/")
        print(f"faults case={self.name} version={self.args.version} via={self.args.via} entries={self.edge.ctl.progress('applied_serial')}",
              f"tsfiles={len(found)} rows={sum(map(len, in_cloud))} differences={differ} differences_on_disk={on_disk}",
              f"counts_equal={'yes' if counts[0] == counts[1] else 'NO'} missing={len(missing)} stray={len(stray)}",
              f"loaded_again={len(again)} cells_again={sum(f.cells for f in again)} explained={explained} left={len(left)}",
              *[f"{k}={v}" for k, v in more.items()], f"seconds={time.monotonic() - began:.0f}", flush=True)
        if self.args.version >= "1.3.4":
            missing, stray = [], []
        if differ or on_disk or counts[0] != counts[1] or left or missing or stray or len(again) > explained:
            raise Failed(f"{self.name}: {differ} and {on_disk} differences, counts {counts}, left {left}, missing {missing}, "
                         f"{len(again)} loaded again of {explained}: {[f.path for f in again[:5]]}, stray {[f.path for f in stray[:5]]}")
        wait(20, "the message is empty again", lambda: not self.edge.ctl.value("/p/message"))


def kill(scene):
    """The writer goes on while the victim dies in the middle of a LOAD."""
    began, hits = time.monotonic(), 0
    with concurrent.futures.ThreadPoolExecutor(1) as writers:
        for _ in range(scene.args.rounds):
            wait(60, "a loader", scene.cloud.loader_pid)
            pid = scene.cloud.loader_pid()
            writing = writers.submit(scene.write, 8)
            give_up = time.monotonic() + 5
            while not scene.loading() and time.monotonic() < give_up:
                time.sleep(0.0005)
            time.sleep(scene.rnd.choice((0, scene.rnd.uniform(0, 0.02))))
            hits += scene.loading()
            if scene.name == "loader":
                os.kill(pid, signal.SIGKILL)
            elif scene.name == "recvd":
                scene.cloud.stop(signal.SIGKILL)
                scene.cloud.start()
            else:
                scene.server.kill()
                scene.server.start()
            writing.result()
    scene.check(began, kills=scene.args.rounds, in_a_load=hits)


def readonly(scene):
    scene.write(5)
    scene.edge.drain()
    scene.server.sql("SET SYSTEM TO READONLY")
    scene.write(1, deletions=False)
    began = time.monotonic()
    said = scene.says("the receiver tries again: ", began)
    scene.write(20, deletions=False)
    time.sleep(5)
    scene.server.sql("SET SYSTEM TO RUNNING")
    scene.check(began, said_after_s=f"{said:.2f}")


def password(scene):
    path = os.path.join(scene.stage.root, "password")
    with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as f:
        f.write("wrong\n")
    scene.cloud.keys["iotdb_password_file"] = path
    conf(scene.cloud.conf_path, **scene.cloud.keys)
    scene.cloud.ctl("LOAD CONFIGURATION")
    scene.write(1)
    began = time.monotonic()
    said = scene.says("801: ", began)
    scene.write(10)
    with open(path, "w", encoding="ascii") as f:
        f.write("root\n")
    scene.cloud.ctl("LOAD CONFIGURATION")
    scene.check(began, said_after_s=f"{said:.2f}")


def away(scene):
    scene.write(5)
    scene.edge.drain()
    scene.server.kill()
    scene.write(1)
    began = time.monotonic()
    said = scene.says(f"127.0.0.1:{scene.server.port}", began)
    while time.monotonic() - began < scene.args.away:
        scene.write(2)
        time.sleep(5)
    scene.server.start()
    back = time.monotonic()
    scene.edge.drain(300)
    scene.check(began, said_after_s=f"{said:.2f}", away_s=scene.args.away, caught_up_s=f"{time.monotonic() - back:.1f}")


def full(scene, mount):
    scene.write(5)
    scene.edge.drain()
    ballast = os.path.join(mount, "ballast")
    with open(ballast, "wb") as f:
        try:
            while f.write(b"\0" * 65536):
                pass
        except OSError:
            pass
    began = time.monotonic()
    scene.write(1)
    wait(60, "the edge hears of it", lambda: scene.edge.ctl.value("/p/message") or "full" in scene.edge.ctl.value("/p/link"))
    said, words = time.monotonic() - began, (scene.edge.ctl.value("/p/message") or scene.edge.ctl.value("/p/link")).replace("\n", " ")
    scene.write(30)
    time.sleep(10)
    os.unlink(ballast)
    scene.server.run(["SET SYSTEM TO RUNNING"], may_fail=True)  # it went read-only by itself
    print(f"# full: the edge said: {words}", flush=True)
    scene.check(began, said_after_s=f"{said:.2f}")


def play(args, name):
    with Stage("faults", args.keep) as stage:
        if name in KILLS:
            kill(Scene(args, stage, name))
        elif name in ("full", "serverfull"):
            mount = os.path.join(stage.root, "small")
            os.makedirs(mount)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "small", mount], check=True)
            try:
                full(Scene(args, stage, name, mount, mount if name == "full" else None), mount)
            finally:
                for thing in reversed(stage.all):
                    thing.stop()
                subprocess.run(["umount", "-l", mount], check=False)
        else:
            {"readonly": readonly, "password": password, "away": away}[name](Scene(args, stage, name))


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("-b", dest="build", default=os.path.join(SOURCE, "build"))
    p.add_argument("-r", dest="rounds", type=int, default=17)
    p.add_argument("-s", dest="seed", type=int, default=1)
    p.add_argument("-v", dest="version", default="1.3.3")
    p.add_argument("-a", dest="away", type=int, default=120)
    p.add_argument("-m", dest="via", choices=("path", "transfer"), default="path")
    p.add_argument("-k", dest="keep", action="store_true")
    p.add_argument("cases", nargs="*", default=CASES)
    args = p.parse_args()
    args.build = os.path.abspath(args.build)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    failed = 0
    for name in args.cases:
        if name not in CASES:
            sys.exit(f"faults: {name} is none of {' '.join(CASES)}")
        try:
            play(args, name)
        except (Failed, subprocess.CalledProcessError) as why:
            print(f"faults: {why}", file=sys.stderr)
            failed += 1
    return 1 if failed else 0


sys.exit(main())
