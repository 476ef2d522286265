"""The finished form of a query for one dialect: text, binding of values, decoding of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aorm.errors import FieldError
from aorm.query.expressions import Param
from aorm.sql.dialect import Dialect

Bind = Callable[[Sequence[Any]], Sequence[Any]]
Decode = Callable[[Sequence[Any], Any], list[Any]]


class Compiled:
    """SQL text with what turns values into its parameters, and rows into results.

    `empty` says that no row can match, so that nothing has to be asked; `whole`, that the rows
    have to be decoded all at once.
    """

    __slots__ = ("bind", "decode", "empty", "outputs", "sql", "whole")

    def __init__(
        self,
        sql: str,
        bind: Bind,
        decode: Decode | None = None,
        *,
        empty: bool = False,
        outputs: Any = None,
    ) -> None:
        self.sql = sql
        self.bind = bind
        self.decode: Any = decode
        self.empty = empty
        self.whole: bool = getattr(decode, "whole", False)
        self.outputs = outputs


class ListParam:
    """A list of values that is one parameter; `encode` turns it into what the driver binds."""

    __slots__ = ("adapter", "encode", "param")

    def __init__(
        self,
        param: Param,
        adapter: Callable[[Any], Any] | None,
        encode: Callable[[list[Any]], Any] | None,
    ) -> None:
        self.param = param
        self.adapter = adapter
        self.encode = encode


class Computed:
    """A parameter whose value is found when a statement is bound, such as the time zone."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function


def make_binder(params: Sequence[Any], dialect: Dialect, slots: int) -> Bind:
    """A function from the values of a query to the parameters of its statement."""
    sources = [_source(number, param, dialect) for number, param in enumerate(params)]
    if [text for text, _ in sources] == [f"v[{number}]" for number in range(slots)]:
        return _as_given
    names: dict[str, Any] = {}
    for _, used in sources:
        names.update(used)
    text = "".join(f"{source}, " for source, _ in sources)
    return eval(f"lambda v: ({text})", names)  # type: ignore[no-any-return]


def _as_given(values: Sequence[Any]) -> Sequence[Any]:
    return values


def _source(number: int, param: Any, dialect: Dialect) -> tuple[str, dict[str, Any]]:
    """The expression of one parameter over the values `v`, and the names it uses."""
    if isinstance(param, ListParam):
        return _list_source(number, param)
    if isinstance(param, Computed):
        return f"c{number}()", {f"c{number}": param.function}
    if not isinstance(param, Param):
        return f"k{number}", {f"k{number}": param}
    place = f"v[{param.slot}]"
    if param.item is not None:
        place += f"[{param.item}]"
    adapter = dialect.adapter(param_target(param))
    if adapter is None:
        return place, {}
    return f"a{number}({place})", {f"a{number}": adapter}


def param_target(param: Param) -> Any:
    """What a parameter's adapter is chosen by: its field."""
    try:
        field = param.output_field
    except FieldError:
        return None
    while field is not None and getattr(field, "is_relation", False):
        field = field.path_infos[-1].target_fields[-1] if hasattr(field, "path_infos") else None
    return field


def _list_source(number: int, param: ListParam) -> tuple[str, dict[str, Any]]:
    place = f"v[{param.param.slot}]"
    names: dict[str, Any] = {}
    if param.param.item is not None:
        place = f"[i[{param.param.item}] for i in {place}]"
    if param.adapter is not None:
        names[f"a{number}"] = param.adapter
        place = f"[a{number}(i) for i in {place}]"
    if param.encode is not None:
        names[f"e{number}"] = param.encode
        place = f"e{number}({place})"
    return place, names
