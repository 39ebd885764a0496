#!/usr/bin/env python3
"""The link is cut behind every byte of the protocol, with the real daemons.

usage: link.py [-b BUILD] [-s SECONDS] [-S SEED] [-j JOBS] [-k] [CASE...]

A case is SCRIPT:DIRECTION:N: the connection ends behind byte N in DIRECTION, up (edge to cloud) or
down; odd N with a reset, even N with an end of the stream. transport=plain, so that a byte of the
link is a byte of the protocol. SCRIPT is
  plain	STOP PIPE, four files are sealed (two that become rows of the catalog, one with deletions; one
	inline; one in blocks, with deletions), START PIPE: greeting, HELLO, WELCOME, entries, DURABLE,
	APPLIED; then STOP PIPE
  again	the same, and a first connection was cut within a block before: PARTIAL
  drop	DROP PIPE: the connection that tells it; then CREATE PIPE, one file
  held	RESYNC PIPE of what was delivered, one block of it damaged in the archive: HELD, blocks as references, WANT
Then all must be applied and be in the archive byte for byte, nothing left at either side, no serial
given out twice, and not more than one block for each cut must have come twice: of all bytes that passed
the proxy for even N, of the payload that the receiver took for any N (a reset throws away what had arrived and was not
read). A pair is used for some cases, which begin and end with everything applied, few enough that the receiver's quota of
connections is not met: each pair has a key of its own. At its end both catalogs must agree (pair.py).

N is every byte of heads and small frames; of payloads the first 256 bytes, the last 32 and every
8192nd.

-s SECONDS	takes cases in random order, as many as fit; else all of them
-S SEED		of that order
"""

import collections
import os
import random
import shutil
import struct
import sys
import time

from pair import DAEMONS, PORT, File, NoAnswer, Pair, Violation, catalog
from proxy import DOWN, UP, Proxy
from stage import Stage, parser, report, run_all, tail

SCRIPTS = ("plain", "again", "drop", "held")
PER_PAIR = 14  # of at most four connections each: a sender has 64 at once
HEAD = 24  # of a frame
BLOCK = 262144
WITHIN_A_BLOCK = 100000 + 16384 + BLOCK + 70000  # up, of `plain`: the second block of "blocks"
LIMIT_S = 20
Case = collections.namedtuple("Case", "script direction n")


