"""Rows for `aorm` itself, transactions, databases, signals, and the helpers of tests."""

from __future__ import annotations

from related.models import Branch, Plain, Root
from shop.models import Author, Shop, Stock, Tag

import aorm
import aorm.testing
from aorm import transaction
from aorm.connections import Database
from aorm.contrib import postgres
from aorm.contrib.postgres import extensions
from aorm.dispatch import Signal
from faces.comparing import Call, Group, Row, Script, Within, on
from faces.world import new_author


def creating(block: object) -> Within:
    """A row in the block."""
    return Within(block, "create", lambda value: on(Tag.objects, name="new"))


def failing(block: object) -> Within:
    return Within(block, "get", lambda value: on(Tag.objects, name="missing"))


BLOCKS: dict[str, Row] = {
    "atomic": lambda w: creating(aorm.atomic()),
    "atomic: without a savepoint": lambda w: creating(aorm.atomic(savepoint=False)),
    "atomic: durable": lambda w: creating(aorm.atomic(durable=True)),
    "atomic: serializable": lambda w: creating(aorm.atomic(isolation="serializable")),
    "atomic: reading only": lambda w: creating(aorm.atomic(read_only=True)),
    "atomic: rolled back": lambda w: failing(aorm.atomic()),
    "after_position": lambda w: creating(aorm.after_position()),
    "capture_queries": lambda w: creating(aorm.capture_queries()),
    "detached": lambda w: creating(aorm.detached()),
    "on_primary": lambda w: creating(aorm.on_primary()),
}

RUNTIME: dict[str, Row] = {
    "close": lambda w: on(aorm),
    "create_tables": lambda w: made_and_dropped(),
    "create_tables: one is there": lambda w: on(aorm, Tag),
    "drop_tables": lambda w: made_and_dropped(),
    "drop_tables: none is there": lambda w: on(aorm, Branch, Root),
    "get_rollback": lambda w: in_atomic("get_rollback", on(aorm)),
    "get_rollback: outside": lambda w: on(aorm),
    "on_commit": lambda w: noted(w, "on_commit"),
    "on_commit: nothing to call": lambda w: on(aorm, None),
    "set_rollback": lambda w: Within(aorm.atomic(), "set_rollback", lambda _: on(aorm, True)),
    "set_rollback: outside": lambda w: on(aorm, True),
    "write_position": lambda w: on(aorm),
}


def made_and_dropped() -> Script:
    return Script(
        ("create_tables", on(aorm, Branch, Root)),
        ("create", on(Root.objects)),
        ("drop_tables", on(aorm, Branch, Root)),
    )


def in_atomic(name: str, call: Call) -> Within:
    return Within(aorm.atomic(), name, lambda _: call)


def noted(world: object, name: str) -> Script:
    """A callback that is called at once, and one that is called by a commit."""
    seen: list[int] = []
    return Script(
        (name, on(aorm, lambda: seen.append(1))),
        ("create", on(Tag.objects, name="new")),
        ("in_bulk", lambda answers: on(Tag.objects, seen)),
    )


def by_hand(*steps: tuple[str, object]) -> Script:
    """In a transaction without `atomic()`, which is committed in the end."""
    return Script(
        ("set_autocommit", on(transaction, False)),
        ("create", on(Tag.objects, name="new")),
        *steps,  # type: ignore[arg-type]
        ("set_autocommit", on(transaction, True)),
        ("count", on(Tag.objects)),
    )


BY_HAND: dict[str, Row] = {
    "atomic": lambda w: creating(transaction.atomic()),
    "Atomic": lambda w: creating(transaction.Atomic(None, True, False, None, False, None, 0)),
    "commit": lambda w: by_hand(("commit", on(transaction))),
    "commit: in autocommit": lambda w: on(transaction),
    "commit: in atomic": lambda w: in_atomic("commit", on(transaction)),
    "get_rollback": lambda w: in_atomic("get_rollback", on(transaction)),
    "mark_for_rollback_on_error": lambda w: creating(transaction.mark_for_rollback_on_error()),
    "on_commit": lambda w: on(transaction, int),
    "rollback": lambda w: by_hand(("rollback", on(transaction))),
    "savepoint": lambda w: in_atomic("savepoint", on(transaction)),
    "savepoint: outside": lambda w: on(transaction),
    "savepoint_create": lambda w: in_atomic("savepoint_create", on(transaction)),
    "savepoint_commit": lambda w: by_hand(
        ("savepoint_create", on(transaction)),
        ("savepoint_commit", lambda answers: on(transaction, answers[-1])),
    ),
    "savepoint_rollback": lambda w: by_hand(
        ("savepoint_create", on(transaction)),
        ("create", on(Tag.objects, name="newer")),
        ("savepoint_rollback", lambda answers: on(transaction, answers[-2])),
    ),
    "savepoint_rollback: none of that name": lambda w: in_atomic(
        "savepoint_rollback", on(transaction, "nothing")
    ),
    "set_autocommit": lambda w: by_hand(),
    "set_autocommit: in atomic": lambda w: in_atomic("set_autocommit", on(transaction, False)),
    "set_rollback": lambda w: in_atomic("set_rollback", on(transaction, True)),
}

