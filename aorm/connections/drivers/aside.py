"""A question to PostgreSQL beside a statement of asyncpg: both travel together.

asyncpg cannot put two statements into one round trip.  So this one is written to its transport just
before the statement; until the answer is complete it stands between transport and protocol and
keeps the answer to itself.  Source: PostgreSQL, 'Message Flow' and 'Message Formats'.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

HEADER = 5  # bytes: kind and length
DATA_ROW, FAILURE, READY = b"DEZ"
UNASKED = b"NSA"  # notices, settings and notifications


def _query(sql: str) -> bytes:
    text = sql.encode() + b"\0"
    return b"Q" + (len(text) + 4).to_bytes(4) + text


class Aside(asyncio.Protocol):
    """Asks for one value, as text."""

    def __init__(self, transport: Any, inner: Any, answer: Callable[[str], None]) -> None:
        self._transport = transport
        self._inner = inner
        self._answer = answer
        self._rest = b""

    def ask(self, sql: str) -> None:
        """Write the question; whatever is written next is answered after it."""
        self._transport.set_protocol(self)
        self._transport.write(_query(sql))

    def data_received(self, data: bytes) -> None:
        """Messages of the server: ours up to the first 'ready'."""
        data, start = self._rest + data, 0
        while len(data) - start >= HEADER:
            end = start + 1 + int.from_bytes(data[start + 1 : start + HEADER])
            if end > len(data):
                break
            kind = data[start]
            if kind == READY:
                self._leave()
                if end < len(data):
                    self._inner.data_received(data[end:])
                return
            if kind == DATA_ROW:
                # number of columns (2 bytes), length of the first (4), its text
                self._answer(data[start + HEADER + 6 : end].decode())
            elif kind == FAILURE and b"VFATAL" in data[start:end]:
                self._leave()
                self._inner.data_received(data[start:])
                return
            elif kind in UNASKED:
                self._inner.data_received(data[start:end])
            start = end
        self._rest = data[start:]

    def _leave(self) -> None:
        self._transport.set_protocol(self._inner)

    def connection_lost(self, error: Exception | None) -> None:
        """asyncpg hears it, too."""
        self._inner.connection_lost(error)

    def eof_received(self) -> Any:
        """asyncpg hears it, too."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """asyncpg hears it, too."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """asyncpg hears it, too."""
        self._inner.resume_writing()
