#!/usr/bin/env python3
"""Many inputs of a fuzz target in one file: pack.py pack DIRECTORY PACK [LONGEST], pack.py unpack PACK DIRECTORY.

A pack is u32 length and the bytes, again and again. LONGEST: longer inputs are left out (4096 bytes).
"""
import hashlib
import pathlib
import struct
import sys


def pack(folder, to, longest=4096):
    inputs = sorted({f.read_bytes() for f in pathlib.Path(folder).iterdir()}, key=lambda b: (len(b), b))
    kept = [b for b in inputs if len(b) <= int(longest)]
    pathlib.Path(to).write_bytes(b"".join(struct.pack("<I", len(b)) + b for b in kept))
    print(f"{len(kept)} of {len(inputs)} inputs, {pathlib.Path(to).stat().st_size} bytes")


def unpack(file, folder):
    data, at = pathlib.Path(file).read_bytes(), 0
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    while at < len(data):
        n, = struct.unpack_from("<I", data, at)
        one = data[at + 4:at + 4 + n]
        (pathlib.Path(folder) / hashlib.sha1(one).hexdigest()).write_bytes(one)
        at += 4 + n


{"pack": pack, "unpack": unpack}[sys.argv[1]](*sys.argv[2:])
