"""What a query is made of."""

from __future__ import annotations

from typing import Any

from aorm.query.conditions import Where
from aorm.query.joins import Join
from aorm.records import Record


class Fixed(Record):
    """A number of rows that belongs to the structure, such as the two that `get()` looks at."""

    number: int


class State:
    """All that makes up a query; `Query` is the immutable form and `Draft` the mutable one."""

    __slots__ = (
        "alias_prefix",
        "annotation_mask",
        "annotations",
        "assignments",
        "combinator",
        "combined",
        "database",
        "default_cols",
        "default_ordering",
        "deferred",
        "distinct",
        "distinct_fields",
        "empty",
        "external_aliases",
        "filter_is_sticky",
        "filtered_relations",
        "form",
        "group_by",
        "hidden",
        "inner",
        "joins",
        "limit",
        "limit_one",
        "lock",
        "model",
        "offset",
        "order_by",
        "per",
        "refs",
        "returning",
        "select",
        "select_related",
        "slots",
        "standard_ordering",
        "subquery",
        "tables",
        "used_aliases",
        "values_names",
        "where",
    )
    model: Any
    joins: dict[str, Join]
    refs: dict[str, int]
    where: Any
    annotations: dict[str, Any]
    annotation_mask: tuple[str, ...] | None
    select: tuple[Any, ...]
    default_cols: bool
    form: tuple[str, Any]
    values_names: tuple[str, ...]
    group_by: Any
    order_by: tuple[Any, ...]
    default_ordering: bool
    standard_ordering: bool
    distinct: bool
    distinct_fields: tuple[str, ...]
    limit: int | Fixed | None
    offset: int | None
    limit_one: bool
    # Columns: the limits are those of each group of rows that have the same values.
    per: tuple[Any, ...]
    lock: tuple[Any, ...] | None
    deferred: tuple[frozenset[str], bool]
    select_related: Any
    empty: bool
    slots: int
    subquery: bool
    alias_prefix: str
    external_aliases: frozenset[str]
    used_aliases: frozenset[str]
    filter_is_sticky: bool
    filtered_relations: dict[str, Any]
    combinator: tuple[str, bool] | None
    combined: tuple[Any, ...]
    inner: Any
    assignments: tuple[tuple[Any, Any], ...]
    # A query of the model: its columns are what UPDATE or DELETE gives back.
    returning: Any
    # Expressions that are selected behind all others, and are no part of the results.
    hidden: tuple[Any, ...]
    # Common tables, for WITH.
    tables: tuple[Any, ...]
    # The alias of the only database that can answer: a subquery was meant for it.
    database: str | None

    def start(self, model: Any) -> None:
        """Become the query for all rows of a model."""
        self.model = model
        self.joins, self.refs = {}, {}
        self.where = Where()
        self.annotations, self.annotation_mask = {}, None
        self.select, self.default_cols, self.values_names = (), True, ()
        self.form = ("model", None)
        self.group_by = None
        self.order_by, self.default_ordering, self.standard_ordering = (), True, True
        self.distinct, self.distinct_fields = False, ()
        self.limit = self.offset = None
        self.limit_one = False
        self.per = ()
        self.lock = None
        self.deferred = (frozenset(), True)
        self.select_related = False
        self.empty = False
        self.slots = 0
        self.subquery = False
        self.alias_prefix = "T"
        self.external_aliases = self.used_aliases = frozenset()
        self.filter_is_sticky = False
        self.filtered_relations = {}
        self.combinator, self.combined = None, ()
        self.inner = None
        self.assignments = ()
        self.returning = None
        self.hidden = ()
        self.tables = ()
        self.database = None

    def copy_state(self, other: State) -> None:
        for name in State.__slots__:
            setattr(self, name, getattr(other, name))

    # --- facts ----------------------------------

    @property
    def opts(self) -> Any:
        return self.model._meta

    @property
    def is_sliced(self) -> bool:
        return self.limit is not None or self.offset is not None

    @property
    def reads_values(self) -> bool:
        """Whether the rows are those of a common table that has no objects: of `values()`."""
        return bool(self.joins) and bool(next(iter(self.joins.values())).heading)

    @property
    def is_limited_to_one(self) -> bool:
        return self.limit_one

    @property
    def annotation_select(self) -> dict[str, Any]:
        """The annotations that are selected."""
        mask = self.annotation_mask
        if mask is None:
            return self.annotations
        return {name: self.annotations[name] for name in mask if name in self.annotations}

    @property
    def selected_columns(self) -> int:
        """How many columns are selected by name."""
        count = sum(len(each) if hasattr(each, "columns") else 1 for each in self.select)
        return count + len(self.annotation_select)

    @property
    def has_select_fields(self) -> bool:
        return bool(self.select) or not self.default_cols
