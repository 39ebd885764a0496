#!/usr/bin/env python3
"""Kill and errno at system calls, by strace.

usage: faults.py [-w | -r | -t] [-b BUILD] [-s SECONDS] [-S SEED] [-j JOBS] [-k] [CASE...]

A case is VICTIM:SYSCALL:ACTION:N: at the Nth SYSCALL of a thread of VICTIM, ACTION happens once:
kill (SIGKILL before the call is made), or an errno that the call answers without being made.
VICTIM is syncd, recvd, recvd-load (from their start on, whichever of their threads comes to its
Nth), or one thread of a daemon once it answers: syncd/catalog, recvd/keeper and so on. Parts may
be left out from the right or be *: `syncd`, `recvd:fsync`, `*:*:kill`. First a run without faults
counts how many N there are. Then each case has a pair of its own (pair.py): what ended is started
again, everything must be applied, and archive, catalogs and directories must be as if nothing had
happened.

-w		the second script: DELETEs that are held, RETRY, SKIP, RESYNC (words.py)
-r		the third: a RESTATE (restate.py); what went before it is not under strace
-t		the fourth: squeezed, behind a prefix, as references, asked for (travel.py)
-s SECONDS	takes cases in random order, as many as fit; else all of them in order
-S SEED		of that order (printed); the same seed makes the same order
-k		keeps the directory of a case that failed

Every failure prints the command that replays it.
"""

import argparse
import collections
import os
import random
import re
import shutil
import sys
import time

from pair import DAEMONS, Violation
from stage import Stage, parser, read, report, run_all, tail

VICTIMS = ("syncd", "recvd", "recvd-load", "syncd/names", "syncd/reader", "syncd/catalog", "syncd/scan",
           "recvd/keeper", "recvd/writer", "recvd/applier")
SYSCALLS = ("write pwrite64 writev sendto sendmsg recvfrom recvmsg read pread64 fsync fdatasync syncfs linkat link"
            " renameat2 renameat rename unlinkat unlink openat openat2 mkdirat mkdir ftruncate fallocate close"
            " newfstatat access faccessat2 statx getdents64 inotify_add_watch socket connect accept4 pipe2 epoll_ctl").split()
ERRORS = ("EIO", "ENOSPC", "EINTR", "EAGAIN", "EMFILE", "ENOMEM")
Case = collections.namedtuple("Case", "victim syscall action n")


def name_of(case):
    return ":".join(map(str, case))


# Follows threads, not programs that are started (recvd's loader); keeps the pid. Without
# --seccomp-bpf, under which strace 6.1 does not inject signals.
STRACE = ["strace", "-DD", "-f", "-b", "execve", "-q", "-o"]


def inject(case):
    what = "signal=KILL" if case.action == "kill" else f"error={case.action}"
    return ["-e", f"trace={case.syscall}", "-e", f"inject={case.syscall}:{what}:when={case.n}"]


def start(pair, victim, tampering):
    """Both daemons; of the victim the first instance is under strace."""
    victim, _, thread = victim.partition("/")
    wrap = [*STRACE, f"{pair.dir}/strace.out", *tampering]
    if victim == "recvd-load":
        # recvd starts what stands beside it: the first time a script that starts strace.
        path = f"{pair.bin}/recvd-load"
        os.rename(path, path + ".real")
        with open(path, "w") as f:
            f.write("#!/bin/sh\n" f"mkdir {pair.dir}/once 2>/dev/null || exec {path}.real \"$@\"\n"
                    "exec " + " ".join(wrap) + f" {path}.real \"$@\"\n")
        os.chmod(path, 0o755)
    for name in DAEMONS:
        pair.start(name, wrap if name == victim and not thread else ())
    if thread:
        pair.trace_thread(victim, thread, tampering)


def finish(pair, may_end, may_leave=False):
    """Until all is applied; then ends both."""
    pair.converge(may_end)
    if not may_leave:
        pair.check_nothing_left(8, may_end)
    pair.converge(may_end)  # it may have been hurt at removing
    pair.check_message(3, may_end)
    pair.stop(may_end)


def check(pair, case):
    # Whose removal of a file failed leaves it to the next start.
    finish(pair, statuses(case), case.action != "kill" and case.syscall.startswith("unlink"))
    if pair.ended or case.action != "kill":
        # What the fault left on disk is taken up once more by daemons that nothing hurts.
        for name in DAEMONS:
            pair.start(name)
        finish(pair, (None, ()))
    pair.check_archive()
    pair.check_catalogs()
    pair.check_logs()


