"""Constraints, by Django's module name."""

from aorm.fields.constraints import BaseConstraint, CheckConstraint, Deferrable, UniqueConstraint

__all__ = ["BaseConstraint", "CheckConstraint", "Deferrable", "UniqueConstraint"]
