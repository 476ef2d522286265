"""Several databases: `using`, routers, managers of a database, and where objects come from."""

from __future__ import annotations

from typing import Any

import pytest
from shop.models import Author, Book, Cover, Tag

import aorm
from aorm.errors import QueryValueError
from aorm.models import Count, Q
from aorm.utils import ConnectionRouter


@pytest.fixture
def ask(ask_two: Any) -> Any:
    return ask_two


class ByModel:
    """Authors are in the other database."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "other" if model is Author else None

    db_for_write = db_for_read


class Apart:
    """Reads from one database, writes to the other one."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "other"

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "default"


class Asked:
    """Notes what it is asked, and leaves it to others."""

    def __init__(self) -> None:
        self.questions: list[tuple[str, Any, Any]] = []

    def db_for_read(self, model: Any, **hints: Any) -> None:
        self.questions.append(("read", model, hints.get("instance")))

    def db_for_write(self, model: Any, **hints: Any) -> None:
        self.questions.append(("write", model, hints.get("instance")))


class AllRelated:
    def allow_relation(self, obj1: Any, obj2: Any, **hints: Any) -> bool:
        return True


def use(*routers: Any) -> None:
    aorm.settings.DATABASE_ROUTERS = list(routers)


async def names(ask: Any, alias: str) -> list[str]:
    return [author.name for author in await ask(list, Author.objects.using(alias).order_by("name"))]


# --- using ---------------------------------------------------------------------------------


async def test_a_queryset_reads_and_writes_where_it_is_told(ask):
    others = Author.objects.using("other")
    await ask(others.create, name="Ada")
    await ask(others.bulk_create, [Author(name="Eve")])
    await ask(others.get_or_create, name="Ida")
    await ask(others.filter(name="Eve").update, name="Eva")
    assert await names(ask, "other") == ["Ada", "Eva", "Ida"]
    assert await names(ask, "default") == []
    await ask(others.filter(name="Eva").delete)
    assert await ask(others.count) == 2


async def test_a_manager_of_a_database(ask):
    manager = Author.objects.db_manager("other")
    ada = await ask(manager.create, name="Ada")
    assert ada._state.db == "other"
    assert await ask(manager.all().get) == ada
    assert await names(ask, "default") == []


async def test_an_object_remembers_where_it_comes_from(ask):
    await ask(Author.objects.using("other").create, name="Ada")
    author = await ask(Author.objects.using("other").get)
    assert author._state.db == "other"
    author.name = "Eve"
    await ask(author.save)
    assert await names(ask, "other") == ["Eve"]
    await ask(Author.objects.using("other").update, name="Ida")
    await ask(author.refresh_from_db)
    assert author.name == "Ida"
    await ask(author.delete)
    assert await names(ask, "other") == []


async def test_an_object_is_copied_by_saving_it_elsewhere(ask):
    author = await ask(Author.objects.create, name="Ada")
    await ask(author.save, using="other")
    assert author._state.db == "other"
    assert await names(ask, "default") == await names(ask, "other") == ["Ada"]


async def test_bulk_created_objects_are_of_their_database(ask):
    authors = await ask(Author.objects.using("other").bulk_create, [Author(name="Ada")])
    assert [author._state.db for author in authors] == ["other"]


async def test_relations_stay_in_the_database_of_the_object(ask):
    author = await ask(Author.objects.using("other").create, name="Ada")
    book = await ask(author.books.create, title="Sagas", pages=1)
    tag = await ask(Tag.objects.using("other").create, name="old")
    await ask(book.tags.add, tag)
    assert (book._state.db, await ask(Book.objects.count)) == ("other", 0)
    assert await ask(author.books.get) == book
    assert await ask(tag.books.get) == book
    (found,) = await ask(
        list, Book.objects.using("other").prefetch_related("tags").select_related("author")
    )
    assert [each._state.db for each in (found.author, *found.tags.all())] == ["other", "other"]


async def test_a_relation_is_loaded_from_the_database_of_the_object(ask):
    author = await ask(Author.objects.using("other").create, name="Ada")
    await ask(Book.objects.using("other").create, title="Sagas", author=author)
    book = await ask(Book.objects.using("other").get)
    await ask(book.fetch_related, "author", "tags")
    assert (book.author, book.author._state.db) == (author, "other")


