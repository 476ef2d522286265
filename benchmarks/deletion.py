"""What deleting 10 000 rows with two levels of cascades costs, compared with SQL by hand.

    python benchmarks/deletion.py [--url URL ...] [--rounds N]

A round deletes the same rows twice: by three DELETE statements on the bare driver, and by one
`delete()` of aorm.  Both are counted in CPU time, of this process and of PostgreSQL's process
behind the connection, where it runs on this machine.  The answer is the ratio of the sums of all
rounds.  Without a URL it measures a SQLite file, and a PostgreSQL as the tests find or start it.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import process_time
from typing import Any

import psycopg
from transaction_cost import default_urls

import aorm
from aorm import models

LIMIT = 3.0
ROOTS, BRANCHES, LEAVES = 400, 2_400, 7_200
TICK = os.sysconf("SC_CLK_TCK")


class Tree(models.Model):
    batch = models.IntegerField()

    class Meta:
        app_label = "benchmarks"


class Branch(models.Model):
    tree = models.ForeignKey(Tree, models.CASCADE)

    class Meta:
        app_label = "benchmarks"


class Leaf(models.Model):
    branch = models.ForeignKey(Branch, models.CASCADE)

    class Meta:
        app_label = "benchmarks"


BY_HAND = (
    "DELETE FROM benchmarks_leaf WHERE branch_id IN (SELECT b.id FROM benchmarks_branch b "
    "JOIN benchmarks_tree t ON t.id = b.tree_id WHERE t.batch = 1)",
    "DELETE FROM benchmarks_branch WHERE tree_id IN "
    "(SELECT id FROM benchmarks_tree WHERE batch = 1)",
    "DELETE FROM benchmarks_tree WHERE batch = 1",
)


def plant() -> None:
    """Make the rows of batch 1, and as many that stay."""
    for batch in (1, 2):
        trees = Tree.objects.bulk_create(Tree(batch=batch) for _ in range(ROOTS))
        branches = Branch.objects.bulk_create(
            Branch(tree=trees[number % ROOTS]) for number in range(BRANCHES)
        )
        Leaf.objects.bulk_create(
            Leaf(branch=branches[number % BRANCHES]) for number in range(LEAVES)
        )


def clear() -> None:
    for model in (Leaf, Branch, Tree):
        model.objects.all()._raw_delete("default")


def server_time(pid: int | None) -> float:
    """CPU seconds of a process of PostgreSQL on this machine."""
    if pid is None:
        return 0.0
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def timed(action: Callable[[], Any], pid: int | None) -> float:
    """CPU seconds of one call, here and in the server."""
    before = process_time() + server_time(pid)
    action()
    return process_time() + server_time(pid) - before


@contextmanager
def by_hand(url: str) -> Iterator[tuple[Callable[[], None], int | None]]:
    """What deletes the rows on the bare driver, and the server's process."""
    connection: Any
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("PRAGMA foreign_keys = ON")
        pid = None
    else:
        connection = psycopg.connect(plain_url(url), autocommit=True)
        pid = connection.execute("SELECT pg_backend_pid()").fetchone()[0]

    def delete() -> None:
        for sql in ("BEGIN", *BY_HAND, "COMMIT"):
            connection.execute(sql)

    try:
        yield delete, pid
    finally:
        connection.close()


def plain_url(url: str) -> str:
    kind, _, rest = url.partition("://")
    return f"{kind.partition('+')[0]}://{rest}"


def one_round(delete: Callable[[], Any], pid: int | None) -> float:
    clear()
    plant()
    if pid is not None:
        with aorm.connections["default"].cursor() as cursor:
            cursor.execute("ANALYZE")
    spent = timed(delete, pid)
    assert (Leaf.objects.count(), Tree.objects.count()) == (LEAVES, ROOTS)
    return spent


def by_aorm() -> None:
    count, _ = Tree.objects.filter(batch=1).delete()
    assert count == ROOTS + BRANCHES + LEAVES


def measure(url: str, rounds: int) -> float:
    """The ratio on one database; prints a line."""
    aorm.configure(url)
    aorm.drop_tables(Tree, Branch, Leaf)
    aorm.create_tables(Tree, Branch, Leaf)
    hand = orm = 0.0
    with by_hand(url) as (delete, pid):
        own = None
        if pid is not None:
            with aorm.connections["default"].cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                own = cursor.fetchone()[0]
        one_round(by_aorm, own)
        for _ in range(rounds):
            hand += one_round(delete, pid)
            orm += one_round(by_aorm, own)
    aorm.close()
    name = url.partition(":")[0]
    times = f"{hand / rounds * 1e3:8.1f} ms by hand {orm / rounds * 1e3:8.1f} ms aorm"
    print(f"{name:22} {times} {orm / hand:7.2f}")
    return orm / hand


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", action="append", help="a database to measure on")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    if options.url:
        ratios = [measure(url, options.rounds) for url in options.url]
    else:
        with default_urls() as urls:
            ratios = [measure(url, options.rounds) for url in urls if "asyncpg" not in url]
    print(f"the limit is {LIMIT}; the worst is {max(ratios):.2f}")
    return int(max(ratios) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
