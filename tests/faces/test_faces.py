"""Both faces of the whole public API: every operation has its twin, and does the same."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from support import Ask, committed

import aorm
import aorm.testing
from aorm import models
from aorm.models.relation import RelationDescriptor
from faces import managers, objects, querysets, runtime, schema
from faces.comparing import Group, Row, method_of, performed, plain, said, twin_of
from faces.world import World, fill

GROUPS = [
    group for module in (querysets, objects, managers, runtime, schema) for group in module.GROUPS
]


def label(group: Group) -> str:
    return str(getattr(group.owner, "__name__", type(group.owner).__name__))


ROWS = [
    pytest.param(group, key, row, id=f"{label(group)}.{key}")
    for group in GROUPS
    for key, row in group.rows.items()
]


# --- the same statements, the same answers ---------------------------------------------------


class Undone(Exception):
    """Leaves the block without its changes."""


@pytest.fixture
def tables(database: Any) -> None:
    """The shop, filled."""
    fill()


@committed  # so that both faces give savepoints the same names
@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(("group", "key", "row"), ROWS)
async def test_both_faces_send_the_same_and_answer_the_same(group, key, row):
    if group.tables:
        await aorm.acreate_tables(*group.tables)
        await aorm.sync_to_async(group.fill)()
    try:
        sync, asynchronous = [await outcome(face, group, key, row) for face in ("sync", "async")]
    finally:
        if group.tables:
            await aorm.adrop_tables(*group.tables)
    for part in sync:
        assert sync[part] == asynchronous[part], part


async def outcome(face: str, group: Group, key: str, row: Row) -> dict[str, Any]:
    """What a row does on one face; the database is as before in the end."""
    ask = Ask(face)
    try:
        world = await ask.in_thread(World.loaded)
        if not group.outside:
            return await _undone(ask, key, row, world)
        await _number_anew(ask, world)
        found = await _asked(ask, key, row, world)
        await aorm.testing.atruncate()
        await ask.in_thread(fill)
        return found
    finally:
        ask.close()


async def _undone(ask: Ask, key: str, row: Row, world: World) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with pytest.raises(Undone):
        async with ask.atomic():
            await _number_anew(ask, world)
            found = await _asked(ask, key, row, world)
            raise Undone
    return found


async def _number_anew(ask: Ask, world: World) -> None:
    """Sequences of PostgreSQL don't roll back: both faces shall be given the same keys."""
    if world.vendor == "postgresql":
        await ask(world.database.execute, "SELECT setval(seqrelid::regclass, 100) FROM pg_sequence")


async def _asked(ask: Ask, key: str, row: Row, world: World) -> dict[str, Any]:
    answer: Any = None
    error: Any = None
    with ask.queries() as queries:
        try:
            answer = await performed(ask, method_of(key), row(world))
        except Exception as raised:
            error = said(raised)
    statements = [(query.sql, plain(query.params)) for query in queries]
    return {"answer": answer, "error": error, "statements": statements}


# --- nothing is left out ---------------------------------------------------------------------


def public_names(group: Group) -> set[str]:
    """The names of a group's functions, methods, blocks and properties."""
    owner = group.owner
    if inspect.ismodule(owner):
        return {name for name in owner.__all__ if _acts(getattr(owner, name))}
    inherited = set(dir(group.base)) if group.base is not None else set()
    inherited -= set(vars(owner)) if group.base is not None else set()
    names = {name for name in dir(owner) if not name.startswith("_")} - inherited
    return {name for name in names if _acts(inspect.getattr_static(owner, name))}


def _acts(thing: Any) -> bool:
    if inspect.isclass(thing):
        return hasattr(thing, "__enter__")
    if isinstance(thing, RelationDescriptor):
        return False
    return callable(thing) or isinstance(thing, property | classmethod | staticmethod)


def pairs(group: Group) -> set[str]:
    """The names that stand for both faces: methods with a twin, and blocks."""
    names = public_names(group)
    return {name for name in names if twin_of(name) in names or _is_block(group, name)}


def _is_block(group: Group, name: str) -> bool:
    found = getattr(group.owner, name)
    return found is aorm.atomic or (inspect.isclass(found) and hasattr(found, "__aenter__"))


@pytest.mark.parametrize("group", GROUPS, ids=label)
def test_each_pair_has_a_row(group):
    assert pairs(group) - group.methods == set()


@pytest.mark.parametrize("group", [g for g in GROUPS if not g.pairs_only], ids=label)
def test_what_has_no_twin_asks_no_database_or_says_why(group):
    found = pairs(group)
    twins = {twin_of(name) for name in found}
    excused = group.lazily | set(group.alone)
    assert public_names(group) - found - twins - excused == set()
    assert {name for name in excused if not hasattr(group.owner, name)} == set()


@pytest.mark.parametrize("group", GROUPS, ids=label)
def test_each_row_is_about_a_method_with_a_twin(group):
    for name in group.methods:
        assert hasattr(group.owner, twin_of(name)) or _is_block(group, name), name


def classes() -> Iterator[type]:
    """The classes that users of aorm meet: not those of the layers below."""
    for package in (aorm.models, aorm.contrib, aorm.schema, aorm.fields, aorm.query):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for thing in vars(importlib.import_module(module.name)).values():
                if inspect.isclass(thing) and thing.__module__ == module.name:
                    yield thing


def _is_asynchronous(kind: type) -> bool:
    own = (thing for name, thing in vars(kind).items() if not name.startswith("_"))
    return any(map(inspect.iscoroutinefunction, own))


def test_no_class_with_asynchronous_methods_is_left_out():
    owners = [group.owner for group in GROUPS if inspect.isclass(group.owner)]
    left_out = {
        kind
        for kind in filter(_is_asynchronous, classes())
        if not any(issubclass(owner, kind) for owner in owners)
    }
    assert left_out == set()


# --- the same signatures -----------------------------------------------------------------------


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    given = inspect.signature(function).parameters.values()
    return [(p.name, p.kind, p.default) for p in given if p.name not in ("cursor", "self")]


METHODS = [
    pytest.param(group, name, id=f"{label(group)}.{name}")
    for group in GROUPS
    for name in sorted(group.methods)
    if not _is_block(group, name)
]


@pytest.mark.parametrize(("group", "name"), METHODS)
def test_a_method_and_its_twin_take_the_same_parameters(group, name):
    sync, twin = getattr(group.owner, name), getattr(group.owner, twin_of(name))
    assert parameters(sync) == parameters(twin)


@pytest.mark.parametrize(("group", "name"), METHODS)
def test_the_synchronous_method_carries_the_docstring(group, name):
    assert name.startswith("__") or inspect.getdoc(getattr(group.owner, name))


# --- iteration -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(
    "make",
    [
        lambda: models.QuerySet(objects.Author).order_by("pk"),
        lambda: objects.Author.objects.raw("SELECT * FROM shop_author ORDER BY id"),
    ],
)
async def test_awaited_results_are_those_of_a_loop(make):
    assert await make() == [each async for each in make()]


@pytest.mark.usefixtures("tables")
async def test_a_raw_query_that_was_read_knows_its_columns():
    found = objects.Author.objects.raw("SELECT id, name AS called FROM shop_author ORDER BY id")
    await found
    with aorm.capture_queries() as queries:
        assert found.columns == ["id", "called"]
    assert not queries
