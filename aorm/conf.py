"""What is in force for all of aorm: the values that `aorm.configure` sets.

This module lies at the bottom, so that fields, SQL and connections read the same values.
Attributes may be set or deleted at any time; a deleted one has its default again.
"""

from __future__ import annotations

from typing import Any

DEFAULTS: dict[str, Any] = {
    "USE_TZ": True,
    "TIME_ZONE": "UTC",
    "DATABASE_ROUTERS": [],
    "DEFAULT_AUTO_FIELD": "aorm.models.BigAutoField",
    "DEFAULT_TABLESPACE": "",
    "DEFAULT_INDEX_TABLESPACE": "",
    "FETCH_MODE": None,
}


class Settings:
    """Named values; `generation` counts changes, for those who cache what they derive."""

    generation: int
    USE_TZ: bool
    TIME_ZONE: str
    DATABASE_ROUTERS: list[Any]
    DEFAULT_AUTO_FIELD: str
    DEFAULT_TABLESPACE: str
    DEFAULT_INDEX_TABLESPACE: str
    FETCH_MODE: Any

    def __init__(self) -> None:
        self.__dict__.update(DEFAULTS, generation=0)

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value
        self.__dict__["generation"] += 1

    def __delattr__(self, name: str) -> None:
        if name not in self.__dict__:
            raise AttributeError(f"there is no setting {name}")
        if name in DEFAULTS:
            self.__dict__[name] = DEFAULTS[name]
        else:
            del self.__dict__[name]
        self.__dict__["generation"] += 1

    def __repr__(self) -> str:
        shown = ", ".join(f"{k}={v!r}" for k, v in self.__dict__.items() if k != "generation")
        return f"Settings({shown})"


settings = Settings()
