"""Calls of database functions, and wrappers around expressions."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, ClassVar

from aorm.errors import QueryTypeError, QueryValueError
from aorm.fields import various
from aorm.fields.lookup_registry import RegisterLookupMixin
from aorm.query.nodes import (
    INCIDENTAL,
    MAKERS,
    Expression,
)
from aorm.query.operands import expression_of
from aorm.query.terms import order_term

#: What a call has besides an output field where nothing was added to it.
_USUAL = frozenset({"source_expressions", "extra", *INCIDENTAL}).issuperset


class Func(Expression):
    """A call of a database function.

    Subclasses set `function`, or a `template` over `%(function)s` and `%(expressions)s`;
    `arity` bounds the number of arguments, `arg_joiner` separates them.
    """

    operands: ClassVar[tuple[str, ...]] = ("source_expressions",)
    function: str | None = None
    template: str = "%(function)s(%(expressions)s)"
    arg_joiner: str = ", "
    arity: int | None = None

    def __init__(self, *expressions: Any, output_field: Any = None, **extra: Any) -> None:
        if self.arity is not None and len(expressions) != self.arity:
            noun = "argument" if self.arity == 1 else "arguments"
            raise QueryTypeError(
                f"{type(self).__name__!r} takes exactly {self.arity} {noun}"
                f" ({len(expressions)} given)"
            )
        if output_field is not None:
            self._output_field = output_field
        self.source_expressions = [expression_of(e) for e in expressions]
        self.extra = extra

    def keyed(self, values: list[Any]) -> Hashable:
        if self.extra or not _USUAL(self.__dict__):
            return super().keyed(values)
        sources = self.get_source_expressions()
        return (type(self), *[s if s is None else s.keyed(values) for s in sources])

    def get_source_expressions(self) -> list[Any]:
        return self.source_expressions

    def set_source_expressions(self, expressions: Sequence[Any]) -> None:
        self.source_expressions = list(expressions)

    def copy(self) -> Any:
        clone = super().copy()
        clone.source_expressions = self.source_expressions[:]
        clone.extra = dict(self.extra)
        return clone

    @property
    def allowed_default(self) -> bool:  # type: ignore[override]
        return all(getattr(s, "allowed_default", False) for s in self.source_expressions)

    def __repr__(self) -> str:
        arguments = self.arg_joiner.join(map(str, self.source_expressions))
        extra = "".join(f", {key}={value}" for key, value in sorted(self.extra.items()))
        return f"{type(self).__name__}({arguments}{extra})"


class Transform(RegisterLookupMixin, Func):
    """A function of one argument that can stand in the name of a lookup."""

    lookup_name: str | None = None
    bilateral = False
    arity = 1

    @property
    def lhs(self) -> Any:
        return self.get_source_expressions()[0]

    def get_bilateral_transforms(self) -> list[Any]:
        inner = self.lhs
        found = (
            inner.get_bilateral_transforms() if hasattr(inner, "get_bilateral_transforms") else []
        )
        if self.bilateral:
            found.append(type(self))
        return found

    def get_lookup(self, name: str) -> Any:
        return self._get_own("get_lookup", name)

    def get_transform(self, name: str) -> Any:
        return self._get_own("get_transform", name)

    def _get_own(self, method: str, name: str) -> Any:
        found = getattr(RegisterLookupMixin, method)(self, name)
        if found is None and self._output_field_or_none is not None:
            return getattr(self.output_field, method)(name)
        return found


class ExpressionList(Func):
    """Expressions side by side, as in ORDER BY of an aggregate or PARTITION BY."""

    template = "%(expressions)s"

    def __init__(self, *expressions: Any, **extra: Any) -> None:
        if not expressions:
            raise QueryValueError(f"{type(self).__name__} requires at least one expression.")
        super().__init__(*expressions, **extra)


class OrderByList(ExpressionList):
    """The terms of an ORDER BY inside an expression."""

    template = "ORDER BY %(expressions)s"

    def __init__(self, *expressions: Any, **extra: Any) -> None:
        super().__init__(*map(order_term, expressions), **extra)

    @classmethod
    def from_param(cls, context: str, param: Any) -> OrderByList | None:
        if param is None:
            return None
        if isinstance(param, list | tuple):
            return cls(*param) if param else None
        if isinstance(param, str) or hasattr(param, "parametrised"):
            return cls(param)
        raise QueryValueError(
            f"{context} must be either a string reference to a field, an expression,"
            f" or a list or tuple of them not {param!r}."
        )


class ExpressionWrapper(Expression):
    """An expression with another output field."""

    operands = ("expression",)

    def __init__(self, expression: Any, output_field: Any) -> None:
        super().__init__(output_field)
        self.expression = expression

    def get_group_by_cols(self) -> list[Any]:
        if isinstance(self.expression, Expression):
            inner = self.expression.copy()
            inner._output_field = self._output_field
            return inner.get_group_by_cols()  # type: ignore[no-any-return]
        return super().get_group_by_cols()

    @property
    def allowed_default(self) -> bool:  # type: ignore[override]
        return bool(getattr(self.expression, "allowed_default", False))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.expression!r})"


class NegatedExpression(ExpressionWrapper):
    """NOT of a conditional expression."""

    def resolve(self, scope: Any) -> Any:
        resolved = super().resolve(scope)
        if not getattr(resolved.expression, "conditional", False):
            raise QueryTypeError("Cannot negate non-conditional expressions.")
        return resolved

    def __init__(self, expression: Any) -> None:
        super().__init__(expression, various.BooleanField())

    def __invert__(self) -> Any:
        return self.expression.copy()

    @property
    def conditional(self) -> bool:  # type: ignore[override]
        return True

    def __repr__(self) -> str:
        return f"~{self.expression!r}"


MAKERS.negated = NegatedExpression
