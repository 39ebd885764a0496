"""A pair of daemons in a directory of its own, quick to make, watch and judge.

The scripted run: some files are sealed before the daemons start, some after the pipe
runs; by default three and three in two databases, deletions beside some, one file that
travels inline, one in blocks; and when all is applied, rows of one file are deleted.
Everything that may fail because a daemon was just shot is tried again; what a correct
pair cannot get into (a daemon that ends without words, ends twice, does not converge,
leaves something behind, disagrees with the other side) is a Violation.
"""

import collections
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import time

DAEMONS = ("recvd", "syncd")
LIMIT_S = 20.0  # until everything is applied
PORT = 26670  # on an address of 127/8 of its own

# What one file is: `kind` names its bytes; is_early: sealed before the daemons start.
File = collections.namedtuple("File", "kind database space name has_mods is_early")

FILES = tuple(map(File._make, (
    ("tiny", "root.a", "sequence", "1-1-0-0", False, True),
    ("inline", "root.a", "sequence", "2-2-0-0", True, True),
    ("blocks", "root.b", "sequence", "1-1-0-0", True, True),
    ("tiny", "root.b", "unsequence", "2-2-0-0", True, False),
    ("tiny", "root.a", "sequence", "3-3-0-0", False, False),
    ("tiny", "root.b", "sequence", "4-4-0-0", False, False),
)))
# Said at the edge when all is applied, of the first file, whose times are 1 to 3: a DELETE for its database.
DELETED_IN = FILES[0]
LATE_RECORD = b"DELETION,root.sg.d1.s1,212,2,9\n"
LATE_IN_CLOUD = b"DELETION,root.sg.d1.s1,9223372036854775807,2,3\n"
MODS = b"DELETION,%s.d1.s1,212,0,5\nDELETION,%s.d1.s2,212,7,9\n"


class Violation(Exception):
    """What must not happen."""


class NoAnswer(Exception):
    """A daemon is away, or refused."""


def ask(path, line, timeout=5.0):
    """One request on a control socket: the rows of its answer."""
    rows = []
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(timeout)
            s.connect(path)
            s.sendall(line.encode() + b"\n")
            with s.makefile("rb") as f:
                for raw in f:
                    text = raw.decode().rstrip("\n")
                    if text[4:5] == " ":
                        if text[0] != "0":
                            raise NoAnswer(text)
                        return rows
                    if text[0] == "1":
                        rows.append(text[5:])
    except OSError as e:
        raise NoAnswer(f"{path}: {e}") from e
    raise NoAnswer(f"{path}: closed")


class Material:
    """The files to seal, made once per campaign."""

    def __init__(self, build, source, work):
        self.build, self.work = build, work
        self.paths, self.bytes = {}, {}
        self.take("tiny", f"{source}/tests/data/tsfile/v3/tiny.tsfile")
        self.make("inline", "200K")
        self.make("blocks", "3M")
        self.make("zipped", "700K", "-z")
        self.make("small", "40K", "-z")
        self.take("al", f"{source}/tests/data/tsfile/v3/al.tsfile")

    def make(self, name, size, *options):
        out = f"{self.work}/{name}"
        os.makedirs(out)
        subprocess.run([f"{self.build}/tests/bench/tsgen", *options, "-n", "1", "-s", size, out], check=True,
                       stdout=subprocess.DEVNULL)
        self.take(name, next(os.path.join(d, f) for d, _, fs in os.walk(out) for f in fs if f.endswith(".tsfile")))

    def take(self, name, path):
        self.paths[name] = path
        with open(path, "rb") as f:
            self.bytes[name] = f.read()


