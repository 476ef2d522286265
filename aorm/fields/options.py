"""`Model._meta`: what a model is, and how its fields are found.

1. Names resolve forward first (the model's own fields and those of its parents), then to what
   points here from elsewhere.
2. What is derived is computed once and kept in the instance's `__dict__`; `_expire_cache`
   drops it when a field is added, or (what depends on other models) when a model is.
3. Reverse relations are found through the registry of the model, so that a model of another
   registry never shows up here.
"""

from __future__ import annotations

import copy
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NoReturn

from aorm.conf import settings
from aorm.errors import FieldDoesNotExist, ImproperlyConfigured, listed
from aorm.fields.composite import CompositePrimaryKey
from aorm.fields.constraints import UniqueConstraint
from aorm.fields.kinds import Kinds
from aorm.fields.lookup_registry import meanings_changed
from aorm.fields.registry import Apps, current_apps, hooks
from aorm.fields.rels import PathInfo
from aorm.fields.version import VersionField
from aorm.late import inspect

if TYPE_CHECKING:
    from aorm.fields.base import Field

IMMUTABLE_WARNING = (
    "The return type of '%s' should never be mutated. If you want to manipulate this list for "
    "your own use, make a copy first."
)

#: The options of `class Meta`.
META_NAMES = (
    "abstract",
    "app_label",
    "apps",
    "auto_created",
    "base_manager_name",
    "constraints",
    "db_table",
    "db_table_comment",
    "db_tablespace",
    "default_manager_name",
    "default_permissions",
    "default_related_name",
    "get_latest_by",
    "indexes",
    "managed",
    "order_with_respect_to",
    "ordering",
    "permissions",
    "polymorphic_on",
    "polymorphic_value",
    "proxy",
    "required_db_features",
    "required_db_vendor",
    "select_on_save",
    "swappable",
    "track_changes",
    "unique_together",
    "verbose_name",
    "verbose_name_plural",
)


class FieldList(tuple[Any, ...]):
    """A cached answer: what shares it must not change it."""

    warning: str

    def __new__(cls, fields: Iterable[Any], name: str) -> FieldList:
        made = super().__new__(cls, fields)
        made.warning = IMMUTABLE_WARNING % name
        return made

    def __reduce__(self) -> Any:
        return (tuple, (tuple(self),))

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AttributeError(self.warning)

    __iadd__ = _refuse
    append = extend = insert = remove = sort = reverse = pop = _refuse


EMPTY_RELATION_TREE = FieldList((), "_relation_tree")


