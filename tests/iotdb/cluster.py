#!/usr/bin/env python3
"""A cloud of three data nodes: cluster.py [-b BUILD] [-s SEED] [-r REPLICAS]... [-n STEPS] [-c CASE]... [-k] [VERSION]

One configuration node, three data nodes, REPLICAS (1 and 2, one after the other) of each row.
An edge's IoTDB writes STEPS (8) times, with files that overwrite each other over several regions,
rows that are deleted and written anew; it is recorded step by step and stopped, so that no more than
the cluster runs. Its steps are then played into a directory that syncd watches, while the cases are
played in the cloud:

plain		nothing happens
killed		the node that files go to is killed (kill -9) in mid-transfer, at every other step; the next
		address of iotdb_rpc is used; the node comes back at the end
user		the loader logs in as a user who has the privileges that docs/iotdb.md names, or -p NAME...
path		load_via=path, all three nodes on this host: LOAD of a directory that the first one sees

Afterwards every series is selected at every node, then with each node killed in turn (REPLICAS 2):
what a replica has must not depend on who is asked.
"""

import argparse
import glob
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

from live import SOURCE, Cloud, Edge, Failed, Server, Stage, conf, free_ports, wait

WEEK = 604800000
BASE = 1700000000000 // WEEK * WEEK
CASES = ("plain", "killed", "user", "path")
PASSED_ON_S = 25  # a node that was away hears of deletions within 20 s (IoTConsensus)
# A node writes down every 3 minutes how far its replicas are; what it said since it says again when it was
# killed, also about files that came later. So the kills of the comparison wait for that.
WRITTEN_DOWN_S = 190
DEVICES, PARTITIONS = 6, 3


# ---- the cluster ----

class Node:
    """A further data node: what the first one's process was started with, in a directory and on ports of its own."""

    def __init__(self, first, number):
        self.first, self.name, self.number = first, f"dn{number}", number
        self.dir, self.port = f"{first.dir}-{number}", 0
        self.process = None

    def start(self):
        if not self.port:
            self.prepare()
        argv = [re.sub(re.escape(self.first.dir) + r"(?=/|$|:)", self.dir, a) for a in self.first.argv]
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def prepare(self):
        """Only the ports of data nodes move; those of the configuration node stay."""
        self.port = free_ports(self.first.port + 10 * (self.number - 1))
        for d in ("logs", "tmp"):
            os.makedirs(os.path.join(self.dir, d), exist_ok=True)
        shutil.copytree(os.path.join(self.first.dir, "conf"), os.path.join(self.dir, "conf"))
        by = self.port - self.first.port
        for path in glob.glob(os.path.join(self.dir, "conf", "*.properties")):
            with open(path, encoding="utf-8") as f:
                text = f.read()
            text = re.sub(r"^(dn_\w+_port=)(\d+)$", lambda m: m[1] + str(int(m[2]) + by), text, flags=re.M)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()


