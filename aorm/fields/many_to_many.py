"""Many-to-many fields, and the automatic model of the table between."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from aorm.conf import settings
from aorm.errors import FieldError
from aorm.fields.on_delete import CASCADE
from aorm.fields.registry import (
    RECURSIVE,
    hooks,
    lazy_related_operation,
    model_key,
    related_label,
)
from aorm.fields.relations import DERIVED, ForeignKey, RelatedField, check_target
from aorm.fields.rels import ManyToManyRel, PathInfo


class ManyToManyField(RelatedField[Any]):
    """Any number of these objects and any number of the target belong together.

    Args:
        to: the target model, its label, or `"self"`.
        related_name, related_query_name, limit_choices_to: as of `ForeignKey`.
        symmetrical: for `"self"`: belonging together is mutual.
        through: the model of the table between, where it is not the automatic one.
        through_fields: the two foreign keys of `through`, where there are more.
        db_constraint: whether the database watches over the automatic table.
        db_table: the name of the automatic table.
    """

    many_to_many = True
    rel_class = ManyToManyRel
    description = "Many-to-many relationship"

    # Set when both models exist: how the table between is named, and its columns.
    m2m_db_table: Callable[[], str]
    m2m_column_name: Callable[[], str]
    m2m_reverse_name: Callable[[], str]
    m2m_field_name: Callable[[], str]
    m2m_reverse_field_name: Callable[[], str]
    m2m_target_field_name: Callable[[], str]
    m2m_reverse_target_field_name: Callable[[], str]

    def __init__(
        self,
        to: Any,
        related_name: str | None = None,
        related_query_name: str | None = None,
        limit_choices_to: Any = None,
        symmetrical: bool | None = None,
        through: Any = None,
        through_fields: Any = None,
        db_constraint: bool = True,
        db_table: str | None = None,
        swappable: bool = True,
        **kwargs: Any,
    ) -> None:
        check_target(self, to)
        if symmetrical is None:
            symmetrical = to == RECURSIVE
        if through is not None and db_table is not None:
            raise ValueError("Cannot specify a db_table if an intermediary model is used.")
        rel = self.rel_class(
            self,
            to,
            related_name=related_name,
            related_query_name=related_query_name,
            limit_choices_to=limit_choices_to,
            symmetrical=symmetrical,
            through=through,
            through_fields=through_fields,
            db_constraint=db_constraint,
        )
        self.has_null_arg = "null" in kwargs
        super().__init__(
            rel=rel,
            related_name=related_name,
            related_query_name=related_query_name,
            limit_choices_to=limit_choices_to,
            **kwargs,
        )
        self.db_table = db_table
        self.swappable = swappable

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        rel = self.remote_field
        if self.db_table is not None:
            kwargs["db_table"] = self.db_table
        if rel.db_constraint is not True:
            kwargs["db_constraint"] = rel.db_constraint
        kwargs["to"] = self._deconstructed_target()
        through = rel.through
        if isinstance(through, str):
            kwargs["through"] = through
        elif through is not None and not through._meta.auto_created:
            kwargs["through"] = through._meta.label
        if rel.through_fields and "through" in kwargs:
            kwargs["through_fields"] = rel.through_fields
        return name, path, args, kwargs

    def clone(self) -> Any:
        _, _, args, kwargs = self.deconstruct()
        kwargs["to"] = self.remote_field.model
        if "through" in kwargs:
            kwargs["through"] = self.remote_field.through
        if self.remote_field.symmetrical != (kwargs["to"] == RECURSIVE):
            kwargs["symmetrical"] = self.remote_field.symmetrical
        return type(self)(*args, **kwargs)

    # --- no column --------------------------------------------------------------------

    def get_attname_column(self) -> tuple[str, Any]:
        return self.get_attname(), None

    def db_type(self, connection: Any) -> str | None:
        return None

    def db_check(self, connection: Any) -> str | None:
        return None

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        return {"type": None, "check": None}

    def set_attributes_from_rel(self) -> None:
        pass

    def value_from_object(self, obj: Any) -> Any:
        return [] if obj.pk is None else list(getattr(obj, self.attname).all())

    def save_form_data(self, instance: Any, data: Any) -> None:
        getattr(instance, self.attname).set(data)

    # --- classes ----------------------------------------------------------------------

    def contribute_to_class(
        self, cls: Any, name: str, private_only: bool = False, **kwargs: Any
    ) -> None:
        rel, options = self.remote_field, cls._meta
        if rel.symmetrical and rel.model in (RECURSIVE, options.object_name, options.label):
            # The way back is the way there; the name only keeps fields apart.
            rel.related_name = f"{name}_rel_+"
        elif rel.hidden:
            # Several hidden relations to one model must not share a name.
            rel.related_name = f"_{options.app_label}_{cls.__name__.lower()}_{name}_+"
        super().contribute_to_class(cls, name, private_only=private_only, **kwargs)
        if not options.abstract:
            if rel.through:
                lazy_related_operation(_resolve_through, cls, rel.through, field=self)
            elif not options.swapped:
                rel.through = create_through_model(self, cls)
        if hooks.many is not None:
            setattr(cls, self.name, hooks.many(rel, False))
        self.m2m_db_table = partial(self._get_m2m_db_table, options)

    def contribute_to_related_class(self, cls: Any, related: Any) -> None:
        if not related.hidden and not related.related_model._meta.swapped:
            accessor = related.get_accessor_name()
            if hooks.many is not None and accessor:
                setattr(cls, accessor, hooks.many(related, True))
        attribute, reverse = self._get_m2m_attr, self._get_m2m_reverse_attr
        self.m2m_column_name = partial(attribute, related, "column")
        self.m2m_reverse_name = partial(reverse, related, "column")
        self.m2m_field_name = partial(attribute, related, "name")
        self.m2m_reverse_field_name = partial(reverse, related, "name")
        self.m2m_target_field_name = lambda: str(attribute(related, "remote_field").field_name)
        self.m2m_reverse_target_field_name = lambda: str(
            reverse(related, "remote_field").field_name
        )

    # --- the table between ------------------------------------------------------------

    def _get_m2m_db_table(self, options: Any) -> str:
        through = self.remote_field.through
        if through is not None and not isinstance(through, str):
            return str(through._meta.db_table)
        return self.db_table or f"{options.db_table.strip(chr(34))}_{self.name}"

    def _through_keys(self, related: Any) -> tuple[Any, Any]:
        """The foreign keys of the table between: to the declaring model, and to the target."""
        rel = self.remote_field
        names = rel.through_fields or (None, None)
        source = target = None
        recursive = related.related_model == related.model
        for field in rel.through._meta.fields:
            if not field.is_relation:
                continue
            points_to = field.remote_field.model
            if (
                source is None
                and points_to == related.related_model
                and names[0]
                in (
                    None,
                    field.name,
                )
            ):
                source = field
                if names[1] is None and recursive:
                    continue
            if names[1] is None:
                if target is None and points_to == related.model and field is not source:
                    target = field
            elif points_to == related.model and field.name == names[1]:
                target = field
        if source is None or target is None:
            raise FieldError(
                f"{rel.through._meta.label} has no foreign keys to both "
                f"{related.related_model._meta.label} and {related.model._meta.label}"
            )
        return source, target

    def _get_m2m_attr(self, related: Any, attr: str) -> Any:
        return getattr(self._through_keys(related)[0], attr)

    def _get_m2m_reverse_attr(self, related: Any, attr: str) -> Any:
        return getattr(self._through_keys(related)[1], attr)

    # --- paths ------------------------------------------------------------------------

    def _joins(self, direct: bool, filtered_relation: Any) -> list[PathInfo]:
        source, target = self._through_keys(self.remote_field)
        if not direct:
            source, target = target, source
        first = source.reverse_path_infos
        second = target.get_path_info(filtered_relation) if filtered_relation else target.path_infos
        # The key between may belong to a parent of the model that it is reached from.
        end, begin = first[-1].to_opts, second[0].from_opts
        between: list[PathInfo] = []
        if end is not begin:
            if issubclass(end.model, begin.model):
                between = end.get_path_to_parent(begin.model)
            else:
                between = begin.get_path_from_parent(end.model)
        return [*first, *between, *second]

    def get_path_info(self, filtered_relation: Any = None) -> list[PathInfo]:
        return self._joins(True, filtered_relation)

    def get_reverse_path_info(self, filtered_relation: Any = None) -> list[PathInfo]:
        return self._joins(False, filtered_relation)


def _resolve_through(model: Any, through: Any, field: Any) -> None:
    field.remote_field.through = through
    for name in DERIVED:
        field.__dict__.pop(name, None)


def create_through_model(field: ManyToManyField, model: Any) -> Any:
    """The automatic model of a many-to-many field's table."""
    options = model._meta
    rel = field.remote_field
    name = f"{options.object_name}_{field.name}"
    to_model = related_label(model, rel.model)
    source, target = options.model_name, model_key(to_model)[1]
    if source == target:
        source, target = f"from_{source}", f"to_{target}"

    def set_managed(model: Any, related: Any, through: Any) -> None:
        through._meta.managed = model._meta.managed or related._meta.managed

    lazy_related_operation(set_managed, model, to_model, name)
    meta = {
        "db_table": field._get_m2m_db_table(options),
        "auto_created": model,
        "app_label": options.app_label,
        "db_tablespace": options.db_tablespace,
        "unique_together": (source, target),
        "verbose_name": f"{source}-{target} relationship",
        "verbose_name_plural": f"{source}-{target} relationships",
        "apps": options.apps,
    }

    def key_to(related: Any) -> ForeignKey:
        return ForeignKey(
            related,
            CASCADE,
            related_name=f"{name}+",
            db_tablespace=field._db_tablespace or settings.DEFAULT_INDEX_TABLESPACE or None,
            db_constraint=rel.db_constraint,
        )

    return type(hooks.model)(
        name,
        (hooks.model,),
        {
            "Meta": type("Meta", (), meta),
            "__module__": model.__module__,
            source: key_to(model),
            target: key_to(to_model),
        },
    )


__all__ = ["ManyToManyField", "create_through_model"]
