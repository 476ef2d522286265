"""What a database can do.  What is not named, it cannot."""

from __future__ import annotations

from aorm.records import Record


class Capabilities(Record):
    """The answers that SQL building asks for, instead of asking which database it is."""

    lateral: bool = False  # joined subqueries may look at the rows before them
    last_row_id: bool = False  # the key of an inserted row is known without RETURNING
    array_parameters: bool = False  # a list is one parameter: = ANY($1)
    ilike_is_default: bool = False  # LIKE ignores case
    returning: bool = True
    distinct_on: bool = False
    select_for_update: bool = False
    select_for_update_of: bool = False
    select_for_no_key_update: bool = False
    native_duration: bool = False
    native_json: bool = False
    native_uuid: bool = False
    native_boolean: bool = False
    deferrable_constraints: bool = False
    nulls_are_largest: bool = False
    covering_indexes: bool = False
    index_operator_classes: bool = False
    nulls_distinct: bool = False
    virtual_generated_columns: bool = True
    stored_generated_columns: bool = True
    comments: bool = False
    tablespaces: bool = False
    inline_foreign_keys_only: bool = False  # no ALTER TABLE .. ADD CONSTRAINT
    aggregate_order_by: bool = False
    distinct_on_many: bool = False
    group_by_primary_key: bool = False  # the key stands for all columns of its table
    typed_parameters: bool = False  # a parameter outside of a comparison needs a cast
    time_zones: bool = False
    copy: bool = False  # COPY .. FROM STDIN, COPY (..) TO STDOUT
    max_parameters: int | None = None
