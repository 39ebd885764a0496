"""Real IoTDB servers and the daemons between them, for equal.py, faults.py and bench.py.

$TSFERRY_IOTDB is a program: start VERSION DIR PORT, stop DIR, sql PORT STATEMENT..., pids DIR
(lib.bash has the same). Ports from $IOTDB_PORT_BASE (17200) on. Everything stands below one
directory, which goes at the end unless something is to be looked at.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NO_IOTDB = """no IoTDB: set TSFERRY_IOTDB to a program that starts servers:
    start VERSION DIR PORT    a ConfigNode and a DataNode with all they have below DIR, the client RPC on PORT
    stop DIR                  ends both
    sql PORT STATEMENT...     one session; rows tab-separated behind a line '#' + names; refusals on stderr
    pids DIR                  the process ids of both
around the files of https://iotdb.apache.org/Download/."""


class Failed(Exception):
    """Something was not as it must be."""


def free_ports(base):
    """The first of seven ports in a row that nobody listens on."""
    def is_free(port):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                return False
        return True
    while not all(is_free(base + i) for i in range(7)):
        base += 10
    return base


def wait(seconds, what, fn):
    """Polls fn until it is true."""
    end = time.monotonic() + seconds
    while not fn():
        if time.monotonic() > end:
            raise Failed(f"timed out after {seconds} s: {what}")
        time.sleep(0.02)


