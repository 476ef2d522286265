"""What the demo asks, each on both faces: a synchronous function and its asynchronous twin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aorm.cli.demo.models import Distribution, File, Requirement
from aorm.models import Count, Max, QuerySet, Sum

Row = tuple[object, ...]


@dataclass(frozen=True)
class Question:
    """`ask` and `aask` give the same answer, which `rows` lays out under `heads`."""

    title: str
    heads: tuple[str, ...]
    ask: Callable[[], Any]
    aask: Callable[[], Awaitable[Any]]
    rows: Callable[[Any], Sequence[Row]]
    code: tuple[Callable[..., Any], ...]
    bar: str = ""


def human(size: int | None) -> str:
    """A number of bytes as people say it."""
    if size is None:
        return "unknown"
    amount = float(size)
    for unit in "B", "kB", "MB":
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def _of_queryset(
    title: str,
    heads: tuple[str, ...],
    query: Callable[[], QuerySet[Any]],
    row: Callable[[Any], Row],
    bar: str = "",
) -> Question:
    async def awaited() -> Any:
        return await query()

    def rows(answer: Iterable[Any]) -> list[Row]:
        return [row(one) for one in answer]

    return Question(title, heads, lambda: list(query()), awaited, rows, (query,), bar)


# --- aggregates ------------------------------------------------------------------


def totals() -> dict[str, Any]:
    return File.objects.aggregate(files=Count("pk"), bytes=Sum("size"), largest=Max("size"))


async def atotals() -> dict[str, Any]:
    return await File.objects.aaggregate(files=Count("pk"), bytes=Sum("size"), largest=Max("size"))


def _totals_rows(answer: dict[str, Any]) -> list[Row]:
    return [(f"{answer['files']:,}", human(answer["bytes"]), human(answer["largest"]))]


# --- annotations and groups --------------------------------------------------------


def largest() -> QuerySet[Distribution]:
    return Distribution.objects.annotate(
        file_count=Count("files"), size=Sum("files__size", default=0)
    ).order_by("-size", "name")[:8]


def kinds() -> QuerySet[Any]:
    return (
        File.objects.values("suffix")
        .annotate(count=Count("pk"), size=Sum("size", default=0))
        .filter(count__gte=5)
        .order_by("-size", "suffix")[:8]
    )


def missing() -> QuerySet[Any]:
    return (
        Requirement.objects.filter(target=None)
        .exclude(marker="")
        .values("name")
        .annotate(wanted_by=Count("distribution", distinct=True))
        .order_by("-wanted_by", "name")[:6]
    )


# --- relations ---------------------------------------------------------------------


def requirers() -> QuerySet[Distribution]:
    return (
        Distribution.objects.filter(requirements__target__isnull=False)
        .prefetch_related("requires", "required_by")
        .order_by("name")
        .distinct()[:10]
    )


def _names(distributions: Iterable[Distribution]) -> str:
    names = sorted({distribution.name for distribution in distributions})
    shown = ", ".join(names[:6])
    return f"{shown} and {len(names) - 6} more" if len(names) > 6 else shown or "-"


def unfinished() -> QuerySet[Distribution]:
    return (
        Distribution.objects.filter(classifiers__name="Programming Language :: Python :: 3.13")
        .exclude(classifiers__name__startswith="Development Status :: 5")
        .order_by("name")[:8]
    )


# --- streaming ---------------------------------------------------------------------


def stream() -> tuple[int, int]:
    count = size = 0
    for file in File.objects.order_by("pk").iterator(chunk_size=500):
        count, size = count + 1, size + (file.size or 0)
    return count, size


async def astream() -> tuple[int, int]:
    count = size = 0
    async for file in File.objects.order_by("pk").aiterator(chunk_size=500):
        count, size = count + 1, size + (file.size or 0)
    return count, size


QUESTIONS = (
    Question(
        "How much is installed here?",
        ("files", "together", "the largest"),
        totals,
        atotals,
        _totals_rows,
        (totals, atotals),
    ),
    _of_queryset(
        "Which distributions are the largest?",
        ("distribution", "version", "licence", "files", "size"),
        largest,
        lambda one: (one.name, one.version, one.licence, one.file_count, one.size),
        bar="size",
    ),
    _of_queryset(
        "What kinds of files are there?",
        ("kind", "files", "size"),
        kinds,
        lambda one: (one["suffix"], one["count"], one["size"]),
        bar="size",
    ),
    _of_queryset(
        "Who requires whom?  (three queries, however many distributions)",
        ("distribution", "requires", "is required by"),
        requirers,
        lambda one: (one.name, _names(one.requires.all()), _names(one.required_by.all())),
    ),
    _of_queryset(
        "What runs on Python 3.13 and does not call itself stable?",
        ("distribution", "version", "summary"),
        unfinished,
        lambda one: (one.name, one.version, one.summary),
    ),
    _of_queryset(
        "Which optional requirements are not installed?",
        ("wanted", "by how many"),
        missing,
        lambda one: (one["name"], one["wanted_by"]),
    ),
    Question(
        "Stream all files, 500 rows at a time",
        ("files seen", "together"),
        stream,
        astream,
        lambda answer: [(f"{answer[0]:,}", human(answer[1]))],
        (astream,),
    ),
)
