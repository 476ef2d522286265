"""Functions around each statement, on both faces."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from shop.models import Author
from support import Ask

from aorm.errors import QueryTypeError


class Blocked(Exception):
    """Raised by a wrapper that lets nothing through."""


@pytest.fixture
def around(ask: Ask, database: Any) -> Callable[[Any], Any]:
    """`async with around(wrapper):` as this face opens the block."""

    @asynccontextmanager
    async def opened(wrapper: Any) -> Any:
        block = database.execute_wrapper(wrapper)
        if ask.face == "async":
            async with block:
                yield
            return
        await ask.in_thread(block.__enter__)
        try:
            yield
        finally:
            await ask.in_thread(block.__exit__, None, None, None)

    return opened


def noting(seen: list[Any], name: str = "") -> Any:
    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append((name, sql, params, many, context["connection"].alias))
        return execute(sql, params, many, context)

    return wrapper


def block(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    raise Blocked(sql)


async def test_a_wrapper_sees_each_statement(ask: Ask, around: Any) -> None:
    seen: list[Any] = []
    async with around(noting(seen)):
        await ask(Author.objects.create, name="Ada")
        assert await ask(Author.objects.filter(name="Ada").count) == 1
    await ask(Author.objects.count)
    assert [sql.split()[0] for _, sql, _, _, _ in seen] == ["INSERT", "SELECT"]
    assert [entry[3:] for entry in seen] == [(False, "default")] * 2
    assert list(seen[1][2]) == ["Ada"]


async def test_a_wrapper_that_raises_lets_nothing_through(ask: Ask, around: Any) -> None:
    async with around(block):
        with pytest.raises(Blocked, match="INSERT"):
            await ask(Author.objects.create, name="Ada")
    assert await ask(Author.objects.count) == 0


async def test_what_was_not_asked_found_nothing(ask: Ask, around: Any, database: Any) -> None:
    await ask(Author.objects.create, name="Ada")
    async with around(lambda *statement: None):
        assert await ask(list, Author.objects.all()) == []
        assert await ask(Author.objects.update, age=1) == 0
        await ask(database.execute, "nothing that a database would understand")
    assert (await ask(Author.objects.get)).age is None


async def test_the_first_wrapper_is_the_outermost(ask: Ask, around: Any, database: Any) -> None:
    seen: list[Any] = []
    async with around(noting(seen, "outer")), around(noting(seen, "inner")):
        await ask(Author.objects.count)
        wrappers = await ask.in_thread(lambda: database.execute_wrappers)
    assert [entry[0] for entry in seen] == ["outer", "inner"]
    assert len(wrappers) == (2 if ask.face == "sync" else 0)
    assert database.execute_wrappers == []


async def test_a_wrapper_changes_what_is_asked(ask: Ask, around: Any) -> None:
    def never(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        return execute(sql.replace("COUNT(*)", "0"), params, many, context)

    await ask(Author.objects.create, name="Ada")
    async with around(never):
        assert await ask(Author.objects.count) == 0


async def test_a_wrapper_is_around_a_transaction_that_is_open(ask: Ask, around: Any) -> None:
    seen: list[Any] = []
    async with ask.atomic():
        await ask(Author.objects.create, name="Ada")
        async with around(noting(seen)):
            await ask(Author.objects.update, age=1)
        await ask(Author.objects.update, age=2)
    assert len(seen) == 1


async def test_statements_that_were_let_through_are_captured(ask: Ask, around: Any) -> None:
    with ask.queries() as queries:
        async with around(block):
            with pytest.raises(Blocked):
                await ask(Author.objects.count)
        async with around(noting([])):
            await ask(Author.objects.count)
    assert len(queries) == 1


async def test_a_coroutine_function_is_for_asynchronous_connections(
    ask: Ask, around: Any, database: Any
) -> None:
    async def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        return await execute(sql, params, many, context)

    async with around(wrapper):
        if ask.face == "async" and database.vendor == "postgresql":
            assert await ask(Author.objects.count) == 0
        else:
            with pytest.raises(QueryTypeError, match="asynchronous"):
                await ask(Author.objects.count)
