"""Exclusion constraints: no two rows of which all given comparisons hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aorm.errors import NotSupportedError, ValidationError
from aorm.fields.constraints import BaseConstraint, Deconstructed, Deferrable, _is_condition
from aorm.models.checking import (
    OWN,
    condition_holds,
    depends_on,
    values_of,
    with_own,
)
from aorm.query.expressions import Expression, F, OrderBy
from aorm.query.lookup import Lookup
from aorm.sql.ddl_indexes import expression_key, include_sql
from aorm.sql.dialect import Dialect
from aorm.sql.inline import inline_sql

__all__ = ["ExclusionConstraint"]


class ExclusionConstraint(BaseConstraint):
    """No two rows of which all these comparisons hold.

    Args:
        name: the name of the constraint.
        expressions: pairs of a name or an expression, and an operator, such as those of
            `RangeOperators`.
        index_type: GIST, SPGIST or HASH; equality of plain values needs the extension btree_gist.
        condition: a Q object; only rows that meet it count.
        deferrable: a `Deferrable`.
        include: names of fields that the index carries besides.

    Raises:
        ValueError: the arguments do not fit together.
    """

    def __init__(
        self,
        *,
        name: str,
        expressions: Sequence[tuple[Any, str]],
        index_type: str | None = None,
        condition: Any = None,
        deferrable: Deferrable | None = None,
        include: Sequence[str] | None = None,
        violation_error_code: str | None = None,
        violation_error_message: Any = None,
    ) -> None:
        if index_type and index_type.lower() not in {"gist", "spgist", "hash"}:
            raise ValueError("Exclusion constraints only support GiST, Hash, or SP-GiST indexes.")
        if not expressions:
            raise ValueError(
                "At least one expression is required to define an exclusion constraint."
            )
        if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in expressions):
            raise ValueError("The expressions must be a list of 2-tuples.")
        if condition is not None and not _is_condition(condition):
            raise ValueError("ExclusionConstraint.condition must be a Q instance.")
        if not isinstance(deferrable, Deferrable | None):
            raise ValueError("ExclusionConstraint.deferrable must be a Deferrable instance.")
        if not isinstance(include, list | tuple | None):
            raise ValueError("ExclusionConstraint.include must be a list or tuple.")
        if index_type and index_type.lower() == "hash":
            _refuse_with_hash(expressions, include)
        for _, operator in expressions:
            if not set(operator) <= _OPERATOR_CHARACTERS:
                raise ValueError(f"{operator!r} is not an operator")
        self.expressions = expressions
        self.index_type = index_type or "GIST"
        self.condition = condition
        self.deferrable = deferrable
        self.include = tuple(include) if include else ()
        super().__init__(
            name=name,
            violation_error_code=violation_error_code,
            violation_error_message=violation_error_message,
        )

    @property
    def contains_expressions(self) -> bool:
        return True

    def _pairs(self) -> list[tuple[Any, str]]:
        return [(F(e) if isinstance(e, str) else e, operator) for e, operator in self.expressions]

    # --- SQL ------------------------------------------------------------------------

    def constraint_sql(self, model: Any, schema_editor: Any) -> str | None:
        """The constraint as a part of CREATE TABLE; None where there is no such thing."""
        dialect = _dialect_of(schema_editor)
        if dialect.vendor != "postgresql":
            return None
        keys = ", ".join(
            f"{_key(expression, model, dialect)} WITH {operator}"
            for expression, operator in self._pairs()
        )
        include = include_sql(self.include, model, dialect)
        # Unlike that of an index, the condition has parentheses around it.
        where = inline_sql(self.condition, model, dialect) if self.condition else ""
        condition = f" WHERE ({where})" if where else ""
        deferred = f" DEFERRABLE INITIALLY {self.deferrable.name}" if self.deferrable else ""
        return (
            f"CONSTRAINT {dialect.quote(self.name)} EXCLUDE USING {self.index_type}"
            f" ({keys}){include}{condition}{deferred}"
        )

    def create_sql(self, model: Any, schema_editor: Any) -> str:
        """ALTER TABLE that adds the constraint.

        Raises:
            NotSupportedError: the database has no such constraints.
        """
        dialect = _dialect_of(schema_editor)
        made = self.constraint_sql(model, dialect)
        if made is None:
            raise NotSupportedError(f"{dialect.vendor} has no exclusion constraints")
        return f"ALTER TABLE {dialect.quote(model._meta.db_table)} ADD {made}"

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        """ALTER TABLE that drops the constraint."""
        dialect = _dialect_of(schema_editor)
        table = dialect.quote(model._meta.db_table)
        return f"ALTER TABLE {table} DROP CONSTRAINT {dialect.quote(self.name)}"

    # --- validation -----------------------------------------------------------------

    def validate(
        self, model: Any, instance: Any, exclude: Any = None, using: str = "default"
    ) -> None:
        pairs = [(_compared(e), operator) for e, operator in self._pairs()]
        if any(depends_on(e, model, exclude) for e, _ in pairs):
            return
        if self.condition is not None and depends_on(self.condition, model, exclude):
            return
        values = values_of(instance, model, exclude)
        if self.condition is not None and not condition_holds(self.condition, values, model, using):
            return
        rows = with_own(model._default_manager.using(using), values)
        for expression, operator in pairs:
            rows = rows.filter(_Comparison(expression, expression.prefixed(OWN), operator))
        if self.condition is not None:
            rows = rows.filter(self.condition)
        if instance._others(rows, model).exists():
            raise ValidationError(
                self.get_violation_error_message(), code=self.violation_error_code
            )

    # --- the constraint as an object ------------------------------------------------

    def deconstruct(self) -> Deconstructed:
        path, args, kwargs = super().deconstruct()
        kwargs["expressions"] = self.expressions
        if self.condition is not None:
            kwargs["condition"] = self.condition
        if self.index_type.lower() != "gist":
            kwargs["index_type"] = self.index_type
        for name in ("deferrable", "include"):
            if getattr(self, name):
                kwargs[name] = getattr(self, name)
        return path, args, kwargs

    def _identity(self) -> tuple[Any, ...]:
        return (
            *super()._identity(),
            self.index_type.lower(),
            self.expressions,
            self.condition,
            self.deferrable,
            self.include,
        )

    def __hash__(self) -> int:
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other)

    def __repr__(self) -> str:
        shown = {
            "index_type": repr(self.index_type),
            "expressions": repr(self.expressions),
            "name": repr(self.name),
        }
        if self.condition is not None:
            shown["condition"] = str(self.condition)
        for name in ("deferrable", "include"):
            if getattr(self, name):
                shown[name] = repr(getattr(self, name))
        return self._described(**shown)


_OPERATOR_CHARACTERS = frozenset("+-*/<>=~!@#%^&|`?")


def _refuse_with_hash(expressions: Sequence[Any], include: Any) -> None:
    if include:
        raise ValueError("Covering exclusion constraints using Hash indexes are not supported.")
    if len(expressions) > 1:
        raise ValueError("Composite exclusion constraints using Hash indexes are not supported.")
    if expressions[0][1] != "=":
        raise ValueError(
            "Exclusion constraints using Hash indexes only support the EQUAL operator."
        )


def _dialect_of(schema_editor: Any) -> Dialect:
    """The dialect of an editor; one that is handed in is itself."""
    found: Dialect = getattr(schema_editor, "dialect", schema_editor)
    return found


def _key(expression: Any, model: Any, dialect: Dialect) -> str:
    """What is compared, as a part of the definition."""
    return expression_key(expression, model, dialect)


def _compared(expression: Any) -> Any:
    """An expression without what only an index has, such as an operator class."""
    while isinstance(expression, OrderBy) or not getattr(
        expression, "constraint_validation_compatible", True
    ):
        expression = expression.get_source_expressions()[0]
    return expression


class _Comparison(Lookup):
    """`lhs operator rhs` of two expressions."""

    prepare_rhs = False

    def __init__(self, lhs: Expression, rhs: Expression, operator: str) -> None:
        self.operator = operator
        super().__init__(lhs, rhs)

    def as_sql(self, compiler: Any, connection: Any, **options: Any) -> tuple[str, list[Any]]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{left} {self.operator.replace('%', '%%')} {right}", [*left_params, *right_params]