class Linked:
    """A pair whose link is a proxy. Between rounds everything is applied and the pipe is STOP."""

    def __init__(self, stage, is_recording=False):
        where, address = stage.place()
        self.pair = pair = Pair(where, stage.bin, stage.material, address, ())
        for name in DAEMONS:
            pair.write(f"{name}.conf", transport="plain")
        pair.port = PORT + 1
        self.proxy = Proxy(address, pair.port, PORT, is_recording)
        self.round = 0
        self.held = None  # of "held", which has pairs of its own
        self.sources, self.archived = [], []  # files at the edge; those that the archive must have
        try:
            for name in DAEMONS:
                pair.start(name)
            pair.await_answer("recvd")
            pair.await_answer("syncd")
            pair.recvd("START PIPESERVER")
            pair.syncd(f"CREATE PIPESINK s AS IoTDB (ip='{address}',port={pair.port})")
            self.create(())
        except BaseException:
            self.end()
            raise

    def end(self):
        self.pair.kill_all()
        self.proxy.end()

    # ---- what is done ----

    def seal(self, kinds):
        self.round += 1
        files = [File(kind, "root.a", "sequence", f"{10 * self.round + i}-{10 * self.round + i}-0-0", has_mods, False)
                 for i, (kind, has_mods) in enumerate(kinds)]
        for f in files:
            self.pair.seal(f)
        self.sources += files
        self.archived += files

    def create(self, cuts):
        self.seal((("tiny", False),))
        self.until(self.is_created, "CREATE PIPE is refused")
        self.go(cuts)

    def is_created(self):
        try:
            self.pair.syncd("CREATE PIPE p TO s")
        except NoAnswer as e:
            if "more often than" in str(e):  # recvd's quota: nobody else connects like this
                time.sleep(0.2)
                return False
            raise
        return True

    def go(self, cuts):
        """START PIPE until everything is applied, and STOP."""
        self.proxy.arm(*cuts)
        self.pair.syncd("START PIPE p")
        self.pair.syncd(f"WAIT PIPE p {LIMIT_S}", LIMIT_S + 5)
        self.stop()

    def stop(self):
        self.pair.syncd("STOP PIPE p")
        self.until(self.proxy.is_idle, "the connection stands after STOP PIPE")

    def until(self, is_so, words):
        deadline = time.monotonic() + LIMIT_S
        while not is_so():
            if time.monotonic() > deadline:
                raise Violation(words)
            time.sleep(0.002)

    def drop(self, cuts):
        for f in self.sources:  # a pipe made anew would send them
            self.pair.unseal(f)
        self.sources = []
        self.proxy.arm(*cuts)
        self.pair.syncd("DROP PIPE p")
        self.until(self.is_told, "the receiver was not told that the pipe is dropped")
        self.until(self.proxy.is_idle, "the connection stands after DROP PIPE")

    def is_told(self):
        with catalog(f"file:{self.pair.cloud}/catalog.db?mode=ro") as db:
            return not db.execute("SELECT 1 FROM incarnation WHERE dropped = 0").fetchall()

    def resync(self, cuts):
        """Of files that all are in the archive; a block of one is not as it was. How many bytes travel."""
        literal = 0
        if self.held is None:
            self.seal((("blocks", True), ("tiny", True)))
            self.held = self.sources[-2]
            self.go(())
            literal = sum(len(self.pair.material.bytes[f.kind]) for f in self.sources)
        path = f"{self.pair.archive}/edge-1/{self.held.database}/{self.held.space}/1/0/{self.held.name}.tsfile"
        with open(path, "r+b") as f:
            f.seek(BLOCK + 1000)
            f.write(bytes(64))
        self.pair.syncd("RESYNC PIPE p")
        self.go(cuts)
        return literal + BLOCK

    # ---- cases ----

    def play(self, script, cuts):
        """One round; the cuts are for its connections in turn. How many bytes of payload it has."""
        if script == "drop":
            self.drop(cuts)
            self.create(())
            return 0
        if script == "held":
            return self.resync(cuts)
        kinds = (("tiny", False), ("tiny", True), ("staged", False), ("blocks", True))
        self.seal(kinds)
        if script == "again":
            cuts = [(UP, WITHIN_A_BLOCK, False), *cuts]
        self.go(cuts)
        return sum(len(self.pair.material.bytes[kind]) for kind, _ in kinds)

    def run(self, case):
        """True when the connection came as far as its N."""
        made, passed, taken = self.proxy.cuts_made, self.proxy.passed_up, self.taken()
        wanted = self.play(case.script, [(case.direction, case.n, case.n % 2 == 1)])
        made = self.proxy.cuts_made - made
        passed = self.proxy.passed_up - passed
        self.proxy.arm()
        allowed = wanted + made * BLOCK + 4096 * (made + 2)  # heads, HELLO, STATUS
        if case.n % 2 == 0 and passed > allowed:
            raise Violation(f"{passed} bytes passed for {wanted} of payload, in {made} cuts")
        taken = self.taken() - taken
        if wanted and taken > wanted + made * BLOCK + 1024:  # deletions
            raise Violation(f"{taken} bytes were taken for {wanted} of payload, in {made} cuts")
        if "more often than" in self.pair.log("recvd"):
            raise Violation("the receiver's quota of connections was met: fewer cases a pair")
        self.check()
        return made == (2 if case.script == "again" else 1)

    def taken(self):
        """Payload that the receiver took from the wire, ever."""
        rows = self.pair.recvd(".cat /metrics")
        return next(int(r.split()[1]) for r in rows if r.startswith("tsferry_recvd_received_bytes_total "))

    def check(self):
        for name, proc in self.pair.procs.items():
            if proc.poll() is not None:
                raise Violation(f"{name} ended with status {proc.returncode}")
        p = self.pair.progress()
        if p["durable_serial"] != p["applied_serial"] or p["remaining_entries"] or p["quarantined_entries"]:
            raise Violation(f"after WAIT PIPE: {p}")
        self.check_files()

    def check_files(self):
        self.pair.files = self.archived
        self.pair.check_archive()
        self.pair.check_nothing_left(8, (None, ()))
        self.pair.check_message(3, (None, ()))
        for f in self.archived[:-1] if self.held is None else ():  # what was looked at does not have to be again
            path = f"{self.pair.archive}/edge-1/{f.database}/{f.space}/1/0/{f.name}.tsfile"
            os.unlink(path)
            if f.has_mods:
                os.unlink(path + ".mods")
        if self.held is None:
            del self.archived[:-1]

    def last_look(self):
        self.pair.syncd("START PIPE p")
        n = self.pair.progress()["applied_serial"]
        self.pair.stop()
        self.pair.check_catalogs(n)
        self.pair.check_logs()


