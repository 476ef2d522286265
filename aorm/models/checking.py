"""Checking an instance against the constraints of its table, with the help of the database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from aorm.connections import arun, connections, run
from aorm.errors import DatabaseError, ValidationError
from aorm.fields.base import DatabaseDefault, is_expression
from aorm.fields.constraints import CheckConstraint, UniqueConstraint
from aorm.fields.registry import Apps, hooks
from aorm.late import logging
from aorm.models.queryset import QuerySet
from aorm.query import building
from aorm.query.conditions import Q
from aorm.query.draft import Draft
from aorm.query.expressions import F, RawSQL, Slots, Value, value_or_expression
from aorm.query.functions.comparison import Cast
from aorm.query.joins import Join
from aorm.query.shapes import shape_of
from aorm.sql.late import checks
from aorm.steps import Operation, fetch, in_block

Values = dict[str, Any]
# Stands before the names of the checked instance's values among those of the rows.
OWN = "_own_"
_VALUES = "values"


def condition_holds(condition: Any, values: Values, model: Any, using: str) -> bool:
    """Whether a condition holds for values in the place of the model's fields.

    Args:
        condition: a Q or a conditional expression.
        values: expressions by name of field; the condition may refer to nothing else.
    """
    queryset = _with_values(model, values).filter(condition)
    return run(_holds(queryset, connections[using].dialect), connections[using], False)


def _with_values(model: Any, values: Values, alone: bool = False) -> QuerySet[Any]:
    """A QuerySet in which names are values; `alone`: these, and no fields of the model."""
    arguments: list[Any] = []
    for expression in values.values():
        expression.collect(arguments)

    def apply(draft: Draft, slots: Slots) -> None:
        if alone:
            draft.joins = {_VALUES: Join(_VALUES, _VALUES, derived=True, heading=tuple(values))}
            draft.refs = {_VALUES: 1}
        for name, expression in values.items():
            building.annotate(draft, name, expression.parametrised(slots), select=False)

    key = (_VALUES, alone, tuple(values), tuple(map(shape_of, values.values())))
    start: QuerySet[Any] = QuerySet(model=model)
    return start._step(key, arguments, apply)


def _holds(queryset: Any, dialect: Any) -> Operation[bool]:
    compiled = checks.compile_check(queryset._query, dialect)
    if compiled.empty:
        return False
    rows = yield from fetch(compiled.sql, compiled.bind(queryset._values))
    return bool(rows)


# --- conditions over values that belong to no model ----------------------------------------


@cache
def _no_model() -> Any:
    """The model of queries that have no table."""
    meta = type("Meta", (), {"app_label": "aorm", "managed": False, "apps": Apps()})
    return type(hooks.model)("Values", (hooks.model,), {"__module__": __name__, "Meta": meta})


def _checked(condition: Q, against: Mapping[str, Any], using: str) -> Operation[bool]:
    values = {name: value_or_expression(value) for name, value in against.items()}
    queryset = _with_values(_no_model(), values, alone=True).filter(condition)
    return _holds_or_unknown(queryset, connections[using].dialect, condition)


def _holds_or_unknown(queryset: Any, dialect: Any, condition: Q) -> Operation[bool]:
    try:
        return (yield from in_block(_holds(queryset, dialect)))
    except DatabaseError as error:
        log = logging.getLogger("aorm.models")
        log.warning("Got a database error calling check() on %r: %s", condition, error)
        return True


def check(condition: Q, against: Mapping[str, Any], using: str) -> bool:
    """Whether a condition holds for values by their names; see `Q.check`."""
    return run(_checked(condition, against, using), connections[using], False)


async def acheck(condition: Q, against: Mapping[str, Any], using: str) -> bool:
    return await arun(_checked(condition, against, using), connections[using], False)


hooks.check, hooks.acheck = check, acheck


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
