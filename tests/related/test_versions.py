"""`VersionField`: rows that were changed meanwhile are not overwritten."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import aorm
from aorm import models
from aorm.errors import (
    ImproperlyConfigured,
    ObjectNotUpdated,
    QueryValueError,
    StaleObjectError,
)
from related.versioned import ALL, Account, Booking, SavingsAccount


@pytest.fixture
def tables(database: Any) -> Iterator[None]:
    aorm.create_tables(*ALL)
    yield
    aorm.drop_tables(*ALL)


@pytest.fixture
def account(tables) -> Account:
    return Account.objects.create(name="a")


async def _twice(ask, model, pk) -> tuple[Any, Any]:
    return await ask(model.objects.get, pk=pk), await ask(model.objects.get, pk=pk)


async def test_each_save_counts(ask, account):
    assert account.version == 1
    await ask(account.save)
    await ask(account.save, update_fields=["balance"])
    assert account.version == 3
    assert (await ask(Account.objects.get)).version == 3


async def test_saving_what_others_have_changed_is_refused(ask, account):
    first, second = await _twice(ask, Account, account.pk)
    first.balance = 1
    await ask(first.save)
    second.balance = 2
    with pytest.raises(StaleObjectError, match="Account 1 is no longer of version 1"):
        await ask(second.save)
    assert second.version == 1
    assert (await ask(Account.objects.get)).balance == 1


async def test_saving_some_fields_looks_at_the_version_too(ask, account):
    first, second = await _twice(ask, Account, account.pk)
    await ask(first.save)
    with pytest.raises(ObjectNotUpdated):
        await ask(second.save, update_fields=["name"])


async def test_saving_what_others_have_deleted_is_refused(ask, account):
    other = await ask(Account.objects.get)
    await ask(Account.objects.all().delete)
    with pytest.raises(StaleObjectError):
        await ask(other.save)
    assert await ask(Account.objects.count) == 0


async def test_a_refused_object_can_be_loaded_again(ask, account):
    first, second = await _twice(ask, Account, account.pk)
    await ask(first.save)
    await ask(second.refresh_from_db)
    second.balance = 5
    await ask(second.save)
    assert (await ask(Account.objects.get)).balance == 5


async def test_deleting_what_others_have_changed_is_refused(ask, account):
    await ask(Booking.objects.create, account=account)
    first, second = await _twice(ask, Account, account.pk)
    await ask(first.save)
    with pytest.raises(StaleObjectError):
        await ask(second.delete)
    assert await ask(Booking.objects.count) == 1
    assert (await ask(first.delete))[0] == 2


async def test_the_version_of_a_child_is_in_its_parents_table(ask, tables):
    account = await ask(SavingsAccount.objects.create, name="s")
    first, second = await _twice(ask, SavingsAccount, account.pk)
    first.rate = 2
    await ask(first.save, update_fields=["rate"])
    with pytest.raises(StaleObjectError):
        await ask(second.save)
    assert (await ask(SavingsAccount.objects.get)).rate == 2
    await ask(SavingsAccount.objects.update, rate=3)
    with pytest.raises(StaleObjectError):
        await ask(first.delete)


async def test_updates_of_a_queryset_count(ask, account):
    await ask(Account.objects.filter(name="a").update, balance=7)
    assert (await ask(Account.objects.get)).version == 2
    with pytest.raises(StaleObjectError):
        await ask(account.save)


async def test_bulk_update_refuses_all_where_one_has_changed(ask, account):
    other = await ask(Account.objects.create, name="b")
    objs = [await ask(Account.objects.get, pk=each.pk) for each in (account, other)]
    await ask(other.save)
    for each in objs:
        each.balance = 9
    with pytest.raises(StaleObjectError, match="1 of 2 objects of Account"):
        await ask(Account.objects.bulk_update, objs, ["balance"])
    assert await ask(Account.objects.filter(balance=9).count) == 0
    assert [each.version for each in objs] == [1, 1]


async def test_bulk_update_counts(ask, tables):
    objs = [await ask(SavingsAccount.objects.create, name=name) for name in "ab"]
    for each in objs:
        each.balance, each.rate = 9, 8
    assert await ask(SavingsAccount.objects.bulk_update, objs, ["balance", "rate"]) == 2
    assert [each.version for each in objs] == [2, 2]
    for each in objs:
        await ask(each.save)
    assert await ask(SavingsAccount.objects.filter(version=3, rate=8).count) == 2


async def test_rows_that_an_insert_collides_with_count(ask, account):
    again = Account(name="a", balance=3)
    await ask(
        Account.objects.bulk_create,
        [again],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["balance"],
    )
    assert again.version == 2
    await ask(Account.objects.bulk_upsert, [Account(name="a", balance=4)], unique_fields=["name"])
    found = await ask(Account.objects.get)
    assert (found.version, found.balance) == (3, 4)


async def test_without_its_version_an_object_is_not_saved(ask, account):
    part = await ask(Account.objects.only("name").get)
    with pytest.raises(QueryValueError, match=r"Account\.version was not loaded"):
        await ask(part.save)


async def test_a_stale_object_rolls_its_transaction_back(ask, account):
    first, second = await _twice(ask, Account, account.pk)
    await ask(first.save)
    with pytest.raises(aorm.errors.TransactionManagementError):
        async with ask.atomic():
            with pytest.raises(StaleObjectError):
                await ask(second.save)
            await ask(Account.objects.count)


def test_a_second_version_is_refused():
    with aorm.isolate_apps("related"), pytest.raises(ImproperlyConfigured, match="two versions"):

        class Twice(models.Model):
            version = models.VersionField()
            edition = models.VersionField()

            class Meta:
                app_label = "related"
