"""The third scripted run: a RESTATE.

First, with nothing in the way: two files of a database are carried, one of another; then syncd is
ended, and while it is away IoTDB compacts one of the files into one that lacks rows (a deletion that
nobody could read went before it). Then the daemons start again, one of them to be hurt: the RESTATE of
that partition is captured, travels, is applied and followed by the living files, while another
database goes on. What the archive has then is what it had in the run without faults, which is looked
at once: the rows are deleted from the old file by a record, and the living files are as at the edge.
"""

import os
import time

from pair import DAEMONS, File, Pair, Violation, catalog

OLD = File("al", "root.sg", "sequence", "1-1-0-0", False, True)
ABOVE = File("tiny", "root.sg", "unsequence", "5-5-0-0", True, True)
OTHER = File("tiny", "root.b", "sequence", "1-1-0-0", True, True)
PRODUCT = File("tiny", "root.sg", "sequence", "1-1-1-0", False, False)
LATE = File("inline", "root.b", "sequence", "2-2-0-0", True, False)


class RestatePair(Pair):
    expected = None  # what the archive had in the run without faults

    def __init__(self, base, build, material, address):
        super().__init__(base, build, material, address, (OLD, ABOVE, OTHER))
        self.is_compacted = False
        self.begin()

    def begin(self):
        for name in DAEMONS:
            self.start(name)
        self.converge((None, ()))
        self.await_survey()
        self.stop()
        self.unseal(OLD)
        for f in (PRODUCT, LATE):
            self.seal(f)
        self.files = (PRODUCT, ABOVE, OTHER, LATE)
        self.is_compacted = True

    def await_survey(self):
        """The rows of what was captured are known, so that it shows which are missing."""
        deadline = time.monotonic() + 20
        while self.edge_rows("SELECT count(*) FROM known WHERE row_sum IS NULL") != [(0,)]:
            if time.monotonic() > deadline:
                raise Violation("what was captured is not surveyed after 20 s")
            time.sleep(0.005)

    def edge_rows(self, query):
        with catalog(f"file:{self.edge}/catalog.db?mode=ro") as db:
            return db.execute(query).fetchall()

    def n_known(self):
        n = super().n_known()
        return n if not self.is_compacted else len(self.files) if self.is_restated() else 0

    def is_restated(self):
        """The product has an entry, and the archive the record that the RESTATE left on the old file."""
        there = f"{self.archive}/edge-1"
        return (os.path.exists(f"{there}/{OLD.database}/{OLD.space}/1/0/{OLD.name}.tsfile.mods")
                and all(os.path.exists(f"{there}/{f.database}/{f.space}/1/0/{f.name}.tsfile") for f in self.files))

    def check_archive(self):
        found = self.archived()
        if RestatePair.expected is None:
            self.look_at(found)
            RestatePair.expected = found
        if found != RestatePair.expected:
            paths = found.keys() | RestatePair.expected.keys()
            raise Violation("the archive is another than without faults: " + ", ".join(
                sorted(p for p in paths if found.get(p) != RestatePair.expected.get(p))))

    def look_at(self, found):
        old = f"{OLD.database}/{OLD.space}/1/0/{OLD.name}.tsfile"
        if b"DELETION,root.sg.al0" not in found.get(old + ".mods", b""):
            raise Violation("the RESTATE deleted nothing: " + repr(found.get(old + ".mods")))
        for f in self.files:
            path = f"{f.database}/{f.space}/1/0/{f.name}.tsfile"
            if found.get(path) != self.material.bytes[f.kind]:
                raise Violation(f"the archive's {path} is not as at the edge")
            if found.get(path + ".mods", b"") != (self.mods(f.database) if f.has_mods else b""):
                raise Violation(f"the archive's {path}.mods is not as at the edge")

    def check_catalogs(self, n=None):
        super().check_catalogs(self.edge_rows("SELECT max(assigned) FROM pipe WHERE state = 1")[0][0])
