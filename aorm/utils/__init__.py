"""Helpers, by Django's module names."""

from aorm.operations.routing import ConnectionRouter

__all__ = ["ConnectionRouter"]
