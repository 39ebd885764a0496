#!/usr/bin/env python3
"""syncd beside a living IoTDB that is written to and compacts, while syncd is killed, left
off, stopped and loses events. From time to time, and at the end, the archive must answer
exactly as the edge does. Prints key=value; exits 1 at the first difference and keeps all.

    soak.py --build DIR --version 1.3.3 --minutes 20 [--seed N] [--port BASE] [--keep DIR]

$TSFERRY_IOTDB starts servers. Nothing waits for time alone, except the chaos itself.
"""
import argparse
import collections
import fcntl
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
from archive_reader import Archive, job_fields, rows_in_files
from compare import compare, show
from server import Refused, Server
from workload import PARTITION, Statement, Workload

HERE = os.path.dirname(os.path.abspath(__file__))
QUEUE = "/proc/sys/fs/inotify/max_queued_events"
QUEUE_USUAL = 16384  # the kernel's default
PROPERTIES = """time_partition_interval=%d
compaction_schedule_interval_in_ms=1000
compaction_submission_interval_in_ms=1000
inner_compaction_candidate_file_num=3
max_inner_compaction_candidate_file_num=3
inner_compaction_total_file_num_threshold=5
inner_compaction_task_selection_disk_redundancy=0
min_cross_compaction_unseq_file_level=1
target_compaction_file_size=200000
compaction_thread_count=2
compaction_write_throughput_mb_per_sec=64
enable_timed_flush_seq_memtable=false
wal_buffer_size_in_byte=1048576
enable_auto_create_schema=false
dn_join_cluster_retry_interval_ms=2000
""" % PARTITION


def free_base(base):
    while True:
        try:
            for i in range(7):
                with socket.socket() as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(("127.0.0.1", base + i))
            return base
        except OSError:
            base += 10


def status_of(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1]
    except OSError:
        return "Z"


