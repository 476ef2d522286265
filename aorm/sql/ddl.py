"""CREATE TABLE and DROP TABLE for models, in an order in which they can run.

1. Tables come before the tables that refer to them; where references go in a circle, the order
   of the models decides.
2. Foreign keys stand inside CREATE TABLE where a database has no other way, and at the end
   otherwise, so that circles need no thought.  They are checked when a transaction ends.
3. The tables of automatic many-to-many models come with the models that declare the fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from aorm.errors import FieldError
from aorm.fields.base import is_expression
from aorm.fields.relations import is_composite_relation
from aorm.query.expressions import Value
from aorm.sql.ddl_indexes import (
    constraint_index,
    create_index,
    field_indexes,
    index_sql,
    table_constraint,
    tablespace_sql,
)
from aorm.sql.dialect import Dialect
from aorm.sql.inline import inline_sql
from aorm.sql.literals import literal, text_literal
from aorm.sql.names import derived_name, own_name
from aorm.sql.statements import SchemaStatement
from aorm.sql.writes import names

# --- which tables, in which order ------------------------------------------------


def with_tables(models: Iterable[Any]) -> list[Any]:
    """The models that have tables of their own, and the automatic ones that belong to them."""
    found: dict[Any, None] = {}
    for model in models:
        if not _has_table(model):
            continue
        found[model] = None
        for field in model._meta.local_many_to_many:
            through = field.remote_field.through
            if through._meta.auto_created and _has_table(through):
                found[through] = None
    return list(found)


def _has_table(model: Any) -> bool:
    opts = model._meta
    return bool(opts.managed and not opts.proxy and not opts.abstract and not opts.swapped)


def in_order(models: Iterable[Any]) -> list[Any]:
    """The models, each behind those that its table refers to."""
    waiting = dict.fromkeys(models)
    by_table = {model._meta.db_table: model for model in waiting}
    done: dict[Any, None] = {}

    def place(model: Any, above: frozenset[Any]) -> None:
        if model in done or model in above:
            return
        tables = [field.target_field.model._meta.db_table for field in foreign_keys(model)]
        tables += [field.related_model._meta.db_table for field in composite_keys(model)]
        for table in tables:
            target = by_table.get(table)
            if target is not None:
                place(target, above | {model})
        done[model] = None

    for model in waiting:
        place(model, frozenset())
    return list(done)


def foreign_keys(model: Any) -> Iterator[Any]:
    """The fields of a model whose columns refer to another column."""
    for field in model._meta.local_concrete_fields:
        if field.is_relation and field.remote_field and hasattr(field, "target_field"):
            yield field


def composite_keys(model: Any) -> Iterator[Any]:
    """The relations of a model over several columns that the database watches over."""
    for field in model._meta.local_fields:
        if is_composite_relation(field) and field.db_constraint:
            yield field


# --- columns ---------------------------------------------------------------------


def column_sql(model: Any, field: Any, dialect: Dialect) -> str | None:
    """The definition of a column; None for a field that has none in this database."""
    parameters = field.db_parameters(connection=dialect)
    if parameters["type"] is None:
        if field.is_relation and getattr(field.related_model._meta, "is_composite_pk", False):
            raise FieldError(
                f"{model._meta.object_name}.{field.name} cannot be one column: the primary key of"
                f" {field.related_model._meta.object_name} has several. Use ForeignObject(to,"
                " on_delete, from_fields=[...], to_fields=[...]) over fields of its own."
            )
        return None
    parts = [str(dialect.quote(field.column)), parameters["type"]]
    if parameters.get("collation"):
        parts.append(f"COLLATE {dialect.quote(parameters['collation'])}")
    if field.has_db_default():
        parts.append(f"DEFAULT {default_sql(field, dialect)}")
    if field.generated:
        parts.append(_generated(model, field, dialect))
    elif not field.null or field.primary_key:
        parts.append("NOT NULL")
    parts.extend(_key_parts(model, field, dialect))
    if parameters["check"]:
        parts.append(f"CHECK ({parameters['check']})")
    if dialect.capabilities.inline_foreign_keys_only and is_watched(field):
        parts.append(_references(field, dialect))
    return " ".join(parts)


def _key_parts(model: Any, field: Any, dialect: Dialect) -> Iterator[str]:
    if field.primary_key:
        yield "PRIMARY KEY"
    elif field.unique:
        yield "UNIQUE"
    if field.primary_key or field.unique:
        place = field.db_tablespace or model._meta.db_tablespace
        space = tablespace_sql(place, dialect, "USING INDEX ")
        if space:
            yield space.strip()
    suffix = field.db_type_suffix(connection=dialect)
    if suffix:
        yield suffix


def default_sql(field: Any, dialect: Dialect) -> str:
    """The DEFAULT of a column: a literal, or an expression in parentheses."""
    default = field.db_default
    if type(default) is Value and not is_expression(default.value):
        default = default.value
    if is_expression(default):
        return f"({inline_sql(default, field.model, dialect)})"
    return literal(default, dialect, field)


def _generated(model: Any, field: Any, dialect: Dialect) -> str:
    how = "STORED" if field.db_persist else "VIRTUAL"
    return f"GENERATED ALWAYS AS ({inline_sql(field.expression, model, dialect)}) {how}"


# --- foreign keys ----------------------------------------------------------------


def is_watched(field: Any) -> bool:
    """Whether the database sees to it that what a field refers to is there."""
    return bool(field.is_relation and field.remote_field and getattr(field, "db_constraint", False))


def _references(field: Any, dialect: Dialect) -> str:
    target = field.target_field
    rule = getattr(field.remote_field.on_delete, "sql", None)
    on_delete = f" ON DELETE {rule}" if rule else ""
    table = dialect.quote(target.model._meta.db_table)
    column = dialect.quote(target.column)
    return f"REFERENCES {table} ({column}){on_delete} DEFERRABLE INITIALLY DEFERRED"


def composite_key_sql(model: Any, field: Any, dialect: Dialect) -> str:
    """The constraint of a relation over several columns, as a part of a table."""
    target = field.related_model._meta
    rule = getattr(field.remote_field.on_delete, "sql", None)
    suffix = f"_fk_{own_name(target.db_table)}"
    columns = [each.column for each in field.local_related_fields]
    name = dialect.quote(derived_name(model._meta.db_table, columns, suffix, dialect))
    return (
        f"CONSTRAINT {name} FOREIGN KEY ({names(field.local_related_fields, dialect)}) REFERENCES"
        f" {dialect.quote(target.db_table)} ({names(field.foreign_related_fields, dialect)})"
        f"{f' ON DELETE {rule}' if rule else ''} DEFERRABLE INITIALLY DEFERRED"
    )


def foreign_key_sql(model: Any, field: Any, dialect: Dialect) -> SchemaStatement:
    """The statement that adds the constraint of a foreign key."""
    target = field.target_field
    suffix = f"_fk_{own_name(target.model._meta.db_table)}_{target.column}"
    name = dialect.quote(derived_name(model._meta.db_table, [field.column], suffix, dialect))
    added = (
        f"ADD CONSTRAINT {name} FOREIGN KEY ({dialect.quote(field.column)})"
        f" {_references(field, dialect)}"
    )
    return _key_statement(model, field, added, dialect)


def _key_statement(model: Any, field: Any, added: str, dialect: Dialect) -> SchemaStatement:
    table = model._meta.db_table
    own = field.local_related_fields
    return SchemaStatement(
        f"ALTER TABLE {dialect.quote(table)} {added}",
        table=table,
        columns=tuple(each.column for each in own),
        target=field.related_model._meta.db_table,
        target_columns=tuple(each.column for each in field.foreign_related_fields),
    )


# --- tables ----------------------------------------------------------------------


def table_sql(model: Any, dialect: Dialect) -> list[str]:
    """The statements that make a table and its indexes, without separate foreign keys."""
    return [
        create_table_sql(model, dialect),
        *comments_sql(model, dialect),
        *together_indexes(model, dialect),
        *model_indexes(model, dialect),
        *unique_indexes(model, dialect),
    ]


def create_table_sql(model: Any, dialect: Dialect, table: str | None = None) -> str:
    """CREATE TABLE; `table` is another name than the model's."""
    opts = model._meta
    columns = (column_sql(model, field, dialect) for field in opts.local_concrete_fields)
    parts = [text for text in columns if text]
    if opts.is_composite_pk:
        parts.append(f"PRIMARY KEY ({names(opts.pk_fields, dialect)})")
    inline = dialect.capabilities.inline_foreign_keys_only
    if not inline:
        parts.extend(together_constraint(model, group, dialect) for group in opts.unique_together)
    parts.extend(
        text for each in opts.constraints if (text := table_constraint(model, each, dialect))
    )
    if inline:
        parts.extend(composite_key_sql(model, field, dialect) for field in composite_keys(model))
    space = tablespace_sql(opts.db_tablespace, dialect)
    return f"CREATE TABLE {dialect.quote(table or opts.db_table)} ({', '.join(parts)}){space}"


