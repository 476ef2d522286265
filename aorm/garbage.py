"""`with Uncollected():` results are made without the garbage collector.

All that is made of rows stays alive, so that its searches, one for each some hundred objects, could
find nothing.  Measured with 2,000 rows of 33 columns: 22 ms in place of 30.
"""

from __future__ import annotations

import gc
from types import TracebackType


class Uncollected:
    """A block in which nothing is searched for garbage, unless nothing was before."""

    __slots__ = ("_enabled",)

    def __enter__(self) -> None:
        self._enabled = gc.isenabled()
        if self._enabled:
            gc.disable()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._enabled:
            gc.enable()
