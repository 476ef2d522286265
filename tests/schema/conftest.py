"""The fixtures of the tests of schemas: an editor, and what a database says, on either face."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from support import Ask

import aorm
from schema.models import Box, Shelf

Editing = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.fixture
def editing(ask: Ask, database: Any) -> Editing:
    """`async with editing() as editor:` a schema editor as this face opens it."""

    @asynccontextmanager
    async def opened(**options: Any) -> AsyncIterator[Any]:
        editor = database.schema_editor(**options)
        if ask.face == "async":
            async with editor:
                yield editor
            return
        await ask.in_thread(editor.__enter__)
        try:
            yield editor
        except BaseException as error:
            await ask.in_thread(editor.__exit__, type(error), error, error.__traceback__)
            raise
        await ask.in_thread(editor.__exit__, None, None, None)

    return opened


@pytest.fixture
def told(ask: Ask, database: Any) -> Callable[..., Any]:
    """`await told("get_constraints", "table")`: an answer of the introspection."""

    async def answer(method: str, *arguments: Any) -> Any:
        introspection = database.introspection
        if ask.face == "async":
            return await getattr(introspection, f"a{method}")(*arguments)
        return await ask.in_thread(getattr(introspection, method), None, *arguments)

    return answer


@pytest.fixture
def shelves(database: Any) -> Iterator[None]:
    """The tables of the models, which go after the test."""
    aorm.create_tables(Shelf, Box)
    yield
    aorm.drop_tables(Shelf, Box)
