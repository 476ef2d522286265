"""Indexes, by Django's module name."""

from aorm.fields.indexes import Index

__all__ = ["Index"]
