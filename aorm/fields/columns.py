"""The column type of a field in each kind of database.

A database knows types by the internal type of a field; its tables of types hold texts that are
formatted with the attributes of the field, or functions of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar


class ColumnTypes:
    """What a field says about its column; `connection` is a database or a dialect."""

    #: What `get_internal_type` gives; empty: the name of the class.
    internal_type: ClassVar[str] = ""

    def get_internal_type(self) -> str:
        """The name of the kind of field, by which a database knows its column type."""
        return self.internal_type or type(self).__name__

    def db_type_parameters(self, connection: Any) -> Mapping[str, Any]:
        """What the text of a column type may refer to."""
        return _TypeParameters(self, connection)

    def db_type(self, connection: Any) -> str | None:
        """The column type in this kind of database; None: no column is made.

        Args:
            connection: a database or a dialect.
        """
        template = connection.data_types.get(self.get_internal_type())
        return self._filled(template, connection)

    def db_check(self, connection: Any) -> str | None:
        """The condition that the column type brings with it, or None."""
        template = connection.data_type_check_constraints.get(self.get_internal_type())
        return self._filled(template, connection)

    def db_type_suffix(self, connection: Any) -> str | None:
        """What stands behind the column type, or None."""
        suffix = connection.data_types_suffix.get(self.get_internal_type())
        return None if suffix is None else str(suffix)

    def rel_db_type(self, connection: Any) -> str | None:
        """The column type of a foreign key that points to this field."""
        return self.db_type(connection)

    def cast_db_type(self, connection: Any) -> str | None:
        """The type in a CAST to this kind of field."""
        template = connection.cast_types.get(self.get_internal_type())
        return self.db_type(connection) if template is None else self._filled(template, connection)

    def parameter_type(self, connection: Any) -> str | None:
        """The type to which a parameter is cast that is bound as text; None: it is no text.

        It is for types whose values the drivers represent in ways of their own.
        """
        return None

    def reading_cast(self, connection: Any) -> str:
        """What stands behind the column where its values are read; mostly nothing.

        It is for types that a driver does not read well.
        """
        return ""

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        """Column type, check and (for texts) collation together."""
        return {"type": self.db_type(connection), "check": self.db_check(connection)}

    def _filled(self, template: Any, connection: Any) -> str | None:
        if template is None:
            return None
        parameters = self.db_type_parameters(connection)
        return str(template(parameters) if callable(template) else template % parameters)


class _TypeParameters(Mapping[str, Any]):
    """A field's attributes by name; with `qn_` before it, the attribute as a quoted name."""

    def __init__(self, field: Any, connection: Any) -> None:
        self._field = field
        self._connection = connection

    def __getitem__(self, name: str) -> Any:
        if name.startswith("qn_"):
            return self._connection.quote(self[name[3:]])
        try:
            return self._field.__dict__[name]
        except KeyError:
            if hasattr(type(self._field), name):
                return getattr(self._field, name)
            raise

    def __iter__(self) -> Iterator[str]:
        return iter(self._field.__dict__)

    def __len__(self) -> int:
        return len(self._field.__dict__)
