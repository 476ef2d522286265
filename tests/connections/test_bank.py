"""A bank: tasks and threads transfer money while they are cancelled and their connections killed.

1. The total holds, and the balances are what the log of transfers in the same database says.
2. Each transfer has a token.  What its code was told, 'committed', 'not committed' or 'unknown',
   agrees with the log; a cancelled one was committed exactly when its `on_commit` was called.
3. It runs for a second, or for as long as `AORM_TEST_SECONDS` says; `AORM_TEST_SEED` gives another
   course of events.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections import Counter
from contextlib import suppress
from itertools import count

import psycopg
import pytest

from aorm.connections import async_to_sync, atomic, on_commit, sync_to_async
from aorm.errors import CommitOutcomeUnknown, Error

SECONDS = float(os.environ.get("AORM_TEST_SECONDS", "1"))
SEED = os.environ.get("AORM_TEST_SEED", "aorm")
ACCOUNTS = 8
BALANCE = 1000
TASKS = 6  # on one loop
THREADS = 2  # and one more with a loop of its own
PAUSE = 0.02  # seconds, at most, between two accidents


class Undo(Exception):
    """Leaves a nested block."""


class Bank:
    def __init__(self, database):
        self.database = database
        self.tokens = count(1)
        self.told = {}
        self.called = set()
        self.until = time.monotonic() + SECONDS
        database.execute("CREATE TABLE account (id integer PRIMARY KEY, balance integer)")
        database.execute(
            "CREATE TABLE transfer (token integer PRIMARY KEY, giver integer, taker integer)"
        )
        database.execute(
            "INSERT INTO account (id, balance) VALUES "
            + ", ".join(f"({number}, {BALANCE})" for number in range(ACCOUNTS))
        )

    @property
    def is_open(self):
        return time.monotonic() < self.until

    def steps(self, chance, token):
        """The statements of a transfer, in the order of the accounts, else they would deadlock."""
        giver, taker = chance.sample(range(ACCOUNTS), 2)
        change = "UPDATE account SET balance = balance + %s WHERE id = %s"
        changes = sorted([(giver, -1), (taker, 1)])
        yield from ((change, (amount, number)) for number, amount in changes)
        yield "INSERT INTO transfer VALUES (%s, %s, %s)", (token, giver, taker)

    # --- transfers ---------------------------------------------------------------------

    def transfer(self, chance, token):
        with atomic():
            on_commit(lambda: self.called.add(token))
            for number, step in enumerate(self.steps(chance, token)):
                if number == 1 and chance.random() < 0.3:
                    with suppress(Undo), atomic():
                        self.database.execute("UPDATE account SET balance = 0")
                        raise Undo
                if chance.random() < 0.2:
                    async_to_sync(self.database.aexecute)(*step)
                else:
                    self.database.execute(*step)

    async def atransfer(self, chance, token):
        async def call():
            self.called.add(token)

        async with atomic():
            on_commit(call)
            for number, step in enumerate(self.steps(chance, token)):
                if number == 1 and chance.random() < 0.3:
                    with suppress(Undo):
                        async with atomic():
                            await self.database.aexecute("UPDATE account SET balance = 0")
                            raise Undo
                if chance.random() < 0.1:
                    await sync_to_async(self.database.execute)(*step)
                elif chance.random() < 0.1:
                    await asyncio.to_thread(self.database.execute, *step)
                else:
                    await self.database.aexecute(*step)

    # --- those who make them -------------------------------------------------------------

    def work(self, name):
        chance = random.Random(f"{SEED} {name}")
        while self.is_open:
            token = next(self.tokens)
            try:
                self.transfer(chance, token)
                self.told[token] = "committed"
            except CommitOutcomeUnknown:
                self.told[token] = "unknown"
            except Error:
                self.told[token] = "not committed"

    async def awork(self, name):
        chance = random.Random(f"{SEED} {name}")
        loop = asyncio.get_running_loop()
        while self.is_open:
            token = next(self.tokens)
            task = asyncio.create_task(self.atransfer(chance, token))
            if chance.random() < 0.4:
                loop.call_later(chance.uniform(0, PAUSE), task.cancel)
            try:
                await task
                self.told[token] = "committed"
            except asyncio.CancelledError:
                self.told[token] = "cancelled"
            except CommitOutcomeUnknown:
                self.told[token] = "unknown"
            except Error:
                self.told[token] = "not committed"

    async def aworkers(self, names):
        await asyncio.gather(*(self.awork(name) for name in names))
        pool = self.database.async_pools[asyncio.get_running_loop()]
        assert not pool.state.used
        await self.database.aclose()

    def run(self):
        names = [f"task {number}" for number in range(TASKS)]
        loops = [lambda: asyncio.run(self.aworkers(["other", "another"]))]
        workers = [lambda name=number: self.work(f"thread {name}") for number in range(THREADS)]
        threads = [threading.Thread(target=each) for each in loops + workers]
        for thread in threads:
            thread.start()
        asyncio.run(self.aworkers(names))
        for thread in threads:
            thread.join()

    # --- the audit ---------------------------------------------------------------------

    def audit(self):
        balances = dict(self.database.execute("SELECT id, balance FROM account"))
        log = {
            token: (giver, taker)
            for token, giver, taker in self.database.execute("SELECT * FROM transfer")
        }
        expected = Counter(dict.fromkeys(range(ACCOUNTS), BALANCE))
        for giver, taker in log.values():
            expected[giver] -= 1
            expected[taker] += 1
        assert balances == expected
        assert sum(balances.values()) == ACCOUNTS * BALANCE
        for token, told in self.told.items():
            facts = f"transfer {token} (seed {SEED}): {told}"
            if told == "committed":
                assert token in log, facts
                assert token in self.called, facts
            elif told == "not committed":
                assert token not in log, facts
                assert token not in self.called, facts
            elif told == "cancelled":
                assert (token in log) == (token in self.called), facts
        assert set(log) <= set(self.told)
        return Counter(self.told.values())


class Killer:
    """Ends a backend of a database now and then, whatever it is doing."""

    def __init__(self, url):
        self.url = url
        self.killed = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.kill)

    def kill(self):
        chance = random.Random(f"{SEED} killer")
        with psycopg.connect(self.url, autocommit=True) as server:
            while not self.stopped.wait(chance.uniform(0, PAUSE)):
                found = server.execute(
                    "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                    " AND application_name = 'bank' ORDER BY pid"
                ).fetchall()
                if found:
                    server.execute("SELECT pg_terminate_backend(%s)", chance.choice(found))
                    self.killed += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.stopped.set()
        self.thread.join()


@pytest.fixture
def tables(configured, url_of, request):
    """Drops what the bank made on the server, which other tests use after it."""
    yield
    if request.node.callspec.params["kind"] != "sqlite":
        with psycopg.connect(request.getfixturevalue("postgres_url"), autocommit=True) as server:
            server.execute("DROP TABLE IF EXISTS account, transfer")


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("kind", ["postgresql", "psycopg"])
def test_no_money_is_lost_by_cancellations_and_killed_connections(configured, postgres_url, kind):
    database = configured(kind, pool_size=5, application_name="bank")
    bank = Bank(database)
    with Killer(postgres_url) as killer:
        bank.run()
    with psycopg.connect(postgres_url) as server:
        left = server.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'bank' AND state LIKE 'idle in transaction%'"
        ).fetchone()
    assert left == (0,)
    told = bank.audit()
    assert told["committed"] > 0
    assert told["cancelled"] > 0
    assert killer.killed > 0


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("kind", ["sqlite"])
def test_no_money_is_lost_by_cancellations(configured, kind):
    bank = Bank(configured(kind, pool_size=5))
    bank.run()
    told = bank.audit()
    assert told["committed"] > 0
    assert told["cancelled"] > 0
    assert told["not committed"] == told["unknown"] == 0
