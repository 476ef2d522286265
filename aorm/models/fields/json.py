"""JSON fields, by Django's module name."""

from aorm.fields.json import JSONField

__all__ = ["JSONField"]
