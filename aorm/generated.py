"""Attributes in the text of generated functions, whatever their names are."""

from __future__ import annotations

from keyword import iskeyword

__all__ = ["getting", "is_plain_name", "setting"]


def is_plain_name(name: str) -> bool:
    """Whether Python's syntax takes the name behind a dot; a model may have others."""
    return name.isidentifier() and not iskeyword(name)


def getting(variable: str, name: str) -> str:
    """The expression that reads an attribute of a variable."""
    return f"{variable}.{name}" if is_plain_name(name) else f"getattr({variable}, {name!r})"


def setting(variable: str, name: str, value: str) -> str:
    """The statement that gives an attribute of a variable the value of an expression."""
    if is_plain_name(name):
        return f"{variable}.{name} = {value}"
    return f"setattr({variable}, {name!r}, {value})"
