#!/usr/bin/env python3
"""Power cuts: one side's file system is shut down under it, by FS_IOC_SHUTDOWN.

usage: power.py [-b BUILD] [-n CUTS] [-S SEED] [-j JOBS] [-k] [CASE...]

A case is SIDE:FS:N. SIDE is edge (IoTDB's data, the spool and the outbox of syncd are on the file
system) or cloud (stage, catalog and archive of recvd); FS is ext4 or xfs, in an image of its own.
Two databases of small, larger and large files are carried; at a moment that N decides (a random
one of the run, or just when the edge learns that serial so and so is durable) the file system stops
without its log being flushed: what was not synced is gone. The daemon is killed in the same
moment, the file system mounted again and checked, the daemon started. Looked at before it starts: what the edge was told is durable is there, every statement
that was answered stands, what is visible in the archive is whole and has its deletions. Then all
must be applied, and everything as if nothing had happened (pair.py).

success:FS:N cuts when the edge knows that all of 300 files are durable, takes the edge away too,
and counts the files that recvd alone then has; beside it what rsync -aW --fsync leaves when the
power goes as it returns.

-n CUTS		of each SIDE and FS (200); a tenth of them for success, 1 to 10

Mounts are in a mount namespace of their own and go with it. Exit 77: mounting is not permitted
here (a failure when $CI is set).
"""

import collections
import ctypes
import fcntl
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time

from pair import DAEMONS, FILES, File, NoAnswer, Pair, Violation, catalog
from stage import Stage, parser, report, run_all, tail

SIDES = {"edge": "syncd", "cloud": "recvd"}
IMAGES = {"ext4": ("64M", ["mkfs.ext4", "-q", "-F"], ["e2fsck", "-f", "-n"]),
          "xfs": ("300M", ["mkfs.xfs", "-q"], ["xfs_repair", "-n"])}
SHUTDOWN = 0x8004587D  # FS_IOC_SHUTDOWN, of ext4 and XFS alike
NOLOGFLUSH = 2
SKIPPED = 77
Case = collections.namedtuple("Case", "side fs n")

# Small ones become rows of the catalog, "staged" and "inline" files, "blocks" files in blocks.
MANY = FILES + tuple(File(kind, f"root.{db}", "sequence", f"{t}-{t}-0-0", t % 3 == 0, t < 18)
                     for t, kind in enumerate(["tiny", "tiny", "staged", "tiny"] * 6 + ["inline", "blocks"], 10)
                     for db in "ab")
EQUAL = tuple(File("ten", "root.a", "sequence", f"{t}-{t}-0-0", False, True) for t in range(1, 301))


def run(*argv):
    r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if r.returncode:
        raise Violation(f"{' '.join(argv)}: status {r.returncode}: {' '.join(r.stdout[-500:].split())}")


