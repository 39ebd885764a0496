#!/usr/bin/env python3
"""RESTATEs at the archive loader, alone: an archive of FILES files in PARTITIONS partitions of one
region, then RESTATES batches of one RESTATE, of DEVICES devices and a partition's times, and one
file of that partition again. Prints key=value.

    restate.py RECVD_LOAD TSGEN WORKDIR [FILES [PARTITIONS [RESTATES [DEVICES]]]]
"""
import os
import shutil
import subprocess
import sys
import time

ALL = "1\tsender=edge-1\tdatabase=root.sg\tregion=1\tserial=1\tdigest=" + "0" * 32 + "\ttake=no"


def fill(tsgen, work, archive, files, partitions):
    """[(partition, path, time)]: a file has one row, at the T of its name."""
    made, out = work + "/made", []
    os.makedirs(made)
    subprocess.run([tsgen, "-d", "root.sg", "-r", "1", "-p", "0", "-n", str(files), "-s", "300", made], check=True)
    below = made + "/sequence/root.sg/1/0/"
    names = sorted((n for n in os.listdir(below) if n.endswith(".tsfile")), key=lambda n: int(n.split("-")[0]))
    for n, name in enumerate(names):
        partition = n * partitions // files
        at = "%s/edge-1/root.sg/sequence/1/%d/" % (archive, partition)
        os.makedirs(at, exist_ok=True)
        os.rename(below + name, at + name)
        out.append((partition, at + name, int(name.split("-")[0])))
    return out


def jobs(one, of, stage, n, devices):
    """A batch: all rows of the partition's times go, then one of its files comes again."""
    partition, path, _ = one
    staged = "%s/%d.tsfile" % (stage, n)
    shutil.copyfile(path, staged)
    return ("job=" + ALL + "\tkind=RESTATE\ttime_min=%d\ttime_max=%d\tdevices=%s\n" % (
        min(of), max(of), "\\n".join("root.sg.d%d" % d for d in range(devices))) +
            "job=" + ALL + "\tkind=FILE\tspace=sequence\tpartition=%d\tname=%s\tpath=%s\tlength=%d\nend\n" % (
                partition, os.path.basename(path)[:-len(".tsfile")], staged, os.path.getsize(staged)))


def main():
    program, tsgen, work = sys.argv[1:4]
    given = [int(a) for a in sys.argv[4:]]
    files, partitions, restates, devices = given + [2000, 20, 50, 20][len(given):]
    archive, stage = work + "/archive", work + "/stage"
    os.makedirs(stage)
    all_files = fill(tsgen, work, archive, files, partitions)
    os.sync()
    loader = subprocess.Popen([program, archive], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    began = time.monotonic()
    for n in range(restates):
        one = all_files[n * 977 % files]
        loader.stdin.write(jobs(one, [t for p, _, t in all_files if p == one[0]], stage, n, devices))
        loader.stdin.flush()
        for line in iter(loader.stdout.readline, "end\n"):
            if not line or "result=applied" not in line:
                sys.exit("not applied: " + line)
    took = time.monotonic() - began
    loader.stdin.close()
    loader.wait()
    usage = sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(archive) for f in fs if f.endswith(".mods"))
    print("restate files=%d partitions=%d restates=%d seconds=%.2f ms_each=%.1f deletion_bytes=%d" % (
        files, partitions, restates, took, took * 1000 / restates, usage))


if __name__ == "__main__":
    main()
