"""What test modules import: `needs`, `committed`, and the class behind the fixture `ask`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context, copy_context
from typing import Any

import pytest

import aorm


def needs(*capabilities: str) -> pytest.MarkDecorator:
    """Run this test only on databases that have all of these capabilities."""
    return pytest.mark.needs(*capabilities)


# on PostgreSQL, such a test has no transaction around it, and tables are emptied afterwards
committed = pytest.mark.aorm(commit=True)


def twin(call: Callable[..., Any]) -> Callable[..., Any]:
    """The asynchronous counterpart of a synchronous method, or of a function of `aorm`."""
    owner = getattr(call, "__self__", None)
    name = f"a{call.__name__}"
    return getattr(aorm if owner is None or owner.__class__.__name__ == "module" else owner, name)


async def _listed(items: Any) -> list[Any]:
    return [item async for item in items]


class Ask:
    """Calls the sync method that it is given on one face.

    The synchronous face is a thread of its own with a context of its own, so that a block which
    one call opens is open for the next.  The asynchronous face is the twin, awaited right here.
    """

    def __init__(self, face: str) -> None:
        self.face = face
        self._context: Context = copy_context()
        self._thread = ThreadPoolExecutor(1, "sync-face")

    async def __call__(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """`ask(queryset.get, pk=1)`; `ask(list, queryset)` reads a queryset or an iterator."""
        if self.face == "sync":
            return await self.in_thread(call, *args, **kwargs)
        if call is list:
            return await _listed(*args)
        return await twin(call)(*args, **kwargs)

    async def in_thread(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call on the synchronous face's thread, whichever face is asked."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._thread, lambda: self._context.run(call, *args, **kwargs)
        )

    @asynccontextmanager
    async def atomic(self, **options: Any) -> AsyncIterator[None]:
        """`aorm.atomic()` as this face opens it."""
        block = aorm.atomic(**options)
        if self.face == "async":
            async with block:
                yield
            return
        await self.in_thread(block.__enter__)
        try:
            yield
        except BaseException as error:
            if not await self.in_thread(block.__exit__, type(error), error, error.__traceback__):
                raise
        else:
            await self.in_thread(block.__exit__, None, None, None)

    @contextmanager
    def queries(self) -> Iterator[Any]:
        """`aorm.capture_queries()` for what this face runs."""
        capture = aorm.capture_queries()
        run = self._context.run if self.face == "sync" else _directly
        captured = run(capture.__enter__)
        try:
            yield captured
        finally:
            run(capture.__exit__, None, None, None)

    def close(self) -> None:
        self._thread.submit(self._context.run, aorm.close).result()
        self._thread.shutdown()


def _directly(call: Callable[..., Any], *args: Any) -> Any:
    return call(*args)
