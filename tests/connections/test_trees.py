"""Random trees of nested blocks against a model that has no database.

1. A tree is made from a seed, so a failure is repeated by its number; the test says which.
2. The model knows three things only: what was written, what was registered, and whether all that
   can still happen is a rollback.
3. `AORM_TEST_SECONDS` lets each test go on with more trees for that long.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass

import pytest

from aorm.connections import (
    aget_rollback,
    aon_commit,
    arun,
    asavepoint,
    asavepoint_commit,
    asavepoint_rollback,
    aset_rollback,
    async_to_sync,
    atomic,
    get_rollback,
    on_commit,
    run,
    savepoint,
    savepoint_commit,
    savepoint_rollback,
    set_rollback,
    sync_to_async,
)
from aorm.errors import IntegrityError, TransactionManagementError

TREES = 12  # for each test
SECONDS = float(os.environ.get("AORM_TEST_SECONDS", "0"))
TAKEN = 0  # the id of a row that is there before


class Boom(Exception):
    pass


# --- trees -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Insert:
    number: int


@dataclass(frozen=True)
class Refused:
    """A statement that fails; the code around it goes on."""


@dataclass(frozen=True)
class Register:
    """Something to call after the commit."""

    number: int


@dataclass(frozen=True)
class Mark:
    """`set_rollback(True)`."""


@dataclass(frozen=True)
class Savepoint:
    """One by hand."""

    actions: tuple
    undone: bool


@dataclass(frozen=True)
class Block:
    actions: tuple
    savepoint: bool = True
    fails: bool = False
    caught: bool = True
    crosses: bool = False  # it runs on the other face


@dataclass(frozen=True)
class Together:
    """Blocks and statements at the same time, in tasks or in threads."""

    actions: tuple


class Planter:
    """Makes trees."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.number = 0

    def next(self):
        self.number += 1
        return self.number

    def chance(self, probability):
        return self.random.random() < probability

    def tree(self):
        actions = self.actions(depth=0, together=True)
        return Block(actions, fails=self.chance(0.2))

    def actions(self, depth, together):
        return tuple(self.action(depth, together) for _ in range(self.random.randint(1, 5 - depth)))

    def action(self, depth, together):
        kinds = [self.insert] * 4 + [self.register] * 2
        if self.chance(0.15):
            kinds = [Refused, Mark]
        elif depth < 3:
            kinds += [lambda: self.block(depth + 1, together)] * 4
            kinds += [lambda: self.savepoint(depth + 1)]
            kinds += [lambda: self.together(depth + 1)] * 2 if together else []
        return self.random.choice(kinds)()

    def insert(self):
        return Insert(self.next())

    def register(self):
        return Register(self.next())

    def savepoint(self, depth):
        return Savepoint(self.actions(depth, together=False), self.chance(0.5))

    def block(self, depth, together):
        return Block(
            self.actions(depth, together),
            savepoint=self.chance(0.8),
            fails=self.chance(0.3),
            caught=self.chance(0.8),
            crosses=self.chance(0.25),
        )

    def together(self, depth):
        return Together(
            tuple(
                self.insert()
                if self.chance(0.3)
                else Block(
                    self.actions(depth + 1, together=False),
                    fails=self.chance(0.4),
                    crosses=self.chance(0.3),
                )
                for _ in range(3)
            )
        )


# --- the model -----------------------------------------------------------------------------


class Model:
    """What must come out."""

    def __init__(self, tree):
        self.rows = []
        self.calls = []
        self.broken = None  # or what broke it
        self.in_any_order = False
        try:
            self.block(tree)
        except Boom:
            self.rows, self.calls = [], []
        if self.broken:
            self.rows, self.calls = [], []

    def act(self, action):
        getattr(self, type(action).__name__.lower())(action)

    def insert(self, action):
        if not self.broken:
            self.rows.append(action.number)

    def refused(self, action):
        self.broken = self.broken or "failure"

    def mark(self, action):
        self.broken = "mark"

    def register(self, action):
        self.calls.append(action.number)

    def savepoint(self, action):
        if self.broken:
            return
        before = list(self.rows), list(self.calls)
        for each in action.actions:
            self.act(each)
        if action.undone or self.broken:
            self.rows, self.calls = before
            if self.broken == "failure":  # what the user has marked stays marked
                self.broken = None

    def block(self, action):
        before = list(self.rows), list(self.calls)
        undoes = action.savepoint and not self.broken
        failed = True
        try:
            for each in action.actions:
                self.act(each)
            if action.fails:
                raise Boom
            failed = False
        except Boom:
            if not action.caught:
                raise
        finally:
            if failed or self.broken:
                if undoes:
                    (self.rows, self.calls), self.broken = before, None
                else:
                    self.broken = self.broken or "mark"

    def together(self, action):
        self.in_any_order = True
        for each in action.actions:
            self.act(each)


