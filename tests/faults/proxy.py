"""A link that can be cut: stands between syncd and recvd, byte for byte."""

import select
import selectors
import socket
import struct
import threading

CHUNK = 65536
UP, DOWN = "up", "down"  # edge to cloud, cloud to edge


class _Call:
    """One connection: .there = {socket: (its peer, direction)}."""

    def __init__(self, edge, cloud, cut):
        self.edge, self.cloud, self.cut = edge, cloud, cut
        self.there = {edge: (cloud, UP), cloud: (edge, DOWN)}
        self.passed = {UP: 0, DOWN: 0}
        self.open = {UP, DOWN}


class Proxy:
    """Runs a thread. Each armed cut is for one connection, in the order in which they come:
    (direction, bytes that pass before it, is_reset), or None for one that is left alone.

    cuts_made counts, and passed_up: bytes that went from edge to cloud."""

    def __init__(self, address, port, to_port, is_recording=False):
        self.address, self.to_port = address, to_port
        self.armed, self.cuts_made, self.passed_up = [], 0, 0
        self.recorded = [] if is_recording else None  # {direction: bytes} of each connection
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port))
        self.listener.listen(8)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.calls, self.is_ending = [], False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def arm(self, *cuts):
        self.armed = list(cuts)

    def end(self):
        self.is_ending = True
        self.thread.join()
        for call in list(self.calls):
            self._close(call, False)
        self.listener.close()
        self.selector.close()

    def is_idle(self):
        return not self.calls

    def _run(self):
        while not self.is_ending:
            for key, _ in self.selector.select(0.05):
                if key.fileobj is self.listener:
                    self._accept()
                elif key.data in self.calls:
                    self._read(key.data, key.fileobj)

    def _accept(self):
        edge, _ = self.listener.accept()
        try:
            cloud = socket.create_connection((self.address, self.to_port), 5)
        except OSError:
            edge.close()
            return
        call = _Call(edge, cloud, self.armed.pop(0) if self.armed else None)
        for s in call.there:
            s.settimeout(5)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.selector.register(s, selectors.EVENT_READ, call)
        self.calls.append(call)
        if self.recorded is not None:
            self.recorded.append({UP: b"", DOWN: b""})
            call.record = self.recorded[-1]
        if call.cut and call.cut[1] == 0:
            self._make_cut(call)

    def _read(self, call, source):
        to, direction = call.there[source]
        try:
            data = source.recv(CHUNK)
        except OSError:
            self._close(call, False)
            return
        if not data:
            self._half_close(call, source, to, direction)
            return
        pass_on = data
        is_cut = call.cut and call.cut[0] == direction
        if is_cut:
            pass_on = data[: call.cut[1] - call.passed[direction]]
        try:
            to.sendall(pass_on)
        except OSError:
            self._close(call, False)
            return
        call.passed[direction] += len(pass_on)
        self.passed_up += len(pass_on) if direction == UP else 0
        if self.recorded is not None:
            call.record[direction] += pass_on
        if is_cut and call.passed[direction] == call.cut[1]:
            self._make_cut(call)

    def _half_close(self, call, source, to, direction):
        call.open.discard(direction)
        self.selector.unregister(source)
        try:
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        if not call.open:
            self._close(call, False)

    def _make_cut(self, call):
        is_reset = call.cut[2]
        if not is_reset:
            self._end_of_stream(call)
        self._close(call, is_reset)
        self.cuts_made += 1

    def _end_of_stream(self, call):
        """Either side reads all that passed, and then an end; what else they send is thrown away."""
        left = [call.edge, call.cloud]
        try:
            for s in left:
                s.shutdown(socket.SHUT_WR)
            while left:
                for s in select.select(left, [], [], 5)[0] or left:
                    if not s.recv(CHUNK):
                        left.remove(s)
        except OSError:
            pass  # it went first

    def _close(self, call, is_reset):
        for s in call.there:
            try:
                self.selector.unregister(s)
            except KeyError:
                pass
            if is_reset:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
        self.calls.remove(call)
