"""Lazy texts and cached properties, by Django's module name."""

from aorm.functional import Promise, SimpleLazyObject, cached_property, classproperty, lazy

__all__ = ["Promise", "SimpleLazyObject", "cached_property", "classproperty", "lazy"]
