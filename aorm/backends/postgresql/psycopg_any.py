"""Ranges, by Django's module name; they need no psycopg."""

from aorm.contrib.postgres.ranges import DateRange, DateTimeRange, DateTimeTZRange, NumericRange

__all__ = ["DateRange", "DateTimeRange", "DateTimeTZRange", "NumericRange"]
