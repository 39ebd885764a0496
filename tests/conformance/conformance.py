#!/usr/bin/env python3
"""Our answers beside those of the original tool, statement by statement.

conformance.py BUILD DIRECTORY RECORD.jsonl [-v]

RECORD holds what two builds of the original (e1, e2) answered on an edge and a cloud
host. The same statements, in the same order, are put to two syncd and two recvd of ours,
in a network name space of their own (the record's ports are 6670 and 6671). Each answer
is equal to one of the original's, or differs for a reason that stands in WHY; one that
differs without a reason is a failure. -v prints the whole table.

Equal: the same outcome, columns and rows with times masked; the same code and words,
ours perhaps with a cause in brackets behind them; for 401 the same line and column,
because the words behind the column are ours."""
import ctypes
import fcntl
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?")
PLACE = re.compile(r"line (\d+:\d+) ")

# (statement, the original's answer, ours): all must match; the reason is printed.
WHY = []


def why(statement, original, ours, reason):
    WHY.append((re.compile(statement, re.S), re.compile(original, re.S), re.compile(ours, re.S), reason))


def load_reasons():
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "reasons.tsv"), encoding="utf-8") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                why(*line.rstrip("\n").split("\t"))


class Daemon:
    def __init__(self, place, name, program, conf):
        self.path = f"{place}/{name}.sock"
        self.conf = f"{place}/{name}.conf"
        self.program = program
        self.values = dict(conf, state_dir=f"{place}/{name}", control_socket=self.path)
        self.log = open(f"{place}/{name}.log", "ab")
        os.makedirs(f"{place}/{name}", exist_ok=True)
        self.start()

    def write(self):
        with open(self.conf, "w", encoding="utf-8") as f:
            for k, v in self.values.items():
                f.write(f"{k}={v}\n")

    def start(self):
        self.write()
        self.process = subprocess.Popen(
            [self.program, "-c", self.conf], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                self.ask("SHOW VERSION")
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.02)
        sys.exit(f"{self.program} did not start: see {self.log.name}")

    def stop(self, kill=False):
        (self.process.kill if kill else self.process.terminate)()
        self.process.wait(30)

    def ask(self, sql, user=None):
        """(code, text, heading, rows) of one statement."""
        s = socket.socket(socket.AF_UNIX)
        with s:
            s.settimeout(60)
            s.connect(self.path)
            answer = s.makefile("rb")
            if user:
                s.sendall(b".as 65534 65534\n")
                answer.readline()
            s.sendall(" ".join(sql.split("\n")).encode() + b"\n")
            heading, rows = None, []
            while True:
                line = answer.readline().decode()
                if not line.endswith("\n"):
                    raise OSError("no whole answer")
                code, text = int(line[:4]), line[5:-1]
                if line[4] == " ":
                    return code % 1000 if code else 200, unescape(text), heading, rows
                if code // 1000 == 2:
                    heading = text.split("\t")
                elif code // 1000 == 1:
                    rows.append([unescape(c) for c in text.split("\t")])


def unescape(s):
    return re.sub(r"\\(.)", lambda m: {"t": "\t", "n": "\n"}.get(m[1], m[1]), s)


class Hosts:
    """Two hosts, each with both daemons, as two IoTDBs were."""

    def __init__(self, build, place):
        self.d = {}
        for host, port in (("edge", 6671), ("cloud", 6670)):
            data = f"{place}/{host}-data"
            for sub in ("sequence", "unsequence"):
                os.makedirs(f"{data}/{sub}", exist_ok=True)
            self.d[host] = (
                Daemon(place, f"{host}-syncd", f"{build}/syncd/syncd",
                       {"data_dirs": data, "sender_name": host, "spool_min_free": 0,
                        "dropped_pipes_kept": 1000, "timestamp_precision": "ms"}),
                Daemon(place, f"{host}-recvd", f"{build}/recvd/recvd",
                       {"bind": "127.0.0.1", "pipe_server_port": port, "staging_min_free": 0}))

    def ask(self, host, sql, user=None):
        is_recvd = re.search(r"pipeserver|load", sql, re.I)
        return self.d[host][1 if is_recvd else 0].ask(sql, user)

    def note(self, text):
        """What the people who made the record did between two statements."""
        syncd, recvd = self.d["edge"][0], self.d["cloud"][1]
        white = re.match(r"cloud: ip_white_list=`(.*)`", text)
        if white:
            return self.white_list(white[1])
        if text.startswith("LOAD CONFIGURATION: white list changed"):
            return self.white_list("10.0.0.0/8")
        if text.startswith("receiver process killed"):
            recvd.stop(kill=True)
        elif text.startswith("receiver process started"):
            recvd.start()
        elif text.startswith("retry count 0"):
            self.white_list("0.0.0.0/0")
            syncd.values["max_number_of_sync_file_retry"] = 0
            syncd.write()
            syncd.ask("LOAD CONFIGURATION")
        return None

    def white_list(self, value):
        recvd = self.d["cloud"][1]
        recvd.values["ip_white_list"] = value
        recvd.write()
        code, text, _, _ = recvd.ask("LOAD CONFIGURATION")
        if code != 200:  # the list before stays: nobody of it may be here
            recvd.values["ip_white_list"] = "192.0.2.0/24"
            recvd.write()
            recvd.ask("LOAD CONFIGURATION")
            return text
        return None

    def close(self):
        for pair in self.d.values():
            for d in pair:
                d.stop()


