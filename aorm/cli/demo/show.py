"""How the demo looks on a terminal."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from textwrap import dedent
from typing import Any, Protocol

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
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


def waiting(title: str) -> AbstractContextManager[object]:
    """Something turns for as long as the context is open."""
    return console.status(escape(title))


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
    _indented(separator.join(source.strip() for source in sources), "python")


def sql(queries: Iterable[Query]) -> None:
    """Statements with their parameters."""
    lines = []
    for query in queries:
        lines.append(f"{_clauses(query.sql)};")
        if query.params:
            lines.append(f"-- {_short(query.params)}")
    _indented("\n".join(lines), "sql")


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], bar: str = "") -> None:
    """An answer; the column `bar` holds bytes and is drawn beside its numbers."""
    if not rows:
        note("(nothing)")
        return
    shown = Table(box=box.SIMPLE_HEAD, header_style="bold")
    for head, value in zip(heads, rows[0], strict=True):
        shown.add_column(head, justify="right" if isinstance(value, int) else "left")
    if bar:
        shown.add_column("", no_wrap=True)
    column = heads.index(bar) if bar else None
    longest = max(_number(row[column]) for row in rows) if column is not None else 0
    for row in rows:
        cells = [_cell(value, index == column) for index, value in enumerate(row)]
        if column is not None:
            length = round(_number(row[column]) / (longest or 1) * BAR_WIDTH)
            cells.append(f"[blue]{'█' * max(length, 1)}[/]")
        shown.add_row(*cells)
    console.print(shown)


def _cell(value: object, is_size: bool) -> str:
    if isinstance(value, int):
        return human(value) if is_size else f"{value:,}"
    return escape(str(value))


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _indented(text: str, language: str) -> None:
    syntax = Syntax(text, language, theme=THEME, word_wrap=True, background_color="default")
    console.print(Padding(syntax, (1, 0, 0, 2)))


def _body(source: str) -> str:
    """What a function of one `return` returns; any other function as it stands."""
    body = dedent(source.partition(":\n")[2]).strip()
    if not body.startswith("return "):
        return source
    body = body.removeprefix("return ")
    wrapped = body.startswith("(\n") and body.endswith("\n)")
    return dedent(body[2:-2]) if wrapped else body


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
