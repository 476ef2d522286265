"""Relations, by Django's module name."""

from aorm.fields.relations import ForeignKey, ForeignObject, OneToOneField
from aorm.fields.rels import ForeignObjectRel, ManyToManyRel, ManyToOneRel, OneToOneRel
from aorm.models.many_to_many import ManyToManyField

__all__ = [
    "ForeignKey",
    "ForeignObject",
    "ForeignObjectRel",
    "ManyToManyField",
    "ManyToManyRel",
    "ManyToOneRel",
    "OneToOneField",
    "OneToOneRel",
]
