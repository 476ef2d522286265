"""Errors of the table of databases, by Django's module name."""

from aorm.errors import ConnectionDoesNotExist

__all__ = ["ConnectionDoesNotExist"]
