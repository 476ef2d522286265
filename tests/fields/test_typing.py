"""What a type checker makes of fields, without a plugin."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Generic

import pytest
from mypy import api

from aorm import models

SOURCE = """
from typing import Any

from aorm import models
from aorm.fields.dates import DateField, DateTimeField
from aorm.fields.json import JSONField
from aorm.fields.numbers import BigAutoField, DecimalField, IntegerField
from aorm.fields.text import CharField, SlugField
from aorm.fields.various import BooleanField, UUIDField

class Own(CharField): ...

class Upper(CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

class Book:
    id = BigAutoField(primary_key=True)
    title = CharField("the title", max_length=100, db_collation="c")
    subtitle = SlugField(null=True, allow_unicode=True)
    pages = IntegerField(null=True)
    price = DecimalField(max_digits=5, decimal_places=2)
    day = DateField()
    at = DateTimeField(null=True, auto_now=True)
    key = UUIDField(null=False)
    sold = BooleanField(default=False)
    data = JSONField(null=True)
    own = Own(null=True)
    upper = Upper(max_length=3)

book = Book()
reveal_type(book.id)
reveal_type(book.title)
reveal_type(book.subtitle)
reveal_type(book.pages)
reveal_type(book.price)
reveal_type(book.day)
reveal_type(book.at)
reveal_type(book.key)
reveal_type(book.sold)
reveal_type(book.data)
reveal_type(book.own)
reveal_type(book.upper)
reveal_type(Book.title)
book.title = "x"
book.pages = None
"""

REVEALED = [
    "int",
    "str",
    "str | None",
    "int | None",
    "decimal.Decimal",
    "datetime.date",
    "datetime.datetime | None",
    "uuid.UUID",
    "bool",
    "Any | None",
    "str",
    "str",
    "CharField[Literal[False]]",
]

RELATIONS = """
class Author(models.Model):
    name = models.CharField(max_length=9)

class Tag(models.Model):
    name = models.CharField(max_length=9)

class OwnKey(models.ForeignKey): ...

class Work(models.Model):
    author = models.ForeignKey(Author, models.CASCADE, "works", db_index=False)
    editor = models.ForeignKey(Author, on_delete=models.SET_NULL, null=True, verbose_name="by")
    labelled = models.ForeignKey("Author", models.CASCADE)
    before = models.ForeignKey("self", models.CASCADE, null=True)
    written = models.ForeignKey["Author"]("Author", models.CASCADE)
    maybe = models.ForeignKey["Author | None"]("Author", models.CASCADE, null=True)
    own = OwnKey(Author, models.CASCADE)
    one = models.OneToOneField(Author, models.CASCADE, related_name="work")
    none = models.OneToOneField(Author, models.CASCADE, null=True, to_field="name")
    alone = models.OneToOneField["Author"]("Author", models.CASCADE)
    tags = models.ManyToManyField(Tag, related_name="works", blank=True)
    words = models.ManyToManyField("Tag", through="Word")
    terms = models.ManyToManyField["Tag"]("Tag")

async def relations(work: Work, tag: Tag, author: Author) -> None:
    reveal_type(work.author)
    reveal_type(work.editor)
    reveal_type(work.labelled)
    reveal_type(work.before)
    reveal_type(work.written)
    reveal_type(work.maybe)
    reveal_type(work.own)
    reveal_type(work.one)
    reveal_type(work.none)
    reveal_type(work.alone)
    reveal_type(Work.author)
    reveal_type(work.tags)
    reveal_type(work.words)
    reveal_type(work.terms)
    reveal_type(Work.tags)
    reveal_type(Work.tags.through)
    reveal_type(work.tags.all())
    reveal_type(work.tags.filter(name="x"))
    reveal_type(work.tags.get(name="x"))
    reveal_type(await work.tags.afirst())
    reveal_type(work.tags.create(name="x", through_defaults={}))
    reveal_type(await work.tags.aget_or_create(name="x"))
    async for each in work.tags.all():
        reveal_type(each)
    work.tags.add(tag, 3, through_defaults={"since": 1})
    await work.tags.aadd(tag)
    work.tags.remove(tag)
    await work.tags.aset(Tag.objects.all(), clear=True)
    work.tags.clear()
    work.author = author
    work.author = models.F("editor")
    work.editor = None
    work.maybe = None
    work.labelled = author

work = Work()
"""

RELATED = [
    "Author",
    "Author | None",
    "Any",
    "Any | None",
    "Author",
    "Author | None",
    "Any",
    "Author",
    "Author | None",
    "Author",
    "ForeignKey[Author, Literal[False]]",
    "ManyRelatedManager[Tag]",
    "ManyRelatedManager[Any]",
    "ManyRelatedManager[Tag]",
    "ManyToManyDescriptor",
    "Any",
    "QuerySet[Tag]",
    "QuerySet[Tag]",
    "Tag",
    "Tag | None",
    "Tag",
    "tuple[Tag, bool]",
    "Tag",
]

QUERIES = """
class WorkManager(models.Manager["Work2"]):
    def long(self) -> models.QuerySet["Work2"]:
        return self.filter(title="x")

class Work2(models.Model):
    title = models.CharField(max_length=9)
    objects = WorkManager()

class Work3(Work2): ...

async def queries() -> None:
    reveal_type(Tag.objects.get())
    reveal_type(Work2.objects.long())
    reveal_type(Work2.objects.get())
    reveal_type(Work3.objects.long())
    reveal_type(Tag.objects.filter(name="x").order_by("name")[:3].get())
    reveal_type(Tag.objects.values("name").first())
    reveal_type(Tag.objects.values_list("name")[0])
    reveal_type(Tag.objects.values_list("name", flat=True)[0])
    reveal_type([each async for each in Tag.objects.dates("at", "year")])
    reveal_type(await Tag.objects.all())
    reveal_type((Tag.objects.all() | Tag.objects.none()).get())
"""

ASKED = [
    "Tag",
    "QuerySet[Work2]",
    "Work2",
    "QuerySet[Work2]",
    "Tag",
    "dict[str, Any] | None",
    "tuple[Any, ...]",
    "Any",
    "list[datetime.date]",
    "list[Tag]",
    "Tag",
]

REFUSED = """
book.title = 3
book.title = None
CharField(max_lenght=3)
DateField(max_digits=3)
work.author = None
work.editor = Tag()
work.tags = [Tag()]
work.tags.add(Author())
models.ForeignKey(Author, models.CASCADE, nul=True)
models.ManyToManyField(Tag, on_delete=models.CASCADE)
"""


@pytest.fixture(scope="module")
def checked(tmp_path_factory) -> tuple[list[str], list[int]]:
    """The types that are revealed, and the lines with errors; all of one run of mypy."""
    root = Path(__file__).parents[2]
    file = tmp_path_factory.mktemp("typing") / "book.py"
    file.write_text(SOURCE + RELATIONS + QUERIES + REFUSED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYPYPATH", str(root))
        cache = str(root / ".mypy_cache")
        output, _, _ = api.run(["--strict", "--cache-dir", cache, "--no-pretty", str(file)])
    own = [line for line in output.splitlines() if "book.py:" in line]
    revealed = re.findall(r'Revealed type is "(.*)"', "\n".join(own))
    errors = {int(number) for number in re.findall(r"book\.py:(\d+): error:", "\n".join(own))}
    return [_short(each) for each in revealed], sorted(errors)


def _short(name: str) -> str:
    """A type without the modules of ours and of the checked file."""
    return re.sub(r"\b(?:builtins|book|aorm(?:\.\w+)+)\.(?=\w)", "", name)


def test_attributes_have_the_types_of_their_values(checked):
    assert checked[0][: len(REVEALED)] == REVEALED


def test_relations_have_the_types_of_their_targets(checked):
    assert checked[0][len(REVEALED) : len(REVEALED) + len(RELATED)] == RELATED


def test_queries_have_the_types_of_their_results(checked):
    assert checked[0][len(REVEALED) + len(RELATED) :] == ASKED


def test_wrong_values_and_options_are_found_and_nothing_else(checked):
    good = (SOURCE + RELATIONS + QUERIES).count("\n")
    assert checked[1] == list(range(good + 2, good + 1 + REFUSED.count("\n")))


def test_at_run_time_relations_are_not_generic():
    for field in (models.ForeignKey, models.OneToOneField, models.ManyToManyField):
        assert field["Author"] is field
        assert Generic not in field.__mro__
