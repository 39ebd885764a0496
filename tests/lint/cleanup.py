#!/usr/bin/env python3
"""A local that is released by attribute is set before any return: tests/lint/cleanup.py SOURCE_DIRECTORY.

gcc's -ftrivial-auto-var-init=zero, which we build with, hides a release of what was never set; other compilers
free whatever stood on the stack (found by fuzzing with clang). TAP.
"""
import pathlib
import re
import sys

LOCAL = re.compile(r"^\t+(?:CLEANUP\(\w+_release\) struct \w+ (\w+)|struct \w+ (\w+) CLEANUP\(\w+_release\));$", re.M)
POINTER = re.compile(r"^\t+.*CLEANUP_(?:FREE|CLOSE|DIR)[^=;]*;$", re.M)


def unset(text):
    for m in LOCAL.finditer(text):
        name = m.group(1) or m.group(2)
        body = text[m.end():text.find("\n}\n", m.end())]
        first = re.search(r"&%s\b|\b%s = " % (name, name), body)
        left = re.search(r"\breturn\b", body)
        if not first or (left and left.start() < first.start()):
            yield text.count("\n", 0, m.start()) + 2, name
    for m in POINTER.finditer(text):
        yield text.count("\n", 0, m.start()) + 2, m.group(0).strip()


root, bad = pathlib.Path(sys.argv[1]), 0
for folder in ("lib", "syncd", "recvd", "fs", "tests"):
    for path in sorted((root / folder).rglob("*.[ch]")):
        for line, name in unset(path.read_text()):
            print(f"# {path.relative_to(root)}:{line}: {name} is released, and a return stands before it is set "
                  "(begin it with = {0})")
            bad += 1
print("not ok" if bad else "ok", "1 - locals that are released are set before any return")
print("1..1")
sys.exit(bad > 0)