def run_batch(stage, cases):
    """[(case, ("passed" | "beyond" | "failed", seconds, words))], in the pairs that it takes."""
    results, linked = [], None
    for case in cases:
        began = time.monotonic()
        try:
            linked = linked or Linked(stage)
            kind, words = ("passed" if linked.run(case) else "beyond"), ""
            if case is cases[-1]:
                linked.last_look()
        except (Violation, NoAnswer) as e:
            kind, words = "failed", str(e) + (f"; {linked.pair.explain()}\n{tail(linked.pair)}" if linked else "")
        results.append((case, (kind, time.monotonic() - began, words)))
        if linked and (kind == "failed" or case is cases[-1]):
            linked.end()
            if kind != "failed" or not stage.keep:
                shutil.rmtree(linked.pair.dir, ignore_errors=True)
            linked = None
    return results


# ---- which bytes ----


def boundaries(stream):
    """N of a recorded direction: behind so many bytes it is worth cutting."""
    at = stream.find(b"\n") + 1
    wanted = set(range(at + 1))
    while at + HEAD <= len(stream):
        end = at + HEAD + struct.unpack_from("<I", stream, at)[0]
        wanted |= set(range(at, min(end, at + HEAD + 256) + 1))
        wanted |= set(range(at, end, 8192)) | set(range(max(at, end - 32), end + 1))
        at = end
    return sorted(n for n in wanted if n <= len(stream))


def all_cases(stage):
    cases = []
    linked = Linked(stage, True)
    try:
        for script in SCRIPTS:
            linked.play("held" if script == "held" else "plain", [])  # a steady state
            linked.proxy.recorded.clear()
            linked.play(script, [])
            recorded = linked.proxy.recorded[1 if script == "again" else 0]
            for direction in (UP, DOWN):
                cases += [Case(script, direction, n) for n in boundaries(recorded[direction])]
    finally:
        linked.end()
    return cases


def in_batches(cases, size):
    return [cases[i : i + size] for i in range(0, len(cases), size)]


def batches(cases, size):
    held = [c for c in cases if c.script == "held"]
    all_of_them = in_batches([c for c in cases if c.script != "held"], size) + in_batches(held, size)
    random.Random(len(cases)).shuffle(all_of_them)  # a sample has some of each
    return all_of_them


def arguments():
    p = parser(__doc__)
    p.add_argument("-s", dest="seconds", type=float)
    return p.parse_args()


def main():
    args = arguments()
    stage = Stage(args.build, args.keep)
    totals = collections.Counter()
    try:
        stage.material.make("staged", "90K")
        stage.material.make("three", "600K")  # blocks
        stage.material.take("blocks", stage.material.paths["three"])
        exact = [Case(c[0], c[1], int(c[2])) for c in (name.split(":") for name in args.cases) if len(c) == 3]
        cases = exact or [c for c in all_cases(stage) if args.cases == ["*"] or c.script in args.cases]
        if not exact:
            random.Random(args.seed).shuffle(cases)
        print(f"link: seed {args.seed}, {len(cases)} cases", flush=True)
        for _, results in run_all(stage, run_batch, batches(cases, PER_PAIR if not args.seconds else 10), args.jobs,
                                  args.seconds):
            for case, result in results:
                report("link", ":".join(map(str, case)), result)
                totals[case.script, case.direction, result[0]] += 1
    finally:
        stage.end()
    for script, direction in sorted({key[:2] for key in totals}):
        n = {kind: totals[script, direction, kind] for kind in ("passed", "beyond", "failed")}
        print(f"link script={script} direction={direction} cuts={n['passed'] + n['failed']} failed={n['failed']}"
              f" not_reached={n['beyond']}")
    tried = sum(n for key, n in totals.items() if key[2] != "beyond")
    failed = sum(n for key, n in totals.items() if key[2] == "failed")
    print(f"link: {tried} tried, {failed} failed")
    return 1 if failed or not tried else 0


if __name__ == "__main__":
    sys.exit(main())
