"""PostgreSQL's own: arrays, ranges, hstore, full text, trigrams, aggregates, indexes, constraints.

Importing this package registers its lookups.
"""

from aorm.contrib.postgres import fields, lookups, search
from aorm.contrib.postgres.extensions import acreate_extension, create_extension

__all__ = ["acreate_extension", "create_extension", "fields", "lookups", "search"]