class Server:
    """An IoTDB. Started anew it has the directory and the port that it had."""

    COMPACTION_OFF = ("enable_seq_space_compaction=false\\nenable_unseq_space_compaction=false\\n"
                      "enable_cross_space_compaction=false")
    COMPACTION_BUSY = ("compaction_schedule_interval_in_ms=1000\\ninner_compaction_candidate_file_num=2\\n"
                       "inner_compaction_task_selection_disk_redundancy=0\\nmin_cross_compaction_unseq_file_level=1\\n"
                       "inner_compaction_total_file_num_threshold=4")

    def __init__(self, root, name, version, props="", heap="512m", user_dir=None):
        self.tool = os.environ.get("TSFERRY_IOTDB", "")
        if not os.access(self.tool, os.X_OK):
            raise Failed(NO_IOTDB)
        self.name, self.version, self.dir = name, version, user_dir or os.path.join(root, name)
        self.port, self.props, self.heap, self.is_up = 0, props, heap, False

    def start(self):
        if not self.port:
            self.port = free_ports(int(os.environ.get("IOTDB_PORT_BASE", "17200")))
        env = dict(os.environ, IOTDB_PROPS=self.props, IOTDB_CN_HEAP="256m", IOTDB_DN_HEAP=self.heap)
        for again in range(3):
            r = subprocess.run([self.tool, "start", self.version, self.dir, str(self.port)], env=env, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            if r.returncode == 0:
                break
            self.stop()
        else:
            raise Failed(f"{self.name} does not start: {r.stdout}")
        self.is_up = True
        # it answers before it has found its regions again
        wait(60, f"the regions of {self.name}", lambda: all("Running" in row for row in self.ask("SHOW REGIONS", may_fail=True)))

    def stop(self):
        if os.path.isdir(self.dir):
            subprocess.run([self.tool, "stop", self.dir], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        self.is_up = False

    def pids(self):
        out = subprocess.run([self.tool, "pids", self.dir], stdout=subprocess.PIPE, text=True, check=False).stdout
        return [int(p) for p in out.split()]

    def kill(self):
        """As a power cut would, both processes."""
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            wait(10, f"{pid} is gone", lambda p=pid: not os.path.exists(f"/proc/{p}"))
        self.is_up = False

    def run(self, statements, may_fail=False, **env):
        r = subprocess.run([self.tool, "sql", str(self.port), *statements], text=True, check=False, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env=dict(os.environ, **env), errors="surrogateescape")
        if (r.returncode or r.stderr) and not may_fail:
            raise Failed(f"{self.name}: {r.stderr[:400]} ({'; '.join(statements)[:300]})")
        return r.stdout

    def sql(self, *statements, **env):
        """Statements without rows."""
        for at in range(0, len(statements), 200):
            self.run(statements[at:at + 200], **env)

    def ask(self, statement, may_fail=False, **env):
        """The rows of one query, each a list of texts."""
        out = self.run([statement], may_fail, **env)
        return [row.split("\t") for row in out.split("\n") if row and not row.startswith("#")]

    def scan(self, queries, may_fail=False):
        """The rows of many queries that each have a time column."""
        answers = []
        for at in range(0, len(queries), 100):
            part = queries[at:at + 100]
            lines = self.run(part, may_fail).split("\n")
            heads = [i for i, row in enumerate(lines) if row.startswith("#")]
            if len(heads) != len(part):
                raise Failed(f"{self.name}: {len(heads)} answers to {len(part)} queries")
            for a, b in zip(heads, heads[1:] + [len(lines)]):
                answers.append([row.split("\t") for row in lines[a + 1:b] if row])
        return answers


class Daemon:
    def __init__(self, build, name, conf, log):
        self.argv = [os.path.join(build, name, name), "-c", conf]
        self.name, self.log, self.process = name, log, None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self, sig=signal.SIGTERM):
        if self.process:
            self.process.send_signal(sig)
            self.process.wait(60)
        self.process = None


def conf(path, **keys):
    with open(path, "w", encoding="utf-8") as f:
        f.write("".join(f"{k}={v}\n" for k, v in keys.items()))


class Pipectl:
    """Statements and the tree of one daemon or both."""

    def __init__(self, build, *sockets):
        self.argv = [os.path.join(build, "fs", "pipectl"), "-t"]
        for s in sockets:
            self.argv += ["-s", s]

    def __call__(self, *words, may_fail=False):
        r = subprocess.run([*self.argv, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if r.returncode and not may_fail:
            raise Failed(f"{' '.join(words)}: {r.stdout.strip()}")
        return r.stdout

    def value(self, path):
        return self("cat", path, may_fail=True).strip()

    def progress(self, key, pipe="p"):
        for line in self.value(f"/{pipe}/progress").split("\n"):
            if line.startswith(key + " "):
                return int(line.split()[1])
        return -1


class Cloud:
    """recvd, its loader speaking to a server."""

    def __init__(self, build, root, server, **more):
        self.build, self.dir, self.socket = build, os.path.join(root, "recvd"), os.path.join(root, "recvd.sock")
        os.makedirs(self.dir, exist_ok=True)
        self.conf_path = os.path.join(root, "recvd.conf")
        self.keys = dict(state_dir=self.dir, control_socket=self.socket, bind="127.0.0.1", pipe_server_port=0,
                         staging_min_free=0, loader="iotdb", iotdb_rpc=f"127.0.0.1:{server.port}")
        self.keys.update(more)
        self.ctl = Pipectl(build, self.socket)
        self.daemon = Daemon(build, "recvd", self.conf_path, os.path.join(root, "recvd.log"))

    def start(self):
        conf(self.conf_path, **self.keys)
        self.daemon.start()
        wait(30, "recvd answers", lambda: self.ctl("SHOW VERSION", may_fail=True).strip() and
             os.path.exists(self.socket) and "Msg" not in self.ctl("SHOW PIPESERVER", may_fail=True))
        if not self.keys["pipe_server_port"]:
            self.ctl("START PIPESERVER")
            wait(10, "a port", lambda: self.ctl.value("/server/port").isdigit())
            self.keys["pipe_server_port"] = self.ctl.value("/server/port")
            conf(self.conf_path, **self.keys)

    def loader_pid(self):
        for line in self.ctl.value("/server/loader").split("\n"):
            if line.startswith("pid "):
                return int(line.split()[1])
        return 0

    def stop(self, sig=signal.SIGTERM):
        self.daemon.stop(sig)


class Edge:
    """syncd on a server's data directories."""

    def __init__(self, build, root, name, server, cloud, **more):
        self.name, self.server, self.cloud = name, server, cloud
        base = os.path.join(root, f"syncd-{name}")
        os.makedirs(base, exist_ok=True)
        self.socket, self.conf_path = base + ".sock", base + ".conf"
        self.ctl = Pipectl(build, self.socket)
        conf(self.conf_path, state_dir=base, control_socket=self.socket, sender_name=name, iotdb_home=server.dir,
             spool_min_free=0, scan_interval="1s", **more)
        self.daemon = Daemon(build, "syncd", self.conf_path, base + ".log")

    def start(self):
        self.daemon.start()
        wait(60, "syncd answers", lambda: "Msg" not in self.ctl("SHOW PIPES", may_fail=True))

    def create(self, start=None, deletions=True, pipe="p"):
        self.ctl(f"CREATE PIPESINK s AS IoTDB (ip='127.0.0.1',port={self.cloud.keys['pipe_server_port']})")
        since = "" if start is None else f" FROM (SELECT ** FROM root WHERE time >= {start})"
        self.ctl(f"CREATE PIPE {pipe} TO s{since} WITH SyncDelOp={'true' if deletions else 'false'}")
        self.ctl(f"START PIPE {pipe}")

    def drain(self, seconds=120, pipe="p"):
        """Everything that is sealed is applied."""
        end = time.monotonic() + seconds
        while True:
            answer = self.ctl(f"WAIT PIPE {pipe} 5", may_fail=True)
            if "Msg" not in answer or "successfully" in answer:
                return
            if time.monotonic() > end:
                raise Failed(f"{self.name} is not applied after {seconds} s: {answer.strip()} "
                             f"[{self.ctl.value(f'/{pipe}/message')}]")

    def stop(self, sig=signal.SIGTERM):
        self.daemon.stop(sig)


class Stage:
    """A directory and whatever runs below it; all of it ends with the block."""

    def __init__(self, name, keep=False):
        self.root = tempfile.mkdtemp(prefix=f"tsferry-{name}.", dir=os.environ.get("TMPDIR"))
        self.all, self.keep = [], keep

    def __enter__(self):
        return self

    def add(self, thing):
        self.all.append(thing)
        return thing

    def __exit__(self, kind, value, trace):
        for thing in reversed(self.all):
            try:
                thing.stop()
            except Exception as why:  # the others have to end as well
                print(f"ending {thing}: {why}", file=sys.stderr)
        if self.keep or (kind and kind is not KeyboardInterrupt):
            print(f"left to look at: {self.root}", file=sys.stderr)
        else:
            shutil.rmtree(self.root, ignore_errors=True)
