"""Tables of a query and how they are joined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from aorm.query.expressions import AND, OR
from aorm.records import Record

INNER, LOUTER = "INNER JOIN", "LEFT OUTER JOIN"


class Join(Record):
    """One table: the base table (no parent), or one joined to its parent by pairs of columns."""

    alias: str
    table: str
    parent: str | None = None
    kind: str = INNER
    field: Any = None  # the join field of the path: a foreign key or its reverse side
    nullable: bool = False
    filtered: Any = None  # a further condition of the ON clause, of a filtered relation
    # A common table, or a subquery (`source`) whose columns have these names and types; it is
    # joined where `on` is true.
    derived: bool = False
    on: Any = None
    source: Any = None
    heading: Any = ()

    @property
    def columns(self) -> tuple[tuple[Any, Any], ...]:
        """Pairs of a field of the parent table and a field of this one."""
        return tuple(self.field.get_joining_fields()) if self.field is not None else ()

    def same_as(self, other: Join) -> bool:
        """Whether both stand for the same step from the same parent."""
        return (
            self.table == other.table
            and self.parent == other.parent
            and self.field == other.field
            and self.filtered == other.filtered
            and not self.derived
        )

    def mapped(self, change: Callable[[Any], Any]) -> Join:
        """This join with its condition and its subquery changed."""
        if self.on is None:
            return self
        source = None if self.source is None else change(self.source)
        return self.replaced(on=change(self.on), source=source)

    def relabeled(self, aliases: dict[str, str]) -> Join:
        return self.replaced(
            alias=aliases.get(self.alias, self.alias),
            parent=None if self.parent is None else aliases.get(self.parent, self.parent),
            filtered=None if self.filtered is None else self.filtered.relabeled(aliases),
        )


class Route(Record):
    """A relation that goes by a name of its own, with a condition on its join.

    Its tables are joined once for the whole query; whoever passes it needs a row of `aliases`,
    and of the tables in `needs` that the condition is about, so often each.
    """

    name: str
    relation_name: str
    aliases: tuple[str, ...]
    needs: tuple[tuple[str, int], ...]

    def relabeled(self, aliases: dict[str, str]) -> Route:
        return self.replaced(
            aliases=tuple(aliases.get(alias, alias) for alias in self.aliases),
            needs=tuple((aliases.get(alias, alias), count) for alias, count in self.needs),
        )


class JoinPromoter:
    """Decides which joins of a condition must be LEFT OUTER.

    Each child votes for the tables that it needs a row of.  Under OR a table that not every
    child needs must be joined from the left; under AND a table that one child needs may be an
    inner join.  A negation turns one into the other.
    """

    def __init__(self, connector: str, children: int, negated: bool) -> None:
        self.children = children
        self.votes: Counter[str] = Counter()
        if negated and connector in (AND, OR):
            connector = OR if connector == AND else AND
        self.connector = connector

    def add_votes(self, aliases: Iterable[str]) -> None:
        self.votes.update(aliases)

    def update_join_types(self, draft: Any) -> set[str]:
        """Set the kinds of the joins; returns the tables that all of the condition needs."""
        promoted, demoted = set(), set()
        for alias, votes in self.votes.items():
            if self.connector == AND or (self.connector == OR and votes == self.children):
                demoted.add(alias)
            elif votes < self.children or self.connector != OR:
                promoted.add(alias)
        draft.promote_joins(promoted)
        draft.demote_joins(demoted)
        return demoted
