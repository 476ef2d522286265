"""Several classes in one table."""

from __future__ import annotations

from aorm import models


class Keeper(models.Model):
    name = models.CharField(max_length=50)


class Animal(models.Model):
    name = models.CharField(max_length=50, default="")
    kind = models.CharField(max_length=20, db_index=True)
    keeper = models.ForeignKey(Keeper, models.CASCADE, null=True, related_name="animals")

    class Meta:
        polymorphic_on = "kind"
        ordering = ("pk",)

    def sound(self) -> str:
        return ""


class Dog(Animal):
    class Meta:
        proxy = True

    def sound(self) -> str:
        return "woof"


class Puppy(Dog):
    class Meta:
        proxy = True
        polymorphic_value = "young dog"


class Cat(Animal):
    class Meta:
        proxy = True

    def sound(self) -> str:
        return "meow"


class Toy(models.Model):
    owner = models.ForeignKey(Animal, models.CASCADE, related_name="toys")


ALL = (Keeper, Animal, Toy)
