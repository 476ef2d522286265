"""Pages by keyset: `page(after=…, size=…)`, and the cursors that name their ends.

1. A cursor holds the values that a row has in the terms of the order, so that a page is found by
   an index however far it is, and rows that come or go meanwhile move no other row.
2. Cursors are URL-safe text.  They carry a checksum over the model and the order, so that one that
   was cut, changed or made for another query is refused; they are no secret, and hold nothing
   that a condition could not name.
"""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

from aorm.errors import NotSupportedError, QueryTypeError, QueryValueError
from aorm.late import base64, hashlib, json
from aorm.models.reading import Reading
from aorm.models.rows import loaded_for
from aorm.query.draft import Draft
from aorm.query.expressions import Slots
from aorm.query.keyset import order_for_pages, seek
from aorm.sql.dialect import Dialect
from aorm.sql.late import decoders, ordering, select
from aorm.steps import Operation, fetch

T = TypeVar("T", covariant=True)
_DIGEST = 6


class Page(Sequence[T], Generic[T]):
    """Some results of a QuerySet in its order, and where the next ones are.

    A page is the sequence of its items.

    Attributes:
        items: the results.
        next: the cursor for `page(after=…)`; None where nothing follows.
        previous: the cursor for `page(before=…)`; None where nothing comes before.
    """

    def __init__(
        self, items: list[Any], next: str | None, previous: str | None, encode: Callable[[int], str]
    ) -> None:
        self.items = items
        self.next = next
        self.previous = previous
        self._encode = encode

    @property
    def has_next(self) -> bool:
        """Whether more results follow."""
        return self.next is not None

    @property
    def has_previous(self) -> bool:
        """Whether results come before."""
        return self.previous is not None

    def cursor(self, index: int) -> str:
        """The cursor of one item, for `after` or `before`."""
        self.items[index]  # an index that is out of range is an error here as everywhere
        return self._encode(index % len(self.items))

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: Any) -> Any:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Page):
            return self.items == other.items
        return self.items == other if isinstance(other, list) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Page {self.items!r}>"


class Paging(Reading):
    """`page()` and `apage()`, as an operation."""

    def _page_operation(
        self, after: str | None, before: str | None, size: int
    ) -> Operation[Page[Any]]:
        self._check_page(after, before, size)
        database = self._database()
        dialect = database.dialect
        backwards = before is not None
        given = after if after is not None else before
        ordered = self._ordered_for_pages(dialect, backwards)
        forward = self._ordered_for_pages(dialect, False) if backwards else ordered
        cursors = Cursors(forward._query, dialect)
        rows_of = ordered
        if given is not None:
            inclusive, values = cursors.read(given)
            rows_of = ordered._behind(values, inclusive, dialect)
        rows_of = rows_of._sliced(0, size + 1)
        compiled = select.compile_select(rows_of._query, dialect)
        rows: list[Any] = []
        if not compiled.empty:
            rows = list((yield from fetch(compiled.sql, compiled.bind(rows_of._values))))
        more = len(rows) > size
        rows = rows[:size]
        if backwards:
            rows.reverse()
        items = compiled.decode(rows, loaded_for(database.alias, self._fetch_mode))
        if self._known_related_objects:
            self._attach_known(items)
        if self._prefetch_related_lookups:
            yield from self._prefetch(items)
        return _page(items, rows, cursors, given, backwards, more)

    def _check_page(self, after: Any, before: Any, size: Any) -> None:
        if after is not None and before is not None:
            raise QueryValueError("page() takes after or before, not both")
        if type(size) is not int or size < 1:
            raise QueryValueError(f"the size of a page is an integer above 0, not {size!r}")
        query = self._query
        if query.combinator is not None:
            raise NotSupportedError(
                f"page() after {query.combinator[0]}() is not supported: filter one query set by"
                " conditions joined with |"
            )
        if query.is_sliced:
            raise QueryTypeError("page() cuts its pages itself: call it before slicing")
        if query.distinct_fields or (query.distinct and query.form[0] != "model"):
            raise QueryTypeError(
                "page() cannot tell rows apart after distinct(): group them with"
                " values().annotate(), or page over the objects"
            )

    def _ordered_for_pages(self, dialect: Dialect, backwards: bool) -> Any:
        def apply(draft: Draft, slots: Slots) -> None:
            if draft.group_by is not None and not draft.order_by:
                draft.default_ordering = False
            compiler = ordering.Ordering(draft, dialect)  # type: ignore[arg-type]
            terms = compiler.ordering()
            draft.copy_state(compiler.draft)
            total = draft.group_by is None and self.totally_ordered
            order_for_pages(draft, terms, total, backwards)

        return self._step(("pages", backwards), (), apply)

    def _behind(self, values: Sequence[Any], inclusive: bool, dialect: Dialect) -> Any:
        kinds = tuple(None if value is None else type(value) for value in values)
        largest = dialect.capabilities.nulls_are_largest

        def apply(draft: Draft, slots: Slots) -> None:
            seek(draft, slots, kinds, inclusive, largest)

        given = tuple(value for value in values if value is not None)
        return self._step(("behind", kinds, inclusive, largest), given, apply)


