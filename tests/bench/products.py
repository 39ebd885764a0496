#!/usr/bin/env python3
"""products.py PORT fill|late SET ALIGNED FLUSHES: rows for scripts/bench diff.

Runs on the Python of the IoTDB client. Sets: few 5 devices of long series, mid 300
devices, many 2000 devices of short ones, as a gateway has; 10 sensors each, default
encodings. Rows come in order, FLUSHES times with a FLUSH behind; `late` writes anew a twentieth
of the rows of each flush, from its middle on. The same arguments make the same rows."""
import array
import random
import sys

from iotdb.thrift.rpc import IClientRPCService
from iotdb.thrift.rpc.ttypes import (TSExecuteStatementReq, TSInsertTabletReq,
                                     TSOpenSessionReq)
from thrift.protocol import TBinaryProtocol
from thrift.transport import TSocket, TTransport

SETS = {"few": (5, 60000), "mid": (300, 1200), "many": (2000, 240)}
START = 1700000000000
TYPES = ["FLOAT", "DOUBLE", "INT32", "INT64", "FLOAT", "DOUBLE", "INT32", "INT64", "FLOAT", "BOOLEAN"]
CODE = {"BOOLEAN": ("b", 0), "INT32": ("i", 1), "INT64": ("q", 2), "FLOAT": ("f", 3), "DOUBLE": ("d", 4)}
POOL = 1 << 20


class Client:
    def __init__(self, port):
        transport = TTransport.TFramedTransport(TSocket.TSocket("127.0.0.1", port))
        transport.open()
        self.rpc = IClientRPCService.Client(TBinaryProtocol.TBinaryProtocolAccelerated(transport))
        r = self.rpc.openSession(TSOpenSessionReq(client_protocol=2, zoneId="UTC", username="root", password="root",
                                                  configuration={"version": "V_1_0"}))
        self.session = r.sessionId
        self.statement = self.rpc.requestStatementId(self.session)

    def check(self, status, what):
        if status.code not in (200, 400):
            sys.exit("%s: %d %s" % (what, status.code, status.message))

    def run(self, sql):
        r = self.rpc.executeStatement(TSExecuteStatementReq(
            sessionId=self.session, statement=sql, statementId=self.statement, fetchSize=1000, timeout=600000))
        self.check(r.status, sql[:100])

    def tablet(self, device, aligned, times, columns):
        self.check(self.rpc.insertTablet(TSInsertTabletReq(
            sessionId=self.session, prefixPath=device, measurements=["s%d" % k for k in range(len(columns))],
            values=b"".join(columns), timestamps=big("q", times), types=[CODE[t][1] for t in TYPES],
            size=len(times), isAligned=aligned)), device)


def big(code, values):
    a = values if isinstance(values, array.array) else array.array(code, values)
    if a.itemsize > 1:
        a = a[:]
        a.byteswap()
    return a.tobytes()


def pools(rnd):
    """One walk per type: sensors that drift, with noise in the last digit."""
    out, level = {}, 20.0
    walk = []
    for _ in range(POOL):
        level += rnd.uniform(-0.5, 0.5)
        walk.append(level)
    out["FLOAT"] = array.array("f", (round(v, 1) for v in walk))
    out["DOUBLE"] = array.array("d", (round(v * 7, 3) for v in walk))
    out["INT32"] = array.array("i", (int(v * 10) for v in walk))
    out["INT64"] = array.array("q", (int(v * 1000) for v in walk))
    out["BOOLEAN"] = array.array("b", (v > 20 for v in walk))
    return out


def main():
    port, what, name, aligned, flushes = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4] == "a", int(sys.argv[5])
    devices, rows = SETS[name]
    rnd = random.Random("%s %s" % (what, name))
    pool, c = pools(rnd), Client(port)
    begin, step = (0, rows) if what == "fill" else (rows // 2, rows // 20)
    for f in range(flushes):
        for d in range(devices):
            first = START + f * rows * 1000
            for part in range(0, step, 3000):
                n = min(3000, step - part)
                times = [first + (begin + part + k) * 1000 for k in range(n)]
                columns = []
                for t in TYPES:
                    at = rnd.randrange(POOL - n)
                    columns.append(big(CODE[t][0], pool[t][at:at + n]))
                c.tablet("root.%s.d%04d" % (name, d), aligned, times, columns)
        if what == "fill":
            c.run("FLUSH")
    if what == "late":
        c.run("FLUSH")


main()
