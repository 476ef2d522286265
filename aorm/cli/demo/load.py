"""From the records to rows: all of it in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TypeVar

import aorm
from aorm import models
from aorm.cli.demo.metadata import Found, normalized
from aorm.cli.demo.models import CLASSIFIED, Classifier, Distribution, File, Requirement

BATCH = 500
Progress = Callable[[int], None]
M = TypeVar("M", bound=models.Model)


def rows_in(found: Sequence[Found]) -> int:
    """How many rows `load` is going to write."""
    links = sum(len(one.classifiers) + len(one.requirements) + len(one.files) for one in found)
    return len(found) + len(_classifiers(found)) + links


def load(found: Sequence[Found], progress: Progress) -> None:
    """Store the distributions and all that belongs to them; `progress` is told of each batch."""
    with aorm.atomic():
        stored = _insert(
            Distribution,
            (
                Distribution(
                    name=one.name, version=one.version, licence=one.licence, summary=one.summary
                )
                for one in found
            ),
            progress,
        )
        by_key = {normalized(distribution.name): distribution for distribution in stored}
        _insert_classifiers(found, by_key, progress)
        _insert(Requirement, _requirements(found, by_key), progress)
        _insert(File, _files(found, by_key), progress)


def _insert_classifiers(
    found: Sequence[Found], by_key: dict[str, Distribution], progress: Progress
) -> None:
    stored = _insert(Classifier, (Classifier(name=name) for name in _classifiers(found)), progress)
    by_name = {classifier.name: classifier for classifier in stored}
    _insert(
        CLASSIFIED,
        (
            CLASSIFIED(distribution=by_key[one.key], classifier=by_name[name])
            for one in found
            for name in one.classifiers
        ),
        progress,
    )


def _classifiers(found: Sequence[Found]) -> list[str]:
    return sorted({name for one in found for name in one.classifiers})


def _requirements(found: Sequence[Found], by_key: dict[str, Distribution]) -> Iterable[Requirement]:
    for one in found:
        for requirement in one.requirements:
            yield Requirement(
                distribution=by_key[one.key],
                target=by_key.get(normalized(requirement.name)),
                name=requirement.name,
                specifier=requirement.specifier,
                marker=requirement.marker,
            )


def _files(found: Sequence[Found], by_key: dict[str, Distribution]) -> Iterable[File]:
    for one in found:
        for file in one.files:
            yield File(
                distribution=by_key[one.key], path=file.path, suffix=file.suffix, size=file.size
            )


def _insert(model: type[M], objects: Iterable[M], progress: Progress) -> list[M]:
    stored: list[M] = []
    rest = iter(objects)
    while batch := list(islice(rest, BATCH)):
        stored += model.objects.bulk_create(batch)
        progress(len(batch))
    return stored
