"""What tests of code that uses aorm need; `aorm.testing.plugin` brings it to pytest."""

from aorm.testing.blocks import rolled_back
from aorm.testing.callbacks import capture_on_commit_callbacks
from aorm.testing.counting import assert_num_queries
from aorm.testing.databases import create_database, drop_database
from aorm.testing.tables import atruncate, truncate

__all__ = [
    "assert_num_queries",
    "atruncate",
    "capture_on_commit_callbacks",
    "create_database",
    "drop_database",
    "rolled_back",
    "truncate",
]