def spaced(name: str) -> str:
    """`"CamelCaseName"` as `"camel case name"`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?=[A-Z](?![A-Z]|$))", " ", name).strip().lower()


def normalize_together(value: Any) -> Any:
    """One or more groups of field names, as a tuple of tuples."""
    if not value:
        return ()
    if not isinstance(value, tuple | list | set | frozenset):
        return value
    if not isinstance(next(iter(value)), tuple | list):
        value = (value,)
    return tuple(tuple(group) for group in value)


class Options:
    """What is known about a model.

    The public attributes and methods are Django's.  `derived` is where upper layers keep what
    they derive from the model (decoders, writers, initialisers); it is emptied whenever the
    fields or the relations change.
    """

    # What survives a new model elsewhere, and what does not.
    FORWARD_PROPERTIES = (
        "fields",
        "many_to_many",
        "concrete_fields",
        "local_concrete_fields",
        "_non_pk_concrete_field_names",
        "_reverse_one_to_one_field_names",
        "_forward_fields_map",
        "field_names",
        "_columns_by_attname",
        "base_manager",
        "default_manager",
        "db_returning_fields",
        "pk_fields",
        "all_parents",
        "total_unique_constraints",
        "_property_names",
        "version_field",
        "own_version_field",
    )
    MANAGER_PROPERTIES = ("managers", "managers_map", "base_manager", "default_manager")
    REVERSE_PROPERTIES = ("related_objects", "fields_map", "_relation_tree")

    model: Any
    object_name: str
    model_name: str
    original_attrs: dict[str, Any]
    apps: Apps

    def __init__(self, meta: Any, app_label: str | None = None) -> None:
        self.meta = meta
        self.app_label: Any = app_label
        self.local_fields: list[Any] = []
        self.local_many_to_many: list[Any] = []
        self.private_fields: list[Any] = []
        self.local_managers: list[Any] = []
        self.base_manager_name: str | None = None
        self.default_manager_name: str | None = None
        self.verbose_name: Any = None
        self.verbose_name_plural: Any = None
        self.db_table = ""
        self.db_table_comment = ""
        self.db_tablespace: str = settings.DEFAULT_TABLESPACE
        self.ordering: Any = []
        self.unique_together: Any = ()
        self.indexes: list[Any] = []
        self.constraints: list[Any] = []
        self.select_on_save = False
        #: Whether objects remember what was loaded: see `aorm.fields.tracking`.
        self.track_changes = False
        self.default_permissions: Any = ("add", "change", "delete", "view")
        self.permissions: Any = []
        self.get_latest_by: Any = None
        self.order_with_respect_to: Any = None
        self.polymorphic_on: str | None = None
        self.polymorphic_value: Any = None
        #: The classes that share the table: see `aorm.fields.kinds`; None: there is only this one.
        self.kinds: Kinds | None = None
        self.managed = True
        self.proxy = False
        self.abstract = False
        self.auto_created: Any = False
        self.swappable: str | None = None
        self.required_db_features: Any = []
        self.required_db_vendor: str | None = None
        self.default_related_name: str | None = None
        self.apps = current_apps()
        self.pk: Any = None
        self.auto_field: Any = None
        self.proxy_for_model: Any = None
        # The class whose table this is: the model itself, or what a proxy stands for.
        self.concrete_model: Any = None
        #: Parent model -> the link to it (None for what a proxy stands for).
        self.parents: dict[Any, Any] = {}
        #: Fields of abstract models whose related objects are limited by a callable or a Q.
        self.related_fkey_lookups: list[Any] = []
        self.derived: dict[Any, Any] = {}
        self.prepared = False
        self._get_fields_cache: dict[Any, FieldList] = {}

    # --- what may change later ---------------------------------------------------------

    @property
    def ordering(self) -> Any:
        """The order of query sets that say none; queries are made anew where it is changed."""
        return self._ordering

    @ordering.setter
    def ordering(self, terms: Any) -> None:
        changed = terms != getattr(self, "_ordering", terms)
        self._ordering = terms
        if changed:
            meanings_changed()

    # --- preparation ------------------------------------------------------------------

    def contribute_to_class(self, cls: Any, name: str) -> None:
        """Take what `class Meta` says, and give it to the model class.

        Raises:
            TypeError: `class Meta` names an option that does not exist.
        """
        cls._meta = self
        self.model = cls
        self.object_name = cls.__name__
        self.model_name = self.object_name.lower()
        self.verbose_name = spaced(self.object_name)
        self.original_attrs = {}
        if self.meta is not None:
            self._take_meta(self.meta)
        elif self.verbose_name_plural is None:
            self.verbose_name_plural = f"{self.verbose_name}s"
        del self.meta
        self.indexes = self._named_for(cls, self.indexes)
        self.constraints = self._named_for(cls, self.constraints)
        if not self.db_table:
            self.db_table = f"{self.app_label}_{self.model_name}"

    def _take_meta(self, meta: Any) -> None:
        given = {name: value for name, value in vars(meta).items() if not name.startswith("_")}
        for name in META_NAMES:
            if name in given:
                value = given.pop(name)
            elif hasattr(meta, name):
                value = getattr(meta, name)
            else:
                continue
            setattr(self, name, value)
            self.original_attrs[name] = value
        self.unique_together = normalize_together(self.unique_together)
        self.indexes, self.constraints = list(self.indexes), list(self.constraints)
        if self.verbose_name_plural is None:
            self.verbose_name_plural = f"{self.verbose_name}s"
        # An option of a later version, or a misspelt one, would be ignored without a word.
        if given:
            raise TypeError(
                f"'class Meta' got invalid attribute(s): {','.join(sorted(given))}; "
                f"the known ones are {listed(META_NAMES)}"
            )

    def _named_for(self, cls: Any, declared: list[Any]) -> list[Any]:
        """Indexes or constraints with `%(class)s` and `%(app_label)s` in their names filled in."""
        words = {"app_label": self.app_label.lower(), "class": cls.__name__.lower()}
        named = []
        for each in declared:
            copied = each.clone()
            if copied.name and "%" in copied.name:
                copied.name = copied.name % words
            named.append(copied)
        return named

    def _prepare(self, model: Any, default_pk: Callable[[], Any]) -> None:
        """Give the model a primary key where it has none: a parent's link, or an `id`."""
        if self.pk is None:
            if self.parents:
                link = next(iter(self.parents.values()))
                # A child may redeclare, as a field of its own, the link that an abstract
                # parent declared.
                declared = [each for each in self.local_fields if each.name == link.name]
                if declared:
                    link = declared[0]
                link.primary_key = True
                self.setup_pk(link)
                if not link.remote_field.parent_link:
                    raise ImproperlyConfigured(f"Add parent_link=True to {link}.")
            else:
                model.add_to_class("id", default_pk())
        self.prepared = True

    def setup_pk(self, field: Any) -> None:
        """Let this be the primary key, if it is one and there is none yet."""
        if self.pk is None and field.primary_key:
            self.pk = field

    def setup_proxy(self, target: Any) -> None:
        """Stand for the table of another model."""
        self.pk = target._meta.pk
        self.proxy_for_model = target
        self.db_table = target._meta.db_table

    def add_field(self, field: Any, private: bool = False) -> None:
        """Insert a field in the order in which fields were declared."""
        if private:
            self.private_fields.append(field)
        elif field.is_relation and field.many_to_many:
            _insort(self.local_many_to_many, field)
        else:
            _insort(self.local_fields, field)
            self.setup_pk(field)
        self._expire_cache()
        if self.prepared:
            for child in self._descendants():
                child._expire_cache()
            target = getattr(field.remote_field, "model", None) if field.is_relation else None
            if target is not None:
                self.apps.clear_cache()

    def add_manager(self, manager: Any) -> None:
        """Insert a manager; the first is the default one."""
        self.local_managers.append(manager)
        for name in self.MANAGER_PROPERTIES:
            self.__dict__.pop(name, None)

    def _descendants(self) -> Iterator[Options]:
        for model in self.apps.get_models(include_auto_created=True, include_swapped=True):
            if model is not self.model and issubclass(model, self.model):
                yield model._meta

    def _expire_cache(self, forward: bool = True, reverse: bool = True) -> None:
        """Forget what was derived."""
        kept = self.__dict__
        if forward:
            for name in self.FORWARD_PROPERTIES:
                kept.pop(name, None)
        if reverse and not self.abstract:
            for name in self.REVERSE_PROPERTIES:
                kept.pop(name, None)
        self._get_fields_cache = {}
        self.derived = {}

    # --- names ------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<Options for {self.object_name}>"

    def __str__(self) -> str:
        return self.label_lower

    @property
    def label(self) -> str:
        return f"{self.app_label}.{self.object_name}"

    @property
    def label_lower(self) -> str:
        return f"{self.app_label}.{self.model_name}"

    @cached_property
    def verbose_name_raw(self) -> str:
        return str(self.verbose_name)

    @property
    def app_config(self) -> None:
        return None

    @property
    def swapped(self) -> str | None:
        """The label of the model that the settings put in place of this one, or None."""
        if not self.swappable:
            return None
        other: str | None = getattr(settings, self.swappable, None)
        if not other or other.lower() == self.label_lower:
            return None
        return other

    # --- managers ---------------------------------------------------------------------

    @cached_property
    def managers(self) -> FieldList:
        found: dict[str, Any] = {}
        for base in self.model.mro():
            if "_meta" not in vars(base):
                continue
            for manager in base._meta.local_managers:
                if manager.name not in found:
                    mine = copy.copy(manager)
                    mine.model = self.model
                    found[manager.name] = mine
        return FieldList(found.values(), "managers")

    @cached_property
    def managers_map(self) -> dict[str, Any]:
        return {manager.name: manager for manager in self.managers}

    @cached_property
    def base_manager(self) -> Any:
        """What lazy loading, saving and deleting start from."""
        name = self.base_manager_name
        if not name:
            for parent in self.model.mro()[1:]:
                if hasattr(parent, "_meta"):
                    inherited = parent._base_manager
                    if inherited.name != "_base_manager" or inherited.auto_created:
                        name = parent._meta.base_manager_name
                    break
        if name:
            return self._named_manager(name)
        assert hooks.manager is not None
        manager = hooks.manager()
        manager.name = "_base_manager"
        manager.model = self.model
        manager.auto_created = True
        return manager

    @cached_property
    def default_manager(self) -> Any:
        name = self.default_manager_name
        if not name and not self.local_managers:
            for parent in self.model.mro()[1:]:
                if hasattr(parent, "_meta"):
                    name = parent._meta.default_manager_name
                    break
        if name:
            return self._named_manager(name)
        return self.managers[0] if self.managers else None

    def _named_manager(self, name: str) -> Any:
        try:
            return self.managers_map[name]
        except KeyError:
            raise ValueError(
                f"{self.object_name} has no manager named {name!r}; "
                f"its managers are {listed(self.managers_map)}"
            ) from None

    # --- fields -----------------------------------------------------------------------

    @cached_property
    def fields(self) -> FieldList:
        """All fields with values of their own or a key: no many-to-many, nothing generic."""
        return FieldList(
            (
                field
                for field in self._get_fields(reverse=False)
                if not field.is_relation
                or not (
                    field.many_to_many
                    or field.one_to_many
                    or (field.many_to_one and not getattr(field.remote_field, "model", None))
                )
            ),
            "fields",
        )

    @cached_property
    def concrete_fields(self) -> FieldList:
        """The fields that have a column, in the order of positional arguments."""
        return FieldList((f for f in self.fields if f.concrete), "concrete_fields")

    @cached_property
    def local_concrete_fields(self) -> FieldList:
        return FieldList((f for f in self.local_fields if f.concrete), "local_concrete_fields")

    @cached_property
    def many_to_many(self) -> FieldList:
        return FieldList(
            (f for f in self._get_fields(reverse=False) if f.is_relation and f.many_to_many),
            "many_to_many",
        )

    @cached_property
    def related_objects(self) -> FieldList:
        """What points here, except for what hides itself."""
        self.apps.depends(self)
        return FieldList(
            (
                rel
                for rel in self._get_fields(forward=False, include_hidden=False)
                if not rel.hidden or rel.field.many_to_many
            ),
            "related_objects",
        )

    @cached_property
    def _relation_tree(self) -> FieldList:
        self.apps.depends(self)
        if self.abstract:
            return EMPTY_RELATION_TREE
        return FieldList(self.apps.relations_to(self), "_relation_tree")

    @cached_property
    def _forward_fields_map(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for field in self._get_fields(reverse=False):
            found[field.name] = field
            # The attname as well: get_field("author_id") is the field `author`.
            attname = getattr(field, "attname", None)
            if attname is not None:
                found[attname] = field
        return found

    @cached_property
    def fields_map(self) -> dict[str, Any]:
        """Reverse relations, hidden ones too, by the name that queries use."""
        self.apps.depends(self)
        return {rel.name: rel for rel in self._get_fields(forward=False, include_hidden=True)}

    @cached_property
    def field_names(self) -> frozenset[str]:
        """Every name that is a field of an instance: names and attnames."""
        return frozenset(self._forward_fields_map)

    @cached_property
    def _columns_by_attname(self) -> dict[str, Any]:
        """The fields with a column, by the name under which instances hold their values."""
        return {field.attname: field for field in self.concrete_fields}

    @cached_property
    def _non_pk_concrete_field_names(self) -> frozenset[str]:
        """What `update_fields` may name."""
        all_names = set()
        for field in self.concrete_fields:
            if not field.primary_key and field not in self.pk_fields:
                all_names |= {field.name, field.attname}
        return frozenset(all_names)

    @cached_property
    def _reverse_one_to_one_field_names(self) -> frozenset[str]:
        return frozenset(rel.name for rel in self.related_objects if rel.one_to_one)

    @cached_property
    def db_returning_fields(self) -> list[Any]:
        """The fields whose values the database makes when a row is inserted."""
        return [
            field
            for field in self.fields
            if getattr(field, "db_returning", False)
            and field.model._meta.concrete_model is self.concrete_model
        ]

    @cached_property
    def pk_fields(self) -> list[Any]:
        """The columns of the primary key."""
        return list(self.pk.fields) if self.is_composite_pk else [self.pk]

    @cached_property
    def version_field(self) -> Any:
        """The column that counts the changes of an object, or None; it may be a parent's."""
        return next((f for f in self.concrete_fields if isinstance(f, VersionField)), None)

    @cached_property
    def own_version_field(self) -> Any:
        """The same where it is in the model's own table."""
        return next((f for f in self.local_concrete_fields if isinstance(f, VersionField)), None)

    @property
    def is_composite_pk(self) -> bool:
        return isinstance(self.pk, CompositePrimaryKey)

    @cached_property
    def total_unique_constraints(self) -> list[Any]:
        """Unique constraints over plain fields that hold for every row."""
        return [
            constraint
            for constraint in self.constraints
            if isinstance(constraint, UniqueConstraint)
            and constraint.condition is None
            and not constraint.contains_expressions
        ]

    @cached_property
    def _property_names(self) -> frozenset[str]:
        """The properties of the class: what may be set through keywords besides fields."""
        names = dir(self.model)
        statically = ((name, inspect.getattr_static(self.model, name, None)) for name in names)
        return frozenset(
            name
            for name, found in statically
            if isinstance(found, property | cached_property)
            # What relations put there is one as well, and takes no value.
            and not (name.startswith("_") or hasattr(found, "rel"))
        )

    def get_field(self, field_name: str) -> Any:
        """The field, or the reverse relation, of this name.

        Raises:
            FieldDoesNotExist: there is none; the message lists what there is.
        """
        try:
            return self._forward_fields_map[field_name]
        except KeyError:
            if not self.apps.models_ready:
                raise FieldDoesNotExist(
                    f"{self.object_name} has no field named '{field_name}'. The app cache isn't "
                    "ready yet, so if this is an auto-created related field, it won't be "
                    "available yet."
                ) from None
        try:
            return self.fields_map[field_name]
        except KeyError:
            raise FieldDoesNotExist(
                f"{self.object_name} has no field named '{field_name}'; "
                f"its fields are {listed(self._visible_names())}"
            ) from None

    def _visible_names(self) -> set[str]:
        return {field.name for field in self.get_fields() if not field.name.endswith("+")}

    def get_fields(self, include_parents: bool = True, include_hidden: bool = False) -> FieldList:
        """All fields and relations, in both directions.

        Args:
            include_parents: those of the parents' tables too.
            include_hidden: reverse relations that hide themselves (`related_name="+"`) too.
        """
        return self._get_fields(include_parents=include_parents, include_hidden=include_hidden)

    def _get_fields(
        self,
        forward: bool = True,
        reverse: bool = True,
        include_parents: bool = True,
        include_hidden: bool = False,
    ) -> FieldList:
        key = (forward, reverse, include_parents, include_hidden)
        found = self._get_fields_cache.get(key)
        if found is None:
            if reverse:
                self.apps.depends(self)
            collected = list(self._collect(*key, set()))
            if forward:
                # A private field is copied to each child, with the child as its model.
                collected += self.private_fields
            found = self._get_fields_cache[key] = FieldList(collected, "get_fields()")
        return found

    def _collect(
        self,
        forward: bool,
        reverse: bool,
        include_parents: bool,
        include_hidden: bool,
        seen: set[Any],
    ) -> Iterator[Any]:
        # Parents that share an ancestor would bring its fields twice.
        seen.add(self.model)
        for parent in self.parents:
            same_table = parent._meta.concrete_model is self.concrete_model
            if parent in seen or not (include_parents or same_table):
                continue
            for each in parent._meta._collect(
                forward, reverse, include_parents, include_hidden, seen
            ):
                # The parent's children are reachable from the parent, not from each other.
                link = getattr(each, "parent_link", False)
                if not link or each.model._meta.concrete_model is self.concrete_model:
                    yield each
        if reverse and not self.proxy:
            for field in self._relation_tree:
                if include_hidden or not field.remote_field.hidden:
                    yield field.remote_field
        if forward:
            yield from self.local_fields
            yield from self.local_many_to_many

    def _relation_fields(self) -> list[Any]:
        """The fields declared here that point to a model."""
        return [
            field
            for field in (*self.local_fields, *self.local_many_to_many, *self.private_fields)
            if field.is_relation and getattr(field.remote_field, "model", None) is not None
        ]

    # --- parents ----------------------------------------------------------------------

    @cached_property
    def all_parents(self) -> tuple[Any, ...]:
        """All ancestors with a table, those nearest first."""
        found = dict.fromkeys(self.parents)
        for parent in self.parents:
            found.update(dict.fromkeys(parent._meta.all_parents))
        return tuple(found)

    @property
    def ancestors(self) -> tuple[Any, ...]:
        return self.all_parents

    def get_parent_list(self) -> list[Any]:
        return list(self.all_parents)

    def get_base_chain(self, model: Any) -> list[Any]:
        """The parents on the way to an ancestor, the nearest first; empty where it is none."""
        if model in self.parents:
            return [model]
        for parent in self.parents:
            chain: list[Any] = parent._meta.get_base_chain(model)
            if chain:
                return [parent, *chain]
        return []

    def get_ancestor_link(self, ancestor: Any) -> Any:
        """The field here that leads towards an ancestor, or None."""
        if ancestor in self.parents:
            return self.parents[ancestor]
        for parent, link in self.parents.items():
            further = parent._meta.get_ancestor_link(ancestor)
            if further:
                # A proxy has no link to what it stands for: the way begins one further.
                return link or further
        return None

    def get_path_to_parent(self, parent: Any) -> list[PathInfo]:
        """The joins from this model to an ancestor."""
        if self.model is parent:
            return []
        path = []
        options: Options = self
        for model in self.get_base_chain(parent):
            if model is self.concrete_model:
                options = model._meta
                continue
            link = options.parents[model]
            options = model._meta
            if link is None:
                continue
            path.append(
                PathInfo(
                    from_opts=link.model._meta,
                    to_opts=options,
                    target_fields=(link.remote_field.get_related_field(),),
                    join_field=link,
                    m2m=False,
                    direct=True,
                    filtered_relation=None,
                )
            )
        return path

    def get_path_from_parent(self, parent: Any) -> list[PathInfo]:
        """The joins from an ancestor to this model."""
        if self.model is parent:
            return []
        model = self.concrete_model
        chain = [*reversed(model._meta.get_base_chain(parent)), model]
        path: list[PathInfo] = []
        for ancestor, child in pairwise(chain):
            link = child._meta.get_ancestor_link(ancestor)
            if link is not None:
                path.extend(link.reverse_path_infos)
        return path


def _insort(fields: list[Field[Any, Any]] | list[Any], field: Any) -> None:
    fields.insert(bisect_right(fields, field), field)