class First(Server):
    """The configuration node and the first data node, which is killed and started again without the other."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.number, self.argv, self.again = 1, None, None

    def start(self):
        super().start()
        with open(f"/proc/{self.pids()[1]}/cmdline", "rb") as f:
            self.argv = f.read().decode().split("\0")[:-1]

    def kill(self):
        pid = self.again.pid if self.again else self.pids()[1]
        os.kill(pid, signal.SIGKILL)
        if self.again:
            self.again.wait()
        wait(10, f"{pid} is gone", lambda: not os.path.exists(f"/proc/{pid}"))

    def restart(self):
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.again = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def stop(self):
        if self.again and self.again.poll() is None:
            self.again.terminate()
            self.again.wait(60)
        super().stop()


class Cluster:
    """Three data nodes; `ask` and `sql` go to the one named."""

    def __init__(self, stage, version, replicas, heap="512m"):
        props = "\\n".join((Server.COMPACTION_OFF, f"data_replication_factor={replicas}",
                           f"schema_replication_factor={1 if replicas == 1 else 3}",
                           "schema_region_consensus_protocol_class=org.apache.iotdb.consensus.ratis.RatisConsensus",
                           "default_data_region_group_num_per_database=3", "default_schema_region_group_num_per_database=2",
                           "heartbeat_interval_in_ms=500"))
        self.version, self.replicas = version, replicas
        self.nodes = [stage.add(First(stage.root, "dn1", version, props, heap))]
        self.nodes += [stage.add(Node(self.nodes[0], n)) for n in (2, 3)]

    def start(self):
        self.nodes[0].start()
        for node in self.nodes[1:]:
            node.start()
        for node in self.nodes:
            wait(120, f"{node.name} answers", lambda n=node: self.rows(n, "SHOW VERSION"))
        self.settled()

    def addresses(self):
        return ",".join(f"127.0.0.1:{n.port}" for n in self.nodes)

    def rows(self, node, *statements):
        """The rows of all statements, or None when one was refused."""
        r = subprocess.run([self.nodes[0].tool, "sql", str(node.port), *statements], text=True, check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if r.returncode or r.stderr:
            return None
        return [row.split("\t") for row in r.stdout.split("\n") if row and not row.startswith("#")]

    def sql(self, *statements):
        self.nodes[0].sql(*statements)

    def spread(self):
        """How many data regions of user databases each node has."""
        rows = [r for r in self.rows(self.nodes[0], "SHOW DATA REGIONS") or [] if any(c.startswith("root.c") for c in r)]
        return "/".join(str(sum(str(n.port) in r for r in rows)) for n in self.nodes)

    def settled(self, away=None):
        """Every node that is not away runs, and so does every region on it."""
        at = next(n for n in self.nodes if n is not away)

        def is_settled():
            nodes, regions = self.rows(at, "SHOW CLUSTER"), self.rows(at, "SHOW REGIONS")
            if nodes is None or regions is None:
                return False
            states = [r for r in nodes if "DataNode" in r]
            return (sum("Running" in r for r in states) == len(self.nodes) - (away is not None) and
                    sum("Running" not in r for r in regions) == (sum("Unknown" in r for r in regions) if away else 0))
        wait(120, f"the cluster is settled without {away.name if away else 'nobody'}", is_settled)

    def kill(self, node):
        node.kill()

    def again(self, node):
        (node.restart if node.number == 1 else node.start)()
        self.settled()


# ---- an edge, recorded ----

class Recording:
    """Steps of an edge's data directory, and what it answered behind the last."""

    def __init__(self, root, version, steps, database):
        self.root, self.database, self.steps, self.n = root, database, steps, 0
        self.server = Server(root, "edge", version, Server.COMPACTION_OFF, heap="400m")
        self.answers = []

    def queries(self):
        return [f"SELECT {c} FROM {self.database}{k}.d{d}" for k in (0, 1) for d in range(DEVICES) for c in "ab"]

    def step(self):
        """Overwrites, over all partitions; a deletion beside a file, one that comes late, and rows written anew behind it."""
        self.n += 1
        n, out = self.n, []
        for k in (0, 1):
            db = f"{self.database}{k}"
            out.append(f"DELETE FROM {db}.** WHERE time >= {BASE} AND time <= {BASE + 1}")
            for part in range(4):
                for d in range(DEVICES):
                    for p in range(PARTITIONS):
                        t, v = BASE + p * WEEK, n * 10 + part
                        out.append(f"INSERT INTO {db}.d{d}(time, a, b) VALUES ({t}, {v}, {v}), ({t + 1}, {v}, {-v}), "
                                   f"({t + 10 + v}, {v}, {d}), ({t + 1000 + v}, {p}, {v})")
                out.append("FLUSH")
            out.append(f"DELETE FROM {db}.d{n % DEVICES}.a WHERE time = {BASE + WEEK + 1000 + n * 10 + 2}")
            out.append(f"DELETE FROM {db}.d{(n + 1) % DEVICES}.b WHERE time <= {BASE + 10 + n * 10 - 8}")
        out.append("FLUSH")
        self.server.sql(*out)

    def data(self):
        return os.path.join(self.server.dir, "data/datanode/data")

    def record(self):
        self.server.start()
        self.server.sql(*(f"CREATE DATABASE {self.database}{k}" for k in (0, 1)))
        for n in range(self.steps):
            self.step()
            shutil.copytree(self.data(), os.path.join(self.root, f"step-{n}"))
        self.answers = self.server.scan(self.queries())
        self.server.stop()
        shutil.rmtree(self.data())

    def play(self, n):
        """As an edge would: the file, its deletions, its resource last."""
        step = os.path.join(self.root, f"step-{n}")
        names = [os.path.relpath(os.path.join(d, f), step) for d, _, files in os.walk(step) for f in files]
        for suffix in (".tsfile", ".mods", ".mods2", ".resource"):
            for name in sorted(x for x in names if x.endswith(suffix) and re.search("^(un)?sequence/root\\.", x)):
                to = os.path.join(self.data(), name)
                if "__system" in name or (os.path.exists(to) and os.path.getsize(to) == os.path.getsize(os.path.join(step, name))):
                    continue
                os.makedirs(os.path.dirname(to), exist_ok=True)
                if suffix.startswith(".mods") and os.path.exists(to):
                    with open(os.path.join(step, name), "rb") as new, open(to, "ab") as old:
                        new.seek(old.tell())
                        old.write(new.read())
                else:
                    shutil.copy(os.path.join(step, name), to + ".temp")
                    os.rename(to + ".temp", to)


