"""The second scripted run: the words of an operator.

The files of pair.py; then rows of one file in each database are deleted, and both DELETEs wait at
the receiver (hold_deletes=all): one is RETRYed, the other SKIPped; then the pipe is RESYNCed, and
everything goes again in a new incarnation, deletions beside their files. In the end the archive is
as the edge. Each word is said when what is seen asks for it, so that it does not matter which answer
a fault took away.
"""

from pair import FILES, LATE_RECORD, DELETED_IN, Pair, catalog

SKIPPED_IN = FILES[5]  # tiny, in the other database


class WordsPair(Pair):
    def __init__(self, base, build, material, address):
        super().__init__(base, build, material, address)
        self.write("recvd.conf", hold_deletes="all")

    def delete(self):
        self.delete_in(DELETED_IN)
        self.delete_in(SKIPPED_IN)
        self.is_deleted = True

    def answer_quarantine(self):
        for row in self.recvd("SHOW QUARANTINE"):
            word = "RETRY" if DELETED_IN.database in row else "SKIP"
            self.recvd(f"{word} {row.split(chr(9))[0]}")

    def is_resynced(self):
        with catalog(f"file:{self.edge}/catalog.db?mode=ro") as db:
            return bool(db.execute("SELECT 1 FROM pipe WHERE is_resync AND state <> 3").fetchall())

    def advance(self):
        is_done = super().advance()
        if self.is_deleted:
            self.answer_quarantine()
        if not is_done or not self.is_deleted:
            return False
        if self.is_resynced():
            return True
        # Both DELETEs have come, and none waits.
        if self.progress()["applied_serial"] >= len(self.files) + 2:
            self.syncd("RESYNC PIPE p")
        return False

    def wanted(self, is_deleted):
        """Every file as it stands at the edge."""
        wanted = {}
        for f in self.files:
            path = f"{f.database}/{f.space}/1/0/{f.name}.tsfile"
            wanted[path] = self.material.bytes[f.kind]
            late = LATE_RECORD if f in (DELETED_IN, SKIPPED_IN) else b""
            if f.has_mods or late:
                wanted[path + ".mods"] = (self.mods(f.database) if f.has_mods else b"") + late
        return wanted

    def check_catalogs(self, n=None):
        with catalog(f"{self.edge}/catalog.db") as db:
            n = db.execute("SELECT max(assigned) FROM pipe WHERE state = 1").fetchall()[0][0]
        super().check_catalogs(n)
