"""Which exception of aorm a driver's exception becomes.

The drivers of PostgreSQL disagree on classes, so there the SQLSTATE decides, by its first two
letters; PEP 249's names decide for the rest.
"""

from __future__ import annotations

from aorm import errors
from aorm.errors import (
    DataError,
    Error,
    IntegrityError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)

BY_CLASS: dict[str, type[Error]] = {
    "08": OperationalError,  # connection
    "09": OperationalError,
    "0A": NotSupportedError,
    "20": ProgrammingError,
    "21": ProgrammingError,
    "22": DataError,
    "23": IntegrityError,
    "24": InternalError,
    "25": InternalError,  # transaction state
    "26": OperationalError,
    "27": OperationalError,
    "28": OperationalError,
    "2B": InternalError,
    "2D": InternalError,
    "2F": InternalError,
    "34": OperationalError,
    "38": InternalError,
    "39": InternalError,
    "3B": InternalError,
    "3D": ProgrammingError,
    "3F": ProgrammingError,
    "40": OperationalError,  # serialization failure, deadlock
    "42": ProgrammingError,
    "44": ProgrammingError,
    "53": OperationalError,
    "54": OperationalError,
    "55": OperationalError,
    "57": OperationalError,
    "58": OperationalError,
    "F0": OperationalError,
    "HV": OperationalError,
    "P0": ProgrammingError,
    "XX": InternalError,
}

# the connection is gone, and so are its sisters
FATAL_STATES = ("57P01", "57P02", "57P03")


def by_state(state: str) -> type[Error]:
    """The class for a SQLSTATE."""
    return BY_CLASS.get(state[:2], errors.DatabaseError)


def by_name(error: BaseException) -> type[Error]:
    """The class that has the name of a PEP 249 class among the error's bases."""
    for base in type(error).__mro__:
        found = getattr(errors, base.__name__, None)
        if isinstance(found, type) and issubclass(found, Error):
            return found
    if isinstance(error, OSError | TimeoutError):
        return OperationalError
    return errors.DatabaseError


def is_fatal(state: str | None) -> bool:
    """Whether this SQLSTATE means that the server or the connection went away."""
    return state is not None and (state in FATAL_STATES or state.startswith("08"))
