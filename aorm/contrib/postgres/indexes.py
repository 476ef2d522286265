"""Indexes of PostgreSQL's own kinds, and their options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from aorm.fields.constraints import Deconstructed
from aorm.fields.indexes import Index
from aorm.query.expressions import Func

__all__ = [
    "BTreeIndex",
    "BloomIndex",
    "BrinIndex",
    "GinIndex",
    "GistIndex",
    "HashIndex",
    "OpClass",
    "PostgresIndex",
    "SpGistIndex",
]


class PostgresIndex(Index):
    """An index of a kind of its own, which its suffix names.

    A subclass names in `options` the attributes that become storage parameters, in their order.
    """

    options: ClassVar[tuple[str, ...]] = ()

    @property
    def max_name_length(self) -> int:  # type: ignore[override]
        """Longer suffixes may make longer names: PostgreSQL allows 63 characters."""
        return Index.max_name_length - len(Index.suffix) + len(self.suffix)

    def deconstruct(self) -> Deconstructed:
        path, args, kwargs = super().deconstruct()
        for name in self.options:
            if getattr(self, name) is not None:
                kwargs[name] = getattr(self, name)
        return path, args, kwargs

    def get_with_params(self) -> list[str]:
        """The storage parameters (PostgreSQL documentation, CREATE INDEX)."""
        return [
            f"{name} = {_option(getattr(self, name))}"
            for name in self.options
            if getattr(self, name) is not None
        ]


def _option(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(int(value))


class BloomIndex(PostgresIndex):
    """Signatures of many columns; needs the extension bloom.

    Args:
        length: bits of a signature.
        columns: bits for each of the fields.

    Raises:
        ValueError: they are out of bounds.
    """

    suffix = "bloom"
    options = ("length", "columns")

    def __init__(
        self,
        *expressions: Any,
        length: int | None = None,
        columns: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*expressions, **kwargs)
        if len(self.fields) > 32:
            raise ValueError("Bloom indexes support a maximum of 32 fields.")
        if not isinstance(columns, list | tuple):
            raise ValueError("BloomIndex.columns must be a list or tuple.")
        if len(columns) > len(self.fields):
            raise ValueError("BloomIndex.columns cannot have more values than fields.")
        if not all(0 < bits <= 4095 for bits in columns):
            raise ValueError("BloomIndex.columns must contain integers from 1 to 4095.")
        if length is not None and not 0 < length <= 4096:
            raise ValueError("BloomIndex.length must be None or an integer from 1 to 4096.")
        self.length = length
        self.columns = columns or None

    def get_with_params(self) -> list[str]:
        length = [] if self.length is None else [f"length = {int(self.length)}"]
        return length + [f"col{i} = {int(v)}" for i, v in enumerate(self.columns or (), 1)]


class BrinIndex(PostgresIndex):
    """Summaries of ranges of blocks, for columns that follow the order of the rows.

    Args:
        autosummarize: whether new blocks are summarised soon.
        pages_per_range: blocks of a range.

    Raises:
        ValueError: there has to be one block at least.
    """

    suffix = "brin"
    options = ("autosummarize", "pages_per_range")

    def __init__(
        self,
        *expressions: Any,
        autosummarize: bool | None = None,
        pages_per_range: int | None = None,
        **kwargs: Any,
    ) -> None:
        if pages_per_range is not None and pages_per_range <= 0:
            raise ValueError("pages_per_range must be None or a positive integer")
        self.autosummarize = autosummarize
        self.pages_per_range = pages_per_range
        super().__init__(*expressions, **kwargs)


class BTreeIndex(PostgresIndex):
    """The usual kind of index, with options.

    Args:
        fillfactor: how full pages are made, in percent.
        deduplicate_items: whether equal keys are stored once.
    """

    suffix = "btree"
    options = ("fillfactor", "deduplicate_items")

    def __init__(
        self,
        *expressions: Any,
        fillfactor: int | None = None,
        deduplicate_items: bool | None = None,
        **kwargs: Any,
    ) -> None:
        self.fillfactor = fillfactor
        self.deduplicate_items = deduplicate_items
        super().__init__(*expressions, **kwargs)


class GinIndex(PostgresIndex):
    """An index of the parts of a value: of arrays, documents, texts.

    Args:
        fastupdate: whether changes are collected first.
        gin_pending_list_limit: how much is collected, in kilobytes.
    """

    suffix = "gin"
    options = ("gin_pending_list_limit", "fastupdate")

    def __init__(
        self,
        *expressions: Any,
        fastupdate: bool | None = None,
        gin_pending_list_limit: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.fastupdate = fastupdate
        self.gin_pending_list_limit = gin_pending_list_limit
        super().__init__(*expressions, **kwargs)


class GistIndex(PostgresIndex):
    """A balanced tree of what contains what: of ranges, shapes, texts.

    Args:
        buffering: whether it is built with buffers.
        fillfactor: how full pages are made, in percent.
    """

    suffix = "gist"
    options = ("buffering", "fillfactor")

    def __init__(
        self,
        *expressions: Any,
        buffering: bool | None = None,
        fillfactor: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.buffering = buffering
        self.fillfactor = fillfactor
        super().__init__(*expressions, **kwargs)


class HashIndex(PostgresIndex):
    """An index for equality alone.

    Args:
        fillfactor: how full pages are made, in percent.
    """

    suffix = "hash"
    options = ("fillfactor",)

    def __init__(self, *expressions: Any, fillfactor: int | None = None, **kwargs: Any) -> None:
        self.fillfactor = fillfactor
        super().__init__(*expressions, **kwargs)


class SpGistIndex(PostgresIndex):
    """A tree that parts space: of ranges, points, texts with common beginnings.

    Args:
        fillfactor: how full pages are made, in percent.
    """

    suffix = "spgist"
    options = ("fillfactor",)

    def __init__(self, *expressions: Any, fillfactor: int | None = None, **kwargs: Any) -> None:
        self.fillfactor = fillfactor
        super().__init__(*expressions, **kwargs)


class OpClass(Func):
    """An expression of an index or a constraint, with an operator class."""

    template = "%(expressions)s %(name)s"
    constraint_validation_compatible = False

    def __init__(self, expression: Any, name: str) -> None:
        super().__init__(expression, name=name)

    @property
    def name(self) -> str:
        """The name of the operator class."""
        return str(self.extra["name"])

    def _resolve_output_field(self) -> Any:
        return self.source_expressions[0].output_field
