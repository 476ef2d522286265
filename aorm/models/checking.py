"""Checking an instance against the constraints of its table, with the help of the database."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from aorm.connections import connections, run
from aorm.errors import ValidationError
from aorm.fields.base import DatabaseDefault, is_expression
from aorm.fields.constraints import CheckConstraint, UniqueConstraint
from aorm.fields.registry import hooks
from aorm.models.queryset import QuerySet
from aorm.query import building
from aorm.query.conditions import Q
from aorm.query.draft import Draft
from aorm.query.expressions import Exists, F, Slots, Value
from aorm.query.shapes import shape_of
from aorm.sql.checks import compile_check
from aorm.steps import Operation, fetch

Values = dict[str, Any]


def condition_holds(condition: Any, values: Values, model: Any, using: str) -> bool:
    """Whether a condition holds for values in the place of the model's fields.

    Args:
        condition: a Q or a conditional expression.
        values: expressions by name of field; the condition may refer to nothing else.
    """
    arguments: list[Any] = []
    for expression in values.values():
        expression.collect(arguments)

    def apply(draft: Draft, slots: Slots) -> None:
        for name, expression in values.items():
            building.annotate(draft, name, expression.parametrised(slots), select=False)

    key = ("values", tuple(values), tuple(map(shape_of, values.values())))
    queryset = QuerySet(model=model, using=using)._step(key, arguments, apply).filter(condition)
    return run(_holds(queryset, connections[using].dialect), connections[using])


def _holds(queryset: Any, dialect: Any) -> Operation[bool]:
    compiled = compile_check(queryset._query, dialect)
    if compiled.empty:
        return False
    rows = yield from fetch(compiled.sql, compiled.bind(queryset._values))
    return bool(rows)


def values_of(instance: Any, model: Any, exclude: Collection[str] | None = None) -> Values:
    """The instance's values as expressions, by name of the field of `model`."""
    excluded = frozenset(exclude or ())
    options = model._meta
    found: Values = {}
    generated = []
    for field in options.concrete_fields:
        if field.name in excluded:
            continue
        if field.generated:
            generated.append(field)
            continue
        value = getattr(instance, field.attname)
        if isinstance(value, DatabaseDefault):
            value = field.db_default
        found[field.name] = value if is_expression(value) else Value(value, field)
    for field in generated:
        if referenced(field.expression, options).isdisjoint(excluded):
            found[field.name] = replaced(field.expression, found)
    if not options.is_composite_pk and options.pk.name in found:
        found["pk"] = found[options.pk.name]
    return found


def replaced(expression: Any, values: Values) -> Any:
    """An expression with values in the place of names."""
    return expression.replaced({F(name): value for name, value in values.items()})


def referenced(expression: Any, options: Any) -> set[str]:
    """The names of the fields that an expression or a condition depends on."""
    return set(_referenced(expression, options))


def _names(expression: Any) -> Iterator[str]:
    if isinstance(expression, Q):
        yield from expression.referenced_base_fields
    else:
        for each in expression.walk():
            if isinstance(each, F):
                yield each.name.partition("__")[0]


def _referenced(expression: Any, options: Any) -> Iterator[str]:
    for name in _names(expression):
        base = options.pk.name if name == "pk" else name
        yield base
        field = options._forward_fields_map.get(base)
        if field is not None and field.generated:
            yield from _referenced(field.expression, options)


def depends_on(expression: Any, model: Any, exclude: Collection[str] | None) -> bool:
    """Whether an expression depends on a field that is left out."""
    return bool(exclude) and not referenced(expression, model._meta).isdisjoint(exclude or ())


# --- the constraints --------------------------------------------------------------------


def validate(constraint: Any, model: Any, instance: Any, exclude: Any, using: str) -> None:
    """Check one constraint.

    Raises:
        ValidationError: it is violated.
    """
    if isinstance(constraint, CheckConstraint):
        _validate_check(constraint, model, instance, exclude, using)
    elif isinstance(constraint, UniqueConstraint):
        _validate_unique(constraint, model, instance, exclude, using)


def _violation(constraint: Any) -> ValidationError:
    return ValidationError(
        constraint.get_violation_error_message(), code=constraint.violation_error_code
    )


def _validate_check(
    constraint: CheckConstraint, model: Any, instance: Any, exclude: Any, using: str
) -> None:
    values = values_of(instance, model, exclude)
    if not values.keys() >= set(_names(constraint.condition)):
        return  # it depends on a field that is left out
    # NULL is no violation, as in the database.
    if condition_holds(~Q(constraint.condition), values, model, using):
        raise _violation(constraint)


def _validate_unique(
    constraint: UniqueConstraint, model: Any, instance: Any, exclude: Any, using: str
) -> None:
    rows = model._default_manager.using(using)
    if constraint.fields:
        rows = _same_fields(constraint, rows, model, instance, exclude)
    else:
        rows = _same_expressions(constraint, rows, model, instance, exclude)
    if rows is None:
        return
    rows = instance._others(rows, model)
    if constraint.condition is None:
        if rows.exists():
            raise _not_unique(constraint, model, instance)
        return
    if depends_on(constraint.condition, model, exclude):
        return
    both = Q(constraint.condition) & Q(Exists(rows.filter(constraint.condition)))
    if condition_holds(both, values_of(instance, model, exclude), model, using):
        raise _violation(constraint)


def _not_unique(constraint: UniqueConstraint, model: Any, instance: Any) -> ValidationError:
    if constraint.fields and not constraint._has_own_message():
        error: ValidationError = instance.unique_error_message(model, constraint.fields)
        if constraint.violation_error_code is not None:
            error.code = constraint.violation_error_code
        return error
    return _violation(constraint)


def _same_fields(
    constraint: UniqueConstraint, rows: Any, model: Any, instance: Any, exclude: Any
) -> Any:
    """The rows with the same values; None where there is nothing to check."""
    excluded = exclude or ()
    options = model._meta
    values: Values = {}
    generated = []
    for name in constraint.fields:
        if name in excluded:
            return None
        field = options.get_field(name)
        if field.generated:
            if depends_on(field.expression, model, exclude):
                return None
            generated.append(field)
            continue
        value = getattr(instance, field.attname)
        if isinstance(value, DatabaseDefault):
            value = field.db_default
        if value is None and constraint.nulls_distinct is not False:
            return None
        values[field.name] = value
    if generated:
        known = values_of(instance, model, exclude)
        values |= {field.name: known[field.name] for field in generated}
    return rows.filter(**values)


def _same_expressions(
    constraint: UniqueConstraint, rows: Any, model: Any, instance: Any, exclude: Any
) -> Any:
    if any(depends_on(each, model, exclude) for each in constraint.expressions):
        return None
    values = values_of(instance, model, exclude)
    for number, expression in enumerate(constraint.expressions):
        plain = getattr(expression, "get_expression_for_validation", lambda e=expression: e)()
        mine, own = f"_row_{number}", f"_instance_{number}"
        rows = rows.alias(**{mine: plain, own: replaced(plain, values)})
        same = Q(**{mine: F(own)})
        if constraint.nulls_distinct is False:
            same |= Q(**{f"{mine}__isnull": True, f"{own}__isnull": True})
        rows = rows.filter(same)
    return rows


hooks.validate_constraint = validate