class Disk:
    """An image with a file system, mounted at `dir`."""

    def __init__(self, where, fs):
        self.image, self.dir, self.fs, self.is_mounted = f"{where}.{fs}", f"{where}.disk", fs, False
        size, mkfs, _ = IMAGES[fs]
        with open(self.image, "wb") as f:
            f.truncate(int(size[:-1]) << 20)
        os.mkdir(self.dir)
        run(*mkfs, self.image)
        self.mount()

    def mount(self):
        run("mount", "-t", self.fs, "-o", "loop", self.image, self.dir)
        self.is_mounted = True

    def unmount(self):
        deadline = time.monotonic() + 10
        while self.is_mounted:  # a child of who was killed may live for a moment more
            try:
                run("umount", self.dir)
                self.is_mounted = False
            except Violation:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.005)

    def cut(self):
        fd = os.open(self.dir, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        finally:
            os.close(fd)

    def again(self):
        """The power is back: the log is replayed; the file system must be clean then."""
        self.unmount()
        self.mount()
        self.unmount()
        run(*IMAGES[self.fs][2], self.image)
        self.mount()

    def end(self):
        if self.is_mounted:
            subprocess.run(["umount", "-l", self.dir], check=False, stderr=subprocess.DEVNULL)
        os.unlink(self.image)
        os.rmdir(self.dir)


class Copy:
    """A catalog as the cut left it, to look into without touching it."""

    def __init__(self, state_dir, to):
        shutil.rmtree(to, ignore_errors=True)
        os.mkdir(to)
        for name in ("catalog.db", "catalog.db-wal"):
            if os.path.exists(f"{state_dir}/{name}"):
                shutil.copy(f"{state_dir}/{name}", to)
        self.path = f"{to}/catalog.db"

    def all(self, query):
        if not os.path.exists(self.path):
            return []
        with catalog(self.path) as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchall():
                return []
            return db.execute(query).fetchall()


# ---- the moment ----


class Words:
    """What the daemons answered before the cut: from then on it is a promise."""

    def __init__(self):
        self.is_sink = self.is_pipe = self.is_on = False
        self.durable = self.applied = 0

    def hear(self, pair):
        self.is_on = self.is_on or "on" in "".join(pair.recvd(".cat /server/status")).lower()
        self.is_sink = self.is_sink or bool(pair.syncd("SHOW PIPESINK s"))
        self.is_pipe = self.is_pipe or bool(pair.syncd("SHOW PIPE p"))
        if self.is_pipe:
            progress = pair.progress()
            self.durable, self.applied = progress["durable_serial"], progress["applied_serial"]


def work_until(pair, words, is_time):
    """True when all was applied before."""
    while not is_time(words):
        pair.look_after((None, ()))
        try:
            is_done = pair.advance()
            words.hear(pair)
            if is_done and words.applied >= len(pair.files):
                return True
        except NoAnswer:
            pass
    return False


def moment(rng, length_s, n_files):
    if rng.random() < 0.5:
        at = time.monotonic() + rng.uniform(0, length_s)
        return lambda words: time.monotonic() >= at
    wanted = rng.randint(1, n_files)
    return lambda words: words.durable >= wanted


def cut(pair, disk, victim, words):
    # Stopped first: a sync that is under way while the file system is shut down may well be answered
    # with 0 and be lost (seen with fdatasync alone, on ext4 and XFS), and must not be told of.
    pair.procs[victim].send_signal(signal.SIGSTOP)
    disk.cut()
    pair.kill(victim)
    if victim == "recvd" and words.is_pipe:
        words.durable = pair.progress()["durable_serial"]  # whatever it said until then
    disk.again()


# ---- what the cut left ----


def judge_cloud(pair, words):
    left = Copy(pair.cloud, f"{pair.dir}/looked-at")
    if words.durable and [("ok",)] != left.all("PRAGMA integrity_check"):
        raise Violation("the receiver's catalog is damaged")
    if words.is_on and left.all("SELECT value FROM meta WHERE name = 'pipeserver'") != [("on",)]:
        raise Violation("START PIPESERVER was answered and is forgotten")
    durable = max((row[0] for row in left.all("SELECT durable FROM incarnation")), default=0)
    if durable < words.durable:
        raise Violation(f"the edge was told that {words.durable} is durable; {durable} is")
    judge_visible(pair)


def judge_visible(pair):
    wanted, found = pair.wanted(False), pair.archived()
    later = pair.wanted(pair.has_deletion)
    for path, content in found.items():
        if content not in (wanted.get(path), later.get(path)):
            raise Violation(f"the archive's {path} was visible with {len(content)} bytes that are not the file's")
        if path.endswith(".tsfile") and path + ".mods" in wanted and path + ".mods" not in found:
            raise Violation(f"the archive's {path} was visible without its deletions")


def judge_edge(pair, words):
    left = Copy(pair.edge, f"{pair.dir}/looked-at")
    if words.is_sink and not left.all("SELECT name FROM sink"):
        raise Violation("CREATE PIPESINK was answered and is forgotten")
    if words.is_pipe and not left.all("SELECT name FROM pipe WHERE state < 3"):
        raise Violation("CREATE PIPE was answered and is forgotten")
    restore_sources(pair, left)


def restore_sources(pair, left):
    """IoTDB writes again what it lost itself; what was captured must not need that."""
    known = set(left.all("SELECT database, unsequence, t, v, i, c FROM known"))
    for f in pair.files:
        if f in pair.late:
            continue
        key = (f.database, int(f.space == "unsequence"), *map(int, f.name.split("-")))
        if key not in known:
            pair.unseal(f)
            pair.seal(f)


# ---- cases ----


def finish(pair):
    pair.converge((None, ()))
    pair.check_nothing_left(8, (None, ()))
    pair.check_message(3, (None, ()))
    pair.stop()


def run_cut(stage, case, pair, disk):
    rng = random.Random(f"{case.side}:{case.fs}:{case.n}")
    words, victim = Words(), SIDES[case.side]
    for name in DAEMONS:
        pair.start(name)
    began = time.monotonic()
    if work_until(pair, words, moment(rng, stage.length[case.side, case.fs], len(pair.files))):
        stage.length[case.side, case.fs] = 1.1 * (time.monotonic() - began)
    cut(pair, disk, victim, words)
    (judge_edge if case.side == "edge" else judge_cloud)(pair, words)
    pair.start(victim)
    finish(pair)
    for name in DAEMONS:
        pair.start(name)
    finish(pair)
    pair.check_archive()
    pair.check_catalogs()
    pair.check_logs()
    return ""


def run_success(stage, case, pair, disk):
    words = Words()
    for name in DAEMONS:
        pair.start(name)
    work_until(pair, words, lambda w: w.durable >= len(EQUAL))
    cut(pair, disk, "recvd", words)
    pair.kill("syncd")
    judge_visible(pair)
    pair.start("recvd")
    deadline = time.monotonic() + 20
    while (intact := len(pair.archived())) < len(EQUAL) and time.monotonic() < deadline:
        time.sleep(0.01)
    pair.check_archive()
    rsynced = rsync(pair, disk) if shutil.which("rsync") else None
    return f"tsferry={intact}/{len(EQUAL)}" + (f" rsync_fsync={rsynced}/{len(EQUAL)}" if rsynced is not None else "")


def rsync(pair, disk):
    """The files intact when the power goes as rsync returns."""
    pair.stop()
    run("rsync", "-aW", "--fsync", "--exclude=*.resource", f"{pair.data}/sequence", f"{disk.dir}/rsynced")
    disk.cut()
    disk.again()
    n = 0
    for f in EQUAL:
        path = f"{disk.dir}/rsynced/{os.path.relpath(pair.source(f), pair.data)}"
        if os.path.exists(path):
            with open(path, "rb") as opened:
                n += opened.read() == pair.material.bytes[f.kind]
    return n


def run_case(stage, case):
    """("passed" | "failed", seconds, words)"""
    began, pair, disk = time.monotonic(), None, None
    where, address = stage.place()
    try:
        disk = Disk(where, case.fs)
        is_cut = case.side in SIDES
        side = case.side if is_cut else "cloud"
        pair = Pair(where, stage.bin, stage.material, address, MANY if is_cut else EQUAL, {side: disk.dir},
                    late_at_once=2)
        words = (run_cut if is_cut else run_success)(stage, case, pair, disk)
        result = ("passed", time.monotonic() - began, words)
    except Violation as e:
        result = ("failed", time.monotonic() - began, str(e) + ("\n" + tail(pair) if pair else ""))
    finally:
        if pair:
            pair.kill_all()
        if disk:
            if not stage.keep or result[0] != "failed":
                disk.end()
    if not stage.keep or result[0] != "failed":
        shutil.rmtree(where, ignore_errors=True)
    return result


# ---- the campaign ----


def own_mounts():
    """A mount namespace that ends with this process and its daemons."""
    libc = ctypes.CDLL(None, use_errno=True)
    newns, private = 0x20000, 0x44000
    if libc.unshare(newns) or libc.mount(None, b"/", None, private, None):
        raise Violation("no mount namespace: " + os.strerror(ctypes.get_errno()))


def why_not(stage):
    """A sentence when images cannot be mounted and shut down here."""
    try:
        own_mounts()
        for fs in IMAGES:
            disk = Disk(f"{stage.dir}/probe", fs)
            try:
                disk.cut()
                disk.again()
            finally:
                disk.end()
    except (Violation, OSError) as e:
        return (f"power: images cannot be mounted and cut here: {e} (run as root, on a host or in a privileged"
                " container with loop devices, and install e2fsprogs and xfsprogs)")
    return None


def all_cases(args):
    exact = [Case(*c.split(":")) for c in args.cases if c != "*"]
    if exact:
        return exact
    rng = random.Random(args.seed)
    per_side = [[Case(side, fs, rng.randrange(1 << 32)) for side in SIDES for fs in IMAGES] for _ in range(args.cuts)]
    few = min(max(args.cuts // 10, 1), 10)
    return [c for cases in per_side for c in cases] + [Case("success", fs, n) for fs in IMAGES for n in range(few)]


def arguments():
    p = parser(__doc__)
    p.add_argument("-n", dest="cuts", type=int, default=200)
    return p.parse_args()


def main():
    args = arguments()
    stage = Stage(args.build, args.keep)
    totals, successes = collections.Counter(), collections.Counter()
    try:
        if reason := why_not(stage):
            print(reason)
            return 1 if os.environ.get("CI") else SKIPPED
        stage.material.make("staged", "100K")
        stage.material.make("ten", "10K")
        stage.length = {(side, fs): 1.0 for side in SIDES for fs in IMAGES}
        for case, result in run_all(stage, run_case, all_cases(args), args.jobs):
            report("power", ":".join(map(str, case)), result)
            totals[case.side, case.fs, result[0]] += 1
            successes[case.fs, result[2]] += case.side == "success" and result[0] == "passed"
    finally:
        stage.end()
    for side, fs in sorted({key[:2] for key in totals}):
        print(f"power side={side} fs={fs} cuts={totals[side, fs, 'passed'] + totals[side, fs, 'failed']}"
              f" failed={totals[side, fs, 'failed']}")
    for (fs, words), n in sorted(successes.items()):
        if n:
            print(f"power success fs={fs} times={n} intact {words}")
    failed = sum(n for key, n in totals.items() if key[2] == "failed")
    print(f"power: {sum(totals.values())} tried, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
