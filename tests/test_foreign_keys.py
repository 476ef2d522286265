"""Foreign keys that wait for the end of a transaction, and that are checked before it."""

from __future__ import annotations

from typing import Any

import pytest
from shop.models import Author, Book

from aorm.errors import IntegrityError

LOST = 4711


async def test_a_row_may_come_before_the_one_that_it_refers_to(ask: Any, database: Any) -> None:
    async with ask.atomic():
        assert await ask(database.disable_constraint_checking)
        await ask(Book.objects.create, title="Sagas", author_id=LOST)
        await ask(Author.objects.create, pk=LOST, name="Ada")
        await ask(database.enable_constraint_checking)
        await ask(database.check_constraints)
    assert (await ask(Book.objects.select_related("author").get)).author.name == "Ada"


async def test_what_is_missing_is_found_before_the_end(ask: Any, database: Any) -> None:
    with pytest.raises(IntegrityError):
        async with ask.atomic():
            await ask(Book.objects.create, title="Sagas", author_id=LOST)
            await ask(database.check_constraints, [Book._meta.db_table])
    assert await ask(Book.objects.count) == 0


async def test_a_block_in_which_foreign_keys_wait(ask: Any, database: Any) -> None:
    async with ask.atomic():
        block = database.constraint_checks_disabled()
        if ask.face == "async":
            async with block:
                await ask(Book.objects.create, title="Sagas", author_id=LOST)
        else:
            await ask.in_thread(block.__enter__)
            await ask(Book.objects.create, title="Sagas", author_id=LOST)
            await ask.in_thread(block.__exit__, None, None, None)
        await ask(Author.objects.create, pk=LOST, name="Ada")
    assert await ask(Book.objects.count) == 1
