"""What docs/reference.md shows: a sentence and a piece of Python for each construct.

A piece ends in an expression: a QuerySet, which is read, or a call that asks the database.
"""

from __future__ import annotations

from typing import NamedTuple


class Example(NamedTuple):
    """One construct: what it means, and how it is said."""

    meaning: str
    code: str


class Section(NamedTuple):
    """The constructs of one subject."""

    title: str
    words: str
    examples: tuple[Example, ...]


def section(title: str, words: str, *pairs: tuple[str, str]) -> Section:
    return Section(title, words, tuple(Example(*pair) for pair in pairs))


SECTIONS = (
    section(
        "Filters",
        "Conditions in one call hold together. A name is a field, behind relations with `__`,"
        " and may end in a lookup.",
        (
            "Rows that satisfy all conditions.",
            'Book.objects.filter(pages__gte=300, available=True).values("title")',
        ),
        (
            "Rows that do not satisfy all of them together. NULL is no match, so it stays.",
            'Book.objects.exclude(rating__lt=3).values("title")',
        ),
        ("NULL.", 'Book.objects.filter(published=None).values("title")'),
        ("Not NULL.", 'Book.objects.filter(published__isnull=False).values("title")'),
        (
            "One of a list, of any length in one text.",
            'Book.objects.filter(pages__in=[100, 200, 300]).values("title")',
        ),
        ("Between, with both ends.", 'Book.objects.filter(pages__range=(1, 99)).values("title")'),
        (
            "One of the rows of another query.",
            'Book.objects.filter(author__in=Author.objects.filter(age__gt=60)).values("title")',
        ),
        ("All columns, in the model's order; `...` in the SQL.", "Author.objects.all()"),
        ("A slice.", 'Author.objects.values("name")[10:20]'),
        ("One object; an error unless there is exactly one.", 'Author.objects.get(name="Ada")'),
        ("The first one in order.", "Author.objects.first()"),
        ("Whether there is any.", "Author.objects.filter(age=36).exists()"),
        ("How many there are.", "Author.objects.filter(age=36).count()"),
    ),
    section(
        "Lookups of texts",
        "`contains`, `startswith` and `endswith` take the value as it is: `%` and `_` mean"
        " themselves. Each has a twin that begins with `i` and ignores case.",
        ("The same text, in any case.", 'Author.objects.filter(name__iexact="ada").values("pk")'),
        ("Contains.", 'Author.objects.filter(name__contains="da").values("pk")'),
        ("Contains, in any case.", 'Author.objects.filter(name__icontains="da").values("pk")'),
        ("Begins with.", 'Author.objects.filter(name__startswith="A").values("pk")'),
        ("Ends with.", 'Author.objects.filter(name__endswith="a").values("pk")'),
        (
            "A regular expression (Python's on SQLite, POSIX on PostgreSQL).",
            'Author.objects.filter(name__regex="^A").values("pk")',
        ),
        (
            "A transform before the lookup.",
            "models.CharField.register_lookup(Length)\n"
            'Author.objects.filter(name__length__gt=3).values("pk")',
        ),
    ),
    section(
        "Q: conditions as values",
        "`&`, `|`, `^` and `~` combine conditions; expressions that are true or false may stand"
        " among them.",
        (
            "Or.",
            'Book.objects.filter(Q(pages__lt=50) | Q(title="Notes")).values("pk")',
        ),
        ("Not.", 'Book.objects.filter(~Q(title="Notes"), pages__lt=50).values("pk")'),
        (
            "Exactly one of both.",
            'Book.objects.filter(Q(available=True) ^ Q(pages=0)).values("pk")',
        ),
        (
            "A lookup as an expression.",
            "from aorm.models.lookups import GreaterThan\n"
            'Book.objects.filter(GreaterThan(F("pages"), F("author__age"))).values("pk")',
        ),
    ),
    section(
        "Relations",
        "A name that leads to another model joins its table; conditions on one to-many relation"
        " in one call are about the same row.",
        ("A column of the related row.", 'Book.objects.filter(author__name="Ada").values("pk")'),
        (
            "A relation that may be NULL is joined so that no row gets lost.",
            'Book.objects.values_list("title", "editor__name")',
        ),
        (
            "Backwards and through tables between.",
            'Author.objects.filter(books__tags__name="red").values("name")',
        ),
        (
            "None of the related rows.",
            'Author.objects.exclude(books__pages__lt=50).values("name")',
        ),
        (
            "Objects with their relations, in one statement.",
            'Book.objects.select_related("author").only("title", "author__name")',
        ),
        (
            "One more statement for each relation to many.",
            'Author.objects.only("name").prefetch_related("books__tags")',
        ),
        (
            "A relation under a name of its own, on a further condition.",
            'long = FilteredRelation("books", condition=Q(books__pages__gt=300))\n'
            'Author.objects.annotate(long=long).values("name", "long__title")',
        ),
        (
            "A filter through it.",
            'long = FilteredRelation("books", condition=Q(books__pages__gt=300))\n'
            'Author.objects.annotate(long=long).filter(long__isnull=True).values("name")',
        ),
    ),
    section(
        "F: fields as values",
        "`F` is the value of a field, an annotation, or a field behind relations.",
        ("Two columns.", 'Book.objects.filter(pages__gt=F("author__age")).values("pk")'),
        (
            "Arithmetic: `+ - * / % **`.",
            'Book.objects.annotate(cost=F("price") * F("pages") + 1).values_list("cost")',
        ),
        (
            "Bits.",
            'Book.objects.annotate(low=F("pages").bitand(7)).values_list("low")',
        ),
        ("Some characters.", 'Author.objects.annotate(first=F("name")[:1]).values_list("first")'),
        ("A change in the database.", 'Book.objects.update(pages=F("pages") + 1)'),
        (
            "Order, and where NULL stands.",
            'Book.objects.order_by(F("rating").desc(nulls_last=True), "title").values("pk")',
        ),
    ),
    section(
        "Expressions",
        "`annotate()` gives each row further values; `alias()` does so without selecting them.",
        (
            "The first condition that holds.",
            "size = Case(\n"
            '    When(pages__lt=50, then=Value("short")),\n'
            '    When(pages__lt=300, then=Value("middle")),\n'
            '    default=Value("long"),\n'
            ")\n"
            'Book.objects.annotate(size=size).values_list("title", "size")',
        ),
        (
            "A condition as a value.",
            'Book.objects.annotate(long=Q(pages__gt=300)).values_list("long")',
        ),
        (
            "A change by condition.",
            'Book.objects.update(pages=Case(When(pages__lt=0, then=0), default="pages"))',
        ),
        (
            "Another type.",
            'Book.objects.annotate(text=Cast("pages", models.CharField())).values_list("text")',
        ),
        (
            "An expression whose type has to be said.",
            'half = ExpressionWrapper(F("pages") / 2.0, output_field=models.FloatField())\n'
            'Book.objects.annotate(half=half).values_list("half")',
        ),
        (
            "A constant.",
            'Author.objects.annotate(known=Value(True)).values_list("name", "known")',
        ),
        (
            "Any function of the database.",
            'bits = Func(F("name"), function="LENGTH", output_field=models.IntegerField())\n'
            'Author.objects.annotate(bits=bits).values_list("bits")',
        ),
        (
            "SQL of one's own; its values are bound.",
            "from aorm.models.expressions import RawSQL\n"
            'more = RawSQL("age + %s", [10], output_field=models.IntegerField())\n'
            'Author.objects.annotate(more=more).values_list("more")',
        ),
    ),
    section(
        "Functions",
        "All of `aorm.models.functions`; these are one of each kind.",
        (
            "The first value that is not NULL.",
            'Book.objects.annotate(r=Coalesce("rating", Value(0.0))).values_list("r")',
        ),
        (
            "The greatest. NULL if any is NULL on SQLite, the greatest of the rest on PostgreSQL.",
            'Book.objects.annotate(n=Greatest("pages", "author__age")).values_list("n")',
        ),
        (
            "NULL where both are equal.",
            'Book.objects.annotate(n=NullIf("pages", Value(0))).values_list("n")',
        ),
        (
            "Texts one after the other; NULL is an empty one.",
            'Author.objects.annotate(c=Concat("name", Value("!"))).values_list("c")',
        ),
        (
            "Parts and forms of texts.",
            'Author.objects.values_list(Upper("name"), Length("name"), Substr("name", 2, 3))',
        ),
        (
            "Search and replace.",
            'found = StrIndex("name", Value("a"))\n'
            'Author.objects.values_list(found, Replace("name", Value("a"), Value("o")))',
        ),
        ("Padding.", 'Author.objects.values_list(LPad("name", 9, Value(".")), Trim("name"))'),
        ("Hashes.", 'Author.objects.values_list(MD5("name"), SHA256("name"))'),
        (
            "Numbers.",
            'Book.objects.values_list(Round("rating", precision=1), Ceil("rating"), Sqrt("pages"))',
        ),
        (
            "Remainder and power.",
            'Book.objects.values_list(Mod("pages", 7), Power("pages", 2), Sign("pages"))',
        ),
        ("A random order.", 'Book.objects.order_by("?").values("pk")'),
    ),
    section(
        "Dates",
        "Parts of dates are lookups and functions. A year is compared by its bounds, so that"
        " an index serves.",
        ("A year.", 'Book.objects.filter(published__year=2024).values("pk")'),
        ("From a year on.", 'Book.objects.filter(published__year__gte=2024).values("pk")'),
        ("Another part.", 'Book.objects.filter(published__month=6).values("pk")'),
        (
            "The day of a moment.",
            'Book.objects.filter(added__date=dt.date(2024, 6, 1)).values("pk")',
        ),
        (
            "Parts as values.",
            'Book.objects.values_list(ExtractYear("published"), ExtractIsoWeekDay("published"))',
        ),
        (
            "Cut to the month, in a time zone.",
            'month = TruncMonth("added", tzinfo=ZoneInfo("Europe/Paris"))\n'
            'Book.objects.annotate(month=month).values_list("month")',
        ),
        (
            "The different years.",
            'Book.objects.dates("published", "year")',
        ),
        (
            "Time between two moments.",
            'Book.objects.annotate(age=Now() - F("added")).values_list("age")',
        ),
        (
            "A moment and a duration.",
            'Book.objects.filter(added__gt=Now() - dt.timedelta(days=7)).values("pk")',
        ),
    ),
    section(
        "Aggregates",
        "`aggregate()` gives one row; with `annotate()` there is one group for each object, or for"
        " each combination of what `values()` named before.",
        (
            "One row over all.",
            'Book.objects.aggregate(Avg("pages"), longest=Max("pages"))',
        ),
        (
            "A value for no rows at all.",
            'Book.objects.aggregate(pages=Sum("pages", default=0))',
        ),
        (
            "For each object, over its related ones.",
            'Author.objects.annotate(n=Count("books")).values_list("name", "n")',
        ),
        (
            "Some of the rows, different values alone.",
            'n = Count("books__tags", filter=Q(books__pages__gt=300), distinct=True)\n'
            'Author.objects.annotate(n=n).values_list("name", "n")',
        ),
        (
            "For each combination of values.",
            'Book.objects.values("binding").annotate(n=Count("pk"), pages=Sum("pages"))',
        ),
        (
            "A condition on groups.",
            'Author.objects.annotate(n=Count("books")).filter(n__gt=2).values("name")',
        ),
        (
            "Texts of a group as one.",
            'names = StringAgg("title", delimiter=Value(", "), order_by="title")\n'
            "Book.objects.aggregate(titles=names)",
        ),
        (
            "Over a slice.",
            'Book.objects.order_by("-pages")[:10].aggregate(Avg("pages"))',
        ),
        (
            "Over what is computed for each object.",
            'Author.objects.annotate(n=Count("books")).aggregate(Avg("n"))',
        ),
    ),
    section(
        "Windows",
        "A function over the rows around each row. A filter on a window selects from the rows that"
        " have it.",
        (
            "The place in a group.",
            'place = Window(Rank(), partition_by="author", order_by="-pages")\n'
            'Book.objects.annotate(place=place).values_list("title", "place")',
        ),
        (
            "A running total.",
            "frame = RowRange(start=None, end=0)\n"
            'total = Window(Sum("pages"), order_by="pk", frame=frame)\n'
            'Book.objects.annotate(total=total).values_list("total")',
        ),
        (
            "The row before.",
            'before = Window(Lag("pages", default=0), order_by="pk")\n'
            'Book.objects.annotate(before=before).values_list("before")',
        ),
        (
            "A frame without the row itself.",
            "frame = RowRange(start=-1, end=1, exclusion=WindowFrameExclusion.CURRENT_ROW)\n"
            'Book.objects.values_list(Window(Avg("pages"), order_by="pk", frame=frame))',
        ),
        (
            "The first of each group.",
            'place = Window(RowNumber(), partition_by="author", order_by="-pages")\n'
            'Book.objects.alias(place=place).filter(place=1).values("title")',
        ),
    ),
    section(
        "Subqueries",
        "`OuterRef` is a field of the query around, `OuterRef(OuterRef(...))` one of the query"
        " around that.",
        (
            "Whether there is a row.",
            'books = Book.objects.filter(author=OuterRef("pk"), pages__gt=300)\n'
            'Author.objects.filter(Exists(books)).values("name")',
        ),
        (
            "A value from another query.",
            'books = Book.objects.filter(author=OuterRef("pk")).order_by("-pages")\n'
            'longest = Subquery(books.values("title")[:1])\n'
            'Author.objects.annotate(longest=longest).values_list("name", "longest")',
        ),
        (
            "An aggregate of another query.",
            'pages = Book.objects.filter(author=OuterRef("pk")).values("author")\n'
            'total = Subquery(pages.annotate(total=Sum("pages")).values("total"))\n'
            'Author.objects.annotate(total=total).values_list("total")',
        ),
        (
            "Two levels.",
            'peers = Author.objects.filter(age=OuterRef(OuterRef("age")), pk=OuterRef("author"))\n'
            "books = Book.objects.filter(Exists(peers))\n"
            'Author.objects.filter(Exists(books)).values("name")',
        ),
        (
            "A change from another table.",
            'mentor = Author.objects.filter(pk=OuterRef("mentor"))\n'
            'Author.objects.update(age=Subquery(mentor.values("age")[:1]))',
        ),
    ),
    section(
        "Set operations",
        "The rows of several queries together. Afterwards they can be ordered, sliced, counted,"
        " and stand as an operand.",
        (
            "Union.",
            'names = Author.objects.values_list("name")\n'
            'names.union(Tag.objects.values_list("name"))',
        ),
        (
            "With repetitions, in order, cut.",
            'names = Author.objects.values_list("name")\n'
            'names.union(Tag.objects.values_list("name"), all=True).order_by("name")[:3]',
        ),
        (
            "Rows of both.",
            'names = Author.objects.values_list("name")\n'
            'names.intersection(Tag.objects.values_list("name"))',
        ),
        (
            "Rows of the first alone.",
            'names = Author.objects.values_list("name")\n'
            'names.difference(Tag.objects.values_list("name"))',
        ),
        (
            "As an operand.",
            'some = Author.objects.filter(age=36).values("pk")\n'
            'more = some.union(Author.objects.filter(name="Bob").values("pk"))\n'
            'Book.objects.filter(author__in=more).values("pk")',
        ),
        (
            "Two filters of one model, joined.",
            '(Author.objects.filter(age=36) | Author.objects.filter(name="Bob")).values("pk")',
        ),
    ),
    section(
        "Distinct rows",
        "`distinct()` leaves out repeated rows; with names it keeps the first row of each group,"
        " where the database has DISTINCT ON.",
        ("No row twice.", 'Book.objects.values("author__name").distinct()'),
        (
            "The first of each group.",
            'Book.objects.order_by("author_id", "-pages").distinct("author_id").values("title")',
        ),
    ),
    section(
        "JSON",
        "Names behind a JSON field are keys, numbers are places in lists.",
        ("A value by its path.", 'Book.objects.filter(details__size__w=10).values("pk")'),
        ("A place in a list.", 'Book.objects.filter(details__colours__0="red").values("pk")'),
        ("A key.", 'Book.objects.filter(details__has_key="size").values("pk")'),
        (
            "Any of some keys.",
            'Book.objects.filter(details__has_any_keys=["size", "weight"]).values("pk")',
        ),
        ("A part of the document.", 'Book.objects.filter(details__contains={"a": 1}).values("pk")'),
        (
            "A value as a result.",
            'Book.objects.values_list("details__size", KT("details__size__w"))',
        ),
        (
            "A document made of columns.",
            'Book.objects.annotate(d=JSONObject(title="title", n=F("pages"))).values_list("d")',
        ),
        ("JSON's null, which is not SQL's.", 'Book.objects.filter(details__a=None).values("pk")'),
    ),
    section(
        "Changes",
        "Changes are single statements where that is possible; `update()` and `delete()` give the"
        " number of rows.",
        ("A new row.", 'Author.objects.create(name="Eve", age=1)'),
        (
            "Many new rows.",
            'Tag.objects.bulk_create([Tag(name="red"), Tag(name="blue")])',
        ),
        (
            "What is there already stays.",
            'Tag.objects.bulk_create([Tag(name="red")], ignore_conflicts=True)',
        ),
        (
            "What is there already is changed.",
            "Author.objects.bulk_create(\n"
            '    [Author(name="Eve", age=2)],\n'
            "    update_conflicts=True,\n"
            '    unique_fields=["name"],\n'
            '    update_fields=["age"],\n'
            ")",
        ),
        (
            "New values for many objects.",
            'ada.age, bob.age = 37, 41\nAuthor.objects.bulk_update([ada, bob], ["age"])',
        ),
        ("New values for all rows of a query.", "Book.objects.filter(pages=0).update(rating=None)"),
        ("Rows of a slice.", 'Book.objects.order_by("pages")[:2].update(rating=1)'),
        ("Gone.", "Shelf.objects.filter(room=1).delete()"),
        ("There or made.", 'Tag.objects.get_or_create(name="red")'),
    ),
    section(
        "Locks",
        "Rows stay locked until the end of the transaction. SQLite has one writer at a time, and"
        " no such clause.",
        (
            "No other transaction changes them.",
            'Author.objects.filter(age=36).select_for_update().values("pk")',
        ),
        (
            "A queue: without those that others have.",
            'Author.objects.select_for_update(skip_locked=True).values("pk")[:1]',
        ),
        (
            "Of some tables, keys left free for references.",
            'books = Book.objects.select_related("author").only("title", "author__name")\n'
            'books.select_for_update(of=("self",), no_key=True)',
        ),
    ),
)