DATABASE: dict[str, Row] = {
    "check_constraints": lambda w: in_atomic("check_constraints", on(w.database)),
    "check_constraints: of one table": lambda w: on(w.database, ["shop_book"]),
    "disable_constraint_checking: outside": lambda w: on(w.database),
    "close": lambda w: on(w.database),
    "commit": lambda w: by_hand(("commit", on(w.database))),
    "connect": lambda w: on(w.database),
    "disable_constraint_checking": lambda w: in_atomic(
        "disable_constraint_checking", on(w.database)
    ),
    "enable_constraint_checking": lambda w: in_atomic("enable_constraint_checking", on(w.database)),
    "execute": lambda w: on(w.database, "SELECT name FROM shop_tag WHERE name = %s", ["a"]),
    "execute: a change": lambda w: on(w.database, "UPDATE shop_tag SET name = name || '2'"),
    "execute: no such table": lambda w: on(w.database, "SELECT * FROM nowhere"),
    "rollback": lambda w: by_hand(("rollback", on(w.database))),
    "savepoint": lambda w: in_atomic("savepoint", on(w.database)),
    "savepoint_commit": lambda w: by_hand(
        ("savepoint", on(w.database)),
        ("savepoint_commit", lambda answers: on(w.database, answers[-1])),
    ),
    "savepoint_rollback": lambda w: by_hand(
        ("savepoint", on(w.database)),
        ("savepoint_rollback", lambda answers: on(w.database, answers[-1])),
    ),
    "set_autocommit": lambda w: Script(
        ("set_autocommit", on(w.database, False)),
        ("save", on(new_author())),
        ("set_autocommit", on(w.database, True)),
    ),
}

DATABASES: dict[str, Row] = {"close_all": lambda w: on(aorm.connections)}


def heard(signal: Signal, receiver: object) -> Signal:
    signal.connect(receiver, weak=False)
    return signal


def counting(**named: object) -> int:
    return 7


async def counting_later(**named: object) -> int:
    return 8


def refusing(**named: object) -> None:
    raise ValueError("not me")


SIGNAL: dict[str, Row] = {
    "send": lambda w: on(heard(Signal(), counting), Author),
    "send: to a coroutine function": lambda w: on(heard(Signal(), counting_later), Author),
    "send: to one that fails": lambda w: on(heard(Signal(), refusing), Author),
    "send_robust": lambda w: on(heard(Signal(), refusing), Author),
}

TESTING: dict[str, Row] = {
    "assert_num_queries": lambda w: creating(aorm.testing.assert_num_queries(1)),
    "assert_num_queries: another number": lambda w: creating(aorm.testing.assert_num_queries(2)),
    "capture_on_commit_callbacks": lambda w: creating(aorm.testing.capture_on_commit_callbacks()),
    "rolled_back": lambda w: creating(aorm.testing.rolled_back()),
    "truncate": lambda w: on(aorm.testing, Plain, Shop, Stock),
}

EXTENSIONS: dict[str, Row] = {
    "create_extension": lambda w: on(extensions, "plpgsql"),
}

GROUPS = (
    Group(
        aorm,
        BLOCKS | RUNTIME,
        outside=True,
        lazily="""
            async_to_sync configure explain_runtime isolate_apps sync_to_async
        """,
    ),
    Group(
        transaction,
        BY_HAND,
        outside=True,
        lazily="clean_savepoints get_autocommit get_connection",
    ),
    Group(
        Database,
        DATABASE,
        outside=True,
        lazily="""
            abandon autocommit block clean_savepoints constraint_checks_disabled
            data_type_check_constraints data_types data_types_suffix dialect execute_wrapper
            execute_wrappers features get_autocommit in_atomic_block introspection
            make_async_pool make_sync_pool needs_rollback open_block run_on_commit savepoint_ids
            schema_editor set_dialect shown stats timezone timezone_name twin unbound url
        """,
        alone={
            "cursor": "PEP 249 is synchronous; aexecute() runs the same statements",
            "run_raw": "what cursors are made of",
        },
    ),
    Group(
        type(aorm.connections),
        DATABASES,
        outside=True,
        base=dict,
        lazily="all configure",
    ),
    Group(Signal, SIGNAL, lazily="connect disconnect has_listeners live"),
    Group(
        aorm.testing,
        TESTING,
        outside=True,
        alone={
            "create_database": "for fixtures, which are synchronous",
            "drop_database": "for fixtures, which are synchronous",
        },
    ),
    Group(postgres, EXTENSIONS, pairs_only=True),
)
