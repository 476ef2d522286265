"""Changing the columns of tables: fields that come, go, or become others.

1. PostgreSQL changes a column in place; what depends on it (constraints, indexes, foreign keys of
   other tables) goes before and comes back after.
2. SQLite renames in place and adds and drops plain columns; for the rest the table is made anew.
3. The model is the one before the change; the field need not belong to it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from aorm.errors import QueryValueError
from aorm.operations.changed_tables import with_fields
from aorm.operations.schema import SchemaChanges
from aorm.sql.alter import (
    add_column,
    alter_column,
    column_comment,
    default_literal,
    effective_default,
    fill_nulls,
    value_for_nulls,
)
from aorm.sql.ddl import column_sql, foreign_key_sql, is_watched
from aorm.sql.ddl_indexes import field_indexes
from aorm.sql.names import derived_name
from aorm.steps import Operation, fetch

DEPENDANTS = """
SELECT k.conname::text, n.oid::regclass::text, pg_get_constraintdef(k.oid), a.attname::text
  FROM pg_constraint k
  JOIN pg_class n ON n.oid = k.conrelid
  JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
 WHERE k.contype::text = 'f' AND k.confrelid = to_regclass($1::text) AND cardinality(k.confkey) = 1
   AND k.confkey[1] = (SELECT t.attnum FROM pg_attribute t
                        WHERE t.attrelid = k.confrelid AND t.attname = $2::text)
 ORDER BY k.conname
"""

# The sequence of a serial column; that of an identity column follows by itself.
SERIALS = """
SELECT s.oid::regclass::text
  FROM pg_class s
  JOIN pg_depend d ON d.objid = s.oid AND d.deptype::text = 'a'
   AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
  JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
 WHERE s.relkind::text = 'S' AND d.refobjid = to_regclass($1::text) AND a.attname = $2::text
