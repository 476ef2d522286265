"""`ContentType`: a row for each model, so that a column can say which model is meant.

1. Content types are remembered for each configured database, so that most questions need no
   query; a row that is missing is made when it is first asked for.
   What a transaction has made is known to its own code alone, and goes with the block it was
   made in: a rollback undoes it, and until the commit nobody else can point to it.
2. What cannot ask (a QuerySet that is being built) uses what is remembered, else a subquery.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from aorm.connections import Block, arun, connections, run
from aorm.connections.turns import open_block
from aorm.fields.numbers import AutoField
from aorm.fields.registry import apps
from aorm.fields.text import CharField
from aorm.models.base import Model
from aorm.models.manager import Manager
from aorm.operations.saving import TwoFaces
from aorm.query.conditions import Q
from aorm.steps import Operation, call

#: The content types of one database: by `(app_label, model)`, and by primary key.
Known = dict[Any, "ContentType"]


def options_of(model: Any, for_concrete_model: bool) -> Any:
    """The Options of the model that a content type stands for.

    Args:
        model: a model or an instance.
        for_concrete_model: a proxy counts as the model whose table it shows.
    """
    options = model._meta
    return options.concrete_model._meta if for_concrete_model else options


def _natural_key(options: Any) -> tuple[str, str]:
    return options.app_label, options.model_name


class ContentTypeManager(Manager["ContentType"]):
    """The manager of content types, which remembers what it has seen."""

    use_in_migrations = True

    def __init__(self) -> None:
        super().__init__()
        # By database and not by alias: another configuration has other rows.
        self._cache: WeakKeyDictionary[Any, Known] = WeakKeyDictionary()
        # By block, and the transactions that have made some.
        self._uncommitted: WeakKeyDictionary[Block, Known] = WeakKeyDictionary()
        self._making: WeakSet[Any] = WeakSet()

    def clear_cache(self) -> None:
        """Forget all content types."""
        self._cache.clear()
        self._uncommitted.clear()

    # --- what is remembered -----------------------------------------------------------

    def _shared(self) -> Known:
        database = connections[self.db]
        around = database.around  # what a test has made is undone with its transaction
        return self._cache.setdefault(database if around is None else around.transaction, {})

    def _seen(self) -> Mapping[Any, ContentType]:
        shared = self._shared()
        if not self._uncommitted:
            return shared
        block = self._block()
        own = []
        while block is not None:
            own.append(self._uncommitted.get(block, {}))
            block = block.parent
        return ChainMap(*own, shared)

    def _block(self) -> Block | None:
        """The block that this code is in; None outside of transactions."""
        database = connections[self.db]
        block = open_block(database.block())
        return None if block is database.around else block

    def known(self, model: Any, for_concrete_model: bool = True) -> ContentType | None:
        """The content type of a model, if that can be said without a query."""
        return self._seen().get(_natural_key(options_of(model, for_concrete_model)))

    def _kept(self, found: ContentType, made: bool = False) -> Operation[ContentType]:
        if made or self._making:
            # As user code is called: there the blocks of operations are in the context, too.
            return (yield from call(self._remember, found, made))  # type: ignore[no-any-return]
        return self._remember(found)

    def _remember(self, found: ContentType, made: bool = False) -> ContentType:
        block = self._block() if made or self._making else None
        if made and block is not None:
            self._making.add(block.transaction)
        if block is None or block.transaction not in self._making:
            seen = self._shared()
        else:
            seen = self._uncommitted.setdefault(block, {})
        seen[found.natural_key()] = seen[found.pk] = found
        return found

    # --- asking -----------------------------------------------------------------------

    def get_for_model(self, model: Any, for_concrete_model: bool = True) -> ContentType:
        """The content type of a model or of an instance's; it is made where there is none.

        Args:
            for_concrete_model: a proxy counts as the model whose table it shows.
        """
        return run(self._for_model(model, for_concrete_model), connections[self.db])

    async def aget_for_model(self, model: Any, for_concrete_model: bool = True) -> ContentType:
        return await arun(self._for_model(model, for_concrete_model), connections[self.db])

    def _for_model(self, model: Any, for_concrete_model: bool = True) -> Operation[ContentType]:
        options = options_of(model, for_concrete_model)
        app_label, name = _natural_key(options)
        found = self._seen().get((app_label, name))
        if found is not None:
            return found
        key = {"app_label": app_label, "model": name}
        made = False
        try:
            found = yield from self.get_queryset()._get_operation((), key)
        except self.model.DoesNotExist:
            found, made = yield from self._written("get_or_create", key)
        return (yield from self._kept(found, made))

    def _written(self, method: str, key: dict[str, str]) -> Operation[Any]:
        """What a method of QuerySet gives that writes, wherever routers want it written."""
        queryset = self.get_queryset()
        if self.db == queryset._write_alias():
            return (yield from getattr(queryset, f"_{method}_operation")(**key))
        faces = TwoFaces(getattr(queryset, method), getattr(queryset, f"a{method}"), **key)
        return (yield from call(faces))

    def get_for_models(
        self, *models: Any, for_concrete_models: bool = True
    ) -> dict[Any, ContentType]:
        """The content types of models, by model; those that are not known in one query.

        Args:
            for_concrete_models: as for `get_for_model`.
        """
        return run(self._for_models(models, for_concrete_models), connections[self.db])

    async def aget_for_models(
        self, *models: Any, for_concrete_models: bool = True
    ) -> dict[Any, ContentType]:
        return await arun(self._for_models(models, for_concrete_models), connections[self.db])

    def _for_models(
        self, models: Iterable[Any], for_concrete_models: bool
    ) -> Operation[dict[Any, ContentType]]:
        seen = dict(self._seen())
        keys = {model: _natural_key(options_of(model, for_concrete_models)) for model in models}
        missing = {key: None for key in keys.values() if key not in seen}
        if missing:
            by_app: dict[str, list[str]] = {}
            for app_label, name in missing:
                by_app.setdefault(app_label, []).append(name)
            conditions = [Q(app_label=app, model__in=names) for app, names in by_app.items()]
            queryset = self.get_queryset().filter(Q.create(conditions, Q.OR))
            for found in (yield from queryset._fetch_operation()):
                seen[found.natural_key()] = yield from self._kept(found)
                missing.pop(found.natural_key(), None)
            for app_label, name in missing:
                key = {"app_label": app_label, "model": name}
                found = yield from self._written("create", key)
                seen[app_label, name] = yield from self._kept(found, made=True)
        return {model: seen[key] for model, key in keys.items()}

    def get_for_id(self, id: Any) -> ContentType:
        """The content type with this primary key.

        Raises:
            DoesNotExist: there is none.
        """
        return run(self._for_id(id), connections[self.db])

    async def aget_for_id(self, id: Any) -> ContentType:
        return await arun(self._for_id(id), connections[self.db])

    def _for_id(self, id: Any) -> Operation[ContentType]:
        found = self._seen().get(id)
        if found is None:
            found = yield from self.get_queryset()._get_operation((), {"pk": id})
            yield from self._kept(found)
        return found

    def _for_ids(self, ids: Iterable[Any]) -> Operation[None]:
        """Come to know the content types with these keys; those that do not exist are left out."""
        seen = self._seen()
        missing = [id for id in ids if id not in seen]
        if missing:
            queryset = self.get_queryset().filter(pk__in=missing)
            for found in (yield from queryset._fetch_operation()):
                yield from self._kept(found)

    def get_by_natural_key(self, app_label: str, model: str) -> ContentType:
        """The content type of this application and this lower-case name of a model.

        Raises:
            DoesNotExist: there is none.
        """
        return run(self._by_natural_key(app_label, model), connections[self.db])

    async def aget_by_natural_key(self, app_label: str, model: str) -> ContentType:
        return await arun(self._by_natural_key(app_label, model), connections[self.db])

    def _by_natural_key(self, app_label: str, model: str) -> Operation[ContentType]:
        found = self._seen().get((app_label, model))
        if found is None:
            key = {"app_label": app_label, "model": model}
            found = yield from self.get_queryset()._get_operation((), key)
            yield from self._kept(found)
        return found


class ContentType(Model):
    """Stands for a model in the database."""

    id: Any = AutoField(primary_key=True)
    app_label: Any = CharField(max_length=100)
    model: Any = CharField("python model class name", max_length=100)
    objects = ContentTypeManager()

    class Meta:
        app_label = "contenttypes"
        db_table = "django_content_type"
        verbose_name = "content type"
        verbose_name_plural = "content types"
        unique_together = (("app_label", "model"),)

    def __str__(self) -> str:
        return self.app_labeled_name

    @property
    def name(self) -> str:
        """What the model calls itself; its name in the database where the class is gone."""
        model = self.model_class()
        return str(self.model if model is None else model._meta.verbose_name)

    @property
    def app_labeled_name(self) -> str:
        """The same with its application."""
        known = self.model_class() is not None
        label = self.app_label.title() if known else self.app_label
        return f"{label} | {self.name}"

    def model_class(self) -> Any:
        """The model, or None where it does not exist any more."""
        try:
            return apps.get_model(self.app_label, self.model)
        except LookupError:
            return None

    def natural_key(self) -> tuple[str, str]:
        """`(app_label, model)`."""
        return self.app_label, self.model

    def get_object_for_this_type(self, using: str | None = None, **kwargs: Any) -> Any:
        """The one object of the model that matches.

        Args:
            using: the alias of the database.
            kwargs: as for `QuerySet.get()`.

        Raises:
            LookupError: the model does not exist.
            DoesNotExist, MultipleObjectsReturned: not one object matches.
        """
        return self._base_queryset(using).get(**kwargs)

    async def aget_object_for_this_type(self, using: str | None = None, **kwargs: Any) -> Any:
        return await self._base_queryset(using).aget(**kwargs)

    def get_all_objects_for_this_type(self, **kwargs: Any) -> Any:
        """The QuerySet of the model's objects that match."""
        return self._base_queryset(None).filter(**kwargs)

    def _base_queryset(self, using: str | None) -> Any:
        model = self.model_class()
        if model is None:
            raise LookupError(f"The content type '{self.app_label}.{self.model}' has no model.")
        return model._base_manager.using(using)


__all__ = ["ContentType", "ContentTypeManager"]
