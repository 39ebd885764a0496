"""The fourth scripted run: ways in which a payload travels that only version 2 of the protocol has.

The way is slow (rate_limit), so what gives way goes as zstd frames, inline and in blocks. A product of
compaction follows, behind ranges of what it was made from (diff_max_bytes). Then bytes of one file in the
archive are damaged and the pipe is RESYNCed: blocks go as references, and what was damaged is asked
for (WANT) and comes literally. In the end the archive is as the edge. That each way was gone shows in
the counters of a run without faults.
"""

from pair import File, Pair, Violation, catalog

SOURCE = File("zipped", "root.b", "sequence", "1-1-0-0", True, True)
PRODUCT = File("zipped", "root.b", "sequence", "1-1-1-0", False, False)
FILES = (
    SOURCE,
    File("small", "root.a", "sequence", "1-1-0-0", False, True),
    File("tiny", "root.a", "sequence", "2-2-0-0", True, True),
    File("blocks", "root.a", "sequence", "3-3-0-0", True, True),
    PRODUCT,
)
DAMAGED = FILES[3]
DAMAGED_AT = 700000  # in its third block


class TravelPair(Pair):
    def __init__(self, base, build, material, address):
        super().__init__(base, build, material, address, FILES[:-1])
        self.write("syncd.conf", rate_limit="6M", diff_max_bytes="100M")
        self.is_damaged, self.saved = False, {}

    def is_resynced(self):
        with catalog(f"file:{self.edge}/catalog.db?mode=ro") as db:
            return bool(db.execute("SELECT 1 FROM pipe WHERE is_resync AND state <> 3").fetchall())

    def advance(self):
        if not super().advance():
            return False
        for key, value in self.progress().items():
            if key.startswith("saved_"):
                self.saved[key] = max(value, self.saved.get(key, 0))
        if PRODUCT not in self.files:
            self.seal(PRODUCT)
            self.files = FILES
        elif self.is_resynced():
            return True
        else:
            self.damage()
            self.syncd("RESYNC PIPE p")
        return False

    def damage(self):
        if self.is_damaged:
            return
        f = DAMAGED
        with open(f"{self.archive}/edge-1/{f.database}/{f.space}/1/0/{f.name}.tsfile", "r+b") as opened:
            opened.seek(DAMAGED_AT)
            opened.write(bytes(64))
        self.is_damaged = True

    def leftovers(self):
        """The sources of prefixes are kept on purpose."""
        return [path for path in super().leftovers() if "/.tsferry-spool/sources/" not in path]

    def check_clean(self):
        super().check_clean()
        for way in ("saved_prefix_bytes", "saved_compressed_bytes", "saved_reference_bytes"):
            if not self.saved.get(way):
                raise Violation(f"nothing went that way: {way}, {self.saved}")
        if self.saved["saved_reference_bytes"] >= sum(len(self.material.bytes[f.kind]) for f in FILES):
            raise Violation("nothing was asked for")

    def check_catalogs(self, n=None):
        with catalog(f"{self.edge}/catalog.db") as db:
            n = db.execute("SELECT max(assigned) FROM pipe WHERE state = 1").fetchall()[0][0]
        super().check_catalogs(n)
