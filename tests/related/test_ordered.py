"""`Meta.order_with_respect_to`: places of new objects, neighbours, the order as a list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import aorm
from aorm import models
from aorm.contrib.contenttypes.models import ContentType
from aorm.errors import FieldDoesNotExist
from related.ordered import ALL, Album, LiveTrack, Note, Track


@pytest.fixture
def tables(database: Any) -> Iterator[None]:
    aorm.create_tables(*ALL)
    ContentType.objects.clear_cache()
    yield
    aorm.drop_tables(*ALL)


@pytest.fixture
def album(tables) -> Album:
    return Album.objects.create(name="Blue")


async def _names(ask, queryset) -> list[str]:
    return [each.name for each in await ask(list, queryset)]


async def test_new_objects_come_last(ask, album):
    for name in ("c", "a", "b"):
        await ask(Track.objects.create, name=name, album=album)
    assert await _names(ask, album.tracks.all()) == ["c", "a", "b"]


async def test_each_related_object_has_an_order_of_its_own(ask, album):
    other = await ask(Album.objects.create, name="Red")
    tracks = [await ask(Track.objects.create, name="a", album=each) for each in (album, other)]
    loose = [await ask(Track.objects.create, name="loose") for _ in range(2)]
    assert [each._order for each in (*tracks, *loose)] == [0, 0, 0, 1]


async def test_saving_again_keeps_the_place(ask, album):
    first = await ask(Track.objects.create, name="a", album=album)
    await ask(Track.objects.create, name="b", album=album)
    first.name = "z"
    await ask(first.save)
    assert await _names(ask, album.tracks.all()) == ["z", "b"]


async def test_a_copy_comes_last(ask, album):
    track = await ask(Track.objects.create, name="a", album=album)
    track.pk = None
    await ask(track.save, force_insert=True)
    assert track._order == 1


async def test_neighbours(ask, album):
    first, second = [await ask(Track.objects.create, name=n, album=album) for n in "ab"]
    await ask(Track.objects.create, name="loose")
    assert await ask(first.get_next_in_order) == second
    assert await ask(second.get_previous_in_order) == first
    with pytest.raises(Track.DoesNotExist):
        await ask(second.get_next_in_order)


async def test_the_order_is_read_and_written_as_a_list_of_keys(ask, album):
    a, b, c = [(await ask(Track.objects.create, name=n, album=album)).pk for n in "abc"]
    await ask(album.set_track_order, [c, a, b])
    assert await ask(list, album.get_track_order()) == [c, a, b]
    assert await album.aget_track_order() == [c, a, b]
    assert await _names(ask, album.tracks.all()) == ["c", "a", "b"]


async def test_objects_of_others_stay_where_they_are(ask, album):
    a, b = [await ask(Track.objects.create, name=n, album=album) for n in "ab"]
    other = await ask(Album.objects.create, name="Red")
    theirs = await ask(Track.objects.create, name="theirs", album=other)
    with ask.queries() as queries:
        await ask(album.set_track_order, [theirs.pk, b.pk, a.pk])
    assert len(queries) == 1
    assert (await ask(Track.objects.get, pk=theirs.pk))._order == 0
    assert await _names(ask, album.tracks.all()) == ["b", "a"]


async def test_many_new_objects_come_last_unless_they_say_where(ask, album):
    other = await ask(Album.objects.create, name="Red")
    await ask(Track.objects.create, name="first", album=album)
    made = [
        Track(name="a", album=album),
        Track(name="b", album=other),
        Track(name="c", album=album, _order=7),
        Track(name="d", album=album),
        Track(name="e"),
    ]
    with ask.queries() as queries:
        await ask(Track.objects.bulk_create, made)
    assert [each._order for each in made] == [1, 0, 7, 2, 0]
    assert sum("MAX" in each.sql for each in queries) == 2  # one of them for those without


async def test_the_place_of_a_child_is_in_its_parents_table(ask, album):
    await ask(Track.objects.create, name="a", album=album)
    live = await ask(LiveTrack.objects.create, name="b", album=album)
    assert live._order == 1
    assert await _names(ask, LiveTrack.objects.all()) == ["b"]


async def test_objects_are_ordered_among_those_of_the_same_generic_object(ask, album):
    track = await ask(Track.objects.create, name="a", album=album)
    notes = [await ask(Note.objects.create, text="x", about=each) for each in (album, track, album)]
    assert [each._order for each in notes] == [0, 0, 1]
    more = [Note(text="y", about=each) for each in (track, album)]
    await ask(Note.objects.bulk_create, more)
    assert [each._order for each in more] == [1, 2]
    assert await ask(notes[0].get_next_in_order) == notes[2]


async def test_bulk_update_keeps_to_the_conditions_of_its_queryset(ask, album):
    a, b = [await ask(Track.objects.create, name=n, album=album) for n in "ab"]
    a.name = b.name = "new"
    assert await ask(Track.objects.filter(name="b").bulk_update, [a, b], ["name"]) == 1
    assert await _names(ask, album.tracks.all()) == ["a", "new"]


def test_a_relation_that_does_not_exist_is_refused():
    with (
        aorm.isolate_apps("related"),
        pytest.raises(FieldDoesNotExist, match=r"no field named 'allbum'.*its fields are name"),
    ):

        class Lost(models.Model):
            name = models.CharField(max_length=5)

            class Meta:
                order_with_respect_to = "allbum"
                app_label = "related"