# ---- what must be equal ----

def sides_differ(recording, answers, where):
    """How many rows; the first of them are shown."""
    total = 0
    for query, *sides in zip(recording.queries(), recording.answers, answers):
        edge, cloud = ({tuple(r) for r in side if r[1] != "null"} for side in sides)
        total += len(edge ^ cloud)
        for what, rows in (("missing", edge - cloud), ("too many", cloud - edge)):
            if rows and total < 40:
                print(f"  {where}: {query}: {what}: {' '.join('='.join(r) for r in sorted(rows)[:6])}", file=sys.stderr)
    return total


def scan(cluster, node, queries):
    """Behind a node's death the others need a moment to find new leaders."""
    end = time.monotonic() + 90
    while True:
        try:
            server = Server("/", node.name, cluster.version)
            server.port = node.port
            return server.scan(queries)
        except Failed:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def compare(recording, cluster, database):
    """At every node; then, of replicas, with each node away."""
    queries = [q.replace(recording.database, database) for q in recording.queries()]
    found = {}
    for node in cluster.nodes:
        found[f"at_{node.name}"] = sides_differ(recording, scan(cluster, node, queries), node.name)
    if cluster.replicas > 1:
        time.sleep(WRITTEN_DOWN_S)
        for node in cluster.nodes:
            cluster.kill(node)
            other = next(n for n in cluster.nodes if n is not node)
            found[f"without_{node.name}"] = sides_differ(recording, scan(cluster, other, queries), f"without {node.name}")
            cluster.again(node)
    return found


# ---- cases ----

def loading(cloud, seconds=120):
    """Waits until the loader has a job in its hands."""
    wait(seconds, "a load is under way", lambda: bool(glob.glob(f"{cloud.dir}/load/*/*/*/")))


def play_killed(recording, cluster, cloud, report, rnd):
    """At every other step the node in use dies while files are on their way, and comes back at the next one."""
    away = None
    for n in range(recording.steps):
        if away:
            cluster.again(away)
            away = None
        elif n % 2 == 0:
            recording.play(n)
            loading(cloud)
            time.sleep(rnd.uniform(0, 2))
            away = cluster.nodes[report["kills"] % 3]
            cluster.kill(away)
            report["kills"] += 1
            time.sleep(0.3)
            continue
        recording.play(n)
        time.sleep(1)
    if away:
        cluster.again(away)


