"""Models for what the shop has not: every rule of deletion, parents and proxies, cycles."""

from __future__ import annotations

from aorm import models


class Owner(models.Model):
    name = models.CharField(max_length=50, default="")


class Default(Owner):
    """A child table of Owner."""

    note = models.CharField(max_length=50, default="")


class OwnerProxy(Owner):
    class Meta:
        proxy = True


class Holding(Owner):
    """Comes from the database with what seems to be prefetched."""

    class Meta:
        proxy = True

    @classmethod
    def from_db(cls, *args, **kwargs):
        made = super().from_db(*args, **kwargs)
        made._prefetched_objects_cache = {"cascading": []}
        return made


class Hearing:
    """Notes which attributes are set."""

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        cls.heard = set()

    def __setattr__(self, name, value):
        self.heard.add(name)
        super().__setattr__(name, value)


class Listening(Hearing, Owner):
    class Meta:
        proxy = True


def fallback() -> int:
    return Owner.objects.get_or_create(name="fallback")[0].pk


class Item(models.Model):
    """One foreign key for each rule; all may be null."""

    name = models.CharField(max_length=50, default="")
    cascade = models.ForeignKey(Owner, models.CASCADE, null=True, related_name="cascading")
    set_null = models.ForeignKey(Owner, models.SET_NULL, null=True, related_name="nulled")
    set_default = models.ForeignKey(
        Owner, models.SET_DEFAULT, null=True, default=None, related_name="defaulted"
    )
    set_to = models.ForeignKey(Owner, models.SET(fallback), null=True, related_name="set_to_items")
    protect = models.ForeignKey(Owner, models.PROTECT, null=True, related_name="protecting")
    restrict = models.ForeignKey(Owner, models.RESTRICT, null=True, related_name="restricting")


class Part(models.Model):
    """Cascades from an item, and from an owner without being looked at."""

    item = models.ForeignKey(Item, models.CASCADE, related_name="parts")


class Carried(models.Model):
    """Goes by the database's own rule."""

    owner = models.ForeignKey(Owner, models.DB_CASCADE, related_name="carried")


class Hen(models.Model):
    egg = models.ForeignKey("Egg", models.CASCADE, null=True, related_name="hens")


class Egg(models.Model):
    hen = models.ForeignKey(Hen, models.CASCADE, null=True, related_name="eggs")


class Plain(models.Model):
    """Nobody points here."""

    name = models.CharField(max_length=50, default="")


class Root(models.Model):
    """Two levels of cascades below it, and nothing else."""


class Branch(models.Model):
    root = models.ForeignKey(Root, models.CASCADE, related_name="branches")


class Leaf(models.Model):
    branch = models.ForeignKey(Branch, models.CASCADE, related_name="leaves")


class Member(models.Model):
    """A foreign key that must not be null, so that its manager cannot let go."""

    name = models.CharField(max_length=50)
    owner = models.ForeignKey(Owner, models.CASCADE, related_name="members")
    follows = models.ManyToManyField("self", symmetrical=False, related_name="followers")

    class Meta:
        ordering = ("name",)


class Athlete(models.Model):
    name = models.CharField(max_length=50)


class Match(models.Model):
    """Its table of players is a child table, which has the key to the match from its parent."""

    players = models.ManyToManyField(Athlete, through="Player", related_name="matches")


class Competitor(models.Model):
    match = models.ForeignKey(Match, models.CASCADE)


class Player(Competitor):
    athlete = models.ForeignKey(Athlete, models.CASCADE)


class Sheet(models.Model):
    """More columns than CPython keeps attributes in an object itself."""

    vars().update({f"cell_{n:02}": models.IntegerField(null=True, default=n) for n in range(34)})


class WatchedSheet(Hearing, Sheet):
    class Meta:
        proxy = True


class Label(models.Model):
    code = models.CharField(max_length=10, unique=True)
    text = models.CharField(max_length=50)


class Bottle(models.Model):
    """Points to a column that is not the key."""

    label = models.ForeignKey(Label, models.CASCADE, to_field="code", null=True)


ALL = (
    Sheet,
    *(Label, Bottle),
    *(Owner, Default, Item, Part, Carried, Hen, Egg, Plain, Root, Branch, Leaf, Member),
    *(Athlete, Match, Competitor, Player),
)
