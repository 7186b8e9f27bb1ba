"""A TCP link between two processes that can be cut, stalled, slowed and torn."""

import contextlib
import random
import select
import socket
import struct
import threading
import time


def reset(connection):
    """Ends it with RST, as a middlebox does."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Carrier:
    """One connection through the link: a thread that moves bytes both ways, as the link allows."""

    def __init__(self, link, near, far, life):
        self.link, self.near, self.far = link, near, far
        self.ends = time.monotonic() + life if life else None
        # A carrier that was stalled never moves a byte again: the path it went is gone.
        self.stalled = False
        self.broken = False
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        late = []
        while not self.broken and (self.ends is None or time.monotonic() < self.ends):
            if self.stalled:
                time.sleep(0.01)
                continue
            ready, _, _ = select.select([self.near, self.far], [], [], 0.01)
            now = time.monotonic()
            for source in ready:
                try:
                    data = source.recv(4096)
                except OSError:
                    data = b""
                if not data:
                    self.broken = True
                late.append((now + self.link.delay, self.far if source is self.near else self.near, data))
            while late and late[0][0] <= time.monotonic() and not self.stalled:
                _, target, data = late.pop(0)
                with contextlib.suppress(OSError):
                    target.sendall(data)
        reset(self.near)
        reset(self.far)


class Link:
    """Listens at `address` and carries what comes to `target`, "HOST:PORT"."""

    def __init__(self, target):
        host, port = target.rsplit(":", 1)
        self.target = (host, int(port))
        self.delay = 0.0
        self.open = True
        self.longest_life = 0.0
        self.carriers = []
        self.taken = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self._random = random.Random(7)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if not self.open:
                reset(near)
                continue
            try:
                far = socket.create_connection(self.target, 2)
            except OSError:
                reset(near)
                continue
            self.taken += 1
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            life = self._random.uniform(0.1, self.longest_life) if self.longest_life else 0
            self.carriers.append(Carrier(self, near, far, life))

    def cut(self):
        """Resets what goes through and refuses what comes."""
        self.open = False
        for carrier in self.carriers:
            carrier.broken = True
        self.carriers.clear()

    def stall(self):
        """From now on no byte goes through the connections that stand, and nobody is told: a NAT that forgot them."""
        for carrier in self.carriers:
            carrier.stalled = True

    def tear(self, longest_life):
        """Every connection, also those that stand, is reset at a random moment within so many seconds; 0: no more."""
        self.longest_life = longest_life
        if longest_life:
            for carrier in self.carriers:
                carrier.ends = time.monotonic() + self._random.uniform(0.1, longest_life)

    def heal(self):
        self.open = True

    def close(self):
        self.listener.close()
        self.cut()