def model_indexes(model: Any, dialect: Dialect) -> Iterator[SchemaStatement]:
    """The statements that make the indexes of the fields, and those of `Meta.indexes`."""
    for field in model._meta.local_concrete_fields:
        if field.db_type(dialect) is not None:
            yield from field_indexes(model, field, dialect)
    for index in model._meta.indexes:
        yield index_sql(model, index, dialect)


def unique_indexes(model: Any, dialect: Dialect) -> Iterator[SchemaStatement]:
    """The statements for the unique constraints that have to be indexes."""
    for constraint in model._meta.constraints:
        made = constraint_index(model, constraint, dialect)
        if made is not None:
            yield made


def together_indexes(model: Any, dialect: Dialect) -> Iterator[SchemaStatement]:
    """`unique_together` as indexes, where a table cannot be given constraints later."""
    if dialect.capabilities.inline_foreign_keys_only:
        for group in model._meta.unique_together:
            yield together_index(model, group, dialect)


def together_index(model: Any, group: Iterable[str], dialect: Dialect) -> SchemaStatement:
    """One entry of `unique_together` as a unique index."""
    name, columns = _together(model, group, dialect)
    return create_index(name, model, f"({columns})", dialect, unique=True)


def together_constraint(model: Any, group: Iterable[str], dialect: Dialect) -> str:
    """One entry of `unique_together` as a part of CREATE TABLE."""
    name, columns = _together(model, group, dialect)
    return f"CONSTRAINT {dialect.quote(name)} UNIQUE ({columns})"