# ---- comparing ----

def mask(rows):
    return [[TIME.sub("<time>", c or "") for c in row] for row in rows or []]


def ordered(answer):
    """The original lists sinks in the order of a hash table."""
    rows = mask(answer[3])
    return sorted(rows) if answer[2] and answer[2][0] == "name" else rows


def without_dropped(rows):
    return [r for r in rows if "DROP" not in r]


def said(answer):
    if answer is None:
        return "-"
    code, text, heading, rows = answer
    if heading:
        return f"{code} " + ",".join(heading) + "".join(" | " + ",".join(r) for r in mask(rows))
    return f"{code} {text}" if code != 200 else "200"


def theirs(a):
    if a is None:
        return None
    return (a["code"], a.get("message", ""), a.get("columns"), a.get("rows") or [])


def is_equal(ours, original):
    if original is None or ours[0] != original[0]:
        return False
    if ours[0] == 200:
        return (ours[2] or None) == (original[2] or None) and ordered(ours) == ordered(original)
    a, b = TIME.sub("<time>", ours[1]), TIME.sub("<time>", original[1])
    if ours[0] == 401:
        return PLACE.search(a)[1] == PLACE.search(b)[1]
    return a == b or a.startswith((b + " (", b.rstrip(".") + ". ("))


def is_equal_but_dropped(ours, original):
    return (original is not None and ours[0] == original[0] == 200 and (ours[2] or None) == (original[2] or None)
            and without_dropped(mask(ours[3])) == without_dropped(mask(original[3])))


def verdict(sql, ours, e1, e2, follows):
    if is_equal(ours, e1):
        return "equal", ""
    if is_equal(ours, e2):
        return "equal to e2", ""
    if is_equal_but_dropped(ours, e1):
        return "equal", "but for the pipes dropped before"
    for s, o, u, reason in WHY:
        if s.search(sql) and (o.search(said(e1)) or o.search(said(e2))) and u.search(said(ours)):
            return "differs", reason
    if follows:
        return "differs", "follows from the one above"
    return "UNEXPLAINED", ""


# ---- replaying ----

NAME = re.compile(r"^(CREATE|SHOW|DROP|START|STOP)\s+(PIPESINK|PIPE)\s+(`[^`]*`|\S+)", re.I)