def _page(
    items: list[Any],
    rows: list[Any],
    cursors: Cursors,
    given: str | None,
    backwards: bool,
    more: bool,
) -> Page[Any]:
    def encode(index: int) -> str:
        return cursors.written(rows[index], False)

    def around(exists: bool, index: int) -> str | None:
        if not exists:
            return None
        # Behind the last row there is none that could name the way back: the cursor itself does.
        return encode(index) if rows else cursors.including(given)

    came_from = given is not None
    following, preceding = (came_from, more) if backwards else (more, came_from)
    return Page(items, around(following, -1), around(preceding, 0), encode)


# --- cursors ----------------------------------------


class Cursors:
    """Writes and reads the cursors of a query that is ordered for pages."""

    def __init__(self, query: Any, dialect: Dialect) -> None:
        key = ("cursors", dialect)
        known = query.compiled.get(key)
        if known is None:
            known = query.compiled[key] = _layout(query, dialect)
        self.seed, self.readers = known

    def written(self, row: Sequence[Any], inclusive: bool) -> str:
        raw = tuple(row)[-len(self.readers) :]
        values = [_plain(read(value)) for read, value in zip(self.readers, raw, strict=True)]
        return self._signed([int(inclusive), *values])

    def including(self, cursor: str | None) -> str | None:
        """A cursor for the same row, which counts it in."""
        if cursor is None:
            return None
        return self._signed([1, *self._items(cursor)[1:]])

    def read(self, cursor: str) -> tuple[bool, list[Any]]:
        """Whether the row itself counts, and its values; QueryValueError for any other text."""
        flag, *values = self._items(cursor)
        return bool(flag), [_value(value) for value in values]

    def _signed(self, items: list[Any]) -> str:
        payload = json.dumps(items, separators=(",", ":"), ensure_ascii=False).encode()
        return str(base64.urlsafe_b64encode(self._digest(payload) + payload).decode().rstrip("="))

    def _items(self, cursor: str) -> list[Any]:
        if not isinstance(cursor, str):
            raise QueryValueError(f"a cursor is the text that a page gave, not {cursor!r}")
        try:
            held = base64.b64decode(
                cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True
            )
        except ValueError:
            held = b""
        digest, payload = held[:_DIGEST], held[_DIGEST:]
        if not payload or self._digest(payload) != digest:
            raise QueryValueError(
                "This cursor was not made by this query: it was changed on its way, or belongs to"
                " another model or another order"
            )
        items: list[Any] = json.loads(payload)
        return items

    def _digest(self, payload: bytes) -> bytes:
        return bytes(hashlib.blake2b(payload, digest_size=_DIGEST, key=self.seed).digest())


def _layout(query: Any, dialect: Dialect) -> tuple[bytes, list[Callable[[Any], Any]]]:
    """What cursors of this query are signed with, and what reads the values of their terms."""
    compiler = select.SelectCompiler(query, dialect)
    rendered = [compiler.compile(term) for term in query.order_by]
    order = ", ".join(sql for sql, _ in rendered)
    seed = hashlib.blake2b(f"{query.opts.label} {order}".encode(), digest_size=32).digest()
    readers = []
    for expression in query.hidden:
        conversion = decoders.conversion_of(expression, dialect)
        readers.append(_as_it_is if conversion is None else conversion.function)
    return seed, readers


def _as_it_is(value: Any) -> Any:
    return value


_WRITERS: dict[type, Callable[[Any], Any]] = {
    decimal.Decimal: str,
    dt.datetime: dt.datetime.isoformat,
    dt.date: dt.date.isoformat,
    dt.time: dt.time.isoformat,
    dt.timedelta: lambda value: [value.days, value.seconds, value.microseconds],
    uuid.UUID: str,
    bytes: bytes.hex,
    memoryview: lambda value: value.tobytes().hex(),
}
_NAMES = {
    decimal.Decimal: "decimal",
    dt.datetime: "datetime",
    dt.date: "date",
    dt.time: "time",
    dt.timedelta: "timedelta",
    uuid.UUID: "uuid",
    bytes: "bytes",
    memoryview: "bytes",
}
_READERS: dict[str, Callable[[Any], Any]] = {
    "decimal": decimal.Decimal,
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "timedelta": lambda parts: dt.timedelta(*parts),
    "uuid": uuid.UUID,
    "bytes": bytes.fromhex,
}


def _plain(value: Any) -> Any:
    """A value as JSON has it; what JSON has not is a pair of a type's name and a text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    for kind, write in _WRITERS.items():
        if isinstance(value, kind):
            return [_NAMES[kind], write(value)]
    raise QueryTypeError(
        f"Pages cannot be ordered by values of the type {type(value).__name__}: {value!r}"
    )


def _value(item: Any) -> Any:
    if isinstance(item, list):
        name, held = item
        return _READERS[name](held)
    return item
