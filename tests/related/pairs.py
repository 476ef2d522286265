"""Relations over two columns, and children of two parents."""

from __future__ import annotations

from aorm import models


class Customer(models.Model):
    number = models.IntegerField()
    company = models.CharField(max_length=5)

    class Meta:
        unique_together = (("number", "company"),)
        ordering = ("pk",)


class Contact(models.Model):
    customer_number = models.IntegerField(null=True)
    company_code = models.CharField(max_length=5)
    customer = models.ForeignObject(
        Customer,
        models.CASCADE,
        from_fields=("customer_number", "company_code"),
        to_fields=("number", "company"),
        related_name="+",
        null=True,
    )

    class Meta:
        ordering = ("pk",)


class Limited(models.Model):
    number = models.IntegerField()
    customer = models.ForeignObject(
        Customer, models.CASCADE, from_fields=("number",), to_fields=("id",), related_name="+"
    )

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(customer__lt=1000), name="related_limited_number"
            ),
        )


class Left(models.Model):
    left_name = models.CharField(max_length=5)


class Right(models.Model):
    right_id = models.AutoField(primary_key=True)
    right_name = models.CharField(max_length=5)


class Both(Left, Right):
    value = models.IntegerField(default=0)


class More(Both):
    extra = models.IntegerField(default=0)


ALL = (Customer, Contact, Limited, Left, Right, Both, More)