class Edge:
    """The server, both daemons, and what may be done to syncd."""

    def __init__(self, options, work):
        self.tool, self.build, self.work, self.version = os.environ["TSFERRY_IOTDB"], options.build, work, options.version
        self.iotdb, self.archive = work + "/iotdb", work + "/archive"
        self.port, self.procs, self.properties = free_base(options.port), {}, PROPERTIES
        if options.dirs > 1:
            self.properties += "dn_data_dirs=%s\n" % ",".join("%s/data/%d" % (self.iotdb, i) for i in range(options.dirs))
        self.cut = "" if options.start is None else " FROM (SELECT ** FROM root WHERE time >= %d)" % options.start
        for d in ("edge", "cloud", "archive"):
            os.makedirs(work + "/" + d)
        self.write("syncd.conf", state_dir=work + "/edge", control_socket=work + "/syncd.sock", sender_name="edge-1",
                   iotdb_home=self.iotdb, spool_min_free=0,
                   **({"iotdb_rpc": "127.0.0.1:%d" % self.port, "inferred_deletes": "send"} if options.rpc else {}))
        self.write("recvd.conf", state_dir=work + "/cloud", control_socket=work + "/recvd.sock", bind="127.0.0.1",
                   pipe_server_port=0, archive_dir=self.archive, staging_min_free=0, loader=HERE + "/loader")

    def write(self, name, **keys):
        with open(self.work + "/" + name, "w") as f:
            f.writelines("%s=%s\n" % pair for pair in keys.items())

    def serve(self, verb, *more):
        env = dict(os.environ, IOTDB_PROPS=self.properties.replace("\n", "\\n"), IOTDB_CN_HEAP="256m", IOTDB_DN_HEAP="640m")
        with open(self.work + "/iotdb.log", "a") as log:
            subprocess.run(["nice", "-n", "5", self.tool, verb, *more], env=env, stdout=log, stderr=log, check=True)

    def start_server(self):
        """On a loaded machine its two processes miss each other now and then."""
        for attempts_left in (2, 1, 0):
            try:
                self.serve("start", self.version, self.iotdb, str(self.port))
                return
            except subprocess.CalledProcessError:
                self.serve("stop", self.iotdb)
                if not attempts_left:
                    raise

    def start(self):
        self.start_server()
        self.daemon("recvd")
        self.daemon("syncd")
        self.say("START PIPESERVER")
        self.say("CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port=%s)" % self.say("cat", "/server/port").strip())
        self.say("CREATE PIPE p TO s" + self.cut)
        self.say("START PIPE p")

    def daemon(self, name):
        env = dict(os.environ, TSFERRY_BUILD=self.build)
        with open("%s/%s.log" % (self.work, name), "a") as log:
            self.procs[name] = subprocess.Popen(["%s/%s/%s" % (self.build, name, name), "-c", "%s/%s.conf" % (self.work, name)],
                                                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env)
        while not self.answers(name):
            if self.procs[name].poll() is not None:
                raise Failure("%s ended: see %s/%s.log" % (name, self.work, name))
            time.sleep(.05)

    def answers(self, name):
        return subprocess.run([self.build + "/fs/pipectl", "-s", "%s/%s.sock" % (self.work, name), "SHOW VERSION"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0

    def say(self, *words):
        done = subprocess.run([self.build + "/fs/pipectl", "-t", "-s", self.work + "/syncd.sock", "-s", self.work + "/recvd.sock",
                               *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failure("%s: %s" % (" ".join(words), done.stdout + done.stderr))
        return done.stdout

    def signal(self, name, which):
        self.procs[name].send_signal(which)
        if which == signal.SIGKILL:
            self.procs[name].wait()

    def crash(self):
        """The server dies as it stands, and comes back."""
        for pid in subprocess.run([self.tool, "pids", self.iotdb], capture_output=True, check=True).stdout.split():
            os.kill(int(pid), signal.SIGKILL)
            while os.path.exists("/proc/%d" % int(pid)) and "Z" not in status_of(int(pid)):
                time.sleep(.05)
        while free_base(self.port) != self.port:
            time.sleep(.05)
        self.start_server()

    def stop(self):
        for name, proc in self.procs.items():
            if proc.poll() is None:
                proc.send_signal(signal.SIGCONT)
                proc.terminate()
                try:
                    proc.wait(30)
                except subprocess.TimeoutExpired:
                    proc.kill()
                    print("%s did not end on SIGTERM" % name)
        self.serve("stop", self.iotdb)


class Failure(Exception):
    """What must not happen."""


class Chaos(threading.Thread):
    """Kills, pauses and blinds syncd while `calm` is not set."""

    def __init__(self, edge, seed):
        super().__init__(daemon=True)
        self.edge, self.random, self.counts = edge, random.Random(seed), collections.Counter()
        self.wanted, self.calm, self.failure = threading.Event(), threading.Event(), None
        self.ended = threading.Event()

    def run(self):
        try:
            while not self.ended.is_set():
                if self.wanted.is_set():
                    self.calm.set()
                    time.sleep(.1)
                    continue
                self.calm.clear()
                self.pause(self.random.uniform(1, 7))
                if not self.wanted.is_set():
                    self.one()
        except Exception as e:  # told by who waits for calm
            self.failure = e
            self.calm.set()

    def pause(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.wanted.is_set():
            time.sleep(.05)

    def one(self):
        what = self.random.choices(("kill", "off", "stop", "blind"), (60, 5, 20, 15))[0]
        self.counts[what] += 1
        if what == "stop":
            self.edge.signal("syncd", signal.SIGSTOP)
            self.pause(self.random.uniform(1, 8))
            self.edge.signal("syncd", signal.SIGCONT)
            return
        self.edge.signal("syncd", signal.SIGKILL)
        if what == "off":
            self.pause(self.random.uniform(5, 60))
        self.revive(is_blind=what == "blind")

    def revive(self, is_blind):
        """Of a queue of so few events most are lost. It is the whole machine's, so as short as possible, and
        one soak at a time: another one would take the short queue for the usual."""
        if not is_blind or not os.access(QUEUE, os.W_OK):
            self.edge.daemon("syncd")
            return
        with open(tempfile.gettempdir() + "/tsferry-soak.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with open(QUEUE) as f:
                usual = max(int(f.read()), QUEUE_USUAL)  # one that was killed left it short
            try:
                with open(QUEUE, "w") as f:
                    f.write("4")
                self.edge.daemon("syncd")
            finally:
                with open(QUEUE, "w") as f:
                    f.write(str(usual))

    def rest(self):
        self.calm.clear()
        self.wanted.set()
        self.calm.wait()
        if self.failure:
            raise self.failure

    def go_on(self):
        self.wanted.clear()


class Soak:
    def __init__(self, options, work):
        self.options, self.edge = options, Edge(options, work)
        self.work, self.load, self.archive = work, Workload(options.seed), Archive(work + "/archive", work + "/archive.jobs")
        self.refused, self.checks, self.values = collections.Counter(), 0, 0
        self.disturbed = 0
        self.forgotten = set()  # rows of which the server says other than it was told, and the archive does not
        self.chance = random.Random(options.seed)
        self.statements = open(work + "/statements.sql", "w", buffering=1)

    def write_until(self, end, pace):
        while time.monotonic() < end:
            began = time.monotonic()
            if self.chance.random() < self.options.pace / self.options.crash:
                self.load.counts["crash"] = self.load.counts.get("crash", 0) + 1
                self.edge.crash()
                self.server = Server(self.edge.port)
            self.do(self.load.next())
            time.sleep(max(0, pace - (time.monotonic() - began)))

    def do(self, sql):
        self.statements.write("%.3f %s\n" % (time.time(), sql))
        try:
            self.server.run(sql)
            if isinstance(sql, Statement):
                sql.mean(self.load.model)
        except Refused as e:
            self.refused[re.sub(r"\d+", "N", str(e))[:150]] += 1
        except TimeoutError:  # a server that was killed hangs now and then in DELETE TIMESERIES
            self.refused["no answer to %s: killed" % " ".join(sql.split()[:2])] += 1
            if isinstance(sql, Statement) and sql.gone:
                sql.mean(self.load.model)
            self.edge.crash()
            self.server = Server(self.edge.port)

    def settled(self):
        """Nothing is left: {what progress counts}."""
        for attempts_left in (3, 2, 1, 0):  # an archive of many files takes its time for a RESTATE
            try:
                self.edge.say("WAIT PIPE p 300")
                break
            except Failure:
                if not attempts_left:
                    raise
        return [line for line in self.edge.say("cat", "/p/progress").split("\n") if "serial" in line or "entries" in line]

    def check(self):
        """The archive against the edge, row by row. Compactions go on meanwhile: what differs counts
        when nothing was on its way while it was read."""
        self.do("FLUSH")
        while True:
            before = self.settled()
            wrong, compared = compare(self.archive, self.server, "root.f*.**", self.load.series(), start=self.options.start)
            if not wrong or self.settled() == before:
                break
            self.disturbed += 1
        self.checks += 1
        self.values += compared
        forgotten = {(series, t) for series, t, _, got in wrong if self.load.model.get(series, {}).get(t) == got}
        hidden = self.hidden(wrong) - forgotten
        for what, which in (("what it was told", forgotten), ("DELETE TIMESERIES", hidden)):
            new = [w for w in wrong if w[:2] in which - self.forgotten]
            for w in new[:2]:
                print("the server forgot %s: %s at %s: it says %r, the archive %r" % (what, *w), flush=True)
        forgotten |= hidden
        self.forgotten |= forgotten
        return [w for w in wrong if w[:2] not in forgotten]

    def hidden(self, wrong):
        """Rows of a series that was taken away by DELETE TIMESERIES while a compaction ran: the server's files
        have them still, with no deletion beside them, and it cannot be asked about them any more."""
        gone = {series for series, _, want, _ in wrong if want is None}
        gone -= {row[0] for row in self.server.rows("SHOW TIMESERIES root.f*.**")}
        if not gone:
            return set()
        for _ in range(20):  # compactions go on
            try:
                there = rows_in_files(self.edge.iotdb + "/data", gone)
                break
            except FileNotFoundError:
                time.sleep(.1)
        else:
            return set()
        return {(series, t) for series, t, want, got in wrong if want is None and (series, t, got) in there}

    def count(self):
        out, seen, serials = collections.Counter(), set(), set()
        with open(self.work + "/archive.jobs", encoding="utf-8") as lines:
            for line in lines:
                job = job_fields(line)
                if "kind" not in job or (job["database"], job["serial"]) in serials:
                    continue
                serials.add((job["database"], job["serial"]))
                out[job["kind"]] += 1
                name = tuple(job.get(k) for k in ("database", "space", "region", "partition", "name"))
                out["again"] += job["kind"] == "FILE" and name in seen
                seen.add(name)
        with open(self.work + "/syncd.log", encoding="utf-8", errors="replace") as f:
            log = f.read()
        for key, words in (("derived", "is derived from"), ("products_sent", "is sent, a product"),
                           ("unseen_compactions", "a compaction that was not seen"), ("overflows", "inotify lost events"),
                           ("restated", ": RESTATE of"), ("vanished", "no journal says why")):
            out[key] = log.count(words)
        return out

    def report(self, chaos, status):
        c = self.count()
        print(" ".join("%s=%s" % pair for pair in (
            ("soak", status), ("version", self.options.version), ("seed", self.options.seed),
            ("minutes", self.options.minutes), ("rows", self.load.rows_written), ("files_sent", c["FILE"]),
            ("captured", c["FILE"] - c["again"]), ("derived", c["derived"]), ("products_sent", c["products_sent"]),
            ("again", c["again"]), ("restates", c["RESTATE"]), ("deletes", c["DELETE"]),
            ("unseen_compactions", c["unseen_compactions"]), ("vanished", c["vanished"]),
            ("kills", chaos.counts["kill"]), ("off", chaos.counts["off"]), ("stopped", chaos.counts["stop"]),
            ("blind", chaos.counts["blind"]), ("overflows", c["overflows"]), ("checks", self.checks),
            ("values_compared", self.values), ("disturbed", self.disturbed), ("server_forgot", len(self.forgotten)), *((k, n) for k, n in sorted(self.load.counts.items())))), flush=True)
        for text, n in self.refused.most_common(5):
            print("refused %d: %s" % (n, text))

    def run(self):
        self.edge.start()
        self.server = Server(self.edge.port)
        for sql in self.load.begin(anchored=not self.options.rpc):
            self.do(sql)
        chaos = Chaos(self.edge, self.options.seed)
        chaos.start()
        end = time.monotonic() + self.options.minutes * 60
        wrong = []
        while not wrong and time.monotonic() < end:
            self.write_until(min(end, time.monotonic() + self.options.check), self.options.pace)
            chaos.rest()
            wrong = self.check()
            print("check %d: rows=%d values=%d differ=%d" % (self.checks, self.load.rows_written, self.values, len(wrong)), flush=True)
            chaos.go_on()
        chaos.rest()
        if wrong:
            show(self.archive, wrong)
        held = self.edge.say("SHOW QUARANTINE").strip()
        if held:
            print("quarantined: " + held)
        self.report(chaos, "wrong" if wrong or held else "equal")
        return 1 if wrong or held else 0


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", required=True)
    p.add_argument("--version", default="1.3.3")
    p.add_argument("--minutes", type=float, default=20)
    p.add_argument("--seed", type=int, default=random.randrange(10 ** 6))
    p.add_argument("--port", type=int, default=17300)
    p.add_argument("--pace", type=float, default=.06, help="seconds a statement")
    p.add_argument("--check", type=float, default=60, help="seconds between two comparisons")
    p.add_argument("--crash", type=float, default=240, help="seconds between two deaths of the server, on average")
    p.add_argument("--dirs", type=int, default=1, help="data directories")
    p.add_argument("--start", type=int, help="the pipe's start time")
    p.add_argument("--rpc", action="store_true", help="syncd may ask the server; no row stays at the partitions' fronts")
    p.add_argument("--keep", help="a directory to work in, kept")
    options = p.parse_args()
    options.build = os.path.abspath(options.build)
    if not os.access(os.environ.get("TSFERRY_IOTDB", ""), os.X_OK):
        sys.exit("no IoTDB: set TSFERRY_IOTDB to a program that starts one")
    work = os.path.abspath(options.keep) if options.keep else tempfile.mkdtemp(prefix="tsferry-soak.")
    os.makedirs(work, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # no server is left behind
    soak = Soak(options, work)
    status = 1
    try:
        status = soak.run()
    except (Failure, Refused, OSError, subprocess.SubprocessError) as e:
        print("soak failed: %s" % e)
    finally:
        soak.edge.stop()
    if status:
        print("kept: " + work)
    elif not options.keep:
        shutil.rmtree(work)
    return status


if __name__ == "__main__":
    sys.exit(main())
