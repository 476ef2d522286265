"""Whose turn it is on the connection of a transaction: pure decisions.

1. One statement at a time; who comes while another runs waits in order.
2. Only the innermost open block may act: code of outer or sibling blocks waits until it is closed,
   so savepoints are always properly nested.
3. A turn is handed over directly, so when nobody has it, nobody who could use it waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aorm.connections.transaction import Block


class Waiting:
    """Someone in line: `wake` is called when the turn is theirs."""

    __slots__ = ("block", "wake")

    def __init__(self, block: Block, wake: Callable[[], Any]) -> None:
        self.block = block
        self.wake = wake


class Turns:
    """The line in front of one connection."""

    __slots__ = ("busy", "line", "top")

    def __init__(self, root: Block) -> None:
        self.top: Block | None = root
        self.busy = False
        self.line: deque[Waiting] = deque()

    def take(self, block: Block) -> bool:
        """Take the turn for code of this block, if that is possible now."""
        if self.busy or open_block(block) is not self.top:
            return False
        self.busy = True
        return True

    def free(self) -> Waiting | None:
        """Give the turn back; the answer is who has it now."""
        self.busy = False
        for waiting in self.line:
            if open_block(waiting.block) is self.top:
                self.line.remove(waiting)
                self.busy = True
                return waiting
        return None

    def leave(self, waiting: Waiting) -> bool:
        """Leave the line; False when the turn has come already."""
        try:
            self.line.remove(waiting)
        except ValueError:
            return False
        return True

    def obstacle(self, block: Block) -> Block | None:
        """The block that must be closed before code of this one may go on."""
        return None if open_block(block) is self.top else self.top


def open_block(block: Block | None) -> Block | None:
    """The block itself or the nearest one around it that is still open."""
    while block is not None and block.closed:
        block = block.parent
    return block
