"""Models that are ordered with respect to a relation."""

from __future__ import annotations

from aorm import models
from aorm.contrib.contenttypes.fields import GenericForeignKey
from aorm.contrib.contenttypes.models import ContentType


class Album(models.Model):
    name = models.CharField(max_length=50)


class Track(models.Model):
    name = models.CharField(max_length=50)
    album = models.ForeignKey(Album, models.CASCADE, null=True, related_name="tracks")

    class Meta:
        order_with_respect_to = "album"


class LiveTrack(Track):
    """A child table; its place is in the parent's."""

    venue = models.CharField(max_length=50, default="")


class Note(models.Model):
    """Ordered among the notes on the same object, whatever it is."""

    text = models.CharField(max_length=50)
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.IntegerField()
    about = GenericForeignKey()

    class Meta:
        order_with_respect_to = "about"


ALL = (ContentType, Album, Track, LiveTrack, Note)
