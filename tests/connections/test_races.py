"""What threads take and give without a lock is lost by nobody, and had by nobody twice."""

from __future__ import annotations

import sys
import threading

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
