"""Tables of calls, and what a call does on one face: its answer, its statements, its traces.

1. A `Group` has the public operations of one class or module.  Its `rows` say, by the name of the
   synchronous method, how each is called; `"get: none found"` is one more row for `get`.
2. A row is a function of a `World`, which has the objects that stand in the database, and gives
   a `Call`, a `Within` (a call inside of a block) or a `Script` (calls one after another).
3. A public name that has no twin is in `lazily` (it asks no database) or in `alone`, with a reason.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from support import Ask

from aorm import models


class Call:
    """A method of `target`, with arguments; which method is the name of the row."""

    def __init__(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.target = target
        self.args = args
        self.kwargs = kwargs
        self.watched: list[Any] = [target]
        self.cursor: tuple[None, ...] = ()

    def with_cursor(self) -> Call:
        """The synchronous method takes a cursor first, which may be None."""
        self.cursor = (None,)
        return self

    def watching(self, *things: Any) -> Call:
        """These are looked at after the call, as the target is."""
        self.watched.extend(things)
        return self


def on(target: Any, /, *args: Any, **kwargs: Any) -> Call:
    return Call(target, args, kwargs)


class Within:
    """A call inside of a block; `inner` is given what the block gives."""

    def __init__(self, block: Any, name: str, inner: Callable[[Any], Call]) -> None:
        self.block = block
        self.name = name
        self.inner = inner


class Script:
    """Calls one after another; a function is given the answers so far."""

    def __init__(self, *steps: tuple[str, Call | Callable[[list[Any]], Call]]) -> None:
        self.steps = steps


Row = Callable[[Any], Call | Within | Script]


def _nothing() -> None:
    """Leaves tables empty."""


class Group:
    """The public operations of a class or a module.

    Args:
        rows: how each is called.
        lazily: names of what asks no database.
        alone: what has no twin though it asks a database, with the reason.
        base: a class whose names are those of another group.
        pairs_only: don't ask what its names without twins are for.
        tables: models whose tables its rows need.
        fill: what puts rows into these tables.
        outside: its rows run outside of a transaction.
    """

    def __init__(
        self,
        owner: Any,
        rows: Mapping[str, Row],
        *,
        lazily: str = "",
        alone: Mapping[str, str] | None = None,
        base: Any = None,
        pairs_only: bool = False,
        tables: tuple[Any, ...] = (),
        fill: Callable[[], None] = _nothing,
        outside: bool = False,
    ) -> None:
        self.owner = owner
        self.rows = rows
        self.lazily = frozenset(lazily.split())
        self.alone = dict(alone or {})
        self.base = base
        self.pairs_only = pairs_only
        self.tables = tables
        self.fill = fill
        self.outside = outside

    @property
    def methods(self) -> set[str]:
        """The names that have a row."""
        return {method_of(key) for key in self.rows}


def method_of(key: str) -> str:
    return key.partition(":")[0]


def twin_of(name: str) -> str:
    return f"__a{name[2:]}" if name.startswith("__") else f"a{name}"


# --- one face -----------------------------------------------------------------------------


async def performed(ask: Ask, name: str, row: Call | Within | Script) -> tuple[Any, Any]:
    """The answer of a row, and what it left on the objects that it is about; both plain."""
    if isinstance(row, Script):
        answers: list[Any] = []
        for method, step in row.steps:
            call = step if isinstance(step, Call) else step(answers)
            answers.append(await _called(ask, method, call))
        return plain(answers), None
    if isinstance(row, Within):
        return plain(await _called_within(ask, row)), None
    answer = await _called(ask, name, row)
    return plain(answer), [traces(each) for each in row.watched]


async def _called(ask: Ask, name: str, call: Call) -> Any:
    if ask.face == "sync":
        method = getattr(call.target, name)
        return await ask.in_thread(lambda: _read(method(*call.cursor, *call.args, **call.kwargs)))
    answer = getattr(call.target, twin_of(name))(*call.args, **call.kwargs)
    if isinstance(answer, AsyncIterator):
        return [each async for each in answer]
    return await answer


def _read(answer: Any) -> Any:
    return list(answer) if isinstance(answer, Iterator | models.QuerySet) else answer


async def _called_within(ask: Ask, row: Within) -> Any:
    if ask.face == "async":
        async with row.block as value:
            return await _called(ask, row.name, row.inner(value))
    value = await ask.in_thread(row.block.__enter__)
    try:
        answer = await _called(ask, row.name, row.inner(value))
    except BaseException as error:
        await ask.in_thread(row.block.__exit__, type(error), error, None)
        raise
    await ask.in_thread(row.block.__exit__, None, None, None)
    return answer


# --- what can be compared -------------------------------------------------------------------

MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")  # as SQLite keeps it


def plain(value: Any) -> Any:
    """A value as something that two faces can have in common: no identities, no clocks."""
    if isinstance(value, models.Model):
        return traces(value)
    if isinstance(value, datetime.datetime) or (isinstance(value, str) and MOMENT.match(value)):
        return "a moment"
    if isinstance(value, Mapping):
        return {repr(plain(key)): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    if isinstance(value, models.QuerySet):
        return ["results", plain(value._result_cache)]
    if isinstance(value, BaseException):
        return said(value)
    if type(value).__repr__ is object.__repr__ or callable(value):
        return type(value).__name__
    return repr(value)


def said(error: BaseException) -> tuple[str, str]:
    """The type and the text of an error; what drivers add to that is below its first line."""
    return type(error).__name__, str(error).partition("\n")[0]


def traces(thing: Any) -> Any:
    """What can be seen on an object after a call: values, related objects, prefetched ones."""
    instance = getattr(thing, "instance", thing)
    if not isinstance(instance, models.Model):
        return plain(thing._result_cache) if isinstance(thing, models.QuerySet) else None
    seen: dict[str, Any] = {"model": type(instance).__name__, "db": instance._state.db}
    seen["adding"] = instance._state.adding
    for name, value in vars(instance).items():
        if isinstance(value, models.Model):
            seen[name] = repr((type(value).__name__, value.pk))
        elif name == "_prefetched_objects_cache":
            seen[name] = {key: [each.pk for each in found] for key, found in value.items()}
        elif not name.startswith("_"):
            seen[name] = plain(value)
    return seen
