"""The README tells the truth: its first example runs, and its commands are those that are run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def test_ci_runs_the_readmes_test_command():
    commands = re.findall(r"^\$ (.*pytest.*)$", README.read_text(), re.MULTILINE)
    assert commands == [(ROOT / ".ci" / "run").read_text().splitlines()[-1]]


def test_the_readmes_first_example_runs(tmp_path):
    (example,) = re.findall(r"```python\n(import aorm\n.*?)```", README.read_text(), re.DOTALL)
    script = tmp_path / "example.py"
    script.write_text(f"{example}\nimport asyncio\nasyncio.run(publish())\naorm.close()\n")
    done = subprocess.run(
        [sys.executable, "-W", "error", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("Notes by Ada Lovelace\n", "")
