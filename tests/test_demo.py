"""The command `aorm demo`."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import distributions

import pytest
from rich.console import Console

import aorm
from aorm.cli import demo, main
from aorm.cli.demo import metadata, show


@pytest.fixture
def output(monkeypatch, capsys):
    """What was printed so far, in lines wide enough not to be broken."""
    monkeypatch.setattr(show, "console", Console(width=200, highlight=False))
    yield lambda: capsys.readouterr().out
    aorm.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'demo.db'}"
    return request.getfixturevalue("postgres_url")


def test_the_demo_loads_everything_and_both_faces_agree(url, output):
    assert main(["demo", "--database", url]) == 0
    text = output()
    assert text.count("both faces: same SQL, same answer") == 7
    assert "every row is there" in text
    assert "✗" not in text


def test_the_demo_can_be_run_again_over_kept_tables(url, output):
    assert main(["demo", "--keep", "--database", url]) == 0
    assert main(["demo", "--keep", "--database", url]) == 0
    aorm.configure(url)
    installed = {metadata.normalized(one.metadata["Name"]) for one in distributions()}
    assert demo.models.Distribution.objects.count() == len(installed)
    aorm.drop_tables(*demo.models.ALL)


def test_the_transaction_is_seen_by_all_and_then_gone_or_kept(tmp_path, output):
    main(["demo", "--database", f"sqlite:///{tmp_path / 'demo.db'}"])
    seen = re.findall(r"^\s*(coroutine|sync function|afterwards).*?(\d+)\s*$", output(), re.M)
    steps = [("coroutine", "1"), ("sync function", "2"), ("coroutine", "3"), ("coroutine", "3")]
    assert seen == [*steps, ("afterwards", "0"), *steps, ("afterwards", "3")]


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


def test_a_password_is_not_shown(output):
    main(["demo", "--database", "postgresql://nobody:secret@127.0.0.1:1/none"])
    assert "secret" not in output()


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
