"""Conditions and lookup registration, by Django's module name."""

from aorm.fields.lookup_registry import RegisterLookupMixin
from aorm.fields.rels import PathInfo
from aorm.models.deferred import DeferredAttribute
from aorm.query.conditions import Q
from aorm.query.filtered import FilteredRelation

__all__ = ["DeferredAttribute", "FilteredRelation", "PathInfo", "Q", "RegisterLookupMixin"]
