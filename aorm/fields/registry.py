"""The registry of models, what waits for models that do not exist yet, and the hooks upwards.

1. A model registers itself when its class is made, under `(app_label, model name in lower case)`.
2. Which registry it enters is `Meta.apps`, else the one in force: `isolate_apps` puts another
   one there for a while.
3. Whatever depends on all models (reverse relations above all) is cached by `Options` and
   dropped when a model is added; the registry knows which Options hold such caches.
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, TypeVar

from aorm.errors import listed
from aorm.late import inspect

F = TypeVar("F", bound=Callable[..., Any])
ModelKey = tuple[str, str]

RECURSIVE = "self"


def model_key(model: Any) -> ModelKey:
    """`(app_label, lower-case name)` of a class, an `"app.Model"` or a pair.

    Raises:
        ValueError: what is given names no model.
    """
    if isinstance(model, tuple):
        label, name = model
        return label, name.lower()
    if isinstance(model, str):
        label, dot, name = model.partition(".")
        if not dot or not label or not name or "." in name:
            raise ValueError(
                f"Invalid model reference {model!r}. String model references must be of the "
                "form 'app_label.ModelName'."
            )
        return label, name.lower()
    return model._meta.app_label, model._meta.model_name


class Hooks:
    """What higher layers give to the declarations below them; they set these on import.

    `forward(field)`, `reverse(rel)` and `many(rel, reverse)` make the descriptors that stand on
    the model classes, `parent_link(field)` that of a link to a parent, `manager()` a plain
    manager, `exists(field, value, instance)` says whether a foreign key's target is there,
    `validate_constraint(constraint, model, instance, exclude, using)` checks an instance,
    `loads_plainly(model)` whether rows may become objects without any code of the user's, and
    `generation()` counts what may change that answer,
    `choices(model, limit, ordering)` is the QuerySet of the objects that a relation may lead to.
    `model` is the base class of all models.
    """

    model: Any = None
    forward: Callable[[Any], Any] | None = None
    reverse: Callable[[Any], Any] | None = None
    many: Callable[[Any, bool], Any] | None = None
    manager: Callable[[], Any] | None = None
    exists: Callable[[Any, Any, Any], bool] | None = None
    validate_constraint: Callable[[Any, Any, Any, Any, str], None] | None = None
    loads_plainly: Callable[[Any], bool]
    generation: Callable[[], int]
    choices: Callable[[Any, Any, Sequence[Any]], Any]
    check: Callable[[Any, Mapping[str, Any], str], bool]
    acheck: Callable[[Any, Mapping[str, Any], str], Awaitable[bool]]


hooks = Hooks()


class AppConfig:
    """The models of one label."""

    def __init__(self, registry: Apps, label: str) -> None:
        self.apps = registry
        self.label = self.name = label

    @property
    def models(self) -> dict[str, Any]:
        """The models by lower-case name."""
        return self.apps.all_models[self.label]

    @models.setter
    def models(self, models: dict[str, Any]) -> None:
        self.apps.all_models[self.label] = models
        self.apps.clear_cache()

    def get_models(
        self, include_auto_created: bool = False, include_swapped: bool = False
    ) -> list[Any]:
        """The models in the order of their definition."""
        every = self.apps.get_models(include_auto_created, include_swapped)
        return [model for model in every if model._meta.app_label == self.label]

    def get_model(self, model_name: str) -> Any:
        """The model of this name in any case; LookupError without one."""
        return self.apps.get_model(self.label, model_name)

    def __repr__(self) -> str:
        return f"<AppConfig: {self.label}>"


class Apps:
    """The models that know each other by name."""

    ready = True
    models_ready = True
    apps_ready = True

    def __init__(self, installed_apps: Any = ()) -> None:
        #: Accepted for the sake of code that names its applications; nothing is installed.
        self.installed_apps = tuple(installed_apps or ())
        self.all_models: dict[str, dict[str, Any]] = defaultdict(dict)
        #: Counts changes, for those who keep what they derive from the models.
        self.generation = 0
        self._pending_operations: dict[ModelKey, list[Callable[[Any], Any]]] = defaultdict(list)
        self._relations: dict[Any, list[Any]] | None = None
        self._caching: dict[int, Any] = {}
        self._lock = threading.RLock()

    # --- models ---------------------------------------------------------------------

    def register_model(self, app_label: str, model: Any) -> None:
        """Enter a model, and call what waited for it.

        Raises:
            RuntimeError: another model has this name.
        """
        name = model._meta.model_name
        with self._lock:
            known = self.all_models[app_label].get(name)
            if known is not None:
                if (known.__name__, known.__module__) != (model.__name__, model.__module__):
                    raise RuntimeError(
                        f"Conflicting '{name}' models in application '{app_label}': "
                        f"{known} and {model}."
                    )
                warnings.warn(
                    f"Model '{app_label}.{name}' was already registered. Reloading models is not "
                    "advised as it can lead to inconsistencies, most notably with related models.",
                    RuntimeWarning,
                    stacklevel=2,
                )
            self.all_models[app_label][name] = model
        self.do_pending_operations(model)
        self.clear_cache()

    def get_model(self, app_label: str, model_name: str | None = None) -> Any:
        """The model of `"app.Model"`, or of a label and a name in any case.

        Raises:
            LookupError: there is none; the message lists what there is.
            ValueError: a single argument that is not of the form `"app.Model"`.
        """
        if model_name is None:
            app_label, model_name = app_label.split(".")
        found = self.all_models.get(app_label, {}).get(model_name.lower())
        if found is not None:
            return found
        if not self.all_models.get(app_label):
            labels = [label for label, models in self.all_models.items() if models]
            raise LookupError(
                f"No app with label {app_label!r} has models; there are {listed(labels)}."
            )
        names = [model.__name__ for model in self.all_models[app_label].values()]
        raise LookupError(
            f"App {app_label!r} doesn't have a {model_name!r} model; it has {listed(names)}."
        )

    get_registered_model = get_model

    @property
    def app_configs(self) -> dict[str, AppConfig]:
        """What there is of models, by label."""
        return {
            label: AppConfig(self, label) for label, models in self.all_models.items() if models
        }

    def get_app_config(self, app_label: str) -> AppConfig:
        """The models of one label; LookupError where it has none."""
        try:
            return self.app_configs[app_label]
        except KeyError:
            known = listed(self.app_configs)
            raise LookupError(
                f"No app with label {app_label!r} has models; there are {known}."
            ) from None

    def get_models(
        self, include_auto_created: bool = False, include_swapped: bool = False
    ) -> list[Any]:
        """All models, in the order of their definition in each app."""
        return [
            model
            for models in list(self.all_models.values())
            for model in list(models.values())
            if (include_auto_created or not model._meta.auto_created)
            and (include_swapped or not model._meta.swapped)
        ]

    def get_swappable_settings_name(self, to_string: str) -> str | None:
        """The setting whose value, or whose model, is `to_string`; None where there is none."""
        wanted = to_string.lower()
        for model in self.get_models(include_swapped=True):
            options = model._meta
            if options.swapped and options.swapped.lower() == wanted:
                return str(options.swappable)
            if options.swappable and options.label_lower == wanted:
                return str(options.swappable)
        return None

    # --- what waits -----------------------------------------------------------------

    def lazy_model_operation(self, function: Callable[..., Any], *model_keys: ModelKey) -> None:
        """Call `function` with the classes of these keys, as soon as all of them exist."""
        if not model_keys:
            function()
            return
        first, *others = model_keys

        def with_first(model: Any) -> None:
            self.lazy_model_operation(functools.partial(function, model), *others)

        with_first.waiting_for = function  # type: ignore[attr-defined]
        found = self.all_models.get(first[0], {}).get(first[1])
        if found is None:
            self._pending_operations[first].append(with_first)
        else:
            with_first(found)

    def do_pending_operations(self, model: Any) -> None:
        """Call what waited for this model."""
        for function in self._pending_operations.pop(model_key(model), []):
            function(model)

    def pending_models(self) -> list[str]:
        """The labels of models that are referred to and do not exist."""
        return sorted(f"{label}.{name}" for label, name in self._pending_operations)

    # --- caches ---------------------------------------------------------------------

    def clear_cache(self) -> None:
        """Forget what was derived from the set of models."""
        with self._lock:
            self.generation += 1
            self._relations = None
            caching, self._caching = self._caching, {}
        for options in caching.values():
            options._expire_cache()

    def depends(self, options: Any) -> None:
        """Note that these Options hold caches that a new model makes stale."""
        self._caching[id(options)] = options

    def relations_to(self, options: Any) -> list[Any]:
        """The relation fields of all models that point to this model (or a proxy of it)."""
        relations = self._relations
        if relations is None:
            relations = defaultdict(list)
            for model in self.get_models(include_auto_created=True):
                for field in model._meta._relation_fields():
                    target = field.remote_field.model
                    if not isinstance(target, str):
                        relations[target._meta.concrete_model].append(field)
            self._relations = relations
        return relations.get(options.concrete_model, [])

    def __repr__(self) -> str:
        return f"<Apps: {sum(map(len, self.all_models.values()))} models>"


apps = Apps()

_current: ContextVar[Apps] = ContextVar("aorm_apps", default=apps)


def current_apps() -> Apps:
    """The registry that models defined now enter."""
    return _current.get()


class isolate_apps:
    """A registry of its own for the models that are defined inside.

        with isolate_apps("shop") as registry:
            class Book(Model): ...

    As a decorator of a function it passes the registry by `kwarg_name`; of a class it is in
    force from `setUp` to `tearDown` and is stored under `attr_name`.
    """

    def __init__(
        self, *installed_apps: str, attr_name: str | None = None, kwarg_name: str | None = None
    ) -> None:
        self.installed_apps = installed_apps
        self.attr_name = attr_name
        self.kwarg_name = kwarg_name
        self._tokens: list[Token[Apps]] = []

    def __enter__(self) -> Apps:
        registry = Apps(self.installed_apps)
        self._tokens.append(_current.set(registry))
        return registry

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _current.reset(self._tokens.pop())

    def __call__(self, target: F) -> F:
        if isinstance(target, type):
            self._decorate_class(target)
            return target
        if inspect.iscoroutinefunction(target):

            @functools.wraps(target)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                with self._fresh() as registry:
                    return await target(*args, **self._passed(kwargs, registry))

            return awaited  # type: ignore[return-value]

        @functools.wraps(target)
        def called(*args: Any, **kwargs: Any) -> Any:
            with self._fresh() as registry:
                return target(*args, **self._passed(kwargs, registry))

        return called  # type: ignore[return-value]

    def _fresh(self) -> isolate_apps:
        return isolate_apps(*self.installed_apps)

    def _passed(self, kwargs: dict[str, Any], registry: Apps) -> dict[str, Any]:
        return kwargs if self.kwarg_name is None else {**kwargs, self.kwarg_name: registry}

    def _decorate_class(self, cls: Any) -> None:
        set_up, tear_down = cls.setUp, cls.tearDown

        def prepared(case: Any) -> None:
            registry = self.__enter__()
            if self.attr_name is not None:
                setattr(case, self.attr_name, registry)
            set_up(case)

        def cleaned(case: Any) -> None:
            tear_down(case)
            self.__exit__(None, None, None)

        cls.setUp, cls.tearDown = prepared, cleaned


def lazy_related_operation(
    function: Callable[..., Any], model: Any, *related_models: Any, **kwargs: Any
) -> None:
    """Call `function(model, *related)` when the model and all these exist.

    Args:
        function: is given the classes, and `kwargs`.
        model: the class that the names are relative to.
        related_models: classes, `"self"`, `"Model"` of the same app or `"app.Model"`.
    """
    related = [related_label(model, each) for each in related_models]
    # A finished class stands for itself, whichever registry it lives in.
    late = [isinstance(each, str) or not each._meta.prepared for each in related]
    awaited = [model, *(each for each, waits in zip(related, late, strict=True) if waits)]

    def when_there(*found: Any) -> None:
        named = iter(found[1:])
        function(
            found[0],
            *(next(named) if waits else each for each, waits in zip(related, late, strict=True)),
            **kwargs,
        )

    model._meta.apps.lazy_model_operation(when_there, *map(model_key, awaited))


def related_label(scope: Any, relation: Any) -> Any:
    """What a relation declared in `scope` names: a class as it is, a string with its app."""
    if relation == RECURSIVE:
        return scope
    if isinstance(relation, str) and "." not in relation:
        return f"{scope._meta.app_label}.{relation}"
    return relation
