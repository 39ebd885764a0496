#!/usr/bin/env python3
"""Many faults at once.

usage: storm.py [-b BUILD] [-s SECONDS] [-S SEED] [-j JOBS] [-k] [ROUND...]

A round is a number. For some seconds every 10th to 400th system call on a file of either daemon, its
loader or its catalog fails, on whichever thread (storm.c), while files are sealed, rows deleted, the pipe
is stopped, started and RESYNCed, the receiver's service, too, and daemons are killed. Then it is calm, and what runs must
get there by itself: everything applied, archive, catalogs and directories as if nothing had happened,
nothing complained of. A daemon may end with words while it blows, not with a signal that is not ours.

-s SECONDS	rounds for so long, from SEED on; else those named
-S SEED		the first round (printed)
-k		keeps the directory of a round that failed

Every failure prints the command that tries that round again: the same words at other moments.
"""

import collections
import os
import random
import shutil
import struct
import sys
import time

import pair as pairs
from pair import DAEMONS, DELETED_IN, FILES, LATE_IN_CLOUD, LATE_RECORD, NoAnswer, Pair, Violation, catalog
from stage import Stage, parser, report, run_all, tail

CALM_S = 60.0  # after which a calm pair is there, whatever it waits for


class StormPair(Pair):
    """One whose daemons are hurt, and started again while they are."""

    def __init__(self, base, build, material, address, library, dice):
        super().__init__(base, build, material, address)
        self.is_holding = dice.random() < 0.3
        if self.is_holding:
            self.write("recvd.conf", hold_deletes="all")
        if dice.random() < 0.5:
            self.write("recvd.conf", retain_max_bytes="100M")
        self.knob, self.is_calm, self.is_resynced = f"{base}/storm", False, False
        self.turn(0)
        self.under = {"LD_PRELOAD": library, "STORM_FILE": self.knob, "STORM_DIR": base,
                      "ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0"}
        self.ends = collections.Counter()

    def turn(self, one_of):
        """In place: it is mapped."""
        fd = os.open(self.knob, os.O_RDWR | os.O_CREAT, 0o644)
        os.pwrite(fd, struct.pack("I", one_of), 0)
        os.close(fd)

    def start(self, name, wrap=()):
        super().start(name, ["env", *(f"{k}={v}" for k, v in self.under.items()), *wrap])

    def retain_nothing(self):
        path = f"{self.dir}/recvd.conf"
        with open(path) as f:
            lines = [line for line in f if not line.startswith("retain_max_bytes")]
        with open(path, "w") as f:
            f.writelines(lines)

    def check_end(self, name, status, may_end):
        if self.is_calm or status not in (1, -9):
            raise Violation(f"{name} ended with status {status}")
        self.ends[name, status] += 1
        time.sleep(0.02)

    def words(self, dice):
        """Something that an operator, IoTDB or the kernel does."""
        what = dice.choices(("seal", "delete", "resync", "stop", "kill", "serve", "retry", "rate", "wait"),
                            (6, 1, 2, 2, 3, 1, 1, 2, 6))[0]
        if what == "seal" and self.late:
            self.seal(self.late.pop(0))
        elif what == "delete" and not self.is_deleted and self.n_known() == len(self.files):
            self.delete()
        elif what == "resync":
            self.syncd("RESYNC PIPE p")
            self.is_resynced = True
        elif what == "stop":
            self.syncd("STOP PIPE p")
        elif what == "serve":
            self.recvd("STOP PIPESERVER")
        elif what == "retry":
            self.recvd("RETRY ALL")
        elif what == "kill":
            name = dice.choice(DAEMONS)
            self.procs[name].kill()
            self.procs[name].wait()
        elif what == "rate":
            self.turn(int(10 * 40 ** dice.random()))

    def blow(self, dice):
        until = time.monotonic() + dice.uniform(1, 5)
        self.turn(int(10 * 40 ** dice.random()))
        while time.monotonic() < until:
            self.look_after((None, ()))
            try:
                Pair.advance(self) if dice.random() < 0.4 else self.words(dice)
            except (NoAnswer, pairs.sqlite3.Error):
                pass
            time.sleep(dice.uniform(0.005, 0.08))
        self.turn(0)
        self.settle()

    def settle(self):
        """Until both answer: what was killed, or hurt at its start, is started once more."""
        deadline = time.monotonic() + CALM_S
        for name in DAEMONS:
            while True:
                if time.monotonic() > deadline:
                    raise Violation(f"{name} does not start any more")
                self.await_answer(name)
                if self.procs[name].poll() is None and self._is_ready(name):
                    break
                self.look_after((None, ()))

    def n_known(self):
        """Of the living pipe: a dropped one's go when its entries do."""
        with catalog(f"file:{self.edge}/catalog.db?mode=ro") as db:
            return db.execute("SELECT count(*) FROM known").fetchall()[0][0]

    def advance(self):
        try:
            if self.is_holding and self.recvd("SHOW QUARANTINE"):
                self.recvd("RETRY ALL")
            return super().advance()
        except pairs.sqlite3.Error as e:  # in the moment of a start
            raise NoAnswer(str(e)) from e

    def check_archive(self):
        """After a RESYNC a deletion may stand as the edge wrote it or as its DELETE was written, or both: that one
        may have come before or behind."""
        if not self.is_resynced:
            super().check_archive()
            return
        found, mods = self.archived(), [b"", LATE_RECORD, LATE_IN_CLOUD, LATE_RECORD + LATE_IN_CLOUD]
        for f in self.files:
            path = f"{f.database}/{f.space}/1/0/{f.name}.tsfile"
            if found.pop(path, None) != self.material.bytes[f.kind]:
                raise Violation(f"the archive's {path} differs")
            own = self.mods(f.database) if f.has_mods else b""
            allowed = [own + m for m in mods] if f.kind == DELETED_IN.kind and f.database == DELETED_IN.database else [own]
            if f == DELETED_IN:
                del allowed[0]
            if found.pop(path + ".mods", b"") not in allowed:
                raise Violation(f"the archive's {path}.mods differs")
        if found:
            raise Violation(f"the archive has {', '.join(found)} too")

    def check_catalogs(self, n=None):
        with catalog(f"{self.edge}/catalog.db") as db:
            n = db.execute("SELECT max(assigned) FROM pipe WHERE state = 1").fetchall()[0][0]
        super().check_catalogs(n)