# --- the real thing ------------------------------------------------------------------------


class Gardener:
    """Does what a tree says, on a database."""

    def __init__(self, database, make_insert):
        self.database = database
        self.make_insert = make_insert
        self.calls = []

    def statement(self, number):
        return self.make_insert(self.database, number)

    # the synchronous face

    def act(self, action):
        getattr(self, type(action).__name__.lower())(action)

    def insert(self, action):
        if get_rollback():
            with pytest.raises(TransactionManagementError):
                run(self.statement(action.number), self.database)
        else:
            run(self.statement(action.number), self.database)

    def refused(self, action):
        expected = TransactionManagementError if get_rollback() else IntegrityError
        with pytest.raises(expected):
            run(self.statement(TAKEN), self.database)

    def mark(self, action):
        set_rollback(True)

    def register(self, action):
        on_commit(lambda: self.calls.append(action.number))

    def savepoint(self, action):
        if get_rollback():
            return
        name = savepoint()
        for each in action.actions:
            self.act(each)
        (savepoint_rollback if action.undone or get_rollback() else savepoint_commit)(name)

    def block(self, action):
        try:
            if action.crosses:
                async_to_sync(self.ainside)(action)
            else:
                self.inside(action)
        except Boom:
            if not action.caught:
                raise

    def inside(self, action):
        with atomic(savepoint=action.savepoint):
            for each in action.actions:
                self.act(each)
            if action.fails:
                raise Boom

    def together(self, action):
        if get_rollback():
            return
        with ThreadPoolExecutor(len(action.actions)) as threads:
            started = [
                threads.submit(copy_context().run, self.one_of_many, each)
                for each in action.actions
            ]
            for each in started:
                each.result()

    def one_of_many(self, action):
        if isinstance(action, Insert):
            # whether a sibling's block is broken at the moment does not matter here
            run(self.statement(action.number), self.database)
        else:
            self.block(action)

    # the asynchronous face

    async def aact(self, action):
        await getattr(self, "a" + type(action).__name__.lower())(action)

    async def ainsert(self, action):
        if await aget_rollback():
            with pytest.raises(TransactionManagementError):
                await arun(self.statement(action.number), self.database)
        else:
            await arun(self.statement(action.number), self.database)

    async def arefused(self, action):
        expected = TransactionManagementError if await aget_rollback() else IntegrityError
        with pytest.raises(expected):
            await arun(self.statement(TAKEN), self.database)

    async def amark(self, action):
        await aset_rollback(True)

    async def aregister(self, action):
        async def call():
            self.calls.append(action.number)

        await aon_commit(call)

    async def asavepoint(self, action):
        if await aget_rollback():
            return
        name = await asavepoint()
        for each in action.actions:
            await self.aact(each)
        undone = action.undone or await aget_rollback()
        await (asavepoint_rollback if undone else asavepoint_commit)(name)

    async def ablock(self, action, bridge=sync_to_async):
        try:
            if action.crosses:
                await bridge(self.inside)(action)
            else:
                await self.ainside(action)
        except Boom:
            if not action.caught:
                raise

    async def ainside(self, action):
        async with atomic(savepoint=action.savepoint):
            for each in action.actions:
                await self.aact(each)
            if action.fails:
                raise Boom

    async def atogether(self, action):
        if await aget_rollback():
            return
        await asyncio.gather(*(self.aone_of_many(each) for each in action.actions))

    async def aone_of_many(self, action):
        if isinstance(action, Insert):
            await arun(self.statement(action.number), self.database)
        else:
            # asgiref's one thread could not serve two blocks at a time
            await self.ablock(action, in_any_thread)


def in_any_thread(function):
    return lambda *args: asyncio.to_thread(function, *args)


@pytest.mark.parametrize("face", ["sync", "async"])
@pytest.mark.parametrize("seed", range(4))
def test_a_random_tree_of_blocks_ends_as_the_model_says(
    database, rows, make_insert, make_numbers, face, seed
):
    until = time.monotonic() + SECONDS
    number = 0
    run(make_insert(database, TAKEN), database)
    while number < TREES or time.monotonic() < until:
        tree = Planter(f"{seed}.{number}").tree()
        gardener = Gardener(database, make_insert)
        if face == "sync":
            gardener.block(tree)
        else:
            asyncio.run(gardener.ablock(tree))
        model = Model(tree)
        described = f"seed {seed}, tree {number}: {tree}"
        assert run(make_numbers(), database) == sorted([TAKEN, *model.rows]), described
        if model.in_any_order:
            assert sorted(gardener.calls) == sorted(model.calls), described
        else:
            assert gardener.calls == model.calls, described
        database.execute("DELETE FROM item WHERE id > 0")
        number += 1
    assert rows() == [TAKEN]
