"""docs/reference.md: how it is written, and how it is read back.

1. A statement is what a database was sent, its values beside it.
2. Where both databases are sent the same, but for the marks of parameters, it is shown once.
"""

from __future__ import annotations

import ast
import datetime as dt
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import fill
from typing import Any
from zoneinfo import ZoneInfo

import shop.models
from support import Ask

import aorm.models
import aorm.models.expressions
import aorm.models.fields.json
import aorm.models.functions
from aorm.errors import NotSupportedError
from reference.examples import SECTIONS, Example

PLACE = Path(__file__).parents[2] / "docs" / "reference.md"
VENDORS = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
Blocks = Mapping[tuple[str, str], str]  # by code and vendor

HEAD = """\
# The query language, and its SQL

What aorm says to SQLite and to PostgreSQL for each construct of its query language. All of it is
run by the tests, on both databases and with both faces, and this page is what they saw; `python
-m tests.reference` writes it anew.

The models are those of a small shop: authors (`name`, `age`, `email`, `mentor`) write books
(`title`, `author`, `editor`, `tags`, `pages`, `price`, `rating`, `published`, `added`,
`available`, `binding`, `details`). Everything of `aorm.models` and `aorm.models.functions` is
imported. `await` stands before the same methods with an `a` in front (`await books.acount()`),
and a QuerySet is read by `async for` as well as by `for`.

Values are never part of the text: they are bound to the marks (`?` on SQLite, `$1` on PostgreSQL)
and stand below it here. One text serves all values of their kind. The size of a slice alone, where
it is a usual one (up to 100, and 150, 200, ... 1000), is written by aorm itself as a number:
PostgreSQL has to know it to keep its plan from one use to the next. `...` after SELECT or RETURNING
stands for all columns of a model.

More is on pages of their own: [what only PostgreSQL has](postgres.md) (arrays, ranges, full text,
COPY), [what Django cannot say](beyond_django.md) (common table expressions, RETURNING, keyset
pages, LATERAL), and [functions, lookups and transforms of your own](expressions.md).
"""


# --- what a database is sent ----------------------------------


def names() -> dict[str, Any]:
    """What the examples may use."""
    found: dict[str, Any] = {}
    for module in (
        aorm.models,
        aorm.models.functions,
        aorm.models.expressions,
        aorm.models.fields.json,
        shop.models,
    ):
        found.update((k, v) for k, v in vars(module).items() if k[0] != "_")
    return {**found, "models": aorm.models, "dt": dt, "ZoneInfo": ZoneInfo}


class _Undo(Exception):
    pass


async def shown(ask: Ask, example: Example, vendor: str) -> str:
    """What an example sends to the database, as the page shows it."""
    block = ""
    try:
        async with ask.atomic():
            held = names()
            held["ada"] = await ask(shop.models.Author.objects.create, pk=100, name="Ada", age=36)
            held["bob"] = await ask(shop.models.Author.objects.create, pk=101, name="Bob", age=40)
            try:
                with ask.queries() as queries:
                    await _run(ask, example.code, held)
            except NotSupportedError as error:
                block = f"-- NotSupportedError: {error}"
            else:
                sent = [(q.sql, q.params) for q in queries if not q.sql.startswith(_BLOCKS)]
                block = "\n\n".join(_statement(*each, vendor) for each in sent)
            raise _Undo
    except _Undo:
        return block
    finally:
        field = aorm.models.CharField
        if field.get_lookups().get("length"):
            field._unregister_lookup(aorm.models.functions.Length)
    raise AssertionError("unreachable")


_BLOCKS = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")


async def _run(ask: Ask, code: str, held: dict[str, Any]) -> None:
    """Run a piece of Python; its last expression asks the database, on the face that is asked."""
    *before, last = ast.parse(code).body
    exec(compile(ast.Module(before, []), "example", "exec"), held)
    assert isinstance(last, ast.Expr)
    called = last.value
    method = called.func if isinstance(called, ast.Call) else None
    if isinstance(method, ast.Attribute) and method.attr in _ASKING:
        called.func = ast.Name("remember", ast.Load())
        calls: list[Any] = []
        held["remember"] = lambda *args, **kwargs: calls.append((args, kwargs))
        _evaluated(called, held)
        bound = getattr(_evaluated(method.value, held), method.attr)
        await ask(bound, *calls[0][0], **calls[0][1])
    else:
        await ask(list, _evaluated(called, held))