async def test_a_new_object_goes_where_its_related_object_is(ask):
    author = await ask(Author.objects.using("other").create, name="Ada")
    book = Book(title="Sagas", author=author)
    assert book._state.db == "other"
    await ask(book.save)
    assert await ask(Book.objects.using("other").count) == 1


async def test_a_transaction_is_of_one_database(ask):
    with pytest.raises(LookupError):
        async with ask.atomic():
            await ask(Author.objects.create, name="Ada")
            await ask(Author.objects.using("other").create, name="Ada")
            raise LookupError
    assert await names(ask, "default") == []
    assert await names(ask, "other") == ["Ada"]


async def test_a_cascade_stays_in_the_database_of_the_object(ask):
    for alias in ("default", "other"):
        author = await ask(Author.objects.using(alias).create, name="Ada")
        book = await ask(author.books.create, title="Sagas", pages=1)
        await ask(Cover.objects.using(alias).create, book=book, artist="Eve")
    count, _ = await ask(author.delete)
    assert count == 3
    assert await ask(Cover.objects.using("other").count) == 0
    assert await ask(Cover.objects.using("default").count) == 1


async def test_a_subquery_of_another_database_is_refused(ask):
    inner = Author.objects.using("other").filter(name="Ada")
    with pytest.raises(QueryValueError, match="different databases"):
        await ask(list, Book.objects.using("default").filter(author__in=inner))


@pytest.mark.parametrize(
    "meet",
    [
        lambda books, inner: books.exclude(author__in=inner),
        lambda books, inner: books.filter(Q(author__in=inner) | Q(pages=1)),
        lambda books, inner: books.filter(~Q(author__in=[inner.values("pk")[:1], 7])),
        lambda books, inner: books.filter(author__in=Author.objects.filter(mentor__in=inner)),
        lambda books, inner: books.values("author").union(inner.values("pk")),
    ],
    ids=["exclude", "q", "item", "nested", "union"],
)
async def test_wherever_a_subquery_of_another_database_is_met_it_is_refused(ask, meet):
    books = meet(Book.objects.all(), Author.objects.using("other").filter(name="Ada"))
    with pytest.raises(QueryValueError, match="different databases"):
        await ask(list, books)
    with pytest.raises(QueryValueError, match="different databases"):
        str(books.query)


async def test_a_subquery_of_the_database_that_is_asked_is_answered(ask):
    ada = await ask(Author.objects.using("other").create, name="Ada")
    await ask(Book.objects.using("other").create, title="Sagas", author=ada)
    books = Book.objects.filter(author__in=Author.objects.using("other").filter(name="Ada"))
    assert await ask(books.using("other").count) == 1
    assert [book.title for book in await ask(list, books.using("other"))] == ["Sagas"]


async def test_rows_are_not_changed_by_a_subquery_of_another_database(ask):
    inner = Author.objects.using("other").filter(name="Ada")
    books = Book.objects.filter(author__in=inner)
    with pytest.raises(QueryValueError, match="different databases"):
        await ask(books.update, pages=1)
    with pytest.raises(QueryValueError, match="different databases"):
        await ask(books.delete)


# --- routers ---------------------------------------------------------------------------------


async def test_a_router_chooses_by_model(ask):
    use(ByModel())
    await ask(Author.objects.create, name="Ada")
    await ask(Author(name="Eve").save)
    await ask(Tag.objects.create, name="old")
    assert await ask(Author.objects.count) == 2
    assert Author.objects.all().db == "other"
    assert await ask(Tag.objects.using("default").count) == 1
    assert await names(ask, "default") == []


async def test_a_router_chooses_between_reading_and_writing(ask):
    use(Apart())
    await ask(Author.objects.create, name="Ada")
    assert await ask(Author.objects.count) == 0
    assert await names(ask, "default") == ["Ada"]
    assert (await ask(Author.objects.get_or_create, name="Ada"))[1] is False
    assert await ask(Author.objects.update, age=1) == 1
    await ask(Author.objects.using("other").create, name="Eve")
    assert (await ask(Author.objects.filter(name="Ada").delete))[0] == 1


