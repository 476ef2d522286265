"""What the demo stores: distributions, their files, requirements and classifiers."""

from __future__ import annotations

from typing import Any

from aorm import models


class Classifier(models.Model):
    """One of the fixed texts by which distributions describe themselves."""

    name = models.CharField(max_length=255, unique=True)

    class Meta:
        app_label = "demo"

    def __str__(self) -> str:
        return self.name


class Distribution(models.Model):
    """An installed Python distribution."""

    name = models.CharField(max_length=255, unique=True)
    version = models.CharField(max_length=100)
    licence = models.CharField(max_length=255)
    summary = models.TextField()
    classifiers = models.ManyToManyField(Classifier, related_name="distributions")
    requires = models.ManyToManyField(
        "self",
        symmetrical=False,
        through="demo.Requirement",
        through_fields=("distribution", "target"),
        related_name="required_by",
    )

    class Meta:
        app_label = "demo"

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class Requirement(models.Model):
    """One distribution asks for another; `target` is None where that is not installed."""

    distribution = models.ForeignKey(
        Distribution, on_delete=models.CASCADE, related_name="requirements"
    )
    target = models.ForeignKey(
        Distribution, null=True, on_delete=models.SET_NULL, related_name="dependents"
    )
    name = models.CharField(max_length=255)
    specifier = models.TextField()
    marker = models.TextField()

    class Meta:
        app_label = "demo"


class File(models.Model):
    """A file that a distribution installed; `size` is None where nobody knows it."""

    distribution = models.ForeignKey(Distribution, on_delete=models.CASCADE, related_name="files")
    path = models.TextField()
    suffix = models.CharField(max_length=255)
    size = models.BigIntegerField(null=True)

    class Meta:
        app_label = "demo"


# The model between distributions and classifiers, which aorm made.
CLASSIFIED: Any = Distribution.classifiers.through
ALL = (Classifier, Distribution, Requirement, File)
