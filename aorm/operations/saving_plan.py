"""What saving has to know about a model, found once."""

from __future__ import annotations

from typing import Any

from aorm.errors import QueryValueError
from aorm.fields.order_wrt import group_attnames
from aorm.sql.dialect import Dialect
from aorm.sql.late import versions, writes

_PLAN = "saving_plan"


class Plan:
    """What saving has to know about a model.

    Attributes:
        options: those of the table, which a proxy shares.
        relations: attribute of the kept object, and the field, of each foreign key.
        settling: fields with more to do before an instance is saved: an operation `settle`.
        stored: the attnames that an instance which was loaded completely holds.
        pk: the attname of a primary key of one column, else None.
        key_is_made: where it is missing, Python has nothing to put in its place.
        plain: one table and a key of one column, so that saving mostly is one statement.
        pk_by_default: each column of the primary key has a default, so that a new instance is
            inserted without trying an update.
        order: the columns that objects have in common which are ordered together, or None.
        tracked: whether the instances remember what was saved.
        version: the column that counts changes, where this table has it.
        named, parts: what `update_fields` may name, by the names: see `attnames` and `part`.
        asked: the same by the names as they were given, in their order: see `way`.
    """

    __slots__ = (
        "asked",
        "auto",
        "key_is_made",
        "model",
        "named",
        "options",
        "order",
        "parents",
        "parts",
        "pk",
        "pk_by_default",
        "plain",
        "relations",
        "settling",
        "signals",
        "stored",
        "tracked",
        "version",
    )

    def __init__(self, model: Any) -> None:
        options = model._meta
        self.model = model
        self.options = options.concrete_model._meta
        self.relations = [
            (field.cache_attname, field)
            for field in (*options.concrete_fields, *options.private_fields)
            if field.is_relation and hasattr(field, "cache_attname")
        ]
        self.settling = [field for field in options.private_fields if hasattr(field, "settle")]
        self.stored = frozenset(
            field.attname for field in options.concrete_fields if not field.generated
        )
        self.parents = bool(self.options.parents)
        self.order = group_attnames(self.options)
        self.version = self.options.own_version_field
        self.pk = None if options.is_composite_pk else self.options.pk.attname
        self.pk_by_default = all(
            field.has_default() or field.has_db_default() for field in self.options.pk_fields
        )
        self.key_is_made = self.pk is not None and not self.options.pk.has_default()
        auto = self.options.auto_field
        self.auto = auto if auto is not None and auto in self.options.pk_fields else None
        self.signals = not options.auto_created
        self.tracked = options.track_changes
        more = (self.parents, self.settling, self.order, self.tracked, self.version is not None)
        self.plain = self.key_is_made and not (self.pk_by_default or any(more))
        self.parts: dict[Any, writes.Updater] = {}
        self.named: dict[frozenset[str], frozenset[str]] = {}
        self.asked: dict[Any, tuple[frozenset[str], frozenset[str], writes.Updater]] = {}

    def attnames(self, names: frozenset[str]) -> frozenset[str]:
        """The attnames of the columns that `update_fields` names.

        Raises:
            ValueError: a name is no column that can be updated.
        """
        found = self.named.get(names)
        if found is None:
            _check_names(self.model._meta, names)
            found = self.named[names] = frozenset(
                field.attname
                for field in self.model._meta.concrete_fields
                if not field.generated and (field.name in names or field.attname in names)
            )
        return found

    def part(self, names: frozenset[str] | None, dialect: Dialect) -> writes.Updater:
        """The UPDATE of those columns of the table that are named (None: all), made once."""
        found = self.parts.get((names, dialect))
        if found is None:
            local = self.options.local_concrete_fields
            chosen = [
                field
                for field in local
                if not field.generated
                and field not in self.options.pk_fields
                and (names is None or field.name in names or field.attname in names)
            ]
            made = [field for field in local if field.generated]
            if self.version is None:
                found = writes.updater(self.options, chosen, dialect, made if chosen else ())
            else:
                found = versions.counting_updater(self.options, chosen, dialect, self.version, made)
            self.parts[names, dialect] = found
        return found

    def way(
        self, names: list[str], dialect: Dialect
    ) -> tuple[frozenset[str], frozenset[str], writes.Updater]:
        """For names that `update_fields` gives: these as a set, their attnames, and the UPDATE.

        Raises:
            ValueError: a name is no column that can be updated.
        """
        key = (dialect, *names)
        found = self.asked.get(key)
        if found is None:
            chosen = frozenset(names)
            found = (chosen, self.attnames(chosen), self.part(chosen, dialect))
            if len(chosen) == len(names):
                self.asked[key] = found
        return found


def _check_names(options: Any, names: frozenset[str]) -> None:
    unknown = names - options._non_pk_concrete_field_names
    if unknown:
        raise QueryValueError(
            "The following fields do not exist in this model, are m2m fields, primary keys, "
            f"or are non-concrete fields: {', '.join(sorted(unknown))}; "
            f"{options.object_name} has "
            f"{', '.join(sorted(options._non_pk_concrete_field_names))}"
        )


def plan_of(model: Any) -> Plan:
    """The model's plan, made once."""
    derived = model._meta.derived
    found: Plan | None = derived.get(_PLAN)
    if found is None:
        found = derived[_PLAN] = Plan(model)
    return found
