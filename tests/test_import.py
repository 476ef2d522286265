"""What `import aorm` costs."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys

import pytest

from aorm import models
from aorm.sql.dialects.sqlite import SQLITE

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
# what is loaded with the first database, the first statement, or the first that names it
LATER = [
    "aorm.models.functions",
    "aorm.query.functions.math",
    "aorm.query.functions.text",
    "aorm.query.functions.window",
    "aorm.schema",
    "aorm.sql.binding",
    "aorm.sql.ddl",
    "aorm.sql.dialects",
    "aorm.sql.select",
    "aorm.sql.standard",
    "aorm.sql.writes",
]


def in_new_process(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_importing_aorm_imports_nothing_costly(record_property):
    result = json.loads(in_new_process(SCRIPT))
    record_property("import_seconds", result["seconds"])
    assert [name for name in [*NOT_NEEDED, *COSTLY, *LATER] if name in result["modules"]] == []


def test_a_database_loads_the_dialect_of_its_kind_alone():
    script = """
import sys, aorm
aorm.configure("sqlite://:memory:")
print([name for name in sys.modules if name in DIALECTS])
"""
    dialects = {f"aorm.sql.dialects.{vendor}" for vendor in ("postgresql", "sqlite")}
    loaded = in_new_process(script.replace("DIALECTS", repr(dialects)))
    assert loaded == "['aorm.sql.dialects.sqlite']"


def test_functions_are_there_when_they_are_named():
    script = """
import aorm
print("functions" in dir(aorm.models), aorm.models.functions.Lower("title"))
"""
    assert in_new_process(script) == "True Lower(F(title))"


def test_names_that_models_does_not_have_are_refused():
    with pytest.raises(AttributeError, match=r"'aorm\.models' has no attribute 'Functions'"):
        models.Functions  # noqa: B018


def test_a_pickled_dialect_is_loaded_where_there_is_no_database_yet():
    pickled = pickle.dumps(SQLITE.for_settings(False, "UTC"))
    script = f"import pickle; print(pickle.loads({pickled!r}).use_tz)"
    assert in_new_process(script) == "False"


def test_threads_may_come_first_at_once():
    script = """
import threading
import aorm
from aorm import models

class Word(models.Model):
    text = models.CharField(max_length=9)
    class Meta:
        app_label = "words"

aorm.configure("sqlite://:memory:")
together, texts = threading.Barrier(8), set()

def use():
    together.wait()
    texts.add(str(Word.objects.filter(text=models.functions.Lower("text")).query))

threads = [threading.Thread(target=use) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(texts))
"""
    assert in_new_process(script) == "1"
