"""Rows for instances of models, and for functions that are given instances."""

from __future__ import annotations

from typing import Any

from related.ordered import ALL as ORDERED
from related.ordered import Album, LiveTrack, Track
from related.versioned import ALL as VERSIONED
from related.versioned import Account
from shop.models import Author, Book

from aorm import models
from aorm.contrib.contenttypes.models import ContentType, ContentTypeManager
from aorm.fields.relations import RelatedField
from aorm.fields.rels import ForeignObjectRel
from faces.comparing import Group, Row, on
from faces.world import new_author

MODEL: dict[str, Row] = {
    "clean_fields": lambda w: on(Book(title="", author_id=99, binding="x")),
    "delete": lambda w: on(w.author),
    "delete: protected": lambda w: on(w.authors[2]),
    "delete: by a key of two columns": lambda w: on(w.shelf),
    "delete: unsaved": lambda w: on(Author()),
    "fetch_related": lambda w: on(w.book, "author", "tags"),
    "fetch_related: of nothing": lambda w: on(w.book, "colour"),
    "full_clean": lambda w: on(new_author(name="Author 2", email="no address")),
    "full_clean: all is well": lambda w: on(new_author(mentor=w.author)),
    "refresh_from_db": lambda w: on(w.author),
    "refresh_from_db: some fields": lambda w: on(w.author, fields=["age"]),
    "refresh_from_db: gone": lambda w: on(Author(pk=99)),
    "save": lambda w: on(new_author()),
    "save: a row that is there": lambda w: on(w.author),
    "save: with a key": lambda w: on(new_author(pk=2)),
    "save: some fields": lambda w: on(w.author, update_fields=["age"]),
    "save: no row to update": lambda w: on(new_author(pk=99), force_update=True),
    "save: a row too much": lambda w: on(w.shelf, force_insert=True),
    "save: an unsaved related object": lambda w: on(Book(title="x", author=new_author())),
    "save: a computed value": lambda w: on(new_author(age=models.F("age") + 1, pk=1)),
    "save_base": lambda w: on(new_author()),
    "validate_constraints": lambda w: on(Book(title="A1", author=w.author, pages=-1)),
    "validate_unique": lambda w: on(new_author(name="Author 1")),
}


CHILD: dict[str, Row] = {
    "delete": lambda w: on(live_track()),
    "delete: keeping its parent": lambda w: on(live_track(), keep_parents=True),
    "refresh_from_db": lambda w: on(live_track(name="old")),
    "refresh_from_db: of the parent's": lambda w: on(live_track(name="old"), fields=["name"]),
    "save": lambda w: on(LiveTrack(name="x", venue="here")),
    "save: rows that are there": lambda w: on(live_track(name="new")),
    "save: some fields of the parent": lambda w: on(live_track(), update_fields=["name"]),
    "save: no row to update": lambda w: on(live_track(id=9, pk=9), force_update=True),
}


def albums() -> None:
    """An album of two tracks and a live one."""
    album = Album.objects.create(name="first")
    for name in ("one", "two"):
        Track.objects.create(name=name, album=album)
    LiveTrack.objects.create(name="three", album=album, venue="here")


def live_track(**values: Any) -> LiveTrack:
    """The live track as if it were loaded."""
    track = LiveTrack(**{"id": 3, "track_ptr_id": 3, "name": "three", "album_id": 1, **values})
    track._order = 2
    track._state.adding, track._state.db = False, "default"
    return track


VERSIONED_ROWS: dict[str, Row] = {
    "delete": lambda w: on(account()),
    "delete: an old version": lambda w: on(account(version=7)),
    "save": lambda w: on(account(balance=3)),
    "save: an old version": lambda w: on(account(version=7)),
    "save: some fields": lambda w: on(account(balance=3), update_fields=["balance"]),
}


def account(**values: Any) -> Account:
    """The account as if it were loaded."""
    found = Account(**{"pk": 1, "name": "x", "version": 1, **values})
    found._state.adding, found._state.db = False, "default"
    return found


def accounts() -> None:
    Account.objects.create(name="x")