async def test_what_was_named_comes_before_routers(ask):
    use(ByModel())
    await ask(Author.objects.using("default").create, name="Ada")
    assert await names(ask, "default") == ["Ada"]
    assert await ask(Author.objects.count) == 0


async def test_the_first_router_that_answers_decides(ask):
    asked = Asked()
    use(asked, object(), ByModel(), Apart())
    assert Author.objects.all().db == "other"
    assert asked.questions == [("read", Author, None)]


async def test_routers_hear_of_the_object(ask):
    author = await ask(Author.objects.create, name="Ada")
    asked = Asked()
    use(asked)
    await ask(author.books.count)
    await ask(author.save)
    assert ("read", Book, author) in asked.questions
    assert ("write", Author, author) in asked.questions


async def test_routers_are_asked_about_the_rows_between(ask):
    between = Book.tags.through
    author = await ask(Author.objects.create, name="Ada")
    book = await ask(author.books.create, title="Sagas", pages=1)
    tag = await ask(Tag.objects.create, name="old")
    for change, args in ((book.tags.add, [tag]), (book.tags.remove, [tag]), (book.tags.clear, [])):
        asked = Asked()
        use(asked)
        await ask(change, *args)
        assert {q for q in asked.questions if q[0] == "write"} == {("write", between, book)}


async def test_what_is_created_for_a_many_to_many_relation_goes_where_the_object_goes(ask):
    author = await ask(Author.objects.using("other").create, name="Ada")
    book = await ask(author.books.create, title="Sagas", pages=1)
    asked = Asked()
    use(asked)
    tag = await ask(book.tags.create, name="old")
    assert ("write", Book, book) in asked.questions
    assert tag._state.db == "other"
    assert await ask(Book.tags.through.objects.using("other").count) == 1


async def test_a_router_may_be_named_by_its_path(ask):
    use(f"{__name__}.ByModel")
    assert Author.objects.all().db == "other"
    assert Tag.objects.all().db == "default"


async def test_objects_of_different_databases_are_not_related(ask):
    author = await ask(Author.objects.create, name="Ada")
    tag = await ask(Tag.objects.using("other").create, name="old")
    book = await ask(author.books.create, title="Sagas", pages=1)
    with pytest.raises(ValueError, match="router"):
        book.author = await ask(Author.objects.using("other").create, name="Eve")
    with pytest.raises(ValueError, match='instance is on database "default"'):
        await ask(book.tags.add, tag)


async def test_what_is_on_another_database_is_not_added(ask):
    author = await ask(Author.objects.create, name="Ada")
    eve = await ask(Author.objects.using("other").create, name="Eve")
    book = await ask(eve.books.create, title="Sagas", pages=1)
    with pytest.raises(ValueError, match="router prevents this relation"):
        await ask(author.books.add, book)
    assert (book.author_id, book._state.db) == (eve.pk, "other")


async def test_a_router_allows_relations(ask):
    eve = await ask(Author.objects.using("other").create, name="Eve")
    book = Book(title="Sagas")
    book._state.db = "default"
    use(AllRelated())
    book.author = eve
    assert book.author_id == eve.pk


async def test_a_table_of_routers_of_ones_own(ask):
    use(ByModel())
    assert ConnectionRouter().db_for_read(Author) == "other"
    assert ConnectionRouter([]).db_for_read(Author) == "default"
    assert ConnectionRouter([f"{__name__}.Apart"]).db_for_read(Tag) == "other"


async def test_configure_takes_routers(ask, two):
    aorm.configure(two, routers=[ByModel()])
    assert Author.objects.all().db == "other"


# --- one question for one query ---------------------------------------------------------------


class Alternating:
    """Answers with the one database and the other in turn, as one that spreads the load."""

    def __init__(self) -> None:
        self.answers: list[str] = []

    def db_for_read(self, model: Any, **hints: Any) -> str:
        self.answers.append("other" if len(self.answers) % 2 else "default")
        return self.answers[-1]

    db_for_write = db_for_read