_ASKING = frozenset({"aggregate", "count", "exists", "first", "get", "get_or_create"}) | frozenset(
    {"bulk_create", "bulk_update", "create", "delete", "update"}
)


def _evaluated(node: ast.expr, held: dict[str, Any]) -> Any:
    tree = ast.fix_missing_locations(ast.Expression(node))
    return eval(compile(tree, "example", "eval"), held)


# --- how it is shown ----------------------------------


def _statement(sql: str, params: Any, vendor: str) -> str:
    if vendor == "sqlite":
        params = tuple(params)
    lines = laid_out(without_columns(sql))
    values = ", ".join(map(repr, params))
    return f"{lines}\n-- {values}" if values else lines


def without_columns(sql: str) -> str:
    """The text with `...` in the place of all columns of a model."""
    for model in shop.models.ALL:
        columns = [f'"{field.column}"' for field in model._meta.concrete_fields]
        if len(columns) > 2:
            qualified = [rf'("\w+")\.{columns[0]}', *(rf"\1\.{each}" for each in columns[1:])]
            sql = re.sub(", ".join(qualified), "...", sql)
    return sql


_CLAUSES = (
    *("FROM", "WHERE", "INNER JOIN", "LEFT OUTER JOIN", "GROUP BY", "HAVING", "ORDER BY"),
    *(
        "SELECT",
        "LIMIT",
        "UNION",
        "INTERSECT",
        "EXCEPT",
        "SET",
        "VALUES",
        "ON CONFLICT",
        "RETURNING",
    ),
    "FOR ",
)
_TOKENS = re.compile(r"""("[^"]*"|'[^']*'|[()]|\s+)""")


def laid_out(sql: str) -> str:
    """The text with each clause of the outermost statement on a line of its own."""
    depth, text = 0, ""
    position = 0
    for token in _TOKENS.split(sql):
        if token == "(":
            depth += 1
        elif token == ")":
            depth -= 1
        rest = position + len(token)
        clause = not depth and token.isspace() and sql.startswith(_CLAUSES, rest)
        clause = clause and not text.endswith("DELETE")
        text += "\n" if clause else token
        position = rest
    return text


def written(blocks: Blocks) -> str:
    """The page."""
    parts = [HEAD]
    for each in SECTIONS:
        parts.append(f"## {each.title}\n\n{fill(each.words, 98)}\n")
        for example in each.examples:
            parts.append(f"{example.meaning}\n\n```python\n{example.code}\n```\n")
            parts.extend(_shown_blocks({v: blocks[example.code, v] for v in VENDORS}))
    return "\n".join(parts)


def _shown_blocks(by_vendor: dict[str, str]) -> Iterator[str]:
    sqlite, postgresql = by_vendor["sqlite"], by_vendor["postgresql"]
    if sqlite == postgresql:
        yield f"```sql\n{sqlite}\n```\n"
        return
    if sqlite == _with_marks(postgresql):
        yield f"```sql\n{postgresql}\n```\n"
        return
    for vendor, name in VENDORS.items():
        yield f"{name}:\n\n```sql\n{by_vendor[vendor]}\n```\n"


def _with_marks(sql: str) -> str:
    """PostgreSQL's text with SQLite's marks."""
    return re.sub(r"\$\d+", "?", sql)


def read_back(page: str) -> Blocks:
    """What a page shows for each example."""
    pattern = r"```python\n(.*?)\n```\n\n(.*?)(?=\n```python|\Z)"
    found: dict[tuple[str, str], str] = {}
    for code, rest in re.findall(pattern, page, re.DOTALL):
        texts = re.findall(r"```sql\n(.*?)\n```", rest, re.DOTALL)
        if len(texts) == 1:
            found[code, "postgresql"], found[code, "sqlite"] = texts[0], _with_marks(texts[0])
        else:
            found[code, "sqlite"], found[code, "postgresql"] = texts
    return found
