"""What threads take and give without a lock is lost by nobody, and had by nobody twice."""

from __future__ import annotations

import sys
import threading
from collections import deque

import pytest

from aorm.connections import run
from aorm.connections.gate import WriterGate
from aorm.steps import fetch

THREADS, ROUNDS = 8, 300


@pytest.fixture(autouse=True)
def _hurried():
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(work):
    """Run a function in many threads at once; the first failure is raised."""
    failures = []
    start = threading.Barrier(THREADS)

    def body(number):
        start.wait()
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=body, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_one_thread_at_a_time_has_the_gate():
    gate, inside, entered = WriterGate(), [], []

    def work(number):
        for _ in range(ROUNDS):
            assert gate.acquire(60, number)
            inside.append(number)
            assert inside == [number]
            inside.remove(number)
            entered.append(number)
            gate.release()

    together(work)
    assert len(entered) == THREADS * ROUNDS
    assert gate.acquire(0, "the last")


@pytest.mark.parametrize("size", [1, 3, THREADS])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_pool_serves_all_threads_with_no_more_than_it_has(configured, kind, size):
    database = configured(kind, pool_size=size)
    had, most = set(), []

    def work(number):
        for _ in range(ROUNDS // 3):
            assert run(fetch("SELECT 1"), database) == [(1,)]
            connection = database.sync_pool.take()
            assert connection not in had
            had.add(connection)
            most.append(database.sync_pool.state.size)
            had.remove(connection)
            database.sync_pool.give(connection)

    together(work)
    state = database.sync_pool.state
    assert max(most) <= size
    assert (state.used, len(state.waiting), state.connecting) == (set(), 0, 0)
    assert len(state.idle) == state.size


def test_a_pool_that_is_closed_meanwhile_keeps_nothing(configured):
    database = configured("sqlite", pool_size=3)
    pool = database.sync_pool or database.make_sync_pool()

    def work(number):
        for turn in range(ROUNDS // 3):
            connection = pool.take()
            if number == 0 and turn == ROUNDS // 6:
                pool.close()
            pool.give(connection)

    together(work)
    assert (pool.state.idle, pool.state.used, pool.state.size) == ([], set(), 0)


# --- the two moments at which one of them has not seen the other ---------------------------


class Before(list):
    """A list to which nothing is appended before something else has happened."""

    def __init__(self, items, happens):
        super().__init__(items)
        self.happens = happens

    def append(self, item):
        happens, self.happens = self.happens, lambda: None
        happens()
        super().append(item)


class BeforeInLine(deque):
    """The same, for a line."""

    def __init__(self, happens):
        super().__init__()
        self.happens = happens

    def append(self, item):
        self.happens()
        super().append(item)


class Waiter(threading.Thread):
    """Gets in line, and is waited for until it is there."""

    def __init__(self, call, line):
        super().__init__()
        self.call = call
        self.line = line
        self.got = None

    def run(self):
        self.got = self.call()

    def gets_in_line(self):
        self.start()
        while not self.line:
            pass


@pytest.fixture
def pool(configured):
    database = configured("sqlite", pool_size=1, pool_timeout=20)
    return database.sync_pool or database.make_sync_pool()


def test_who_gets_in_line_while_a_connection_comes_back_is_served(pool):
    connection = pool.take()
    waiter = Waiter(pool.take, pool.state.waiting)
    pool.state.idle = Before([], waiter.gets_in_line)
    pool.give(connection)
    waiter.join()
    assert waiter.got is connection
    pool.give(connection)


def test_what_comes_back_while_somebody_gets_in_line_is_taken(pool):
    connection = pool.take()
    connection.holder = None  # not this thread
    pool.state.waiting = BeforeInLine(lambda: pool.give(connection))
    assert pool.take() is connection
    assert not pool.state.waiting
    pool.give(connection)


def test_what_comes_back_while_the_pool_closes_is_closed(pool):
    connection = pool.take()
    pool.state.idle = Before([], pool.close)
    pool.give(connection)
    assert connection.lost
    assert (pool.state.idle, pool.state.size) == ([], 0)


def test_who_waits_to_write_while_the_turn_is_given_back_has_it():
    gate = WriterGate()
    assert gate.acquire(1, "first")
    waiter = Waiter(lambda: gate.acquire(20, "second"), gate._waiting)
    gate._free = Before([], waiter.gets_in_line)
    gate.release()
    waiter.join()
    assert waiter.got
    assert not gate.acquire(0, "third")


def test_a_turn_that_is_given_back_while_somebody_gets_in_line_is_taken():
    gate = WriterGate()
    assert gate.acquire(1, "first")
    gate._waiting = BeforeInLine(gate.release)
    assert gate.acquire(20, "second")
    assert not gate._waiting