READS = {
    "list": lambda: (list, Author.objects.all()),
    "get": lambda: (Author.objects.get, {"name": "Ada"}),
    "first": lambda: (Author.objects.first,),
    "last": lambda: (Author.objects.last,),
    "earliest": lambda: (Author.objects.earliest, "name"),
    "latest": lambda: (Author.objects.latest, "name"),
    "count": lambda: (Author.objects.count,),
    "exists": lambda: (Author.objects.exists,),
    "aggregate": lambda: (Author.objects.aggregate, Count("pk")),
    "in_bulk": lambda: (Author.objects.in_bulk,),
    "values": lambda: (list, Author.objects.values("name")),
    "explain": lambda: (Author.objects.filter(name="Ada").explain,),
    "raw": lambda: (list, Author.objects.raw("SELECT * FROM shop_author")),
}
WRITES = {
    "create": lambda: (Author.objects.create, {"name": "Eve"}),
    "bulk_create": lambda: (Author.objects.bulk_create, [Author(name="Eve")]),
    "get_or_create": lambda: (Author.objects.get_or_create, {"name": "Eve"}),
    "update_or_create": lambda: (Author.objects.update_or_create, {"name": "Eve"}),
    "update": lambda: (Author.objects.filter(name="Ada").update, {"name": "Eve"}),
    "delete": lambda: (Author.objects.filter(name="Ada").delete,),
}


async def do(ask: Any, what: tuple[Any, ...]) -> Any:
    function, *rest = what
    keywords = rest.pop() if rest and isinstance(rest[-1], dict) else {}
    return await ask(function, *rest, **keywords)


@pytest.mark.parametrize("what", [*READS, *WRITES])
async def test_the_router_is_asked_once_for_a_query(ask, what):
    for alias in ("default", "other"):
        await ask(Author.objects.using(alias).create, name="Ada")
    router = Asked()
    use(router)
    await do(ask, {**READS, **WRITES}[what]())
    kind = "read" if what in READS else "write"
    assert router.questions == [(kind, Author, None)]


async def test_refreshing_asks_the_router_once_and_tells_it_the_object(ask):
    ada = await ask(Author.objects.create, name="Ada")
    router = Asked()
    use(router)
    await ask(ada.refresh_from_db)
    assert router.questions == [("read", Author, ada)]


async def test_prefetching_asks_the_router_once_for_each_query(ask):
    ada = await ask(Author.objects.create, name="Ada")
    await ask(Book.objects.create, title="Engines", pages=1, author=ada)
    router = Asked()
    use(router)
    found = await ask(list, Author.objects.prefetch_related("books"))
    assert router.questions == [("read", Author, None), ("read", Book, found[0])]


async def test_what_is_read_comes_from_the_database_that_it_says(ask):
    for alias in ("default", "other"):
        await ask(Author.objects.using(alias).create, name=alias)
    use(Alternating())
    for alias in ("default", "other") * 2:
        found = await ask(Author.objects.get)
        assert (found.name, found._state.db) == (alias, alias)


async def test_what_the_router_answers_holds_for_one_query_alone(ask):
    for alias in ("default", "other"):
        await ask(Author.objects.using(alias).create, name=alias)
    use(Alternating())
    everyone = Author.objects.all()
    assert [each.name for each in await ask(list, everyone)] == ["default"]
    assert [each.name for each in await ask(list, everyone.filter(pk__gt=0))] == ["other"]


async def test_what_is_written_goes_to_the_database_that_it_says(ask):
    use(Alternating())
    made = [await ask(Author.objects.create, name=name) for name in ("Ada", "Eve")]
    use()
    assert [each._state.db for each in made] == ["default", "other"]
    assert await names(ask, "default") == ["Ada"]
    assert await names(ask, "other") == ["Eve"]


async def test_rows_that_were_read_are_forgotten_when_they_are_changed(ask):
    await ask(Author.objects.create, name="Ada")
    use(Asked())
    everyone = Author.objects.all()
    assert [each.name for each in await ask(list, everyone)] == ["Ada"]
    await ask(everyone.update, name="Eve")
    assert [each.name for each in await ask(list, everyone)] == ["Eve"]
    await ask(everyone.delete)
    assert await ask(list, everyone) == []