def play_steps(recording):
    for n in range(recording.steps):
        recording.play(n)
        time.sleep(0.3)


def play(args, replicas, stage):
    recording = Recording(stage.root, args.version, args.steps, "root.c")
    stage.add(recording.server)
    recording.record()
    cluster = Cluster(stage, args.version, replicas)
    cluster.start()
    for case in args.cases:
        run(args, stage, recording, cluster, case)


def run(args, stage, recording, cluster, case):
    root = os.path.join(stage.root, case)
    os.makedirs(root)
    more = dict(iotdb_rpc=cluster.addresses(), load_via="path" if case == "path" else "transfer")
    if case == "user":
        cluster.sql("CREATE USER loader 'loader_password'", *(f"GRANT {p} ON root.** TO USER loader" for p in args.privileges))
        path = os.path.join(root, "password")
        with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as f:
            f.write("loader_password\n")
        more.update(iotdb_user="loader", iotdb_password_file=path)
    cloud = stage.add(Cloud(args.build, root, cluster.nodes[0], **more))
    cloud.start()
    shutil.rmtree(recording.data(), ignore_errors=True)
    os.makedirs(recording.data())
    edge = stage.add(Edge(args.build, root, "edge", recording.server, cloud))
    edge.start()
    edge.create()
    report, began = {"kills": 0}, time.monotonic()
    if case == "killed":
        play_killed(recording, cluster, cloud, report, random.Random(args.seed))
    else:
        play_steps(recording)
    edge.drain(300)
    took = time.monotonic() - began
    if report["kills"]:
        time.sleep(PASSED_ON_S)
    found = compare(recording, cluster, "root.c")
    spread = cluster.spread()
    quarantined, left = edge.ctl.progress("quarantined_entries"), glob.glob(f"{cloud.dir}/load/*/*/*/")
    print(f"cluster case={case} version={args.version} replicas={cluster.replicas} files={edge.ctl.progress('sent_entries')}",
          f"rows={sum(map(len, recording.answers))} kills={report['kills']} regions={spread}", *[f"{k}={v}" for k, v in found.items()],
          f"quarantined={quarantined} left={len(left)} seconds={took:.0f}", flush=True)
    edge.stop()
    cloud.stop()
    cluster.nodes[0].run(["DELETE DATABASE root.c*"], may_fail=True)
    if any(found.values()) or quarantined or left:
        raise Failed(f"{case}: {found}, quarantined {quarantined}, left {left}")


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("-b", dest="build", default=os.path.join(SOURCE, "build"))
    p.add_argument("-s", dest="seed", type=int, default=1)
    p.add_argument("-r", dest="replicas", type=int, action="append")
    p.add_argument("-n", dest="steps", type=int, default=8)
    p.add_argument("-c", dest="cases", action="append", choices=CASES)
    p.add_argument("-p", dest="privileges", action="append")
    p.add_argument("-k", dest="keep", action="store_true")
    p.add_argument("version", nargs="?", default="1.3.3")
    args = p.parse_args()
    args.build = os.path.abspath(args.build)
    args.cases = args.cases or CASES
    args.privileges = args.privileges or ["WRITE_DATA", "WRITE_SCHEMA", "READ_SCHEMA", "MANAGE_DATABASE", "MAINTAIN"]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    failed = 0
    for replicas in args.replicas or (1, 2):
        try:
            with Stage("cluster", args.keep) as stage:
                play(args, replicas, stage)
        except (Failed, OSError, subprocess.CalledProcessError) as why:
            print(f"cluster: {why}", file=sys.stderr)
            failed += 1
    return 1 if failed else 0


sys.exit(main())
