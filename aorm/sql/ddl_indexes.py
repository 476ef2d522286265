"""Indexes and constraints of a table, as statements and as parts of CREATE TABLE.

1. What a database cannot do is left out, as Django does: the part (INCLUDE, operator classes)
   where the rest keeps its meaning, otherwise the whole constraint.
2. A unique constraint that a table cannot have (a condition, expressions, ...) is an index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from aorm.conf import settings
from aorm.fields.constraints import CheckConstraint, UniqueConstraint
from aorm.fields.indexes import Index
from aorm.query.expressions import F, OrderBy
from aorm.query.functions.comparison import Collate
from aorm.sql.dialect import Dialect
from aorm.sql.inline import inline_sql
from aorm.sql.names import derived_name
from aorm.sql.statements import SchemaStatement
from aorm.sql.writes import names

# What LIKE 'abc%' can use in a database whose texts are ordered by a language.
_PATTERN_CLASSES = {"varchar": "varchar_pattern_ops", "text": "text_pattern_ops"}


def condition_sql(condition: Any, model: Any, dialect: Dialect) -> str:
    """The WHERE of a partial index, with a space before it."""
    if not condition:
        return ""
    text = inline_sql(condition, model, dialect)
    return f" WHERE ({text})" if _is_compound(condition) else f" WHERE {text}"


def _is_compound(condition: Any) -> bool:
    """Whether a Q consists of several conditions."""
    children = condition.children
    if len(children) == 1 and hasattr(children[0], "children"):
        return _is_compound(children[0])
    return len(children) > 1 and not condition.negated


def include_sql(field_names: Sequence[str], model: Any, dialect: Dialect) -> str:
    """The INCLUDE of a covering index, with a space before it."""
    if not field_names or not dialect.capabilities.covering_indexes:
        return ""
    return f" INCLUDE ({names(map(model._meta.get_field, field_names), dialect)})"


def tablespace_sql(name: str | None, dialect: Dialect, before: str = "") -> str:
    """The TABLESPACE clause, with a space before it."""
    if not name or not dialect.capabilities.tablespaces:
        return ""
    return f" {before}TABLESPACE {dialect.quote(name)}"


def create_index(
    name: str, model: Any, what: str, dialect: Dialect, *, unique: bool = False, using: str = ""
) -> SchemaStatement:
    """CREATE INDEX; `what` is everything behind the name of the table."""
    kind = "UNIQUE INDEX" if unique else "INDEX"
    method = f" USING {using}" if using else ""
    table = model._meta.db_table
    columns = tuple(
        field.column
        for field in model._meta.local_concrete_fields
        if field.column and dialect.quote(field.column) in what
    )
    text = f"CREATE {kind} {dialect.quote(name)} ON {dialect.quote(table)}{method} {what}"
    return SchemaStatement(text, table=table, name=dialect.quote(name), columns=columns)


def drop_index(name: str, model: Any, dialect: Dialect) -> SchemaStatement:
    """DROP INDEX, where it exists."""
    text = f"DROP INDEX IF EXISTS {dialect.quote(name)}"
    return SchemaStatement(text, table=model._meta.db_table, name=dialect.quote(name))


# --- indexes ---------------------------------------------------------------------


def index_sql(model: Any, index: Index, dialect: Dialect, using: str = "") -> SchemaStatement:
    """The statement that makes an index of `Meta.indexes`; `using` is a method of its own."""
    what = _key_sql(model, index.fields_orders, index.expressions, index.opclasses, dialect)
    what += include_sql(index.include, model, dialect)
    options = getattr(index, "get_with_params", None)
    if options is not None and (given := options()):
        what += f" WITH ({', '.join(given)})"
    what += tablespace_sql(index.db_tablespace or _one_tablespace(model, index), dialect)
    what += condition_sql(index.condition, model, dialect)
    # PostgreSQL's kinds of indexes, which alone have options, are named by their suffix.
    table = model._meta.db_table
    columns = [model._meta.get_field(field).column for field, _ in index.fields_orders]
    name = index.name or derived_name(table, columns, "", dialect)
    method = using or ("" if options is None else index.suffix)
    return create_index(name, model, what, dialect, using=method)


def _one_tablespace(model: Any, index: Index) -> str:
    """The tablespace of the only field of an index, or of the table."""
    if len(index.fields_orders) == 1:
        field = model._meta.get_field(index.fields_orders[0][0])
        if field.db_tablespace:
            return str(field.db_tablespace)
    return settings.DEFAULT_INDEX_TABLESPACE or str(model._meta.db_tablespace or "")


def _key_sql(
    model: Any,
    orders: Sequence[tuple[str, str]],
    expressions: Sequence[Any],
    operator_classes: Sequence[str],
    dialect: Dialect,
) -> str:
    """What an index is over, in parentheses."""
    if expressions:
        return f"({', '.join(expression_key(e, model, dialect) for e in expressions)})"
    classes = operator_classes if dialect.capabilities.index_operator_classes else ()
    keys = []
    for i, (name, order) in enumerate(orders):
        parts = [str(dialect.quote(model._meta.get_field(name).column))]
        if classes:
            parts.append(_plain_word(classes[i]))
        if order:
            parts.append(order)
        keys.append(" ".join(parts))
    return f"({', '.join(keys)})"


def _plain_word(name: str) -> str:
    """The name of an operator class, which cannot be quoted with its options."""
    if not name.replace("_", "").replace(".", "").isalnum():
        raise ValueError(f"{name!r} is not the name of an operator class")
    return name


def expression_key(expression: Any, model: Any, dialect: Dialect) -> str:
    """One expression of an index: a column, or anything else in parentheses, and its order."""
    order = operator_class = ""
    while isinstance(expression, OrderBy) or _is_operator_class(expression):
        if isinstance(expression, OrderBy):
            order = _order(expression)
        else:
            operator_class = f" {_plain_word(expression.name)}"
        (expression,) = expression.get_source_expressions()
    if isinstance(expression, Collate):
        (inner,) = expression.get_source_expressions()
        if isinstance(inner, OrderBy):  # the order stands behind the collation
            order = _order(inner)
            expression = Collate(inner.expression, expression.collation)
    text = inline_sql(expression, model, dialect)
    if type(expression) is not F or "__" in expression.name:
        text = f"({text})"
    return f"{text}{operator_class}{order}"


def _is_operator_class(expression: Any) -> bool:
    # Known by its name: it comes with the fields of PostgreSQL, far above this layer.
    return type(expression).__name__ == "OpClass"


def _order(term: OrderBy) -> str:
    order = " DESC" if term.descending else ""
    if term.nulls_first or term.nulls_last:
        order += " NULLS FIRST" if term.nulls_first else " NULLS LAST"
    return order


def field_indexes(model: Any, field: Any, dialect: Dialect) -> Iterator[SchemaStatement]:
    """The statements for `db_index`, and for LIKE where the database needs an index for that."""
    table = model._meta.db_table
    if field.db_index and not field.unique:
        name = derived_name(table, [field.column], "", dialect)
        what = f"({dialect.quote(field.column)})"
        what += tablespace_sql(field.db_tablespace or model._meta.db_tablespace, dialect)
        yield create_index(name, model, what, dialect)
    pattern = _pattern_class(field, dialect)
    if pattern:
        name = derived_name(table, [field.column], "_like", dialect)
        yield create_index(name, model, f"({dialect.quote(field.column)} {pattern})", dialect)


def _pattern_class(field: Any, dialect: Dialect) -> str | None:
    if not dialect.capabilities.index_operator_classes or not (field.db_index or field.unique):
        return None
    column = field.db_type(dialect)
    if column is None or "[" in column or field.db_parameters(dialect).get("collation"):
        # Under a collation of its own the column may not be comparable by its bytes.
        return None
    return _PATTERN_CLASSES.get(column.partition("(")[0])


# --- constraints -----------------------------------------------------------------


def is_index(constraint: Any) -> bool:
    """Whether a unique constraint can only be had as a unique index."""
    return bool(
        constraint.condition
        or constraint.include
        or constraint.opclasses
        or constraint.contains_expressions
    )


def is_possible(constraint: Any, dialect: Dialect) -> bool:
    """Whether the database can have this unique constraint."""
    able = dialect.capabilities
    if constraint.deferrable is not None and not able.deferrable_constraints:
        return False
    return constraint.nulls_distinct is None or able.nulls_distinct


def table_constraint(model: Any, constraint: Any, dialect: Dialect) -> str | None:
    """A constraint as a part of CREATE TABLE; None where it is none."""
    start = f"CONSTRAINT {dialect.quote(constraint.name)}"
    if isinstance(constraint, CheckConstraint):
        return f"{start} CHECK ({inline_sql(constraint.condition, model, dialect)})"
    if not isinstance(constraint, UniqueConstraint):
        made = constraint.constraint_sql(model, dialect)
        return None if made is None else str(made)
    if is_index(constraint) or not is_possible(constraint, dialect):
        return None
    columns = names(map(model._meta.get_field, constraint.fields), dialect)
    deferred = (
        f" DEFERRABLE INITIALLY {constraint.deferrable.name}" if constraint.deferrable else ""
    )
    return f"{start} UNIQUE{_nulls(constraint)} ({columns}){deferred}"


def _nulls(constraint: Any) -> str:
    if constraint.nulls_distinct is None:
        return ""
    return " NULLS DISTINCT" if constraint.nulls_distinct else " NULLS NOT DISTINCT"


def constraint_index(model: Any, constraint: Any, dialect: Dialect) -> SchemaStatement | None:
    """The statement for a unique constraint that has to be an index; None where it has not."""
    if not isinstance(constraint, UniqueConstraint):
        return None
    if not is_index(constraint) or not is_possible(constraint, dialect):
        return None
    orders = [(name, "") for name in constraint.fields]
    what = _key_sql(model, orders, constraint.expressions, constraint.opclasses, dialect)
    what += include_sql(constraint.include, model, dialect)
    what += _nulls(constraint)
    what += condition_sql(constraint.condition, model, dialect)
    return create_index(constraint.name, model, what, dialect, unique=True)
