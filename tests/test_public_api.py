"""What is public, and that both faces look the same."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from shop.models import Author, Book

import aorm
from aorm import models

QUERYSET = [
    "aggregate",
    "bulk_create",
    "bulk_update",
    "bulk_upsert",
    "contains",
    "copy_from",
    "copy_to",
    "count",
    "create",
    "delete",
    "earliest",
    "exists",
    "explain",
    "first",
    "get",
    "get_or_create",
    "in_bulk",
    "iterator",
    "last",
    "insert_from",
    "latest",
    "page",
    "update",
    "update_or_create",
]
MODEL = [
    "clean_fields",
    "delete",
    "fetch_related",
    "full_clean",
    "refresh_from_db",
    "save",
    "validate_constraints",
    "validate_unique",
]
RELATED = ["add", "clear", "create", "get_or_create", "remove", "set", "update_or_create"]
RUNTIME = [
    "close",
    "create_tables",
    "drop_tables",
    "get_rollback",
    "on_commit",
    "set_rollback",
    "write_position",
]


def both(owner: Any, names: list[str]) -> list[Any]:
    """One case for each pair of a method and its twin."""
    label = getattr(owner, "__name__", type(owner).__name__)
    return [pytest.param(owner, name, id=f"{label}.{name}") for name in names]


PAIRS = [
    *both(models.QuerySet, QUERYSET),
    *both(models.Manager, [name for name in QUERYSET if name != "delete"]),
    *both(models.Model, MODEL),
    *both(aorm, RUNTIME),
]


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize(("owner", "name"), PAIRS)
def test_a_method_and_its_twin_take_the_same_parameters(owner, name):
    assert parameters(getattr(owner, name)) == parameters(getattr(owner, f"a{name}"))


@pytest.mark.parametrize("name", RELATED)
def test_a_related_manager_and_its_twin_take_the_same_parameters(name):
    for manager in Author(pk=1).books, Book(pk=1).tags:
        if hasattr(manager, name):
            assert parameters(getattr(manager, name)) == parameters(getattr(manager, f"a{name}"))


@pytest.mark.parametrize("owner", [models.QuerySet, models.Manager, models.Model, aorm])
def test_no_twin_is_left_out_of_these_tables(owner):
    known = {case.values for case in PAIRS}
    twins = {
        name[1:]
        for name in dir(owner)
        if name.startswith("a") and callable(getattr(owner, name[1:], None))
    }
    assert {name for name in twins if (owner, name) not in known} <= {"sync_to_async"}


@pytest.mark.parametrize(("owner", "name"), PAIRS)
def test_the_synchronous_method_carries_the_docstring(owner, name):
    assert inspect.getdoc(getattr(owner, name))


AORM = """
    aclose acreate_tables adrop_tables after_position aget_rollback aon_commit apps aset_rollback
    async_to_sync atomic awrite_position capture_queries close configure connections create_tables
    detached drop_tables errors explain_runtime get_rollback isolate_apps models on_commit
    on_primary router set_rollback settings sync_to_async write_position
"""


def test_the_public_names_are_exactly_these():
    assert sorted(aorm.__all__) == AORM.split()


@pytest.mark.parametrize("module", [aorm, models, aorm.errors])
def test_every_public_name_exists(module):
    assert [name for name in getattr(module, "__all__", ()) if not hasattr(module, name)] == []
