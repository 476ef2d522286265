"""One transaction, used from a coroutine, from a thread, and back on the event loop."""

from __future__ import annotations

import threading

import aorm
from aorm.cli.demo.models import Distribution
from aorm.models import QuerySet

PREFIX = "demo: "
HEADS = ("who", "in which thread", "rows it sees")
Sightings = list[tuple[str, str, int]]


class ChangedMyMind(Exception):
    """Raised to leave the transaction by its other door."""


def made() -> QuerySet[Distribution]:
    return Distribution.objects.filter(name__startswith=PREFIX)


async def in_a_coroutine(seen: Sightings, changed_my_mind: bool) -> None:
    async with aorm.atomic():
        await Distribution.objects.acreate(name=PREFIX + "made in a coroutine")
        seen.append(("coroutine", _thread(), await made().acount()))
        await aorm.sync_to_async(in_a_thread)(seen)
        seen.append(("coroutine again", _thread(), await made().acount()))
        if changed_my_mind:
            raise ChangedMyMind


def in_a_thread(seen: Sightings) -> None:
    Distribution.objects.create(name=PREFIX + "made in a thread")
    seen.append(("sync function", _thread(), made().count()))
    aorm.async_to_sync(back_on_the_loop)(seen)


async def back_on_the_loop(seen: Sightings) -> None:
    async with aorm.atomic():  # a savepoint
        await Distribution.objects.acreate(name=PREFIX + "made back on the loop")
        seen.append(("coroutine called by it", _thread(), await made().acount()))


def _thread() -> str:
    return threading.current_thread().name


SHOWN = (in_a_coroutine, in_a_thread, back_on_the_loop)
