"""A line to PostgreSQL that can be cut: a TCP proxy on a thread of its own for each direction.

1. `cut()` ends all connections by FIN, `reset()` by RST; `blackhole()` lets nothing through any
   more and tells nobody; `heal()` makes the line whole for new connections.
2. `at(text, what)` waits for a message of the client with this text: "before" cuts without
   passing it on, "after" passes it on and cuts when the server has answered, "silence" passes it
   on and is a black hole from then on.
3. `at(number, what)` waits for a number of messages of the client, from now on.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Literal

What = Literal["before", "after", "silence"]

ASKS_FIRST = (80877103, 80877104)  # TLS or GSS: the start-up message is still to come
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: close by RST


class Proxy:
    """Listens on `port`; every connection is passed on to the target."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.silent = False
        self.messages: list[bytes] = []  # of all clients, since the beginning
        self.opened = 0
        self._healing = 0
        self._before: Callable[[], None] | None = None
        self._trap: tuple[str | int, What] | None = None
        self._lines: set[Line] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def at(self, event: str | int, what: What) -> None:
        """Spring this trap once."""
        with self._lock:
            self._trap = (event, what)

    def cut(self) -> None:
        """End all connections."""
        for line in self._taken():
            line.end()

    def reset(self) -> None:
        """End all connections as a machine does that does not know them."""
        for line in self._taken():
            line.end(reset=True)

    def blackhole(self) -> None:
        """Nothing passes any more, and new connections get no answer."""
        self.silent = True

    def before_next_connection(self, what: Callable[[], None]) -> None:
        """Do this when a client connects, before it is passed on."""
        self._before = what

    def heals_at(self, opened: int) -> None:
        """End the silence when this many more connections have been opened."""
        self._healing = self.opened + opened

    def heal(self) -> None:
        """What was silenced is gone; new connections work."""
        self.silent = False
        self.cut()

    def close_door(self) -> None:
        """Refuse new connections from now on."""
        with suppress(OSError):  # it was closed already
            self._listener.shutdown(socket.SHUT_RDWR)  # the thread that accepts wakes up
        self._listener.close()

    def close(self) -> None:
        """End everything."""
        self.close_door()
        self.cut()

    def sprung(self, message: bytes) -> What | None:
        """A message of a client: what is to happen to its line."""
        with self._lock:
            self.messages.append(message)
            if self._trap is None:
                return None
            event, what = self._trap
            if isinstance(event, int):
                event -= 1
                self._trap = (event, what)
            if event != 0 and (isinstance(event, int) or event.encode() not in message):
                return None
            self._trap = None
            return what

    def _taken(self) -> list[Line]:
        with self._lock:
            lines, self._lines = list(self._lines), set()
        return lines

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._before is not None:
                before, self._before = self._before, None
                before()
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            self.opened += 1
            if self.opened == self._healing:
                self.silent = False
            line = Line(self, client, server)
            with self._lock:
                self._lines.add(line)
            line.start()


class Line:
    """One connection, and its continuation to the server."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._doomed = False
        self._ended = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Pass on in both directions."""
        threading.Thread(target=self._to_server, daemon=True).start()
        threading.Thread(target=self._to_client, daemon=True).start()

    def end(self, reset: bool = False) -> None:
        """End both halves."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        for half in (self._client, self._server):
            if reset:
                half.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            with suppress(OSError):  # it has ended from the other side
                # the thread that reads wakes up; only then the socket is really closed
                half.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
            half.close()

    def _to_server(self) -> None:
        try:
            for message in _messages(self._client):
                what = self._proxy.sprung(message)
                if what == "before":
                    break
                if what == "after":
                    self._doomed = True
                passing = not self._proxy.silent
                if what == "silence":
                    self._proxy.silent = True  # first: the server may answer at once
                if passing:
                    self._server.sendall(message)
        except OSError:
            pass  # ended from the other side
        if not self._proxy.silent:
            self.end()

    def _to_client(self) -> None:
        try:
            while data := self._server.recv(65536):
                if self._doomed:
                    break
                if not self._proxy.silent:
                    self._client.sendall(data)
        except OSError:
            pass  # ended from the other side
        if not self._proxy.silent:
            self.end()


def _messages(client: socket.socket) -> Iterator[bytes]:
    """The messages of a client, each whole (PostgreSQL, 'Message Formats')."""
    buffer, header = b"", 0  # the messages before and at start-up have no letter
    while True:
        while len(buffer) >= header + 4:
            end = header + int.from_bytes(buffer[header : header + 4])
            if len(buffer) < end:
                break
            message, buffer = buffer[:end], buffer[end:]
            if not header and int.from_bytes(message[4:8]) not in ASKS_FIRST:
                header = 1
            yield message
        data = client.recv(65536)
        if not data:
            return
        buffer += data