class Pair:
    """`disk`: a directory for what it names of ("edge", "cloud"): another file system's, say.

    late_at_once: how many of the files that are sealed late, at each step."""

    def __init__(self, base, build, material, address, files=FILES, disk=None, late_at_once=None):
        self.dir, self.build, self.material, self.address = base, build, material, address
        self.files, self.late = files, [f for f in files if not f.is_early]
        self.late_at_once = late_at_once or len(self.late)
        self.has_deletion, self.is_deleted = DELETED_IN in files, False
        edge, cloud = [(disk or {}).get(side, base) for side in ("edge", "cloud")]
        self.data, self.edge = f"{edge}/data", f"{edge}/edge"
        self.cloud, self.archive = f"{cloud}/cloud", f"{cloud}/archive"
        self.procs, self.ended, self.tracer = {}, [], None
        self.port = PORT  # where syncd finds recvd
        self.bin = f"{base}/bin"
        for d in (self.bin, self.edge, self.cloud, f"{self.data}/sequence", f"{self.data}/unsequence"):
            os.makedirs(d)
        for name in (*DAEMONS, "recvd-load"):
            os.link(f"{build}/{name}", f"{self.bin}/{name}")
        self.write("syncd.conf", state_dir=self.edge, control_socket=f"{base}/syncd.sock", sender_name="edge-1",
                    data_dirs=self.data, spool_min_free=0, scan_interval="200ms")
        self.write("recvd.conf", state_dir=self.cloud, control_socket=f"{base}/recvd.sock", bind=address,
                    pipe_server_port=PORT, archive_dir=self.archive, staging_min_free=0)
        for f in files:
            if f.is_early:
                self.seal(f)

    def write(self, name, **keys):
        with open(f"{self.dir}/{name}", "a") as f:
            for key, value in keys.items():
                f.write(f"{key}={value}\n")

    # ---- the edge's IoTDB ----

    def source(self, f):
        return f"{self.data}/{f.space}/{f.database}/1/0/{f.name}.tsfile"

    def seal(self, f):
        path = self.source(f)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copyfile(self.material.paths[f.kind], path)
        if f.has_mods:
            with open(path + ".mods", "wb") as out:
                out.write(self.mods(f.database))
        with open(path + ".resource.temp", "wb") as out:
            out.write(b"\1\1")
        os.rename(path + ".resource.temp", path + ".resource")

    def delete(self):
        self.delete_in(DELETED_IN)
        self.is_deleted = True

    def delete_in(self, file):
        """As IoTDB appends a record, and syncs it."""
        with open(self.source(file) + ".mods", "ab") as f:
            f.write(LATE_RECORD)
            f.flush()
            os.fsync(f.fileno())
        fd = os.open(os.path.dirname(self.source(file)), os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)

    def is_deletion_there(self):
        f = DELETED_IN
        return os.path.exists(f"{self.archive}/edge-1/{f.database}/{f.space}/1/0/{f.name}.tsfile.mods")

    def unseal(self, f):
        for suffix in ("", ".mods", ".resource", ".resource.temp"):
            if os.path.exists(self.source(f) + suffix):
                os.unlink(self.source(f) + suffix)

    @staticmethod
    def mods(db):
        return MODS % (db.encode(), db.encode())

    # ---- the daemons ----

    def start(self, name, wrap=()):
        """With memory that has other contents as soon as it is given back: what is read too late is read wrong."""
        with open(f"{self.dir}/{name}.log", "ab") as log:
            self.procs[name] = subprocess.Popen(
                [*wrap, f"{self.bin}/{name}", "-c", f"{self.dir}/{name}.conf"], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env={"MALLOC_PERTURB_": "191", **os.environ, "ASAN_OPTIONS": "detect_leaks=0"})

    def trace_thread(self, name, thread, tampering):
        """Once it answers; strace ends with it."""
        self.await_answer(name)
        tasks = f"/proc/{self.procs[name].pid}/task"
        tids = [t for t in os.listdir(tasks) if _text(f"{tasks}/{t}/comm").strip() == thread]
        self.tracer = subprocess.Popen(["strace", "-q", "-o", f"{self.dir}/strace.out", *tampering, "-p", ",".join(tids)],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while self.tracer.poll() is None and any("TracerPid:\t0\n" in _text(f"{tasks}/{t}/status") for t in tids):
            time.sleep(0.001)

    def await_answer(self, name):
        """Until it answers, or has ended."""
        deadline = time.monotonic() + 10
        while self.procs[name].poll() is None and not self._is_ready(name):
            if time.monotonic() > deadline:
                raise Violation(f"{name} is not ready after 10 s")
            time.sleep(0.003)

    def _is_ready(self, name):
        try:
            return ask(f"{self.dir}/{name}.sock", "SHOW VERSION")
        except NoAnswer:
            return False

    def log(self, name):
        return _text(f"{self.dir}/{name}.log")

    def look_after(self, may_end):
        """Starts again what ended; may_end: (daemon, statuses) of the one that is hurt."""
        for name, proc in self.procs.items():
            status = proc.poll()
            if status is None:
                continue
            self.check_end(name, status, may_end)
            self.start(name)

    def check_end(self, name, status, may_end):
        self.ended.append(name)
        if name != may_end[0] or status not in may_end[1]:
            raise Violation(f"{name} ended with status {status}")
        if len(self.ended) > 1:
            raise Violation(f"{name} ended with status {status}, again")
        if status == 1 and not re.search(r"^(?:<\d>)?(?:\S+ )?(?:level=)?err ", self.log(name), re.M):
            raise Violation(f"{name} ended without saying why")

    def syncd(self, line, timeout=5.0):
        return ask(f"{self.dir}/syncd.sock", line, timeout)

    def recvd(self, line, timeout=5.0):
        return ask(f"{self.dir}/recvd.sock", line, timeout)

    # ---- towards the goal ----

    def advance(self):
        """One step of the script that is not done yet; True when all is applied."""
        status = "".join(self.recvd(".cat /server/status"))
        if "true" not in status.lower() and "on" not in status.lower():
            self.recvd("START PIPESERVER")
        if not self.syncd("SHOW PIPESINK s"):
            self.syncd(f"CREATE PIPESINK s AS IoTDB (ip='{self.address}',port={self.port})")
        pipes = self.syncd("SHOW PIPE p")
        if not pipes:
            self.syncd("CREATE PIPE p TO s")
        elif pipes[0].split("\t")[3] == "STOP":
            if "[ERROR]" in pipes[0]:
                raise Violation("the pipe was stopped: " + pipes[0].split("\t")[4])
            self.syncd("START PIPE p")
        for _ in range(min(self.late_at_once, len(self.late))):
            self.seal(self.late[0])
            del self.late[0]
        is_there = not self.has_deletion or self.is_deletion_there()
        progress = self.progress()
        # More entries than files: what came below others is followed by them again.
        is_done = (len(self.files) <= progress["applied_serial"] == progress["durable_serial"]
                   and progress["remaining_entries"] == 0
                   and self.n_known() == len(self.files))
        if is_done and self.has_deletion and not self.is_deleted:
            self.delete()
        return is_done and is_there

    def n_known(self):
        """How many files were captured."""
        with catalog(f"file:{self.edge}/catalog.db?mode=ro") as db:
            return db.execute("SELECT count(*) FROM known").fetchall()[0][0]

    def progress(self):
        rows = self.syncd(".cat /p/progress")
        return {k: int(v) for k, v in (r.split()[:2] for r in rows) if v.isdigit()}

    def converge(self, may_end):
        deadline = time.monotonic() + LIMIT_S
        last = "nothing was refused"
        while True:
            self.look_after(may_end)
            try:
                if self.advance():
                    return
                pause = 0.003
            except NoAnswer as e:
                last, pause = str(e), 0.004
            if time.monotonic() > deadline:
                raise Violation(f"not everything is applied after {LIMIT_S:.0f} s; last refusal: {last}; "
                                + self.explain())
            time.sleep(pause)

    def explain(self):
        words = [f"{self.n_known()} files known of {len(self.files)}"]
        if self.has_deletion:
            words += [f"rows are {'' if self.is_deleted else 'not yet '}deleted at the edge"]
        for asked in (self.syncd, self.recvd):
            for line in (".cat /p/link", ".cat /p/message", ".cat /p/queue", ".cat /p/progress", "SHOW QUARANTINE"):
                try:
                    words += asked(line, 1)
                except NoAnswer:
                    pass
        return "; ".join(words)

    def stop(self, may_end=(None, ())):
        """SIGTERM: they end by themselves, with 0 unless the fault came just now."""
        for name, proc in self.procs.items():
            # What was started just now may not have taken over the signal yet; what answers has.
            self.await_answer(name)
            if proc.poll() is None:
                proc.terminate()
        for name, proc in self.procs.items():
            try:
                status = proc.wait(10)
            except subprocess.TimeoutExpired as e:
                raise Violation(f"{name} did not end on SIGTERM") from e
            if status != 0:
                self.check_end(name, status, may_end)
        self.procs = {}

    def kill(self, name):
        """SIGKILL: how it ended."""
        proc = self.procs.pop(name)
        proc.kill()
        return proc.wait()

    def kill_all(self):
        for proc in self.procs.values():
            if proc.poll() is None:
                proc.kill()
            proc.wait()
        if self.tracer:
            self.tracer.wait()

    # ---- what must be true afterwards ----

    def wanted(self, is_deleted):
        """{path in the archive: bytes}; a DELETE stands beside every file of its database with rows in its times."""
        wanted = {}
        for f in self.files:
            path = f"{f.database}/{f.space}/1/0/{f.name}.tsfile"
            wanted[path] = self.material.bytes[f.kind]
            is_hit = f.database == DELETED_IN.database and f.kind == DELETED_IN.kind
            late = LATE_IN_CLOUD if is_deleted and is_hit else b""
            if f.has_mods or late:
                wanted[path + ".mods"] = (self.mods(f.database) if f.has_mods else b"") + late
        return wanted

    def archived(self):
        found = {}
        for d, _, files in os.walk(f"{self.archive}/edge-1"):
            for f in files:
                path = os.path.join(d, f)
                with open(path, "rb") as opened:
                    found[os.path.relpath(path, f"{self.archive}/edge-1")] = opened.read()
        return found

    def check_archive(self):
        wanted, found = self.wanted(self.has_deletion), self.archived()
        for path in sorted(wanted.keys() | found.keys()):
            if path not in found:
                raise Violation(f"the archive lacks {path}")
            if path not in wanted:
                raise Violation(f"the archive has {path} too")
            if wanted[path] != found[path]:
                raise Violation(f"the archive's {path} differs")

    def check_clean(self):
        """Of the run without faults."""
        self.check_archive()

    def check_message(self, seconds, may_end):
        """Nothing is complained of when its cause is gone."""
        deadline = time.monotonic() + seconds
        while True:
            self.look_after(may_end)  # the answer itself may be what it is hurt at
            try:
                message = self.syncd(".cat /p/message")
            except NoAnswer as e:
                message = [str(e)]
            if not message:
                return
            if time.monotonic() > deadline:
                raise Violation("all is applied, yet message is: " + "; ".join(message))
            time.sleep(0.02)

    def leftovers(self):
        left = []
        for top in (self.data, self.edge, self.cloud, self.archive):
            for d, _, files in os.walk(top):
                for f in files:
                    is_pinned = "/.tsferry-spool" in d and f != "instance"
                    is_staged = d.startswith(f"{self.cloud}/staging") and f != "instance"
                    is_temporary = f.startswith(".tsferry-") or f.endswith((".tmp", ".new"))
                    if is_pinned or is_staged or is_temporary:
                        left.append(f"{d}/{f}")
        return left or self.unreleased()

    def unreleased(self):
        """Applied entries that the edge still has: one without a pin leaves no file."""
        query = "SELECT applied, released FROM pipe WHERE state = 1 AND released < applied"
        try:
            with catalog(f"file:{self.edge}/catalog.db?mode=ro") as edge:
                rows = edge.execute(query).fetchall()
        except sqlite3.Error as e:  # in the moment of its start or end
            return [str(e)]
        return [f"entries up to {applied}, released {released}" for applied, released in rows]

    def check_nothing_left(self, seconds, may_end):
        deadline = time.monotonic() + seconds
        while left := self.leftovers():
            self.look_after(may_end)  # it may be removing them that it is hurt at
            if time.monotonic() > deadline:
                raise Violation("left behind: " + ", ".join(left))
            time.sleep(0.005)

    def check_catalogs(self, n=None):
        """After both have ended: serials without holes, both sides of one mind. n: the last one."""
        with catalog(f"{self.edge}/catalog.db") as edge, catalog(f"{self.cloud}/catalog.db") as cloud:
            _one(edge, "PRAGMA integrity_check", ("ok",))
            _one(cloud, "PRAGMA integrity_check", ("ok",))
            if n is None:
                _one(edge, "SELECT count(*) FROM known", (len(self.files),))
                n = max(len(self.files), edge.execute("SELECT max(assigned) FROM pipe").fetchall()[0][0])
            _one(edge, "SELECT count(*), max(assigned), max(durable), max(applied), max(released) FROM pipe"
                 " WHERE state = 1", (1, n, n, n, n))
            _one(edge, "SELECT count(*) FROM pipe WHERE state = 2", (0,))
            _one(edge, "SELECT count(*) FROM entry", (0,))
            _one(edge, "SELECT count(*) FROM gap", (0,))
            _one(cloud, "SELECT durable, applied, dropped FROM incarnation ORDER BY seq DESC LIMIT 1", (n, n, 0))
            _one(cloud, "SELECT count(*), (SELECT count(*) FROM quarantine) FROM entry", (0, 0))
            _one(cloud, "SELECT count(*) FROM domain WHERE n_entries OR n_quarantined OR bytes", (0,))
            _one(cloud, "SELECT n, bytes FROM retained_sum", (0, 0))
            ids = [db.execute(q).fetchall()[-1][0] for db, q in (
                (edge, "SELECT incarnation FROM pipe WHERE state = 1"),
                (cloud, "SELECT id FROM incarnation ORDER BY seq"))]
            if ids[0] != ids[1]:
                raise Violation("the catalogs know different incarnations")
            nonces = [db.execute(q).fetchall()[-1][0] for db, q in (
                (edge, "SELECT released_nonce FROM pipe WHERE state = 1"),
                (cloud, "SELECT durable_nonce FROM incarnation ORDER BY seq"))]
            if nonces[0] != nonces[1]:
                raise Violation("the catalogs know different nonces of the last entry")

    def check_logs(self):
        for name in DAEMONS:
            for sign in ("Sanitizer", "runtime error:", "Assertion", "stack smashing"):
                if sign in self.log(name):
                    raise Violation(f"{name} said: " + self.log(name)[-2000:])


class catalog:
    def __init__(self, path):
        self.db = sqlite3.connect(path, uri=True, timeout=10)

    def __enter__(self):
        return self.db

    def __exit__(self, *_):
        self.db.close()


def _text(path):
    with open(path, errors="replace") as f:
        return f.read()


def _one(db, query, expected):
    rows = db.execute(query).fetchall()
    if rows != [expected]:
        raise Violation(f"{query}: expected {expected}, found {rows}")
