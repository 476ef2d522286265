"""Constraints of a table, as data.

The SQL and the validation against a database live in higher layers.  Conditions and expressions
are held as they were given; `expression_maker` turns names among the expressions into references
(the query layer puts `F` there).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from aorm.fields.base import is_expression
from aorm.fields.registry import hooks

__all__ = ["BaseConstraint", "CheckConstraint", "Deferrable", "UniqueConstraint"]

Deconstructed = tuple[str, tuple[Any, ...], dict[str, Any]]


class Deferrable(enum.Enum):
    """When a deferrable constraint is checked, unless SET CONSTRAINTS says otherwise."""

    DEFERRED = "deferred"
    IMMEDIATE = "immediate"

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}.{self.name}"


class ExpressionHolder:
    """What constraints and indexes with expressions share."""

    #: Makes an expression of a field's name.
    expression_maker: ClassVar[Callable[[str], Any]] = str

    @classmethod
    def _as_expressions(cls, given: Sequence[Any]) -> tuple[Any, ...]:
        make = ExpressionHolder.expression_maker
        return tuple([make(item) if isinstance(item, str) else item for item in given])


def public_path(cls: type) -> str:
    """The dotted path under which users import a class of constraints or indexes."""
    module = cls.__module__
    if module.startswith("aorm.fields.") or module == "aorm.models.constraints":
        module = "aorm.models"
    return f"{module}.{cls.__qualname__}"


def list_or_tuple(value: Any, label: str, error: type[Exception]) -> None:
    """Refuse an option that is neither.

    Raises:
        TypeError or ValueError, as `error` says.
    """
    if value is not None and not isinstance(value, list | tuple):
        raise error(f"{label} must be a list or tuple.")


class BaseConstraint(ExpressionHolder):
    """What all constraints have: a name, and what is said when they are violated.

    Args:
        name: may contain `%(app_label)s` and `%(class)s`.
        violation_error_code: the code of the ValidationError.
        violation_error_message: its message; may contain `%(name)s`.
    """

    default_violation_error_message = "Constraint “%(name)s” is violated."
    violation_error_code: str | None = None
    violation_error_message: Any = None

    def __init__(
        self,
        *,
        name: str,
        violation_error_code: str | None = None,
        violation_error_message: Any = None,
    ) -> None:
        self.name = name
        if violation_error_code is not None:
            self.violation_error_code = violation_error_code
        self.violation_error_message = (
            self.default_violation_error_message
            if violation_error_message is None
            else violation_error_message
        )

    @property
    def contains_expressions(self) -> bool:
        """Whether there are expressions besides fields."""
        return False

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        raise NotImplementedError("This method must be implemented by a subclass.")

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        raise NotImplementedError("This method must be implemented by a subclass.")

    def remove_sql(self, model: Any, schema_editor: Any) -> Any:
        raise NotImplementedError("This method must be implemented by a subclass.")

    def validate(
        self, model: Any, instance: Any, exclude: Any = None, using: str = "default"
    ) -> None:
        """Check that the values of an instance do not violate the constraint.

        Args:
            exclude: names of fields to leave out.
            using: the alias of the database to ask.

        Raises:
            ValidationError: they do.
        """
        if type(self) is BaseConstraint or hooks.validate_constraint is None:
            raise NotImplementedError("This method must be implemented by a subclass.")
        hooks.validate_constraint(self, model, instance, exclude, using)

    def get_violation_error_message(self) -> str:
        """The message of a violation."""
        return str(self.violation_error_message % {"name": self.name})

    def deconstruct(self) -> Deconstructed:
        """What makes this constraint again: the path of its class, args and kwargs."""
        kwargs: dict[str, Any] = {"name": self.name}
        if self._has_own_message():
            kwargs["violation_error_message"] = self.violation_error_message
        if self.violation_error_code is not None:
            kwargs["violation_error_code"] = self.violation_error_code
        return (public_path(type(self)), (), kwargs)

    def clone(self) -> Any:
        """The same constraint, which may be given another name."""
        _, args, kwargs = self.deconstruct()
        return type(self)(*args, **kwargs)

    def _has_own_message(self) -> bool:
        return bool(
            self.violation_error_message is not None
            and self.violation_error_message != self.default_violation_error_message
        )

    def _identity(self) -> tuple[Any, ...]:
        """What makes two constraints of the same class equal."""
        return (self.name, self.violation_error_code, self.violation_error_message)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, BaseConstraint) and type(other) is type(self):
            return self._identity() == other._identity()
        return NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def _described(self, **shown: str) -> str:
        if self.violation_error_code is not None:
            shown["violation_error_code"] = repr(self.violation_error_code)
        if self._has_own_message():
            shown["violation_error_message"] = repr(self.violation_error_message)
        parts = " ".join(f"{name}={text}" for name, text in shown.items())
        return f"<{type(self).__qualname__}: {parts}>"


class _WrittenConstraint(BaseConstraint):
    """A constraint whose SQL the schema editor knows."""

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        """The constraint as a part of CREATE TABLE; None where it is none."""
        return schema_editor.constraint_sql(model, self)

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        """The statement that adds the constraint; None where the database has none such."""
        return schema_editor.add_constraint_sql(model, self)

    def remove_sql(self, model: Any, schema_editor: Any) -> Any:
        """The statement that drops the constraint; None where the database has none such."""
        return schema_editor.drop_constraint_sql(model, self)


class CheckConstraint(_WrittenConstraint):
    """A condition that each row meets.

    Args:
        condition: a Q object or a boolean expression.

    Raises:
        TypeError: the condition is neither.
    """

    def __init__(
        self,
        *,
        condition: Any,
        name: str,
        violation_error_code: str | None = None,
        violation_error_message: Any = None,
    ) -> None:
        if not getattr(condition, "conditional", False):
            raise TypeError("CheckConstraint.condition must be a Q instance or boolean expression.")
        self.condition = condition
        super().__init__(
            name=name,
            violation_error_code=violation_error_code,
            violation_error_message=violation_error_message,
        )

    def deconstruct(self) -> Deconstructed:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "condition": self.condition}

    def _identity(self) -> tuple[Any, ...]:
        return (*super()._identity(), self.condition)

    def __repr__(self) -> str:
        return self._described(condition=str(self.condition), name=repr(self.name))


class UniqueConstraint(_WrittenConstraint):
    """Values that no two rows have alike.

    Args:
        expressions: names and expressions; or `fields`, names alone.
        condition: a Q object; only rows that meet it count.
        deferrable: a `Deferrable`.
        include: names of fields that the index carries besides.
        opclasses: operator classes, one for each of `fields`.
        nulls_distinct: whether nulls differ from each other; None: as the database does.

    Raises:
        ValueError, TypeError: the arguments do not fit together.
    """

    def __init__(
        self,
        *expressions: Any,
        fields: Sequence[str] = (),
        name: str | None = None,
        condition: Any = None,
        deferrable: Deferrable | None = None,
        include: Sequence[str] | None = None,
        opclasses: Sequence[str] = (),
        nulls_distinct: bool | None = None,
        violation_error_code: str | None = None,
        violation_error_message: Any = None,
    ) -> None:
        if not name:
            raise ValueError("A unique constraint must be named.")
        if not expressions and not fields:
            raise ValueError(
                "At least one field or expression is required to define a unique constraint."
            )
        if expressions and fields:
            raise ValueError("UniqueConstraint.fields and expressions are mutually exclusive.")
        if condition is not None and not _is_condition(condition):
            raise ValueError("UniqueConstraint.condition must be a Q instance.")
        self._refuse_deferred_with(
            deferrable,
            {
                "conditions": condition,
                "include fields": include,
                "opclasses": opclasses,
                "expressions": expressions,
            },
        )
        if expressions and opclasses:
            raise ValueError(
                "UniqueConstraint.opclasses cannot be used with expressions. Use "
                "aorm.contrib.postgres.indexes.OpClass() instead."
            )
        if not isinstance(deferrable, Deferrable | None):
            raise TypeError("UniqueConstraint.deferrable must be a Deferrable instance.")
        list_or_tuple(include, "UniqueConstraint.include", TypeError)
        list_or_tuple(opclasses, "UniqueConstraint.opclasses", TypeError)
        if not isinstance(nulls_distinct, bool | None):
            raise TypeError("UniqueConstraint.nulls_distinct must be a bool.")
        if opclasses and len(fields) != len(opclasses):
            raise ValueError(
                "UniqueConstraint.fields and UniqueConstraint.opclasses must have the same "
                "number of elements."
            )
        self.fields = tuple(fields)
        self.condition = condition
        self.deferrable = deferrable
        self.include = tuple(include) if include else ()
        self.opclasses = opclasses
        self.nulls_distinct = nulls_distinct
        self.expressions = self._as_expressions(expressions)
        super().__init__(
            name=name,
            violation_error_code=violation_error_code,
            violation_error_message=violation_error_message,
        )

    @staticmethod
    def _refuse_deferred_with(deferrable: Any, others: dict[str, Any]) -> None:
        if not deferrable:
            return
        for name, value in others.items():
            if value:
                raise ValueError(f"UniqueConstraint with {name} cannot be deferred.")

    @property
    def contains_expressions(self) -> bool:
        return bool(self.expressions)

    def deconstruct(self) -> Deconstructed:
        path, _, kwargs = super().deconstruct()
        for name in ("fields", "condition", "deferrable", "include", "opclasses"):
            if getattr(self, name):
                kwargs[name] = getattr(self, name)
        if self.nulls_distinct is not None:
            kwargs["nulls_distinct"] = self.nulls_distinct
        return path, self.expressions, kwargs

    def _identity(self) -> tuple[Any, ...]:
        return (
            *super()._identity(),
            self.fields,
            self.condition,
            self.deferrable,
            self.include,
            tuple(self.opclasses),
            self.nulls_distinct,
            self.expressions,
        )

    def __repr__(self) -> str:
        shown: dict[str, str] = {}
        if self.fields:
            shown["fields"] = repr(self.fields)
        if self.expressions:
            shown["expressions"] = repr(self.expressions)
        shown["name"] = repr(self.name)
        if self.condition:
            shown["condition"] = str(self.condition)
        for name in ("deferrable", "include", "opclasses"):
            if getattr(self, name):
                shown[name] = repr(getattr(self, name))
        if self.nulls_distinct is not None:
            shown["nulls_distinct"] = repr(self.nulls_distinct)
        return self._described(**shown)


def _is_condition(value: Any) -> bool:
    """Whether this is a Q object: conditional, and made of children."""
    return is_expression(value) and hasattr(value, "connector")
