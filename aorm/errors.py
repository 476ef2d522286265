"""Every exception that aorm raises.

The database errors are PEP 249's hierarchy; a driver's own exception is the `__cause__`.
The others keep the names that Django's ORM has for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

NON_FIELD_ERRORS = "__all__"


# --- PEP 249 ----------------------------------------


class Error(Exception):
    """Anything that went wrong in or around a database (PEP 249)."""


class InterfaceError(Error):
    """The connection or the driver was used in a way that it cannot serve."""


class DatabaseError(Error):
    """The database refused or failed a statement."""


class DataError(DatabaseError):
    """A value does not fit: out of range, too long, malformed."""


class OperationalError(DatabaseError):
    """The database could not do its work: connection lost, timeout, locked, out of space."""


class IntegrityError(DatabaseError):
    """A constraint was violated."""


class InternalError(DatabaseError):
    """The database found an error in itself."""


class ProgrammingError(DatabaseError):
    """The statement is wrong: syntax, a missing table or column, a wrong type."""


class NotSupportedError(DatabaseError):
    """The database, or its version, cannot do what was asked."""


class PoolTimeout(OperationalError):
    """No connection became free in time; the message lists who holds them."""


class PoolDeadlock(PoolTimeout):
    """A task or thread holds every connection of the pool itself and asks for one more."""


class CommitOutcomeUnknown(OperationalError):
    """The connection was lost during COMMIT and the server could not say whether it took effect."""


class ProtectedError(IntegrityError):
    """A delete would remove an object that a `PROTECT` relation points to."""

    def __init__(self, message: str, protected_objects: Any) -> None:
        self.protected_objects = protected_objects
        super().__init__(message, protected_objects)


class RestrictedError(IntegrityError):
    """A delete would remove an object that a `RESTRICT` relation points to."""

    def __init__(self, message: str, restricted_objects: Any) -> None:
        self.restricted_objects = restricted_objects
        super().__init__(message, restricted_objects)


# --- use of aorm ----------------------------------------


class ImproperlyConfigured(Exception):
    """A URL, an option or a setting is wrong or missing."""


class ConnectionDoesNotExist(ImproperlyConfigured):
    """No database is configured under this alias."""


class FieldError(Exception):
    """A query names a field, lookup or expression that does not fit."""


class OutputFieldIsNoneError(FieldError):
    """The type of an expression is not known, and no `output_field` names it."""


class QueryError(Exception):
    """A query was put together in a way that has no meaning; nothing was sent to the database."""


class QueryValueError(QueryError, ValueError):
    """A value does not fit where it was given."""


class QueryTypeError(QueryError, TypeError):
    """A value of this kind, or this step, does not fit where it was given."""


class FieldDoesNotExist(Exception):
    """A model has no field of this name."""


class FieldFetchBlocked(FieldError):
    """A deferred field or a relation was touched under the fetch mode `RAISE`."""


class ObjectDoesNotExist(Exception):
    """No row matches; the base of every `Model.DoesNotExist`."""

    silent_variable_failure = True


class MultipleObjectsReturned(Exception):
    """More than one row matches where one was asked for."""


class ObjectNotUpdated(Exception):
    """A forced update found no row; the base of every `Model.NotUpdated`."""


class StaleObjectError(ObjectNotUpdated, DatabaseError):
    """The row of an object with a version was changed, or deleted, since it was loaded."""


class EmptyResultSet(Exception):
    """A condition that no row can satisfy."""


class FullResultSet(Exception):
    """A condition that every row satisfies."""


class TransactionManagementError(ProgrammingError):
    """Transactions were used in a way that has no defined meaning."""


class SynchronousOnlyOperation(Exception):
    """A synchronous database call on a thread whose event loop is running."""


class RelationNotLoaded(SynchronousOnlyOperation):
    """A relation that was not loaded was touched in asynchronous code."""


class ValidationError(Exception):
    """One or more values are not valid.

    Made from a message (with `code` and `params`), a list of messages or errors, or a
    dictionary of field name to either.
    """

    message: Any
    code: str | None
    params: Mapping[str, Any] | None
    error_list: list[ValidationError]
    error_dict: dict[str, list[ValidationError]]

    def __init__(
        self, message: Any, code: str | None = None, params: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message, code, params)
        if isinstance(message, ValidationError):
            if hasattr(message, "error_dict"):
                message = message.error_dict
            elif not hasattr(message, "message"):
                message = message.error_list
            else:
                message, code, params = message.message, message.code, message.params
        if isinstance(message, dict):
            self.error_dict = {
                field: _as_error(messages).error_list for field, messages in message.items()
            }
        elif isinstance(message, list):
            self.error_list = []
            for item in message:
                error = _as_error(item)
                if hasattr(error, "error_dict"):
                    self.error_list.extend(e for found in error.error_dict.values() for e in found)
                else:
                    self.error_list.extend(error.error_list)
        else:
            self.message, self.code, self.params = message, code, params
            self.error_list = [self]

    @property
    def message_dict(self) -> dict[str, list[str]]:
        """Field name to texts; AttributeError where the error is not about fields."""
        _ = self.error_dict
        return dict(self._texts_by_field())

    @property
    def messages(self) -> list[str]:
        """All texts, of all fields."""
        if hasattr(self, "error_dict"):
            return [text for _, texts in self._texts_by_field() for text in texts]
        return list(self._texts())

    def update_error_dict(self, error_dict: dict[str, list[ValidationError]]) -> dict[str, Any]:
        """Add these errors to a dictionary of field name to errors, and return it."""
        if hasattr(self, "error_dict"):
            for field, errors in self.error_dict.items():
                error_dict.setdefault(field, []).extend(errors)
        else:
            error_dict.setdefault(NON_FIELD_ERRORS, []).extend(self.error_list)
        return error_dict

    def _texts(self) -> Iterator[str]:
        for error in self.error_list:
            text = error.message
            yield str(text % error.params if error.params else text)

    def _texts_by_field(self) -> Iterator[tuple[str, list[str]]]:
        for field, errors in self.error_dict.items():
            yield field, list(ValidationError(errors)._texts())

    def __iter__(self) -> Iterator[Any]:
        return self._texts_by_field() if hasattr(self, "error_dict") else self._texts()

    def __str__(self) -> str:
        return repr(dict(self) if hasattr(self, "error_dict") else list(self))

    def __repr__(self) -> str:
        return f"ValidationError({self})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ValidationError):
            return NotImplemented
        return hash(self) == hash(other)

    def __hash__(self) -> int:
        if hasattr(self, "message"):
            return hash((self.message, self.code, _hashable(self.params)))
        if hasattr(self, "error_dict"):
            return hash(_hashable(self.error_dict))
        return hash(tuple(sorted(self.error_list, key=lambda e: str(e.message))))


def _as_error(messages: Any) -> ValidationError:
    return messages if isinstance(messages, ValidationError) else ValidationError(messages)


def _hashable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple((key, _hashable(item)) for key, item in sorted(value.items()))
    if isinstance(value, list | set):
        return tuple(map(_hashable, value))
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value


def listed(names: Iterable[object]) -> str:
    """Names for a message: sorted, separated by commas, `(none)` where there are none."""
    return ", ".join(sorted(str(name) for name in names)) or "(none)"
