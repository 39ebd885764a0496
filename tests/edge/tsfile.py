"""The points of a TsFile, format versions 3 and 4.

Written from a description of the format (docs/sources.md), apart from the project's C
code and sharing nothing with it. Reads what servers write by default and somewhat more;
what it does not know is refused with a sentence, never guessed.

    for chunk in chunks(data): chunk.device, chunk.name, chunk.offset, chunk.points
"""
import collections
import ctypes
import gzip
import lzma
import struct

# offset: of the chunk's head in the file. points: [(time, value)], without nulls.
Chunk = collections.namedtuple("Chunk", "device name offset kind points")

BOOLEAN, INT32, INT64, FLOAT, DOUBLE, TEXT, VECTOR = range(7)
TIMESTAMP, DATE, BLOB, STRING = 8, 9, 10, 11
PLAIN, DICTIONARY, RLE, TS_2DIFF, REGULAR, GORILLA, ZIGZAG, CHIMP = 0, 1, 2, 4, 7, 8, 9, 11


class Unreadable(Exception):
    """The file is no TsFile, or has what this reader does not know."""


class Bytes:
    """A cursor over bytes; reading behind the end is an error."""

    def __init__(self, data, at=0, end=None):
        self.data, self.at, self.end = data, at, len(data) if end is None else end

    def left(self):
        return self.end - self.at

    def take(self, n):
        if n < 0 or self.at + n > self.end:
            raise Unreadable("%d bytes wanted, %d are left" % (n, self.left()))
        self.at += n
        return self.data[self.at - n:self.at]

    def part(self, n):
        self.take(n)
        return Bytes(self.data, self.at - n, self.at)

    def u8(self):
        return self.take(1)[0]

    def i32(self):
        return int.from_bytes(self.take(4), "big", signed=True)

    def i64(self):
        return int.from_bytes(self.take(8), "big", signed=True)

    def uvarint(self):
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise Unreadable("a number without end")

    def svarint(self):
        value = self.uvarint()
        return (value >> 1) ^ -(value & 1)

    def text(self):
        n = self.svarint()
        return None if n < 0 else self.take(n).decode("utf-8")


def signed(value, bits):
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


# ---- compression ----

def library(name):
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise Unreadable("%s is missing (apt install liblz4-1 libzstd1)" % name) from error


def lz4(data, n):
    out = ctypes.create_string_buffer(max(n, 1))
    got = library("liblz4.so.1").LZ4_decompress_safe(bytes(data), out, len(data), n)
    return out.raw[:max(got, 0)]


def zstd(data, n):
    out = ctypes.create_string_buffer(max(n, 1))
    decompress = library("libzstd.so.1").ZSTD_decompress
    decompress.restype = ctypes.c_size_t
    got = decompress(out, ctypes.c_size_t(n), bytes(data), ctypes.c_size_t(len(data)))
    return out.raw[:got] if got <= n else b""


def snappy(data, _):
    src = Bytes(data)
    src.uvarint()
    out = bytearray()
    while src.left():
        tag = src.u8()
        if tag & 3 == 0:
            n = tag >> 2
            if n >= 60:
                n = int.from_bytes(src.take(n - 59), "little")
            out += src.take(n + 1)
            continue
        if tag & 3 == 1:
            n, back = (tag >> 2 & 7) + 4, tag >> 5 << 8 | src.u8()
        else:
            n, back = (tag >> 2) + 1, int.from_bytes(src.take(2 if tag & 3 == 2 else 4), "little")
        for _ in range(n):
            out.append(out[-back])
    return bytes(out)


COMPRESSORS = {
    0: lambda data, n: bytes(data),
    1: snappy,
    2: lambda data, n: gzip.decompress(data),
    7: lz4,
    8: zstd,
    9: lambda data, n: lzma.decompress(data, format=lzma.FORMAT_XZ),
}


def decompress(how, data, n):
    if how not in COMPRESSORS:
        raise Unreadable("compression %d is not known" % how)
    out = COMPRESSORS[how](data, n)
    if len(out) != n:
        raise Unreadable("compression %d: %d bytes came out, not %d" % (how, len(out), n))
    return out


# ---- encodings ----

def fields(data, width, n):
    """n numbers of `width` bits, the first bit first; missing bits are 0."""
    if width == 0:
        return [0] * n
    need = (n * width + 7) // 8
    all_bits = int.from_bytes(bytes(data[:need]).ljust(need, b"\0"), "big")
    top, mask = need * 8, (1 << width) - 1
    return [all_bits >> (top - (i + 1) * width) & mask for i in range(n)]


