"""The examples of docs/testing.md run."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"


def test_the_examples_of_the_page_run(project, on):
    for name, text in re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL):
        project.write(name, text)
    # test_unittest.py comes last: it runs on the databases that the fixture of the others has made
    project.run("--ignore=own", url=on, plugins=["anyio"]).assert_outcomes(passed=12)
    project.run("own", url=on).assert_outcomes(passed=1)
