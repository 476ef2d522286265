"""`aorm demo`: real data loaded, asked about and changed, through both faces of the API.

The data is the metadata of the installed Python distributions, which every machine has.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import distributions
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import aorm
from aorm.cli.demo import crossing, load, metadata, models, questions, show

__all__ = ["run"]

KEPT = "aorm-demo.db"


def run(database: str | None = None, *, keep: bool = False) -> int:
    """Run the demo.

    Args:
        database: a database URL; a temporary SQLite file without one.
        keep: leave the tables, and without `database` put them into `./aorm-demo.db`.

    Returns:
        The exit code: 0, or 1 when a check found a difference.

    Raises:
        ImproperlyConfigured: the URL is wrong, or its driver is not installed.
        OperationalError: the database cannot be reached.
    """
    with _database(database, keep) as url:
        aorm.configure(url)
        show.opening(_without_password(url))
        # One loop for all that is asynchronous; between its runs this thread has none running.
        with asyncio.Runner() as runner:
            try:
                return _run(runner, keep)
            finally:
                runner.run(aorm.aclose())
                aorm.close()


@contextmanager
def _database(url: str | None, keep: bool) -> Iterator[str]:
    if url is not None:
        yield url
    elif keep:
        yield f"sqlite:///{KEPT}"
    else:
        with tempfile.TemporaryDirectory(prefix="aorm-demo-") as directory:
            yield f"sqlite:///{Path(directory) / KEPT}"


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    shown = f"{user.partition(':')[0]}{at}{host}"
    return f"{parts.scheme}://{shown}{parts.path}"  # options may hold a password as well


def _run(runner: asyncio.Runner, keep: bool) -> int:
    aorm.drop_tables(*models.ALL)
    runner.run(aorm.acreate_tables(*models.ALL))
    try:
        _load()
        checks = [_answer(question, runner) for question in questions.QUESTIONS]
        checks += _cross(runner), _check()
    finally:
        if not keep:
            aorm.drop_tables(*models.ALL)
    return 0 if all(checks) else 1


def _load() -> None:
    show.chapter("Load the metadata of all installed Python distributions, in one transaction")
    with show.waiting("reading metadata"):
        found = list(metadata.installed())
    total = load.rows_in(found)
    started = perf_counter()
    with show.progress("bulk_create", total) as progress:
        load.load(found, progress)
    seconds = perf_counter() - started
    show.success(
        f"{total:,} rows of {len(found)} distributions in {seconds:.2f} s: "
        f"{total / seconds:,.0f} rows a second"
    )


def _answer(question: questions.Question, runner: asyncio.Runner) -> bool:
    show.chapter(question.title)
    with aorm.capture_queries() as queries:
        started = perf_counter()
        rows = question.rows(question.ask())
        took = perf_counter() - started
    arows, aqueries, atook = runner.run(_answer_async(question))
    show.code(question.code)
    show.sql(queries)
    show.table(question.heads, rows, question.bar)
    same_sql = [query.sql for query in queries] == [query.sql for query in aqueries]
    times = f"sync {took * 1000:.1f} ms, async {atook * 1000:.1f} ms"
    if rows == arows and same_sql:
        show.success(f"both faces: same SQL, same answer; {times}")
    else:
        show.failure(f"the faces differ in their {'answers' if same_sql else 'SQL'}; {times}")
    return rows == arows and same_sql


async def _answer_async(question: questions.Question) -> tuple[Any, list[Any], float]:
    with aorm.capture_queries() as queries:
        started = perf_counter()
        rows = question.rows(await question.aask())
        took = perf_counter() - started
    return rows, list(queries), took


def _cross(runner: asyncio.Runner) -> bool:
    show.chapter("One transaction: in a coroutine, in a thread, and back")
    show.code(crossing.SHOWN, whole=True)
    seen, queries = runner.run(_sightings(changed_my_mind=True))
    show.sql(queries)
    show.note("\nThe last line of the first function raised, so all of it was rolled back:")
    show.table(crossing.HEADS, seen)
    kept, queries = runner.run(_sightings(changed_my_mind=False))
    show.note("Once more, without a change of mind: the same statements, but at the end")
    show.sql(queries[-1:])
    show.table(crossing.HEADS, kept)
    crossing.made().delete()
    right = (seen[-1][-1], kept[-1][-1]) == (0, 3)
    (show.success if right else show.failure)("one transaction, whoever was using it")
    return right


async def _sightings(changed_my_mind: bool) -> tuple[crossing.Sightings, list[Any]]:
    seen: crossing.Sightings = []
    with aorm.capture_queries() as queries, suppress(crossing.ChangedMyMind):
        await crossing.in_a_coroutine(seen, changed_my_mind)
    seen.append(("afterwards", "", await crossing.made().acount()))
    return seen, list(queries)


def _check() -> bool:
    show.chapter("Count again without a database")
    counted = _counted()
    stored: dict[str, Callable[[], int]] = {
        "distributions": models.Distribution.objects.count,
        "files": models.File.objects.count,
        "requirements": models.Requirement.objects.count,
        "classifiers": models.Classifier.objects.count,
        "uses of a classifier": models.CLASSIFIED.objects.count,
    }
    rows = [(what, counted[what], count()) for what, count in stored.items()]
    show.table(("", "by importlib.metadata", "in the database"), rows)
    right = all(expected == found for _, expected, found in rows)
    (show.success if right else show.failure)(
        "every row is there" if right else "the database holds something else"
    )
    return right


def _counted() -> dict[str, int]:
    """The numbers once more, by code that shares nothing with what was loaded."""
    unique: dict[str, Any] = {}
    for one in distributions():
        for name in one.metadata.get_all("Name") or ():
            unique.setdefault(name.lower().replace("_", "-").replace(".", "-"), one)
    used = [set(one.metadata.get_all("Classifier") or ()) for one in unique.values()]
    return {
        "distributions": len(unique),
        "files": sum(len(one.files or ()) for one in unique.values()),
        "requirements": sum(len(one.requires or ()) for one in unique.values()),
        "classifiers": len(set().union(*used)),
        "uses of a classifier": sum(map(len, used)),
    }
