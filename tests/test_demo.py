"""The command `aorm demo`."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from importlib.metadata import distributions

import pytest
from rich.console import Console

import aorm
from aorm.cli import demo, main
from aorm.cli.demo import metadata, show

STEPS = [("coroutine", 1), ("sync function", 2), ("coroutine called", 3), ("coroutine again", 3)]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request, tmp_path_factory):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('demo') / 'demo.db'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture(scope="module")
def shown(url):
    """What the demo printed, after its second run over the same tables."""
    with pytest.MonkeyPatch.context() as patch:
        for _ in range(2):
            console = Console(file=io.StringIO(), width=200, highlight=False)
            patch.setattr(show, "console", console)
            assert main(["demo", "--keep", "--database", url]) == 0
    yield console.file.getvalue()
    aorm.configure(url)
    aorm.drop_tables(*demo.models.ALL)
    aorm.close()


def test_both_faces_agree(shown):
    assert shown.count("both faces: same SQL, same answer") == len(demo.questions.QUESTIONS)
    assert "✗" not in shown


def test_what_is_stored_is_what_is_installed(shown, url):
    assert "every row is there" in shown
    aorm.configure(url)
    installed = {metadata.normalized(one.metadata["Name"]) for one in distributions()}
    assert demo.models.Distribution.objects.count() == len(installed)
    aorm.close()


def test_the_transaction_is_seen_by_all_and_then_gone_or_kept(shown):
    steps = (
        r"^\s*(coroutine called|coroutine again|coroutine|sync function|afterwards)\b.*?(\d)\s*$"
    )
    seen = [(who, int(rows)) for who, rows in re.findall(steps, shown, re.MULTILINE)]
    assert seen == [*STEPS, ("afterwards", 0), *STEPS, ("afterwards", 3)]


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/x", "sqlite:///x.db?colour=blue"])
def test_a_wrong_url_is_wrong_usage(url, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--database", url]) == 2
    error = capsys.readouterr().err
    assert error.startswith("aorm: ")
    assert "Traceback" not in error


def test_a_server_that_is_not_there_is_a_failure(capsys):
    assert main(["demo", "--database", "postgresql://nobody@127.0.0.1:1/none"]) == 1
    assert capsys.readouterr().err.startswith("aorm: ")


def test_a_password_is_not_shown(capsys):
    main(["demo", "--database", "postgresql://nobody:secret@127.0.0.1:1/none?password=secret"])
    assert "secret" not in "".join(capsys.readouterr())


def test_the_module_runs_as_the_command():
    done = subprocess.run([sys.executable, "-m", "aorm", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "demo" in done.stdout


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pip", ("pip", "", "")),
        ("pip>=20,<30", ("pip", ">=20,<30", "")),
        ("A.b_c [x,y] >=1 ; extra == 'z'", ("A.b_c", ">=1", "extra == 'z'")),
        ("pip (>=1.0)", ("pip", ">=1.0", "")),
        ("x @ https://host/x.whl", ("x", "@ https://host/x.whl", "")),
        ("x; python_version < '3.12'", ("x", "", "python_version < '3.12'")),
    ],
)
def test_requirements_are_taken_apart(text, expected):
    found = metadata._requirement(text)
    assert (found.name, found.specifier, found.marker) == expected


def test_sql_is_shown_one_clause_a_line():
    text = (
        """SELECT a FROM b INNER JOIN c ON (b.x = (SELECT 1 FROM d)) WHERE e = ' FROM ' LIMIT 1"""
    )
    assert show._clauses(text).splitlines() == [
        "SELECT a",
        "FROM b",
        "INNER JOIN c ON (b.x = (SELECT 1 FROM d))",
        "WHERE e = ' FROM '",
        "LIMIT 1",
    ]