class Replay:
    def __init__(self, hosts, record):
        self.hosts, self.record = hosts, record
        self.diverged = None  # what the original has and we have not
        self.section, self.keeps = 0, True
        self.count, self.table = {}, []

    def clear(self, host):
        syncd = self.hosts.d[host][0]
        for _, name, _, status, _ in syncd.ask("SHOW PIPES")[3]:
            if status != "DROP":
                syncd.ask(f"DROP PIPE `{name}`")
        for name, _, _ in syncd.ask("SHOW PIPESINKS")[3]:
            syncd.ask(f"DROP PIPESINK `{name}`")

    def begin(self, section):
        """Every section began on fresh hosts."""
        self.section, self.diverged = section, None
        for host in self.hosts.d:
            self.clear(host)
        if section >= 4:
            self.hosts.ask("edge", "CREATE PIPESINK my_iotdb AS IoTDB (ip='127.0.0.1',port=6670)")
            on_off = "STOP" if section in (6, 7) else "START"
            self.hosts.ask("cloud", f"{on_off} PIPESERVER")
        if section == 2:
            self.hosts.ask("cloud", "STOP PIPESERVER")

    def tidy(self, at, row, ours):
        """A variant that was accepted was dropped before the next; not all of the record
        says so."""
        made = NAME.match(row["sql"])
        if row["section"] not in (3, 4, 7) or not made or made[1].upper() != "CREATE":
            return
        both = ours[0] == 200, row["e1"]["code"] == 200
        if both == (False, True):
            self.diverged = (made[2].upper(), made[3])
        after = next((r for r in self.record[at + 1:] if "sql" in r or r["note"] == "dropped again"), {})
        then = NAME.match(after.get("sql", ""))
        is_used = then and then[1].upper() != "CREATE" and then[3] in (made[3], made[3].upper(), "")
        is_kept = row["section"] == 3 and self.keeps or row["section"] == 7
        if both == (True, False) or (ours[0] == 200 and not is_used and not is_kept):
            self.hosts.ask(row["host"], f"DROP {made[2]} {made[3]}")

    def follows(self, row):
        m = NAME.match(row["sql"])
        if not self.diverged:
            return False
        if m and (m[2].upper(), m[3]) == self.diverged:
            if m[1].upper() == "DROP":
                self.diverged = None
            return m[1].upper() != "CREATE"
        return row["section"] == 7

    def settle(self):
        """What START or STOP PIPE said at the edge has come to the cloud."""
        edge, recvd = self.hosts.d["edge"][0], self.hosts.d["cloud"][1]
        running = {r[1] for r in edge.ask("SHOW PIPES")[3] if r[3] == "RUNNING"}
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            rows = recvd.ask("SHOW SENDERS")[3]
            if not running and all(recvd.ask(f".cat /server/senders/edge/{p}/status")[3][:1] != [["RUNNING"]]
                                   for row in rows for p in row[6].split(",") if p):
                return
            if running and all(recvd.ask(f".cat /server/senders/edge/{p}/status")[3][:1] == [["RUNNING"]]
                               for p in running):
                return
            if recvd.ask("SHOW PIPESERVER")[3] == [["false"]]:
                return
            time.sleep(0.05)

    def one(self, at, row):
        if row["section"] != self.section:
            self.begin(row["section"])
        if row["sql"] == "STOP PIPESERVER" and row["host"] == "cloud":
            self.settle()
        made = NAME.match(row["sql"])
        if row["section"] == 3 and made and made[1].upper() == "CREATE" and "There is a" not in said(theirs(row["e1"])):
            self.hosts.ask(row["host"], f"DROP {made[2]} {made[3]}")
        ours = self.hosts.ask(row["host"], row["sql"], row.get("user"))
        e1, e2 = theirs(row["e1"]), theirs(row["e2"])
        v, reason = verdict(f"{row['section']}:{row['sql']}", ours, e1, e2, self.follows(row))
        self.count[v] = self.count.get(v, 0) + 1
        self.table.append((row, e1, e2, ours, v, reason))
        self.tidy(at, row, ours)

    def run(self):
        for at, row in enumerate(self.record):
            if "note" in row:
                self.keeps = not row["note"].startswith(("each variant", "sink names"))
                if row["note"] == "sink names":
                    self.clear("edge")
                text = self.hosts.note(row["note"])
                self.table.append((row, None, None, text, "", ""))
            else:
                self.one(at, row)

    def show(self, verbose):
        for row, e1, e2, ours, v, reason in self.table:
            if "note" in row:
                if verbose and row["note"] != "dropped again":
                    print(f"\n# {row['note']}" + (f"\n#   ours: {ours}" if ours else ""))
                continue
            if not verbose and v != "UNEXPLAINED":
                continue
            print(f"{row['host']}{'/' + row['user'] if 'user' in row else ''}> {row['sql'][:300]}")
            print(f"    {v}{': ' + reason if reason else ''}")
            print(f"    ours {said(ours)[:300]}")
            if v not in ("equal",):
                print(f"    e1   {said(e1)[:300]}")
                if said(e2) != said(e1):
                    print(f"    e2   {said(e2)[:300]}")
        print(", ".join(f"{n} {v}" for v, n in sorted(self.count.items())))


def own_network():
    """A name space with loopback up, in which the record's ports are free."""
    if os.environ.get("TSFERRY_OWN_NETWORK"):
        s = socket.socket()
        request = struct.pack("16sH14x", b"lo", 0x1 | 0x40)  # IFF_UP, IFF_RUNNING
        fcntl.ioctl(s, 0x8914, request)  # SIOCSIFFLAGS
        # what we start ends with us
        ctypes.CDLL(None).prctl(1, 9)
        return
    os.environ["TSFERRY_OWN_NETWORK"] = "1"
    os.execvp("unshare", ["unshare", "-rn", "--", sys.executable] + sys.argv)


def main():
    verbose = "-v" in sys.argv
    args = [a for a in sys.argv[1:] if a != "-v"]
    if len(args) != 3:
        sys.exit(__doc__)
    own_network()
    build, place, path = args
    load_reasons()
    os.environ["TZ"] = "Asia/Shanghai"  # as it was there
    with open(path, encoding="utf-8") as f:
        record = [json.loads(line) for line in f]
    hosts = Hosts(os.path.abspath(build), os.path.abspath(place))
    replay = Replay(hosts, record)
    try:
        replay.run()
    finally:
        hosts.close()
    replay.show(verbose)
    sys.exit(1 if replay.count.get("UNEXPLAINED") else 0)


main()