def _together(model: Any, group: Iterable[str], dialect: Dialect) -> tuple[str, str]:
    """The name and the quoted columns of one entry of `unique_together`."""
    fields = [model._meta.get_field(name) for name in group]
    columns = [field.column for field in fields]
    name = derived_name(model._meta.db_table, columns, "_uniq", dialect)
    return name, names(fields, dialect)


def comments_sql(model: Any, dialect: Dialect) -> Iterator[str]:
    """The statements that comment the table and its columns."""
    if not dialect.capabilities.comments:
        return
    opts = model._meta
    table = dialect.quote(opts.db_table)
    if opts.db_table_comment:
        yield f"COMMENT ON TABLE {table} IS {text_literal(opts.db_table_comment)}"
    for field in opts.local_concrete_fields:
        if field.db_comment:
            column = f"{table}.{dialect.quote(field.column)}"
            yield f"COMMENT ON COLUMN {column} IS {text_literal(field.db_comment)}"


def create_sql(models: Iterable[Any], dialect: Dialect) -> list[str]:
    """The statements that make the tables of these models."""
    ordered = in_order(with_tables(models))
    statements = [text for model in ordered for text in table_sql(model, dialect)]
    return statements + [text for model in ordered for text in keys_sql(model, dialect)]


def keys_sql(model: Any, dialect: Dialect) -> Iterator[SchemaStatement]:
    """The statements that add a model's foreign keys to its table, which is there."""
    if dialect.capabilities.inline_foreign_keys_only:
        return
    for field in foreign_keys(model):
        if is_watched(field) and field.db_type(dialect) is not None:
            yield foreign_key_sql(model, field, dialect)
    for field in composite_keys(model):
        text = composite_key_sql(model, field, dialect)
        yield _key_statement(model, field, f"ADD {text}", dialect)


def drop_sql(models: Iterable[Any], dialect: Dialect) -> list[str]:
    """The statements that drop the tables of these models, those that refer to others first."""
    # Without inline keys a circle is cut by dropping the constraints along with the table.
    cascade = "" if dialect.capabilities.inline_foreign_keys_only else " CASCADE"
    return [
        f"DROP TABLE IF EXISTS {dialect.quote(model._meta.db_table)}{cascade}"
        for model in reversed(in_order(with_tables(models)))
    ]
