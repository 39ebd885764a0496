#!/usr/bin/env python3
"""Checks Prometheus text (exposition format 0.0.4) strictly: metrics.py <metrics

Every family has HELP, TYPE and its samples together, in this order, once; names, labels
and values are well formed; no sample twice; counters end in _total and are not negative,
nothing else does. Exits 1 with the line that is wrong."""
import re
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(\{{(.*)\}})? (\S+)$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)')


def fail(n, line, why):
    sys.exit(f"line {n}: {why}: {line}")


def labels(n, line, text):
    """The label set, checked to its last byte."""
    found, at = {}, 0
    while at < len(text):
        m = LABEL.match(text, at)
        if not m:
            fail(n, line, "labels are not well formed")
        if m[1] in found:
            fail(n, line, f"label {m[1]} twice")
        found[m[1]] = m[2]
        at = m.end()
    return tuple(sorted(found.items()))


def histogram(n, line, family, suffix, found, value, buckets):
    """Buckets go up, and the last is the count."""
    rest = (family, tuple(p for p in found if p[0] != "le"))
    if suffix == "_bucket":
        le = float(dict(found).get("le", "nan"))
        last = buckets.get(rest, (float("-inf"), 0))
        if not le > last[0] or value < last[1]:
            fail(n, line, "buckets do not go up")
        buckets[rest] = (le, value)
    elif suffix == "_count" and buckets.get(rest) != (float("inf"), value):
        fail(n, line, "the count is not the last bucket")


def main():
    data = sys.stdin.buffer.read()
    if not data.endswith(b"\n"):
        sys.exit("the last line has no end")
    family, kind, seen, samples, buckets = None, None, set(), set(), {}
    for n, line in enumerate(data.decode("utf-8").split("\n")[:-1], 1):
        m = re.match(rf"# HELP ({NAME}) (\S.*)$", line)
        if m:
            if m[1] in seen:
                fail(n, line, "the family stands here a second time")
            family, kind = m[1], None
            seen.add(family)
            continue
        m = re.match(rf"# TYPE ({NAME}) (counter|gauge|histogram|summary|untyped)$", line)
        if m:
            if m[1] != family or kind:
                fail(n, line, "TYPE without its HELP before it")
            kind = m[2]
            if (kind == "counter") != family.endswith("_total"):
                fail(n, line, "counters, and nothing else, end in _total")
            continue
        m = SAMPLE.match(line)
        if not m:
            fail(n, line, "neither HELP, TYPE nor a sample")
        suffix = m[1][len(family or ""):] if family and m[1].startswith(family) else None
        if not kind or suffix not in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",)):
            fail(n, line, "a sample outside of its family")
        value = float(m[4])
        if kind == "counter" and not value >= 0:
            fail(n, line, "a counter below zero")
        key = (m[1], labels(n, line, m[3] or ""))
        if key in samples:
            fail(n, line, "the same sample twice")
        samples.add(key)
        if kind == "histogram":
            histogram(n, line, family, suffix, key[1], value, buckets)
    for (name, _), (le, _) in buckets.items():
        if le != float("inf"):
            sys.exit(f"{name}: a histogram without +Inf")
    if not samples:
        sys.exit("no sample")


main()
