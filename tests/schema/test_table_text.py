"""CREATE TABLE statements of SQLite, read for what no pragma tells."""

from __future__ import annotations

import pytest

from aorm.sql.table_text import ConstraintText, parsed


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("a int UNIQUE", [(None, False, ("a",))]),
        ("a int CONSTRAINT once UNIQUE", [("once", False, ("a",))]),
        ("a int CHECK (a > 0)", [(None, True, ("a",))]),
        ("a int CONSTRAINT x NOT NULL CHECK (a > 0)", [(None, True, ("a",))]),
        ('a int, "b c" int, UNIQUE (a, "b c")', [(None, False, ("a", "b c"))]),
        ("a int, B int, CONSTRAINT n CHECK (a > b OR f(A) = 'b')", [("n", True, ("a", "B"))]),
        ("a int, `b` int, [c] int, CONSTRAINT n UNIQUE ([c], `b`)", [("n", False, ("c", "b"))]),
        ("a int /* UNIQUE, */, b int -- , CHECK (a)\n UNIQUE", [(None, False, ("b",))]),
        ("a text DEFAULT 'x, UNIQUE', b int", []),
        ("a int, PRIMARY KEY (a), FOREIGN KEY (a) REFERENCES t (b)", []),
        ("a decimal(3, 2) CHECK (a IN (1, 2))", [(None, True, ("a",))]),
        ('"unique" int, "check" int', []),
    ],
)
def test_constraints_are_found_with_their_columns(
    definition: str, expected: list[tuple[str | None, bool, tuple[str, ...]]]
) -> None:
    found = parsed(f"CREATE TABLE t ({definition})").constraints
    assert found == [ConstraintText(*each) for each in expected]


def test_columns_tell_their_collation_and_numbering() -> None:
    text = parsed(
        'CREATE TABLE "a(b" ("id" integer PRIMARY KEY AUTOINCREMENT, name text COLLATE "nocase",'
        ' doc text CHECK ((JSON_VALID("doc") OR "doc" IS NULL))) STRICT'
    )
    assert list(text.columns) == ["id", "name", "doc"]
    assert text.columns["id"].autoincrement
    assert text.columns["name"].collation == "nocase"
    assert [name for name, column in text.columns.items() if column.checked_as_json] == ["doc"]