"""


class FieldChanges(SchemaChanges):
    """What a schema editor does to columns; the methods ending in `ing` are operations."""

    # --- coming and going -------------------------------------------------------------

    def adding_field(self, model: Any, field: Any) -> Operation[None]:
        if field.many_to_many:
            if field.remote_field.through._meta.auto_created:
                yield from self.creating_model(field.remote_field.through)
            return
        rest = [each for each in model._meta.local_fields if each.name != field.name]
        if field.primary_key:
            rest = _without_key(rest)
        changed = with_fields(model, rest, {})
        changed = with_fields(model, [*changed._meta.local_fields, field], {})
        added = changed._meta.local_fields[-1]
        if added.db_type(self.dialect) is None:
            return
        if not self._in_place and not self._is_plain_addition(added):
            yield from self._adding_anew(model, changed, added)
            return
        parts = add_column(changed, added, self.dialect)
        yield from self.executing_all([self._altered(model, part) for part in parts])
        if added.db_comment and self.dialect.capabilities.comments:
            yield from self.executing(column_comment(model, added, self.dialect))
        self.deferred_sql.extend(field_indexes(changed, added, self.dialect))
        if self._in_place and is_watched(added):
            self.deferred_sql.append(foreign_key_sql(changed, added, self.dialect))

    def _is_plain_addition(self, field: Any) -> bool:
        """Whether ALTER TABLE of SQLite can add the column (its documentation, ADD COLUMN)."""
        if field.primary_key or field.unique:
            return False
        if field.generated:
            return not field.db_persist
        return bool(field.null and effective_default(field) is None and not field.has_db_default())

    def _adding_anew(self, model: Any, changed: Any, field: Any) -> Operation[None]:
        value = None if field.has_db_default() else default_literal(field, self.dialect)
        yield from self.remaking(model, changed, {} if value is None else {field.column: value})

    def removing_field(self, model: Any, field: Any) -> Operation[None]:
        if field.many_to_many:
            if field.remote_field.through._meta.auto_created:
                yield from self.deleting_model(field.remote_field.through)
            return
        if field.db_type(self.dialect) is None:
            return
        if self._in_place or self._is_plain_removal(model, field):
            part = f"DROP COLUMN {self.quote_name(field.column)}"
            part += " CASCADE" if self._in_place else ""
            yield from self.executing(self._altered(model, part))
        else:
            rest = [each for each in model._meta.local_fields if each.column != field.column]
            yield from self.remaking(model, with_fields(model, rest, {}), {})
        self._forget(model._meta.db_table, field.column)

    def _is_plain_removal(self, model: Any, field: Any) -> bool:
        """Whether ALTER TABLE of SQLite can drop the column (its documentation, DROP COLUMN)."""
        options = model._meta
        if options.indexes or options.constraints or options.unique_together:
            return False  # they may need it
        if any(each.generated for each in options.local_concrete_fields):
            return False
        return not (field.primary_key or field.unique or field.db_index or is_watched(field))

    # --- becoming another -------------------------------------------------------------

    def altering_field(self, model: Any, old: Any, new: Any) -> Operation[None]:
        if old.many_to_many or new.many_to_many:
            yield from self._altering_many_to_many(model, old, new)
            return
        before, after = old.db_type(self.dialect), new.db_type(self.dialect)
        if before is None and after is None:
            return
        if before is None or after is None:
            raise QueryValueError(
                f"{model._meta.object_name}.{old.name} cannot become {new!r}: only one of the two"
                " has a column. Remove the one and add the other."
            )
        # It may have been added to the model already, beside the old one or in its place.
        rest = [each for each in model._meta.local_fields if each is not new]
        fields = [new if each.name == old.name else each for each in rest]
        if new not in fields:
            fields.append(new)
        if new.primary_key and not old.primary_key:
            fields = _without_key(fields, new)
        renamed = {old.name: new.name} if old.name != new.name else {}
        changed = with_fields(model, fields, renamed)
        new = next(each for each in changed._meta.local_fields if each.name == new.name)
        if self._in_place:
            yield from self._altering_in_place(model, changed, old, new)
        else:
            yield from self._altering_anew(model, changed, old, new)

    def _renaming_column(self, model: Any, old: Any, new: Any) -> Operation[None]:
        if old.column != new.column:
            names = self.quote_name(old.column), self.quote_name(new.column)
            yield from self.executing(self._altered(model, "RENAME COLUMN {} TO {}".format(*names)))
            waiting = self.deferred_sql
            self.deferred_sql = [
                each.renamed(model._meta.db_table, old.column, new.column, *names)
                for each in waiting
            ]

    def _altering_many_to_many(self, model: Any, old: Any, new: Any) -> Operation[None]:
        before, after = (getattr(each.remote_field, "through", None) for each in (old, new))
        own = [bool(each and each._meta.auto_created) for each in (before, after)]
        if before is None or after is None or not all(own):
            if before is not None and after is not None and not any(own):
                return
            raise QueryValueError(
                f"{model._meta.object_name}.{old.name} cannot become {new!r}: many-to-many fields"
                " have tables of their own. Remove the one and add the other."
            )
        yield from self.renaming_table(before, before._meta.db_table, after._meta.db_table)
        for ask in ("m2m_field_name", "m2m_reverse_field_name"):
            names = getattr(old, ask)(), getattr(new, ask)()
            yield from self.altering_field(
                after,
                before._meta.get_field(names[0]),
                after._meta.get_field(names[1]),
            )

    def _looks(self, model: Any, field: Any) -> tuple[Any, ...]:
        """What the database knows of a field."""
        indexes = (str(text) for text in field_indexes(model, field, self.dialect))
        return (column_sql(model, field, self.dialect), *indexes)

    # --- SQLite -----------------------------------------------------------------------

    def _altering_anew(self, model: Any, changed: Any, old: Any, new: Any) -> Operation[None]:
        yield from self._renaming_column(model, old, new)
        moved = copy.copy(old)
        moved.column, moved.name = new.column, new.name
        if self._looks(changed, moved) == self._looks(changed, new):
            return
        column = self.quote_name(new.column)
        value = value_for_nulls(old, new, self.dialect)
        given = {new.column: f"coalesce({column}, {value})"} if value is not None else {}
        yield from self.remaking(changed, changed, given)

    # --- PostgreSQL -------------------------------------------------------------------

    def _altering_in_place(self, model: Any, changed: Any, old: Any, new: Any) -> Operation[None]:
        if self._stays(changed, old, new):
            return
        dependants = yield from self._dropping_dependants(model, old, new)
        yield from self._dropping_what_goes(model, old, new)
        yield from self._renaming_column(model, old, new)
        parts = list(alter_column(old, new, self.dialect))
        filled = fill_nulls(model, old, new, self.dialect)
        nulls = [part for part in parts if part.endswith("SET NOT NULL")]
        yield from self.executing_all(
            self._altered(model, part) for part in parts if part not in nulls
        )
        yield from self._changing_serials(model, old, new)
        if filled is not None:
            yield from self.executing(filled)
            # Foreign keys that wait for the commit would stand in the way of ALTER TABLE.
            yield from self.executing("SET CONSTRAINTS ALL IMMEDIATE")
        yield from self.executing_all(self._altered(model, part) for part in nulls)
        yield from self._adding_what_comes(model, changed, old, new)
        if old.db_comment != new.db_comment:
            yield from self.executing(column_comment(model, new, self.dialect))
        for name, table, definition, column in dependants:
            kind = new.rel_db_type(connection=self.dialect)
            self_column = self.quote_name(column)
            yield from self.executing(
                f"ALTER TABLE {table} ALTER COLUMN {self_column} TYPE {kind}"
                f" USING {self_column}::{kind}"
            )
            yield from self.executing(
                f"ALTER TABLE {table} ADD CONSTRAINT {self.quote_name(name)} {definition}"
            )

    def _stays(self, changed: Any, old: Any, new: Any) -> bool:
        """Whether the database would not see the difference."""
        watched = is_watched(new)
        return bool(
            old.column == new.column
            and old.db_comment == new.db_comment
            and is_watched(old) == watched
            and not (watched and self._key_changes(old, new))
            and self._looks(changed, old) == self._looks(changed, new)
        )

    def _changing_serials(self, model: Any, old: Any, new: Any) -> Operation[None]:
        """Give the sequence of a serial column the column's new type, so that it ends with it."""
        before, after = (each.db_type_suffix(connection=self.dialect) for each in (old, new))
        kind = new.db_type(self.dialect)
        if not before or before != after or kind == old.db_type(self.dialect):
            return
        table = self.quote_name(model._meta.db_table)
        rows: list[Any] = yield from fetch(SERIALS, (table, new.column))
        yield from self.executing_all(f"ALTER SEQUENCE {name} AS {kind}" for (name,) in rows)

    def _dropping_dependants(self, model: Any, old: Any, new: Any) -> Operation[list[Any]]:
        """Drop the foreign keys to a column whose type changes; the answer brings them back."""
        same = old.db_type(self.dialect) == new.db_type(self.dialect)
        if same or not (old.primary_key or old.unique) or not (new.primary_key or new.unique):
            return []
        table = self.quote_name(model._meta.db_table)
        rows: list[Any] = yield from fetch(DEPENDANTS, (table, old.column))
        for name, dependant, _, _ in rows:
            yield from self.executing(
                f"ALTER TABLE {dependant} DROP CONSTRAINT {self.quote_name(name)}"
            )
        return rows

    def _dropping_what_goes(self, model: Any, old: Any, new: Any) -> Operation[None]:
        own = {each.name for each in (*model._meta.constraints, *model._meta.indexes)}
        columns = [old.column]
        dropped: list[str] = []
        if is_watched(old):
            # What it still has to check would stand in the way of ALTER TABLE.
            yield from self.executing("SET CONSTRAINTS ALL IMMEDIATE")
        if is_watched(old) and self._key_changes(old, new):
            dropped += yield from self.finding(model, columns, foreign_key=True)
        if old.primary_key and not new.primary_key:
            dropped += yield from self.finding(model, columns, primary_key=True)
        elif old.unique and not old.primary_key and (not new.unique or new.primary_key):
            dropped += yield from self.finding(
                model, columns, own, unique=True, primary_key=False, index=False
            )
        if self._check(old) and self._check(old) != self._check(new):
            dropped += yield from self.finding(model, columns, own, check=True)
        if new.primary_key and not old.primary_key:
            key = [each.column for each in model._meta.pk_fields]
            dropped += yield from self.finding(model, key, primary_key=True)
        for name in dropped:
            yield from self.executing(
                self._altered(model, f"DROP CONSTRAINT {self.quote_name(name)} CASCADE")
            )
        yield from self._dropping_indexes(model, old, new, own)

    def _dropping_indexes(
        self, model: Any, old: Any, new: Any, own: Iterable[str]
    ) -> Operation[None]:
        before, after = (self._index_shapes(model, field) for field in (old, new))
        # Those for LIKE, and the others.
        lost = {"_pattern_ops" in shape for shape in before - after}
        if not lost:
            return
        self._forget(model._meta.db_table, old.column)
        found = yield from self.finding(model, [old.column], own, index=True, unique=False)
        for name in found:
            if name.endswith("_like") in lost:
                yield from self.executing(f"DROP INDEX IF EXISTS {self.quote_name(name)}")

    def _index_shapes(self, model: Any, field: Any) -> set[str]:
        """What the indexes of a field are over, whatever its column is called."""
        twin = copy.copy(field)
        twin.column = "column"
        return {text.partition(" (")[2] for text in field_indexes(model, twin, self.dialect)}

    def _adding_what_comes(self, model: Any, changed: Any, old: Any, new: Any) -> Operation[None]:
        column = self.quote_name(new.column)
        if new.primary_key and not old.primary_key:
            yield from self.executing(self._altered(model, f"ADD PRIMARY KEY ({column})"))
        elif new.unique and not new.primary_key and (not old.unique or old.primary_key):
            name = derived_name(model._meta.db_table, [new.column], "_uniq", self.dialect)
            part = f"ADD CONSTRAINT {self.quote_name(name)} UNIQUE ({column})"
            yield from self.executing(self._altered(model, part))
        check = self._check(new)
        if check and check != self._check(old):
            yield from self.executing(self._altered(model, f"ADD CHECK ({check})"))
        before = self._index_shapes(model, old)
        for statement in field_indexes(changed, new, self.dialect):
            twin = statement.partition(" (")[2].replace(column, '"column"')
            if twin not in before:
                yield from self.executing(statement)
        if is_watched(new) and (not is_watched(old) or self._key_changes(old, new)):
            yield from self.executing(foreign_key_sql(changed, new, self.dialect))

    def _check(self, field: Any) -> str | None:
        found: str | None = field.db_parameters(connection=self.dialect)["check"]
        return found

    def _key_changes(self, old: Any, new: Any) -> bool:
        """Whether the constraint of a foreign key is another one afterwards."""
        if not is_watched(new):
            return True
        targets = [(f.target_field.model._meta.db_table, f.target_field.column) for f in (old, new)]
        rules = [getattr(f.remote_field.on_delete, "sql", None) for f in (old, new)]
        types = [f.db_type(self.dialect) for f in (old, new)]
        return any(a != b for a, b in (targets, rules, types))


def _without_key(fields: Iterable[Any], but: Any = None) -> list[Any]:
    """Fields of which none, but one, is the primary key any more."""
    found = (each if each is but else _no_key(each) for each in fields)
    return [each for each in found if each is not None]


def _no_key(field: Any) -> Any:
    """A field that is not the primary key any more; None for a number that nobody gave."""
    if not field.primary_key:
        return field
    if field.auto_created:
        return None
    twin = copy.copy(field)
    twin.primary_key = False
    return twin
