"""Database functions, by Django's module name."""

from aorm.query.functions import comparison, datetime, json, math, random, text, uuid, window
from aorm.query.functions.comparison import *  # noqa: F403
from aorm.query.functions.datetime import *  # noqa: F403
from aorm.query.functions.json import *  # noqa: F403
from aorm.query.functions.math import *  # noqa: F403
from aorm.query.functions.random import *  # noqa: F403
from aorm.query.functions.text import *  # noqa: F403
from aorm.query.functions.uuid import *  # noqa: F403
from aorm.query.functions.window import *  # noqa: F403

__all__ = [
    *comparison.__all__,
    *datetime.__all__,
    *json.__all__,
    *math.__all__,
    *random.__all__,
    *text.__all__,
    *uuid.__all__,
    *window.__all__,
]
