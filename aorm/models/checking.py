"""Checking an instance against the constraints of its table, with the help of the database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
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
from aorm.query.expressions import F, RawSQL, Slots, Value
from aorm.query.functions.comparison import Cast
from aorm.query.shapes import shape_of
from aorm.sql.checks import compile_check
from aorm.steps import Operation, fetch

Values = dict[str, Any]
# Stands before the names of the checked instance's values among those of the rows.
OWN = "_own_"


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
    start: QuerySet[Any] = QuerySet(model=model, using=using)
    queryset = start._step(key, arguments, apply).filter(condition)
    return run(_holds(queryset, connections[using].dialect), connections[using], False)


def _holds(queryset: Any, dialect: Any) -> Operation[bool]:
    compiled = compile_check(queryset._query, dialect)
    if compiled.empty:
        return False
    rows = yield from fetch(compiled.sql, compiled.bind(queryset._values))
    return bool(rows)


def values_of(instance: Any, model: Any, exclude: Collection[str] | None = None) -> Values:
    """The instance's values as expressions, by name of the field of `model`.

    Generated fields come last, as expressions over the names of the others.
    """
    excluded = frozenset(exclude or ())
    options = model._meta
    found: Values = {}
    for field in options.concrete_fields:
        if field.name in excluded or field.generated:
            continue
        value = getattr(instance, field.attname)
        if isinstance(value, DatabaseDefault):
            value = field.db_default
        found[field.name] = value if is_expression(value) else _value(value, field)
    for name in list(found):
        field = options.get_field(name)
        found.setdefault(field.attname, found[name])
        if field is options.pk and "pk" not in excluded:
            found["pk"] = found[name]
    for field in options.fields:
        local: Sequence[Any] = getattr(field, "local_related_fields", ())
        if not field.concrete and len(local) == 1 and local[0].name in found:
            # A relation over the column of another field.
            found.setdefault(field.name, found[local[0].name])
    for field in options.concrete_fields:
        if not field.generated or field.name in excluded:
            continue
        if referenced(field.expression, options).isdisjoint(excluded):
            found[field.name] = field.expression
    return found


def _value(value: Any, field: Any) -> Any:
    if value is None:
        # NULL of the field's type: None would be a value of its own for JSON.
        return Cast(Value(None), field)
    return Value(value, field)


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
    if any(isinstance(each, RawSQL) for each in constraint.condition.walk()):
        return  # it names columns that are not there
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
    values = values_of(instance, model, exclude)
    if not values.keys() >= set(_names(constraint.condition)):
        return
    if condition_holds(constraint.condition, values, model, using) and (
        rows.filter(constraint.condition).exists()
    ):
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
    options = model._meta
    given: dict[str, Any] = {}
    generated = []
    for name in constraint.fields:
        field = options.get_field(name)
        if name in (exclude or ()):
            return None
        if field.generated:
            if depends_on(field.expression, model, exclude):
                return None
            generated.append((field.name, F(f"{OWN}{field.name}")))
            continue
        value = getattr(instance, field.attname)
        if isinstance(value, DatabaseDefault):
            value = field.db_default
        if value is None and constraint.nulls_distinct is not False:
            return None
        given[field.name] = value
    rows = rows.filter(**given)
    if not generated:
        return rows
    return _alike(constraint, with_own(rows, values_of(instance, model, exclude)), generated)


def _same_expressions(
    constraint: UniqueConstraint, rows: Any, model: Any, instance: Any, exclude: Any
) -> Any:
    expressions = list(map(_plain, constraint.expressions))
    if any(depends_on(each, model, exclude) for each in expressions):
        return None
    rows = with_own(rows, values_of(instance, model, exclude))
    pairs = []
    for number, expression in enumerate(expressions):
        mine, own = f"_row_{number}", f"_instance_{number}"
        rows = rows.alias(**{mine: expression, own: expression.prefixed(OWN)})
        pairs.append((mine, F(own)))
    return _alike(constraint, rows, pairs)


def _plain(expression: Any) -> Any:
    """An expression without what only an index has, such as its direction."""
    if isinstance(expression, str):
        return F(expression)
    while not getattr(expression, "constraint_validation_compatible", True):
        expression = expression.get_expression_for_validation()
    return expression


def with_own(rows: Any, values: Values) -> Any:
    """The rows, beside which the instance's values have names of their own."""
    for name, expression in values.items():
        rows = rows.alias(**{f"{OWN}{name}": expression.prefixed(OWN)})
    return rows


def _alike(constraint: UniqueConstraint, rows: Any, pairs: list[tuple[str, Any]]) -> Any:
    for mine, own in pairs:
        same = Q((mine, own))
        if constraint.nulls_distinct is False:
            same |= Q((f"{mine}__isnull", True), (f"{own.name}__isnull", True))
        rows = rows.filter(same)
    return rows


hooks.validate_constraint = validate
