"""What `import aorm` costs."""

from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = """
import sys, time
started = time.perf_counter()
import aorm, aorm.models
took = time.perf_counter() - started
modules = sorted(sys.modules)
import json
print(json.dumps({"modules": modules, "seconds": took}))
"""

DRIVERS = ["aiosqlite", "asyncpg", "psycopg", "psycopg_pool", "sqlite3"]
NOT_NEEDED = [*DRIVERS, "aorm.contrib", "asgiref", "asyncio", "orjson", "rich"]
# some milliseconds each; who needs one of them takes it from `aorm.late`
COSTLY = ["dataclasses", "inspect", "json", "logging", "urllib.parse", "zoneinfo"]


def test_importing_aorm_imports_nothing_costly(record_property):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True
    )
    result = json.loads(done.stdout)
    record_property("import_seconds", result["seconds"])
    assert [name for name in [*NOT_NEEDED, *COSTLY] if name in result["modules"]] == []
