"""What Python's own metadata says about the installed distributions, as plain records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions

_REQUIREMENT = re.compile(
    r"""\s* (?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)
        \s* (?:\[[^]]*\])?
        \s* \(? (?P<specifier>[^;)]*) \)?
        \s* (?:;\s*(?P<marker>.*))?""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class FoundFile:
    """A file that a distribution installed."""

    path: str
    suffix: str
    size: int | None


@dataclass(frozen=True)
class FoundRequirement:
    """What a distribution asks for, as far as a database of it needs to know."""

    name: str
    specifier: str
    marker: str


@dataclass(frozen=True)
class Found:
    """One installed distribution."""

    name: str
    version: str
    licence: str
    summary: str
    classifiers: tuple[str, ...]
    files: tuple[FoundFile, ...]
    requirements: tuple[FoundRequirement, ...]

    @property
    def key(self) -> str:
        """The name as requirements are compared by it."""
        return normalized(self.name)


def normalized(name: str) -> str:
    """Distribution names are equal whatever their case and separators."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed() -> Iterator[Found]:
    """Every installed distribution once: the one that an import would find."""
    seen: set[str] = set()
    for distribution in distributions():
        name = _header(distribution, "Name")
        if name and normalized(name) not in seen:
            seen.add(normalized(name))
            yield _found(name, distribution)


def _found(name: str, distribution: Distribution) -> Found:
    classifiers = distribution.metadata.get_all("Classifier") or []
    return Found(
        name=name,
        version=distribution.version,
        licence=_licence(distribution, classifiers),
        summary=_header(distribution, "Summary"),
        classifiers=tuple(dict.fromkeys(classifiers)),
        files=tuple(_files(distribution)),
        requirements=tuple(_requirement(text) for text in distribution.requires or ()),
    )


def _licence(distribution: Distribution, classifiers: list[str]) -> str:
    # Three generations of saying the same; the oldest field may hold a whole licence text.
    if expression := _header(distribution, "License-Expression"):
        return expression
    for classifier in classifiers:
        if classifier.startswith("License :: "):
            return classifier.rpartition(" :: ")[2]
    return (_header(distribution, "License") or "unknown").partition("\n")[0][:60]


def _header(distribution: Distribution, name: str) -> str:
    return next(iter(distribution.metadata.get_all(name) or ()), "")


def _files(distribution: Distribution) -> Iterator[FoundFile]:
    for file in distribution.files or ():
        size = file.size
        if size is None:  # compiled files are recorded without one
            try:
                size = file.locate().stat().st_size  # type: ignore[attr-defined,unused-ignore]
            except OSError:
                size = None
        yield FoundFile(str(file), file.suffix or file.name, size)


def _requirement(text: str) -> FoundRequirement:
    match = _REQUIREMENT.match(text)
    if match is None:
        return FoundRequirement(text, "", "")
    return FoundRequirement(
        match["name"], match["specifier"].strip(), (match["marker"] or "").strip()
    )
