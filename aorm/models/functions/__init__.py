"""Database functions, by Django's module name."""

from aorm.query.functions import comparison, datetime, math, text
from aorm.query.functions.comparison import *  # noqa: F403
from aorm.query.functions.datetime import *  # noqa: F403
from aorm.query.functions.math import *  # noqa: F403
from aorm.query.functions.text import *  # noqa: F403

__all__ = [*comparison.__all__, *datetime.__all__, *math.__all__, *text.__all__]
