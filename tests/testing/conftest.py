"""Projects of their own, whose tests run in another process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import server

ROOT = Path(__file__).parents[2]


class Project:
    """A directory with files, in which pytest runs."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self._pytester = pytester
        self._monkeypatch = monkeypatch

    def write(self, name: str, text: str) -> None:
        path = self._pytester.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def run(self, *arguments: str, url: str, plugins: Sequence[str] = ()) -> pytest.RunResult:
        """Run pytest there, with aorm's plugin and these, and without what this run has set."""
        inherited = os.environ.get("PYTHONPATH", "")
        self._monkeypatch.setenv(
            "PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), inherited]))
        )
        self._monkeypatch.setenv("DATABASE_URL", url)
        self._monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        for name in "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_ADDOPTS":
            self._monkeypatch.delenv(name, raising=False)
        chosen = [part for name in ("aorm.testing.plugin", *plugins) for part in ("-p", name)]
        return self._pytester.runpytest_subprocess(*chosen, "-W", "error", *arguments)


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project."""
    return Project(pytester, monkeypatch)


@pytest.fixture(params=["sqlite", "postgresql"])
def on(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """The URL of a real database, which a project's tests must leave alone."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'project.db'}"
        return
    base = request.getfixturevalue("postgres_server")
    name = f"aorm_project_{os.getpid()}"
    yield server.with_database(base, name)
    server.drop_database(base, f"test_{name}")
