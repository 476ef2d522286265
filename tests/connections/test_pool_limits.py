"""Pools at their limit: decisions in any order of events, deadlocks with oneself, figures."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aorm import steps
from aorm.connections import arun, astream, atomic, detached, run, stream
from aorm.connections.pool_state import PoolState, SharedState
from aorm.errors import PoolDeadlock

KINDS = ["sqlite", "postgresql", "psycopg"]
MANY = steps.Fetch("SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3")


# functions with a name: Hypothesis parses the source of lambdas, at which Python 3.11 may fail


def somebody_connects(machine):
    return machine.making


def one_is_used(machine):
    return machine.state.used


def somebody_waits(machine):
    return machine.line


class Decisions(RuleBasedStateMachine):
    """Connections are numbers here; a waiter is a number as well."""

    make = PoolState
    limit = 3

    def __init__(self):
        super().__init__()
        self.state = self.make(self.limit)
        self.numbers = iter(range(10**6))
        self.line = []  # what `waiting` has to be
        self.served = {}
        self.making = 0  # rights to connect that somebody has

    def _serve(self, waiter, what):
        if waiter is None:
            return
        assert waiter == self.line.pop(0)
        if what is None:
            self.making += 1
        else:
            self.served[waiter] = what

    @rule()
    def ask(self):
        connection = self.state.take()
        if connection is not None:
            return
        if self.state.reserve():
            self.making += 1
            return
        waiter = next(self.numbers)
        self.state.waiting.append(waiter)
        self.line.append(waiter)

    @precondition(somebody_connects)
    @rule(works=st.booleans())
    def connect(self, works):
        self.making -= 1
        if works:
            self.state.connected(f"connection {next(self.numbers)}")
        else:
            self._serve(self.state.failed(), None)

    @precondition(one_is_used)
    @rule(data=st.data(), sound=st.booleans())
    def release(self, data, sound):
        connection = data.draw(st.sampled_from(sorted(self.state.used)))
        if sound:
            self._serve(self.state.give(connection), connection)
        else:
            self._serve(self.state.drop(connection), None)

    @precondition(somebody_waits)
    @rule(data=st.data())
    def give_up(self, data):
        waiter = data.draw(st.sampled_from(self.line))
        assert self.state.leave(waiter)
        assert not self.state.leave(waiter)
        self.line.remove(waiter)

    @rule()
    def expire(self):
        expired = self.state.expire()
        assert not set(expired) & self.state.used

    @invariant()
    def adds_up(self):
        state = self.state
        assert state.size == len(state.idle) + len(state.used) + state.connecting
        assert state.size <= state.limit
        assert state.connecting == self.making

    @invariant()
    def nobody_waits_beside_a_free_connection(self):
        assert list(self.state.waiting) == self.line
        assert not (self.line and self.state.idle)

    @invariant()
    def nothing_is_idle_and_used(self):
        assert not set(self.state.idle) & self.state.used


class SharedDecisions(Decisions):
    make = SharedState
    limit = 1


@pytest.mark.parametrize("machine", [Decisions, SharedDecisions])
def test_a_pools_decisions_hold_in_any_order_of_events(machine):
    def make():  # not the class, whose source would be parsed as well
        return machine()

    run_state_machine_as_test(make, settings=settings(max_examples=60, deadline=None))


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_that_holds_the_last_connection_is_told_when_it_asks_for_another(configured, kind):
    database = configured(kind, pool_size=1, pool_timeout=60)

    async def main():
        asyncio.current_task().set_name("greedy")
        async with atomic():
            await arun(steps.fetch("SELECT 1"), database)
            with detached(), pytest.raises(PoolDeadlock, match="task greedy holds all 1"):
                await arun(steps.fetch("SELECT 2"), database)
            return await arun(steps.fetch("SELECT 3"), database)

    assert asyncio.run(main())[0][0] == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_on_the_last_connection_is_a_deadlock_as_well(configured, kind):
    database = configured(kind, pool_size=1, pool_timeout=60)

    async def main():
        pieces = astream(MANY, database, 1)
        try:
            await anext(pieces)
            with pytest.raises(PoolDeadlock, match="pool_size"):
                await arun(steps.fetch("SELECT 2"), database)
        finally:
            await pieces.aclose()
        return await arun(steps.fetch("SELECT 3"), database)

    assert asyncio.run(main())[0][0] == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_thread_that_holds_the_last_connection_is_told(configured, kind):
    database = configured(kind, pool_size=1, pool_timeout=60)
    pieces = stream(MANY, database, 1)
    try:
        next(pieces)
        with pytest.raises(PoolDeadlock, match="thread MainThread holds all 1"):
            run(steps.fetch("SELECT 2"), database)
    finally:
        pieces.close()
    assert run(steps.fetch("SELECT 3"), database)[0][0] == 3


@pytest.mark.parametrize("kind", KINDS)
def test_stats_of_a_loops_pool(configured, kind):
    database = configured(kind, pool_size=2)
    before = database.stats()

    async def main():
        async with atomic():
            await arun(steps.fetch("SELECT 1"), database)
            inside = database.stats()
        return inside, database.stats()

    inside, after = asyncio.run(main())
    assert inside.used == before.used + 1
    assert after.used == before.used
    assert after.size == after.idle + after.used + after.connecting
    assert [pool.limit for pool in after.pools] == [2] * len(after.pools)
    assert after.pools[-1].owner.startswith("loop")


@pytest.mark.parametrize("kind", KINDS)
def test_stats_count_who_waits_and_for_how_long(configured, kind):
    database = configured(kind, pool_size=1)
    taken, enough = threading.Event(), threading.Event()

    def hold():
        with atomic():
            run(steps.fetch("SELECT 1"), database)
            taken.set()
            enough.wait(20)

    def ask():
        run(steps.fetch("SELECT 2"), database)

    holder, asker = threading.Thread(target=hold), threading.Thread(target=ask)
    holder.start()
    assert taken.wait(20)
    asker.start()
    while not database.stats().waiting:
        assert asker.is_alive()
    enough.set()
    asker.join()
    holder.join()
    stats = database.stats()
    assert (stats.waiting, stats.waits) == (0, 1)
    assert 0 < stats.longest_wait == stats.wait_seconds
