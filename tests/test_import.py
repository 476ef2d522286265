"""What `import aorm` costs."""

from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = """
import json, sys, time
started = time.perf_counter()
import aorm, aorm.models
took = time.perf_counter() - started
print(json.dumps({"modules": sorted(sys.modules), "seconds": took}))
"""

NOT_NEEDED = ["aiosqlite", "aorm.contrib", "asyncpg", "psycopg", "psycopg_pool", "rich", "sqlite3"]


def test_importing_aorm_imports_no_driver(record_property):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True
    )
    result = json.loads(done.stdout)
    record_property("import_seconds", result["seconds"])
    assert [name for name in NOT_NEEDED if name in result["modules"]] == []
