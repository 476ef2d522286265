"""The methods of a QuerySet that copy many rows in and out: PostgreSQL's COPY."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from aorm.connections import connections
from aorm.models.writing import Writing
from aorm.operations.copying import check_copy, copy_in, sink
from aorm.sql.late import copying, select
from aorm.steps import CopyOut, Operation, perform


class Copying(Writing):
    """COPY, on both faces."""

    if TYPE_CHECKING:

        def _run(self, operation: Operation[Any]) -> Any: ...
        async def _arun(self, operation: Operation[Any]) -> Any: ...
        def _write(self, operation: Operation[Any]) -> Any: ...
        async def _awrite(self, operation: Operation[Any]) -> Any: ...

        @property
        def _reader(self) -> Self: ...
        @property
        def _writer(self) -> Self: ...

    # --- in ----------------------------------

    def copy_from(self, rows: Iterable[Any], fields: Iterable[str] | None = None) -> int:
        """Insert many rows by COPY, the fastest way: all of them, or none.

        No signal is sent, and no key comes back.  `rows` are read piece by piece, so that they may
        be any number.  Columns that are not written take the default of the database, else NULL.

        Args:
            rows: instances, mappings by name of field, or sequences of values; the asynchronous
                face takes an asynchronous iterable as well.
            fields: the names of the fields, in the order of the values of a sequence; of mappings
                and instances those that are written, by default the keys of the first one, and
                all columns but an automatic key that is not set.
        Returns:
            The number of rows.
        Raises:
            NotSupportedError: the database has no COPY; there is `bulk_create()`.
            QueryValueError: a row does not fit the fields, or has an expression for a value.
        Source: PostgreSQL documentation, COPY.
        """
        here = self._writer
        return here._write(here._copy_from_operation(rows, fields))  # type: ignore[no-any-return]

    async def acopy_from(self, rows: Any, fields: Iterable[str] | None = None) -> int:
        here = self._writer
        return await here._awrite(  # type: ignore[no-any-return]
            here._copy_from_operation(rows, fields)
        )

    def _copy_from_operation(self, rows: Any, fields: Iterable[str] | None) -> Operation[int]:
        dialect = connections[self._write_alias()].dialect
        return copy_in(self.model, rows, fields, dialect)

    # --- out ----------------------------------

    def copy_to(
        self,
        target: Any,
        *,
        format: str = "csv",
        header: bool | None = None,
        delimiter: str | None = None,
        null: str | None = None,
    ) -> int:
        """Write the results somewhere by COPY, as the database sends them, piece by piece.

        The columns are those of `values()` or `values_list()`, else those of the model.  Values
        are in the text forms of PostgreSQL.

        Args:
            target: a path, a binary file, or a function that takes bytes; on the asynchronous face
                it may be a coroutine function.  Its first error is raised when all is read.
            format: csv, text or binary.
            header: whether a first line has the names of the columns.
            delimiter: the character between values.
            null: what stands for NULL.
        Returns:
            The number of rows.
        Raises:
            NotSupportedError: the database has no COPY; there is `iterator()`.
            QueryValueError: an option is none that there is.
        Source: PostgreSQL documentation, COPY.
        """
        here = self._reader
        return here._run(  # type: ignore[no-any-return]
            here._copy_to_operation(
                target, format=format, header=header, delimiter=delimiter, null=null
            )
        )

    async def acopy_to(
        self,
        target: Any,
        *,
        format: str = "csv",
        header: bool | None = None,
        delimiter: str | None = None,
        null: str | None = None,
    ) -> int:
        here = self._reader
        return await here._arun(  # type: ignore[no-any-return]
            here._copy_to_operation(
                target, format=format, header=header, delimiter=delimiter, null=null
            )
        )

    def _copy_to_operation(self, target: Any, **options: Any) -> Operation[int]:
        dialect = self._database().dialect
        check_copy(dialect, "iterator()")
        queryset: Any = self
        if self._query.form[0] == "model":
            queryset = self.values_list(*(f.attname for f in self.model._meta.concrete_fields))
        compiled = select.compile_select(queryset._query, dialect)
        # Options are checked even where there is nothing to ask.
        params = () if compiled.empty else compiled.bind(queryset._values)
        sql = copying.copy_out_sql(compiled.sql, params, options, dialect)
        with sink(target) as write:
            if compiled.empty:
                return 0
            return (yield from perform(CopyOut(sql, write)))  # type: ignore[no-any-return]
