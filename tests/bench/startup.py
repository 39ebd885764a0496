#!/usr/bin/env python3
"""How long a daemon takes from exec to its first answered control request, and its memory.

usage: startup.py SOCKET SETTLE_S PROGRAM ARGUMENT...

Prints "start_ms=... rss_mb=... peak_mb=...": until SHOW VERSION was answered, resident then, and the
most it ever had within SETTLE_S seconds more; then the program is killed, as a power cut would.
"""
import os
import signal
import socket
import subprocess
import sys
import time


def answered(path):
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(path)
            s.sendall(b"SHOW VERSION\n")
            return bool(s.recv(64))
    except OSError:
        return False


def kib(pid, key):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(key))


def main():
    path, settle, program = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
    if os.path.exists(path):
        os.unlink(path)
    began = time.monotonic()
    with open(os.devnull, "w") as null:
        proc = subprocess.Popen(program, stderr=null)
    while not answered(path):
        if proc.poll() is not None or time.monotonic() - began > 60:
            sys.exit(f"{program[0]} did not start")
        time.sleep(0.0005)
    ms = (time.monotonic() - began) * 1000
    rss = kib(proc.pid, "VmRSS")
    time.sleep(settle)
    print(f"start_ms={ms:.1f} rss_mb={rss / 1024:.1f} peak_mb={kib(proc.pid, 'VmHWM') / 1024:.1f}")
    proc.send_signal(signal.SIGKILL)
    proc.wait()


main()
