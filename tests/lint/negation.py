#!/usr/bin/env python3
"""In bats a command behind ! fails nothing, unless it is a function's last: tests/lint/negation.py SOURCE_DIRECTORY.

`set -e` looks away from it; `run !` does not. TAP.
"""
import pathlib
import re
import sys

LOST = re.compile(r"^[ \t]+! (?!.*(?:\|\||&&)).*\n(?![ \t]*}$)", re.M)

root, bad = pathlib.Path(sys.argv[1]), 0
for folder in ("tests", "docs"):
    for path in sorted((root / folder).rglob("*.ba[ts][sh]")):
        text = path.read_text()
        for m in LOST.finditer(text):
            print(f"# {path.relative_to(root)}:{text.count(chr(10), 0, m.start()) + 1}: {m.group().strip()}: nothing fails "
                  "when it is so (begin it with run)")
            bad += 1
print("not ok" if bad else "ok", "1 - no command behind ! is lost")
print("1..1")
sys.exit(bad > 0)
