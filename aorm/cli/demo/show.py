"""How the demo looks on a terminal."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import dedent
from typing import Any, Protocol

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table

from aorm.cli.demo.questions import human

BAR_WIDTH = 24
THEME = "ansi_dark"
_CLAUSE = re.compile(
    r"\(|\)|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|"
    r"\b(?:FROM|WHERE|GROUP BY|HAVING|ORDER BY|LIMIT|(?:INNER |LEFT (?:OUTER )?)JOIN)\b"
)

console = Console(highlight=False)


class Query(Protocol):
    """What `capture_queries` lists."""

    sql: str
    params: Any


def opening(database: str) -> None:
    console.print(
        Panel(
            "Django's query language, natively asynchronous, with transactions that follow "
            f"your code.\nThe database: [cyan]{escape(database)}[/]",
            title="[bold]aorm[/]",
            border_style="blue",
        )
    )


def chapter(title: str) -> None:
    console.print()
    console.print(Rule(f"[bold]{escape(title)}[/]", align="left", style="blue"))


def note(text: str) -> None:
    console.print(f"[dim]{escape(text)}[/]")


def success(text: str) -> None:
    console.print(f"[green]✓[/] {escape(text)}")


def failure(text: str) -> None:
    console.print(f"[red]✗[/] {escape(text)}")


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar; call the value with how far it went."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as bar:
        task = bar.add_task(escape(title), total=total)
        yield lambda count: bar.advance(task, count)


def code(functions: Iterable[Callable[..., Any]], whole: bool = False) -> None:
    """The source of these functions: `whole`, or what a plain one returns."""
    sources = [
        inspect.getsource(function) if whole else _body(inspect.getsource(function))
        for function in functions
    ]
    separator = "\n\n" if whole else "\n"
    console.print(_syntax(separator.join(source.strip() for source in sources), "python"))


def sql(queries: Iterable[Query]) -> None:
    """Statements with their parameters."""
    lines = []
    for query in queries:
        lines.append(_clauses(query.sql))
        if query.params:
            lines.append(f"-- {_short(query.params)}")
    console.print(_syntax("\n".join(lines), "sql"), style="dim")


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], bar: str = "") -> None:
    """An answer; the column `bar` holds bytes and is drawn beside its numbers."""
    shown = Table(border_style="dim", header_style="bold")
    right = (
        {head for head, value in zip(heads, rows[0], strict=True) if _is_number(value)}
        if (rows)
        else set()
    )
    for head in heads:
        shown.add_column(head, justify="right" if head in right else "left", overflow="fold")
    column = heads.index(bar) if bar else -1
    if bar:
        shown.add_column("", no_wrap=True)
    most = max((float(str(row[column])) for row in rows), default=0.0) if bar else 0.0
    for row in rows:
        cells = [
            human(int(str(value))) if index == column else escape(str(value))
            for index, value in enumerate(row)
        ]
        if bar:
            length = round(float(str(row[column])) / most * BAR_WIDTH) if most else 0
            cells.append(f"[blue]{'█' * max(length, 1)}[/]")
        shown.add_row(*cells)
    console.print(shown if rows else "[dim](nothing)[/]")


def _is_number(value: object) -> bool:
    return isinstance(value, int)


def _syntax(text: str, language: str) -> Syntax:
    return Syntax(text, language, theme=THEME, word_wrap=True, background_color="default")


def _body(source: str) -> str:
    """What a function of one `return` returns; any other function as it stands."""
    head, _, body = source.partition(":\n")
    body = dedent(body)
    if head.startswith("def ") and body.startswith("return "):
        return body.removeprefix("return ")
    if body.startswith("return await "):
        return body.removeprefix("return ")
    return source


def _clauses(text: str) -> str:
    """One line for each clause of the outermost SELECT."""
    depth = 0

    def broken(match: re.Match[str]) -> str:
        nonlocal depth
        found = match[0]
        depth += (found == "(") - (found == ")")
        return f"\n{found}" if depth == 0 and found[0].isalpha() else found

    return re.sub(r" +\n", "\n", _CLAUSE.sub(broken, text))


def _short(params: Sequence[object]) -> str:
    shown = ", ".join(repr(value) for value in params)
    return f"{shown[:157]}..." if len(shown) > 160 else shown
