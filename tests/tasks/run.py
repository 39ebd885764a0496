#!/usr/bin/env python3
"""Does what a document says, and compares what it says comes out.

usage: run.py -b BUILD DOCUMENT...

Blocks of ```console are typed line by line: `edge# COMMAND` at that host (hosts.py has their names),
the lines below are its output, both kinds. In them … stands for anything within a line, a line of …
alone for any lines. `<!-- edge: COMMAND -->` happens unseen, and has to succeed. Every document
begins with hosts that are new. TAP on stdout.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

from hosts import ADDRESSES, Host

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HIDDEN = re.compile(r"<!-- (\w+): (.*) -->$")
TYPED = re.compile(r"(\w+)# (.*)$")


class Differs(Exception):
    pass


def steps_of(path):
    """[(line, host, command, expected lines or None when unseen)]"""
    steps, inside = [], False
    with open(path) as f:
        for number, line in enumerate(f.read().splitlines(), 1):
            if line.startswith("```"):
                inside = line == "```console"
            elif not inside and (m := HIDDEN.match(line)) and m[1] in ADDRESSES:
                steps.append((number, m[1], m[2], None))
            elif inside and (m := TYPED.match(line)) and m[1] in ADDRESSES:
                steps.append((number, m[1], m[2], []))
            elif inside and steps[-1][2].endswith("\\"):
                steps[-1] = (*steps[-1][:2], steps[-1][2] + "\n" + line, [])
            elif inside:
                steps[-1][3].append(line)
    return steps


def pattern_of(expected):
    lines = []
    for line in expected:
        words = ".*".join(map(re.escape, line.split("…")))
        lines.append(r"(?:.*\n)*" if line == "…" else words + r"\n")
    return "".join(lines)


def follow(hosts, step):
    number, host, command, expected = step
    status, output = hosts[host].run(command)
    if expected is None:
        if status != 0:
            raise Differs(f"line {number}: {host}# {command}\nended with {status}:\n{output}")
        return
    if output and not output.endswith("\n"):
        output += "\n"
    if not re.fullmatch(pattern_of(expected), output):
        raise Differs(f"line {number}: {host}# {command}\nexpected:\n" + "\n".join(expected) + f"\ngot:\n{output}")


def do_document(path, build, base):
    steps = steps_of(path)
    if not any(s[3] is not None for s in steps):
        raise Differs("nothing in it is to be typed")
    hosts = {}
    try:
        for name in sorted({s[1] for s in steps}):
            hosts[name] = Host(name, base, build, SOURCE)
        for step in steps:
            try:
                follow(hosts, step)
            except (Differs, subprocess.TimeoutExpired) as e:
                raise Differs(str(e) + "\n" + "\n".join(f"{h.name}:\n{h.logs()}" for h in hosts.values())) from e
    finally:
        for host in hosts.values():
            host.end()
    return len(steps)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("-b", dest="build", default=os.environ.get("TSFERRY_BUILD", f"{SOURCE}/build"))
    p.add_argument("documents", nargs="+")
    args = p.parse_args()
    if "TSFERRY_TASKS" not in os.environ:
        # Mounts and the bridge are nobody else's, and go when this ends.
        os.environ["TSFERRY_TASKS"] = "inside"
        os.execvp("unshare", ["unshare", "-m", "-n", "--propagation", "private", sys.executable, *sys.argv])
    for command in ("ip link set lo up", "ip link add name br0 type bridge", "ip link set br0 up"):
        subprocess.run(command.split(), check=True)
    failed = 0
    print(f"1..{len(args.documents)}", flush=True)
    for n, path in enumerate(args.documents, 1):
        name = os.path.basename(path)
        with tempfile.TemporaryDirectory(prefix="tsferry-tasks.") as base:
            try:
                count = do_document(path, args.build, base)
                print(f"ok {n} - {name}: {count} steps as written", flush=True)
            except (Differs, RuntimeError) as e:
                failed += 1
                print("".join(f"# {line}\n" for line in str(e).splitlines()) + f"not ok {n} - {name}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
