#!/usr/bin/env python3
"""What processes and all that they start cost together: meter.py READY PID... until SIGTERM (READY is
made when it may come), then prints
cpu_s=SECONDS rss_mb=MIB (the most that all of them held at one moment; pages shared count for each)."""

import os
import signal
import sys

TICK, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
roots = [int(p) for p in sys.argv[2:]]
is_over = False


def over(*_):
    global is_over
    is_over = True


def look():
    """{pid: (parent, own ticks, ticks of children that ended, pages)} of everything."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as f:
                    w = f.read().rpartition(")")[2].split()
            except OSError:
                continue
            found[int(name)] = int(w[1]), int(w[11]) + int(w[12]), int(w[13]) + int(w[14]), int(w[21])
    return found


signal.signal(signal.SIGTERM, over)
open(sys.argv[1], "w").close()
last, peak = {}, 0
while True:
    ends = is_over
    found = look()
    ours = {p for p in roots if p in found}
    while True:
        more = {p for p, s in found.items() if s[0] in ours} - ours
        if not more:
            break
        ours |= more
    for p in ours & set(roots):
        last[p] = found[p][1] + found[p][2]
    peak = max(peak, sum(found[p][3] for p in ours))
    if ends:
        break
    signal.sigtimedwait([], 0.05)
alive = sum(found[p][1] + found[p][2] for p in ours - set(roots))
print(f"cpu_s={(sum(last.values()) + alive) / TICK:.2f} rss_mb={peak * PAGE / 1048576:.1f}")
