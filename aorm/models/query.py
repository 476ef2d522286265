"""QuerySets, by Django's module name."""

from aorm.models.prefetch import Prefetch, aprefetch_related_objects, prefetch_related_objects
from aorm.models.queryset import QuerySet
from aorm.models.raw import RawQuerySet

__all__ = [
    "Prefetch",
    "QuerySet",
    "RawQuerySet",
    "aprefetch_related_objects",
    "prefetch_related_objects",
]
