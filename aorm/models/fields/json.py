"""JSON fields and their lookups, by Django's module name."""

from aorm.fields.json import JSONField
from aorm.query import json_lookups
from aorm.query.json_lookups import *  # noqa: F403

__all__ = ["JSONField", *json_lookups.__all__]
