"""Relations, by Django's module name."""

from aorm.fields.relations import ForeignKey, ForeignObject, OneToOneField, RelatedField
from aorm.fields.rels import ForeignObjectRel, ManyToManyRel, ManyToOneRel, OneToOneRel
from aorm.models.many_to_many import ManyToManyField
from aorm.models.related import (
    ForwardManyToOneDescriptor,
    ForwardOneToOneDescriptor,
    ManyToManyDescriptor,
    ReverseManyToOneDescriptor,
    ReverseOneToOneDescriptor,
)

__all__ = [
    "ForeignKey",
    "ForeignObject",
    "ForeignObjectRel",
    "ForwardManyToOneDescriptor",
    "ForwardOneToOneDescriptor",
    "ManyToManyDescriptor",
    "ManyToManyField",
    "ManyToManyRel",
    "ManyToOneRel",
    "OneToOneField",
    "OneToOneRel",
    "RelatedField",
    "ReverseManyToOneDescriptor",
    "ReverseOneToOneDescriptor",
]
