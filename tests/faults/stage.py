"""What the campaigns of this directory have in common: programs and files below one
directory in memory, pairs made of them, cases run beside each other and told of."""

import argparse
import concurrent.futures
import os
import random
import shutil
import signal
import tempfile
import threading
import time

from pair import DAEMONS, FILES, Material, Pair
from restate import RestatePair
from travel import TravelPair
from words import WordsPair

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

SCRIPTS = {"-w": WordsPair, "-r": RestatePair, "-t": TravelPair}


class Stage:
    """Programs and files of a campaign. Every SIGTERM ends it like ^C: nothing is left running or mounted."""

    def __init__(self, build, keep):
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.keep, self.used = keep, 0
        self.script = ""  # of pair.py; or a key of SCRIPTS
        self.lock = threading.Lock()
        self.dir = tempfile.mkdtemp(prefix="tsferry-faults.", dir=base)
        self.bin = f"{self.dir}/bin"
        os.mkdir(self.bin)
        for path in ("syncd/syncd", "recvd/recvd", "recvd/recvd-load"):
            shutil.copy(f"{build}/{path}", self.bin)
        self.material = Material(build, SOURCE, self.dir)
        self.net = random.SystemRandom().randrange(1, 250)

    def place(self):
        """A directory for a case of its own, and an address of 127/8."""
        with self.lock:
            self.used += 1
            n = self.used
        return f"{self.dir}/{n}", f"127.{self.net}.{n // 250 % 250}.{n % 250 + 1}"

    def pair(self, files=FILES):
        where, address = self.place()
        if self.script:
            return SCRIPTS[self.script](where, self.bin, self.material, address)
        return Pair(where, self.bin, self.material, address, files)

    def end(self):
        if not self.keep:
            shutil.rmtree(self.dir, ignore_errors=True)


def run_all(stage, run_case, cases, jobs, seconds=None):
    """Yields (case, run_case(stage, case)) as they end; with `seconds` as many as fit."""
    deadline = time.monotonic() + seconds if seconds else None
    todo = iter(cases)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        running = {}
        while True:
            while len(running) < jobs and (not deadline or time.monotonic() < deadline):
                case = next(todo, None)
                if case is None:
                    break
                running[pool.submit(run_case, stage, case)] = case
            if not running:
                return
            done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future.result()


def report(campaign, name, result):
    """result: ("failed" or another word, seconds, words)."""
    kind, seconds, words = result
    if kind == "failed":
        print(f"FAILED {name} after {seconds:.1f} s: {words}\n  again: scripts/campaign {campaign} {name}", flush=True)
    elif seconds > 4:
        print(f"slow {name}: {seconds:.1f} s", flush=True)


def read(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def tail(pair):
    """What the daemons said, what came first too: later lines are often the same words again."""
    said = [f"  in {pair.dir}"]
    for name in DAEMONS:
        lines = read(f"{pair.dir}/{name}.log").splitlines()
        if len(lines) > 28:
            lines[20:-8] = [f"({len(lines) - 28} lines)"]
        said += [f"  {name}: {line}" for line in lines]
    return "\n".join(said)


def parser(doc):
    """The options that all have; usage and description are the program's own words."""
    p = argparse.ArgumentParser(usage=doc.split("\n\n")[1][7:], description=doc.split("\n\n", 2)[2],
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("-b", dest="build", default=os.environ.get("TSFERRY_BUILD", f"{SOURCE}/build"))
    p.add_argument("-S", dest="seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    p.add_argument("-j", dest="jobs", type=int, default=2)
    p.add_argument("-k", dest="keep", action="store_true")
    p.add_argument("cases", nargs="*", default=["*"])
    return p