def statuses(case):
    if case.victim == "recvd-load":
        return None, ()
    return case.victim.split("/")[0], (-9,) if case.action == "kill" else (1,)


def run_case(stage, case):
    """("passed" | "beyond" | "failed", seconds, words)"""
    began = time.monotonic()
    pair = stage.pair()
    out = f"{pair.dir}/strace.out"
    try:
        start(pair, case.victim, inject(case))
        check(pair, case)
        happened = pair.ended or "INJECTED" in read(out) or "SIGKILL" in read(out)
        result = ("passed" if happened else "beyond", time.monotonic() - began, "")
    except Violation as e:
        result = ("failed", time.monotonic() - began, str(e) + "\n" + tail(pair) + injected(out))
    finally:
        pair.kill_all()
    if result[0] != "failed" or not stage.keep:
        shutil.rmtree(pair.dir, ignore_errors=True)
    return result


def injected(out):
    return "".join(f"\n  strace: {line}" for line in read(out).splitlines() if "INJECTED" in line)


def count(stage, victim):
    """{syscall: (first, last)}: the calls of the busiest thread, without those of the dynamic linker."""
    pair = stage.pair()
    out = f"{pair.dir}/strace.out"
    try:
        start(pair, victim, ["-e", "trace=" + ",".join(SYSCALLS)])
        finish(pair, (None, ()))
        pair.check_clean()
    finally:
        pair.kill_all()
    calls, linked = collections.Counter(), None
    for line in read(out).splitlines():
        m = re.match(r"(?:(\d+) +)?(\w+)\(", line)
        if not m:
            continue
        if linked is None and pair.dir in line:  # its configuration, its archive: main() runs
            linked = collections.Counter({name: calls[m[1], name] for name in SYSCALLS})
        calls[m[1], m[2]] += 1
    shutil.rmtree(pair.dir)
    ranges = {}
    for (_, name), n in calls.items():
        ranges[name] = ((0 if "/" in victim else linked[name]) + 1, max(n, ranges.get(name, (0, 0))[1]))
    return ranges


def all_cases(stage, wanted):
    cases = []
    for victim in VICTIMS:
        if not any(fits(victim, w[0]) for w in wanted):
            continue
        for syscall, (first, last) in sorted(count(stage, victim).items()):
            # A close(2) that fails has closed all the same, which strace can not imitate.
            for action in ("kill", *(ERRORS if syscall != "close" else ())):
                cases += [Case(victim, syscall, action, n) for n in range(first, last + 1)]
    return [c for c in cases if any(all(map(fits, c, w)) for w in wanted)]


def fits(part, wanted):
    return wanted == "*" or str(part) == wanted


def summary(totals):
    for victim in VICTIMS:
        for action in ("kill", *ERRORS):
            n = {k: totals[victim, action, k] for k in ("passed", "beyond", "failed")}
            if any(n.values()):
                print(f"faults victim={victim} action={action} tried={n['passed'] + n['failed']}"
                      f" failed={n['failed']} not_reached={n['beyond']}")


class Script(argparse.Action):
    def __call__(self, _parser, namespace, _values, option_string=None):
        namespace.script = option_string


def arguments():
    p = parser(__doc__)
    p.add_argument("-s", dest="seconds", type=float)
    p.add_argument("-w", "-r", "-t", dest="script", action=Script, nargs=0, default="")
    return p.parse_args()


def main():
    args = arguments()
    wanted = [(c.split(":") + ["*"] * 4)[:4] for c in args.cases]
    stage = Stage(args.build, args.keep)
    stage.script = args.script
    try:
        exact = [Case(v, s, a, int(n)) for v, s, a, n in wanted if "*" not in (v, s, a, n)]
        cases = exact if len(exact) == len(wanted) else all_cases(stage, wanted)
        if args.seconds:
            print(f"faults: seed {args.seed}, {len(cases)} cases, {args.seconds:.0f} s of them", flush=True)
            random.Random(args.seed).shuffle(cases)
        totals = collections.Counter()
        for case, result in run_all(stage, run_case, cases, args.jobs, args.seconds):
            report(f"faults {args.script}".strip(), name_of(case), result)
            totals[case.victim, case.action, result[0]] += 1
    finally:
        stage.end()
    summary(totals)
    tried = sum(n for (_, _, kind), n in totals.items() if kind in ("passed", "failed"))
    failed = sum(n for (_, _, kind), n in totals.items() if kind == "failed")
    print(f"faults: {tried} tried, {failed} failed")
    return 1 if failed or not tried else 0


if __name__ == "__main__":
    sys.exit(main())