class Bits:
    def __init__(self, data):
        self.value, self.left = int.from_bytes(data, "big"), len(data) * 8

    def take(self, n):
        self.left -= n
        if self.left < 0:
            raise Unreadable("a stream of bits ends early")
        return self.value >> self.left & ((1 << n) - 1)


def rle(src, n, bits):
    out = []
    while len(out) < n:
        part = src.part(src.uvarint())
        width = part.u8()
        while part.left() and len(out) < n:
            head = part.uvarint()
            if head & 1 == 0:
                raw = part.take((width + 7) // 8)
                value = int.from_bytes(raw, "big" if bits == 64 else "little")
                out += [signed(value, bits)] * (head >> 1)
                continue
            groups, last = head >> 1, part.u8()
            raw = part.take(min(groups * width, part.left()))
            out += [signed(v, bits) for v in fields(raw, width, (groups - 1) * 8 + last)]
    return out[:n]


def ts_2diff(src, n, bits):
    """n values, or with None as many as there are."""
    out = []
    while src.left() if n is None else len(out) < n:
        number, width = src.i32(), src.i32()
        step, value = (src.i64(), src.i64()) if bits == 64 else (src.i32(), src.i32())
        out.append(value)
        for delta in fields(src.take((number * width + 7) // 8), width, number):
            value = signed(value + step + delta, bits)
            out.append(value)
    return out


def gorilla(src, n, bits):
    stream, lead_bits = Bits(src.take(src.left())), 5 if bits == 32 else 6
    value, lead, length = stream.take(bits), 0, bits
    out = [value]
    while len(out) < n:
        if stream.take(1):
            if stream.take(1):
                lead, length = stream.take(lead_bits), stream.take(lead_bits) + 1
            value ^= stream.take(length) << (bits - lead - length)
        out.append(value)
    return out


CHIMP_LEADS = (0, 8, 12, 16, 18, 20, 22, 24)


def chimp(src, n, bits):
    stream = Bits(src.take(src.left()))
    ring, index_bits, len_bits = ([0] * 64, 6, 5) if bits == 32 else ([0] * 128, 7, 6)
    value, lead, at = stream.take(bits), 0, 0
    ring[0], out = value, [value]
    while len(out) < n:
        flag = stream.take(2)
        if flag == 0:
            value = ring[stream.take(index_bits)]
        elif flag == 1:
            base, lead = ring[stream.take(index_bits)], CHIMP_LEADS[stream.take(3)]
            length = stream.take(len_bits) or bits
            value = base ^ stream.take(length) << (bits - lead - length)
        else:
            if flag == 3:
                lead = CHIMP_LEADS[stream.take(3)]
            value ^= stream.take(bits - lead)
        at = (at + 1) % len(ring)
        ring[at] = value
        out.append(value)
    return out


def zigzag(src, n):
    out = []
    while len(out) < n:
        size, number = src.uvarint(), src.uvarint()
        part = src.part(size)
        out += [part.svarint() for _ in range(number)]
    return out


def is_set(bitmap, i):
    """Least bit first, as Java's BitSet has it."""
    return bitmap is None or bool(bitmap[i >> 3] >> (i & 7) & 1)


def scaled(src, n, bits, stream):
    """FLOAT and DOUBLE as whole numbers of decimal places."""
    places, converted, raw = src.uvarint(), None, None
    if places in (0x7fffffff, 0x7ffffffe):
        size = src.uvarint() // 8 + 1
        converted = src.take(size)
        if places == 0x7ffffffe:
            raw = src.take(size)
        places = src.uvarint()
    unit = 10.0 ** places if 0 < places < 1 << 31 else 1.0
    out = []
    for i, value in enumerate(stream(src, n, bits)[:n]):
        if raw is not None and is_set(raw, i):
            out.append(as_float(value, bits))
        else:
            out.append(value / (unit if is_set(converted, i) else 1.0))
    return out


def as_float(value, bits):
    raw = (value & ((1 << bits) - 1)).to_bytes(bits // 8, "big")
    return struct.unpack(">f" if bits == 32 else ">d", raw)[0]


def narrow(value):
    """To the nearest FLOAT."""
    return struct.unpack(">f", struct.pack(">f", value))[0]


def plain(src, n, kind):
    if kind == BOOLEAN:
        return [src.u8() == 1 for _ in range(n)]
    if kind in (INT32, DATE):
        return [signed(src.svarint(), 32) for _ in range(n)]
    if kind in (INT64, TIMESTAMP):
        return [src.i64() for _ in range(n)]
    if kind == FLOAT:
        return list(struct.unpack(">%df" % n, src.take(4 * n)))
    if kind == DOUBLE:
        return list(struct.unpack(">%dd" % n, src.take(8 * n)))
    return [text_of(src.take(src.svarint()), kind) for _ in range(n)]


def text_of(raw, kind):
    return bytes(raw) if kind == BLOB else raw.decode("utf-8")


def dictionary(src, n, kind):
    words = [text_of(src.take(src.svarint()), kind) for _ in range(src.svarint())]
    return [words[i] for i in rle(src, n, 32)]


def values(src, n, kind, encoding):
    if n == 0:
        return []
    if encoding == PLAIN:
        return plain(src, n, kind)
    if encoding == DICTIONARY:
        return dictionary(src, n, kind)
    bits = 64 if kind in (INT64, TIMESTAMP, DOUBLE) else 32
    if kind == BOOLEAN and encoding == RLE:
        return [bool(v) for v in rle(src, n, 32)]
    if kind in (FLOAT, DOUBLE) and encoding in (RLE, TS_2DIFF):
        out = scaled(src, n, bits, rle if encoding == RLE else ts_2diff)
        return [narrow(v) for v in out] if kind == FLOAT else out
    by_bits = {RLE: rle, TS_2DIFF: ts_2diff, GORILLA: gorilla, CHIMP: chimp}
    if encoding == ZIGZAG:
        out = [signed(v, bits) for v in zigzag(src, n)]
    elif encoding in by_bits:
        out = by_bits[encoding](src, n, bits)[:n]
    else:
        raise Unreadable("encoding %d of type %d is not known" % (encoding, kind))
    if kind in (FLOAT, DOUBLE):
        return [as_float(v, bits) for v in out]
    return [signed(v, bits) for v in out]


# ---- the file ----

def skip_statistics(src, kind):
    src.uvarint()
    src.take(16)
    if kind in (TEXT, STRING):
        for _ in range(2 if kind == TEXT else 4):
            src.take(src.i32())
        return
    src.take({BOOLEAN: 10, INT32: 24, DATE: 24, INT64: 40, TIMESTAMP: 40, FLOAT: 24,
              DOUBLE: 40, VECTOR: 0, BLOB: 0}[kind])


def pages(src, mark, kind, how):
    """Each page's body, None for one without values."""
    while src.left():
        size = src.uvarint()
        if size == 0:
            yield None
            continue
        packed = src.uvarint()
        if mark & 63 == 1:
            skip_statistics(src, kind)
        yield Bytes(decompress(how, src.take(packed), size))


def single_page(page, kind, encoding):
    times = ts_2diff(page.part(page.uvarint()), None, 64)
    return list(zip(times, values(page, len(times), kind, encoding)))


def column_page(page, times, kind, encoding):
    rows = page.i32()
    if rows != len(times):
        raise Unreadable("a column of %d rows beside %d times" % (rows, len(times)))
    bitmap = page.take((rows + 7) // 8)
    have = [i for i in range(rows) if bitmap[i >> 3] & 128 >> (i & 7)]
    return [(times[i], v) for i, v in zip(have, values(page, len(have), kind, encoding))]


def device_name(src, version):
    if version == 3:
        return src.text()
    return ".".join(t if t is not None else "null" for t in (src.text() for _ in range(src.uvarint())))


def chunks(data):
    if len(data) < 13 or data[:6] != b"TsFile" or data[-6:] != b"TsFile":
        raise Unreadable("no sealed TsFile")
    version = data[6]
    if version not in (3, 4):
        raise Unreadable("format version %d" % version)
    src, device, times = Bytes(data, 7), None, []
    while True:
        offset, mark = src.at, src.u8()
        if mark == 2:
            return
        if mark == 0:
            device = device_name(src, version)
        elif mark == 4:
            src.take(16)
        elif mark & 63 in (1, 5):
            name, size = src.text(), src.uvarint()
            kind, how, encoding = src.u8(), src.u8(), src.u8()
            body = pages(src.part(size), mark, kind, how)
            if mark & 128:
                times = [ts_2diff(p, None, 64) for p in body]
                continue
            points = []
            for i, page in enumerate(body):
                if page and mark & 64:
                    points += column_page(page, times[i], kind, encoding)
                elif page:
                    points += single_page(page, kind, encoding)
            yield Chunk(device, name, offset, kind, points)
        else:
            raise Unreadable("mark %d at %d" % (mark, offset))
