"""QuerySets, by Django's module name."""

from aorm.models.prefetch import Prefetch, aprefetch_related_objects, prefetch_related_objects
from aorm.models.queryset import EmptyQuerySet, QuerySet
from aorm.models.raw import RawQuerySet
from aorm.models.reading import MAX_GET_RESULTS

__all__ = [
    "MAX_GET_RESULTS",
    "EmptyQuerySet",
    "Prefetch",
    "QuerySet",
    "RawQuerySet",
    "aprefetch_related_objects",
    "prefetch_related_objects",
]
