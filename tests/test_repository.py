"""The README's commands are the ones that are run."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_ci_runs_the_readmes_test_command():
    commands = re.findall(r"^\$ (.*pytest.*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert commands == [(ROOT / ".ci" / "run").read_text().splitlines()[-1]]
