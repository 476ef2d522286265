"""Models whose rows count their changes."""

from __future__ import annotations

from aorm import models


class Account(models.Model):
    name = models.CharField(max_length=50, unique=True)
    balance = models.IntegerField(default=0)
    version = models.VersionField()


class SavingsAccount(Account):
    """A child table; the version is in the parent's."""

    rate = models.IntegerField(default=1)


class Booking(models.Model):
    account = models.ForeignKey(Account, models.CASCADE, related_name="bookings")


ALL = (Account, SavingsAccount, Booking)