def run_round(stage, seed):
    """("passed" | "failed", seconds, words)"""
    began = time.monotonic()
    dice = random.Random(seed)
    where, address = stage.place()
    pair = StormPair(where, stage.bin, stage.material, address, stage.library, dice)
    try:
        for name in DAEMONS:
            pair.start(name)
        for name in DAEMONS:
            pair.await_answer(name)
        pair.blow(dice)
        pair.is_calm = True
        pair.converge((None, ()))
        pair.check_message(20, (None, ()))
        pair.stop()
        # What could not be removed is left to the next start; what was retained goes there, too.
        pair.retain_nothing()
        for name in DAEMONS:
            pair.start(name)
        pair.converge((None, ()))
        pair.check_nothing_left(20, (None, ()))
        pair.stop()
        pair.check_archive()
        pair.check_catalogs()
        pair.check_logs()
        result = ("passed", time.monotonic() - began, "")
    except Violation as e:
        result = ("failed", time.monotonic() - began, f"{e}\n{tail(pair)}")
    finally:
        pair.kill_all()
    if result[0] != "failed" or not stage.keep:
        shutil.rmtree(pair.dir, ignore_errors=True)
    return result


def arguments():
    p = parser(__doc__)
    p.add_argument("-s", dest="seconds", type=float)
    args = p.parse_args()
    if not args.seconds and args.cases == ["*"]:
        p.error("a round, or -s SECONDS")
    return args


def main():
    args = arguments()
    pairs.LIMIT_S = CALM_S
    stage = Stage(args.build, args.keep)
    stage.library = shutil.copy(f"{args.build}/tests/faults/storm.so", stage.dir)
    totals = collections.Counter()
    rounds = map(int, args.cases) if not args.seconds else range(args.seed, args.seed + (1 << 31))
    if args.seconds:
        print(f"storm: from round {args.seed}, for {args.seconds:.0f} s", flush=True)
    try:
        for seed, result in run_all(stage, run_round, rounds, args.jobs, args.seconds):
            if result[0] == "failed":
                report("storm", str(seed), result)
            totals[result[0]] += 1
    finally:
        stage.end()
    print(f"storm: {sum(totals.values())} rounds, {totals['failed']} failed")
    return 1 if totals["failed"] or not totals else 0


if __name__ == "__main__":
    sys.exit(main())
