"""From the parts of a name (`author`, `country`, `name`) to steps between models."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from aorm.errors import FieldDoesNotExist, FieldError, listed
from aorm.records import Record

LOOKUP_SEP = "__"


class MultiJoin(Exception):
    """A to-many relation stands at this place of the name, where none is allowed."""

    def __init__(self, level: int, names_with_path: list[tuple[str, list[Any]]]) -> None:
        super().__init__(level)
        self.level = level
        self.names_with_path = names_with_path


class Path(Record):
    """The steps to a field, the field, its target columns, and the parts that are no fields."""

    steps: list[Any]
    final_field: Any
    targets: tuple[Any, ...]
    rest: list[str]


class JoinInfo(Record):
    """Where a name led to: joined tables, the field, and how to apply its transforms."""

    final_field: Any
    targets: tuple[Any, ...]
    opts: Any
    joins: list[str]
    path: list[Any]
    transform: Callable[[Any, str], Any]


def choices(opts: Any, annotations: Collection[str]) -> str:
    """The names that a query of this model knows, for a message."""
    names = set(annotations)
    for field in opts.get_fields():
        if not getattr(field, "hidden", False):
            names.add(field.name)
            if getattr(field, "concrete", False):
                names.add(field.attname)
    return listed(names)


def names_to_path(
    names: Sequence[str],
    opts: Any,
    annotations: Mapping[str, Any],
    relations: Mapping[str, Any],
    *,
    allow_many: bool = True,
    fail_on_missing: bool = False,
) -> Path:
    """Follow names from a model as far as they are fields.

    Raises FieldError where the first name is no field (or any, under `fail_on_missing`), and
    MultiJoin at a to-many relation unless `allow_many`.
    """
    steps: list[Any] = []
    names_with_path: list[tuple[str, list[Any]]] = []
    final_field: Any = None
    targets: tuple[Any, ...] = ()
    position = -1
    for position, name in enumerate(names):
        filtered = relations.get(name) if position == 0 else None
        if filtered is not None:
            infos = filtered_steps(filtered, opts, relations)
            _refuse_many(infos, allow_many, position, names_with_path, name, [])
            steps.extend(infos)
            names_with_path.append((name, infos))
            final_field, targets = infos[-1].join_field, infos[-1].target_fields
            opts = infos[-1].to_opts
            continue
        field = _field(name, opts, annotations if position == 0 else {})
        if field is None:
            position -= 1
            if position == -1 or fail_on_missing:
                raise FieldError(
                    f"Cannot resolve keyword {name!r} into field. Choices are:"
                    f" {choices(opts, annotations if position <= 0 else ())}"
                )
            break
        current: list[Any] = []
        if field.is_relation and not getattr(field, "related_model", None):
            raise FieldError(
                f"Field {name!r} does not generate an automatic reverse relation and therefore"
                " cannot be used for reverse querying. If it is a GenericForeignKey, consider"
                " adding a GenericRelation."
            )
        model = getattr(getattr(field, "model", None), "_meta", None)
        if model is not None and model.concrete_model is not opts.concrete_model:
            parents = opts.get_path_to_parent(model.concrete_model)
            if parents:
                steps.extend(parents)
                current.extend(parents)
                targets = parents[-1].target_fields
                final_field = parents[-1].join_field
                opts = parents[-1].to_opts
        if hasattr(field, "path_infos"):
            infos = list(field.path_infos)
            _refuse_many(infos, allow_many, position, names_with_path, name, current)
            steps.extend(infos)
            current.extend(infos)
            names_with_path.append((name, current))
            final_field, targets = infos[-1].join_field, infos[-1].target_fields
            opts = infos[-1].to_opts
        else:
            final_field, targets = field, (field,)
            if fail_on_missing and position + 1 != len(names):
                raise FieldError(
                    f"Cannot resolve keyword {names[position + 1]!r} into field. Join on"
                    f" {name!r} not permitted."
                )
            break
    return Path(steps, final_field, targets, list(names[position + 1 :]))


def _refuse_many(
    infos: Sequence[Any],
    allow_many: bool,
    position: int,
    names_with_path: list[tuple[str, list[Any]]],
    name: str,
    current: list[Any],
) -> None:
    """MultiJoin where a step is to-many and none is allowed."""
    if allow_many:
        return
    for inner, info in enumerate(infos):
        if info.m2m:
            names_with_path.append((name, [*current, *infos[: inner + 1]]))
            raise MultiJoin(position + 1, names_with_path)


def filtered_steps(route: Any, opts: Any, relations: Mapping[str, Any]) -> list[Any]:
    """The steps of a filtered relation; the last one is marked with its name."""
    others = {name: each for name, each in relations.items() if name != route.name}
    path = names_to_path(route.relation_name.split(LOOKUP_SEP), opts, {}, others)
    *steps, last = path.steps
    return [*steps, last.replaced(filtered_relation=route.name)]


def _field(name: str, opts: Any, annotations: Mapping[str, Any]) -> Any:
    if name == "pk" and opts.pk is not None:
        name = opts.pk.name
    try:
        return opts.get_field(name)
    except FieldDoesNotExist:
        return annotations[name].output_field if name in annotations else None