BOOK: dict[str, Row] = {
    "get_next_by_added": lambda w: on(w.book),
    "get_previous_by_added": lambda w: on(w.book),
    "get_previous_by_added: with a condition": lambda w: on(w.books[3], title="A1"),
}

ALBUM: dict[str, Row] = {
    "get_track_order": lambda w: on(Album(pk=1)),
    "set_track_order": lambda w: on(Album(pk=1), [3, 1, 2]),
}

TRACK: dict[str, Row] = {
    "get_next_in_order": lambda w: on(Track(pk=1, album_id=1, _order=0)),
    "get_next_in_order: none": lambda w: on(Track(pk=3, album_id=1, _order=2)),
    "get_previous_in_order": lambda w: on(Track(pk=2, album_id=1, _order=1)),
}

CONTENT_TYPES: dict[str, Row] = {
    "get_by_natural_key": lambda w: on(fresh(), "shop", "author"),
    "get_by_natural_key: none": lambda w: on(fresh(), "shop", "nothing"),
    "get_for_id": lambda w: on(fresh(), 1),
    "get_for_model": lambda w: on(fresh(), Author),
    "get_for_model: one that has no row yet": lambda w: on(fresh(), Book),
    "get_for_models": lambda w: on(fresh(), Author, Book),
}


def types() -> None:
    fresh().get_for_model(Author)


def fresh():
    """The manager of content types, which knows none yet."""
    ContentType.objects.clear_cache()
    return ContentType.objects


OBJECT_OF_TYPE: dict[str, Row] = {
    "get_object_for_this_type": lambda w: on(ContentType(app_label="shop", model="author"), pk=1),
}

CHOICES: dict[str, Row] = {"get_choices": lambda w: on(Book._meta.get_field("author"))}
CHOICES_BACK: dict[str, Row] = {"get_choices": lambda w: on(Author._meta.get_field("books"))}

FUNCTIONS: dict[str, Row] = {
    "prefetch_related_objects": lambda w: on(
        models, w.authors, "books__tags", models.Prefetch("friends", to_attr="known")
    ).watching(*w.authors),
}

CONDITION: dict[str, Row] = {
    "check": lambda w: on(models.Q(age__gt=models.F("limit")), {"age": 3, "limit": 2}),
    "check: of what is missing": lambda w: on(models.Q(age__gt=2), {"size": 3}),
}

ADDED = "DoesNotExist MultipleObjectsReturned NotUpdated objects"

GROUPS = (
    Group(
        models.Model,
        MODEL,
        lazily="""
            clean date_error_message from_db get_changed_fields get_constraints
            get_deferred_fields pk prepare_database_save resolve_display serializable_value
            unique_error_message
        """,
    ),
    Group(LiveTrack, CHILD, base=Track, tables=ORDERED, fill=albums, lazily=ADDED),
    Group(
        Account, VERSIONED_ROWS, base=models.Model, tables=VERSIONED, fill=accounts, lazily=ADDED
    ),
    Group(
        Book,
        BOOK,
        base=models.Model,
        lazily=f"{ADDED} Binding get_binding_display on_sale",
    ),
    Group(Album, ALBUM, base=models.Model, tables=ORDERED, fill=albums, lazily=ADDED),
    Group(Track, TRACK, base=models.Model, tables=ORDERED, fill=albums, lazily=ADDED),
    Group(
        ContentTypeManager,
        CONTENT_TYPES,
        base=models.Manager,
        tables=(ContentType,),
        fill=types,
        lazily="clear_cache known",
    ),
    Group(
        ContentType,
        OBJECT_OF_TYPE,
        base=models.Model,
        tables=(ContentType,),
        fill=types,
        lazily=f"""
            {ADDED} app_labeled_name get_all_objects_for_this_type model_class name natural_key
        """,
    ),
    Group(RelatedField, CHOICES, pairs_only=True),
    Group(ForeignObjectRel, CHOICES_BACK, pairs_only=True),
    Group(models.Q, CONDITION, pairs_only=True),
    Group(models, FUNCTIONS, lazily="SET with_cte"),
)
