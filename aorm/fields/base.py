"""What all fields have in common.

1. A field is a declaration: it knows names, options, conversions and checks of values.  It never
   sees a query, a connection or a model instance's state; what these need is asked of it.
2. A plain column puts nothing on the model class: its value is an entry of the instance's
   `__dict__` under `attname`.
3. Expressions (whatever `is_expression` says is one) pass through every conversion untouched.
4. `plain_types` are the exact types whose values need no `get_prep_value` at all.
"""

from __future__ import annotations

import copy
import copyreg
import datetime
import decimal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import total_ordering
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias, Unpack, overload

from aorm.conf import settings
from aorm.errors import FieldError, ValidationError
from aorm.fields.choices import (
    CallableChoiceIterator,
    choices_problem,
    flatten_choices,
    normalize_choices,
)
from aorm.fields.columns import ColumnTypes
from aorm.fields.lookup_registry import RegisterLookupMixin
from aorm.fields.registry import apps
from aorm.fields.typed import N, Resolvable, Typed, V, is_expression
from aorm.functional import Promise, cached_property

if TYPE_CHECKING:
    from aorm.fields.keywords import FieldOptions

__all__ = [
    "BLANK_CHOICE_DASH",
    "LOOKUP_SEP",
    "NOT_PROVIDED",
    "AnyField",
    "DatabaseDefault",
    "Field",
    "N",
    "Resolvable",
    "Typed",
    "V",
    "is_expression",
]

LOOKUP_SEP = "__"
BLANK_CHOICE_DASH = [("", "---------")]


class NOT_PROVIDED:
    """Stands for a default that was not given."""


class DatabaseDefault:
    """The value of a column that the database is going to fill in, until it was saved."""

    __slots__ = ("field",)

    def __init__(self, field: AnyField) -> None:
        self.field = field

    def __repr__(self) -> str:
        return "DatabaseDefault()"


#: Option, its default, and the attribute that holds what was given where that is another one.
_REMEMBERED = frozenset({"_get_default", "_shape_key"})
_OPTIONS: tuple[tuple[str, Any, str], ...] = (
    ("verbose_name", None, "_verbose_name"),
    ("primary_key", False, "primary_key"),
    ("max_length", None, "max_length"),
    ("unique", False, "_unique"),
    ("blank", False, "blank"),
    ("null", False, "null"),
    ("db_index", False, "db_index"),
    ("default", NOT_PROVIDED, "default"),
    ("db_default", NOT_PROVIDED, "db_default"),
    ("editable", True, "editable"),
    ("serialize", True, "serialize"),
    ("unique_for_date", None, "unique_for_date"),
    ("unique_for_month", None, "unique_for_month"),
    ("unique_for_year", None, "unique_for_year"),
    ("choices", None, "choices"),
    ("help_text", "", "help_text"),
    ("db_column", None, "db_column"),
    ("db_comment", None, "db_comment"),
    ("db_tablespace", None, "_db_tablespace"),
    ("auto_created", False, "auto_created"),
    ("validators", [], "_validators"),
    ("error_messages", None, "_error_messages"),
)


@total_ordering
class Field(RegisterLookupMixin, ColumnTypes, Typed[V, N]):
    """A column of a model, or something else that a model has by name.

    Args: as of Django's fields.  `default` may be a function without arguments; `db_default` is a
    value or an expression that the database fills in; `choices` may be in any of the forms that
    `aorm.fields.choices` names.
    """

    #: Exact types whose values `get_prep_value` would return as they are.
    plain_types: ClassVar[frozenset[type]] = frozenset()
    #: The class of the descriptor on the model class; None: there is none.
    descriptor_class: ClassVar[Any] = None
    #: What `get_default` gives where the database has the default; the query layer may put a
    #: class here that can stand in queries as well.
    database_default_class: ClassVar[Any] = DatabaseDefault

    empty_strings_allowed: bool = True
    empty_values: ClassVar[Sequence[Any]] = (None, "", [], (), {})
    default_validators: Sequence[Callable[[Any], None]] = ()
    default_error_messages: ClassVar[Mapping[str, Any]] = {
        "invalid_choice": "Value %(value)r is not a valid choice.",
        "null": "This field cannot be null.",
        "blank": "This field cannot be blank.",
        "unique": "%(model_name)s with this %(field_label)s already exists.",
        "unique_for_date": (
            "%(field_label)s must be unique for %(date_field_label)s %(lookup_type)s."
        ),
    }
    description: str = "A field"

    #: Cached attributes that a copy, which may go to another model, must not take along.
    derived_from_model: ClassVar[tuple[str, ...]] = ("_get_default", "_shape_key")

    # Fields compare by the order of their making; those made automatically come before.
    creation_counter: int = 0
    auto_creation_counter: ClassVar[int] = -1

    hidden: bool = False
    generated: bool = False
    many_to_many: bool | None = None
    many_to_one: bool | None = None
    one_to_many: bool | None = None
    one_to_one: bool | None = None
    related_model: Any = None

    # Set by contribute_to_class and set_attributes_from_name.
    model: Any
    attname: str
    column: Any
    concrete: bool
    verbose_name: Any
    _choices: Any

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = cls.__dict__
        converts = ("get_prep_value", "to_python", "get_db_prep_value", "get_db_prep_save")
        if "plain_types" not in own and any(name in own for name in converts):
            cls.plain_types = frozenset()

    @overload
    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        *,
        null: N = ...,
        **options: Unpack[FieldOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        *,
        null: bool,
        **options: Unpack[FieldOptions],
    ) -> None: ...
    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        primary_key: bool = False,
        max_length: int | None = None,
        unique: bool = False,
        blank: bool = False,
        null: bool = False,
        db_index: bool = False,
        rel: Any = None,
        default: Any = NOT_PROVIDED,
        editable: bool = True,
        serialize: bool = True,
        unique_for_date: str | None = None,
        unique_for_month: str | None = None,
        unique_for_year: str | None = None,
        choices: Any = None,
        help_text: Any = "",
        db_column: str | None = None,
        db_tablespace: str | None = None,
        auto_created: bool = False,
        validators: Iterable[Callable[[Any], None]] = (),
        error_messages: Mapping[str, Any] | None = None,
        db_comment: str | None = None,
        db_default: Any = NOT_PROVIDED,
    ) -> None:
        self.name: Any = name
        self.verbose_name = self._verbose_name = verbose_name
        self.primary_key = primary_key
        self.max_length = max_length
        self._unique = unique
        self.blank = blank
        self.null = null
        self.remote_field = rel
        self.is_relation = rel is not None
        self.default = default
        self.db_default = db_default
        self.editable = editable
        self.serialize = serialize
        self.unique_for_date = unique_for_date
        self.unique_for_month = unique_for_month
        self.unique_for_year = unique_for_year
        self.choices = choices
        self.help_text = help_text
        self.db_index = db_index
        self.db_column = db_column
        self.db_comment = db_comment
        self._db_tablespace = db_tablespace
        self.auto_created = auto_created
        self._validators = list(validators)
        self._error_messages = error_messages
        if auto_created:
            self.creation_counter = Field.auto_creation_counter
            Field.auto_creation_counter -= 1
        else:
            self.creation_counter = Field.creation_counter
            Field.creation_counter += 1

    # --- the field as an object -----------------------------------------------------

    def __str__(self) -> str:
        if not hasattr(self, "model"):
            return repr(self)
        return f"{self.model._meta.label}.{self.name}"

    def __repr__(self) -> str:
        path = _public_path(type(self), _REPR_PACKAGES.get(type(self).__module__, _FIELDS))
        return f"<{path}>" if self.name is None else f"<{path}: {self.name}>"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Field):
            return self.creation_counter == other.creation_counter and getattr(
                self, "model", None
            ) == getattr(other, "model", None)
        return NotImplemented

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Field):
            return NotImplemented
        return self._sort_key() < other._sort_key()

    def _sort_key(self) -> tuple[Any, ...]:
        # Those of one declaration in an abstract base are told apart by their models.
        model = getattr(self, "model", None)
        if model is None:
            return (self.creation_counter, 0)
        return (self.creation_counter, 1, model._meta.app_label, model._meta.model_name)

    def __hash__(self) -> int:
        return hash(self.creation_counter)

    def __copy__(self) -> Self:
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        for name in self.derived_from_model:
            copied.__dict__.pop(name, None)
        if "instance_lookups" in copied.__dict__:
            copied.instance_lookups = dict(self.instance_lookups)
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # Options are shared: what counts is that the copy may belong to another model.
        copied = copy.copy(self)
        if self.remote_field is not None:
            copied.remote_field = copy.copy(self.remote_field)
            if getattr(self.remote_field, "field", None) is self:
                copied.remote_field.field = copied
        memo[id(self)] = copied
        return copied

    def __reduce__(self) -> Any:
        model = getattr(self, "model", None)
        if model is not None:
            options = model._meta
            return (_load_field, (options.app_label, options.object_name, self.name))
        state = {name: value for name, value in self.__dict__.items() if name not in _REMEMBERED}
        return (copyreg.__newobj__, (type(self),), state)  # type: ignore[attr-defined]

    def deconstruct(self) -> tuple[str | None, str, list[Any], dict[str, Any]]:
        """What makes this field again: its name, the path of its class, args and kwargs.

        Only options that differ from their defaults are among these.
        """
        kwargs: dict[str, Any] = {}
        for option, default, attribute in _OPTIONS:
            value = getattr(self, attribute)
            if option == "choices":
                value = _declared_choices(value)
            if value != default if option in ("choices", "validators") else value is not default:
                kwargs[option] = value
        return (self.name, _public_path(type(self), "aorm.models"), [], kwargs)

    def clone(self) -> Self:
        """The same declaration again, belonging to no model."""
        _, _, args, kwargs = self.deconstruct()
        return type(self)(*args, **kwargs)

    def check(self, **kwargs: Any) -> list[Any]:
        """Nothing: what can be wrong with a declaration is refused when the class is made."""
        return []

    # --- names ----------------------------------------------------------------------

    def set_attributes_from_name(self, name: str) -> None:
        """Derive name, attname, column and verbose name from the name in the class body."""
        self.name = self.name or name
        self.attname, self.column = self.get_attname_column()
        self.concrete = self.column is not None
        if self.verbose_name is None and self.name:
            self.verbose_name = self.name.replace("_", " ")

    def get_attname(self) -> str:
        """The name under which the value stands in an instance."""
        return str(self.name)

    def get_attname_column(self) -> tuple[str, Any]:
        """The `attname` and the name of the column."""
        attname = self.get_attname()
        return attname, self.db_column or attname

    def get_cache_name(self) -> str:
        return str(self.name)

    def contribute_to_class(self, cls: Any, name: str, private_only: bool = False) -> None:
        """Become the field `name` of the model `cls`.

        Raises:
            FieldError: the name or an option cannot be used.
        """
        self.set_attributes_from_name(name)
        self.model = cls
        self._refuse_problems()
        cls._meta.add_field(self, private=private_only)
        if self.column is not None and self.descriptor_class is not None:
            setattr(cls, self.attname, self.descriptor_class(self))
        if self.choices is not None:
            method = f"get_{self.name}_display"
            # One that the class body defines stays; an inherited one knows other choices.
            if method not in cls.__dict__:
                setattr(cls, method, _display_method(self, method))

    def _refuse_problems(self) -> None:
        for problem in self._problems():
            raise FieldError(f"{self.model.__name__}.{self.name}: {problem}")

    def _problems(self) -> Iterator[str]:
        """What is wrong with the name and the options, in words."""
        name = str(self.name)
        if name.endswith("_"):
            yield "Field names must not end with an underscore."
        if LOOKUP_SEP in name:
            yield f"Field names must not contain '{LOOKUP_SEP}'."
        if name == "pk":
            yield "'pk' is a reserved word that cannot be used as a field name."
        if self.choices is not None:
            problem = choices_problem(self.choices)
            if problem is not None:
                yield problem
        if self.primary_key and self.null:
            yield "Primary keys must not have null=True."
        if self.max_length is not None and (
            type(self.max_length) is not int or self.max_length < 1
        ):
            yield f"'max_length' must be a positive integer, not {self.max_length!r}."

    # --- options --------------------------------------------------------------------

    @property
    def unique(self) -> bool:
        return self._unique or self.primary_key

    @property
    def db_tablespace(self) -> str:
        return self._db_tablespace or settings.DEFAULT_INDEX_TABLESPACE

    @property
    def db_returning(self) -> bool:
        """Whether an INSERT has to bring the value back."""
        return self.has_db_default()

    @cached_property
    def error_messages(self) -> dict[str, Any]:
        """Messages by code: those of the classes, then those that were given."""
        messages: dict[str, Any] = {}
        for cls in reversed(type(self).__mro__):
            messages.update(cls.__dict__.get("default_error_messages", ()))
        messages.update(self._error_messages or {})
        return messages

    @cached_property
    def validators(self) -> list[Callable[[Any], None]]:
        """What `run_validators` calls."""
        return [*self.default_validators, *self._validators, *self._own_validators()]

    def _own_validators(self) -> Iterable[Callable[[Any], None]]:
        """Validators that follow from other options, such as the greatest length."""
        return ()

    # --- choices --------------------------------------------------------------------

    @property
    def choices(self) -> Any:
        """The choices in their canonical form, or None."""
        return self._choices

    @choices.setter
    def choices(self, value: Any) -> None:
        self._choices = normalize_choices(value)

    @property
    def flatchoices(self) -> list[tuple[Any, Any]]:
        """The choices without their groups."""
        return list(flatten_choices(self.choices))

    def get_choices(
        self,
        include_blank: bool = True,
        blank_choice: Sequence[tuple[Any, Any]] = BLANK_CHOICE_DASH,
        limit_choices_to: Any = None,
        ordering: Sequence[str] = (),
    ) -> list[Any]:
        """The choices for a form: with a blank one first, unless they have one themselves.

        `limit_choices_to` and `ordering` have a meaning for relations only.
        """
        given: list[Any] = list(self._choices or ())
        if include_blank and not any(value in ("", None) for value, _ in self.flatchoices):
            return [*blank_choice, *given]
        return given

    def display(self, instance: Any) -> Any:
        """The label of the instance's value; the value itself where it is none of the choices."""
        value = getattr(instance, self.attname)
        for known, label in flatten_choices(self.choices):
            if known == value:
                return label if isinstance(label, _SHOWN_AS_THEY_ARE) else str(label)
        return value if isinstance(value, _SHOWN_AS_THEY_ARE) else str(value)

    # --- defaults -------------------------------------------------------------------

    def has_default(self) -> bool:
        """Whether a default was given that Python fills in."""
        return self.default is not NOT_PROVIDED

    def has_db_default(self) -> bool:
        """Whether a default was given that the database fills in."""
        return self.db_default is not NOT_PROVIDED

    def get_default(self) -> Any:
        """The value of a new instance."""
        return self._get_default()

    @cached_property
    def _get_default(self) -> Callable[[], Any]:
        if self.has_default():
            default = self.default
            return default if callable(default) else lambda: default
        if self.has_db_default():
            return lambda: self.database_default_class(self)
        if not self.empty_strings_allowed or self.null:
            return _none
        return str

    # --- values ---------------------------------------------------------------------

    def to_python(self, value: Any) -> Any:
        """The value in the type of this field.

        Raises:
            ValidationError: it cannot be converted.
        """
        return value

    def clean(self, value: Any, model_instance: Any) -> Any:
        """Convert and check a value, and return it.

        Raises:
            ValidationError: it is not valid.
        """
        value = self.to_python(value)
        self.validate(value, model_instance)
        self.run_validators(value)
        return value

    def validate(self, value: Any, model_instance: Any) -> None:
        """Check a converted value against choices, `null` and `blank`.

        Raises:
            ValidationError: it is not valid.
        """
        if not self.editable:
            return
        if self.choices is not None and value not in self.empty_values:
            if any(value == known for known, _ in flatten_choices(self.choices)):
                return
            raise self._invalid("invalid_choice", value)
        if value is None and not self.null:
            raise ValidationError(self.error_messages["null"], code="null")
        if not self.blank and value in self.empty_values:
            raise ValidationError(self.error_messages["blank"], code="blank")

    def run_validators(self, value: Any) -> None:
        """Call all validators.

        Raises:
            ValidationError: with the errors of all of them.
        """
        if value in self.empty_values:
            return
        errors: list[ValidationError] = []
        for validator in self.validators:
            try:
                validator(value)
            except ValidationError as error:
                code = getattr(error, "code", None)
                if code is not None and code in self.error_messages:
                    error.message = self.error_messages[code]
                errors.extend(error.error_list)
        if errors:
            raise ValidationError(errors)

    def _invalid(self, code: str, value: Any) -> ValidationError:
        return ValidationError(self.error_messages[code], code=code, params={"value": value})

    def pre_save(self, model_instance: Any, add: bool) -> Any:
        """The value that is going to be saved; may change the instance."""
        return getattr(model_instance, self.attname)

    def get_prep_value(self, value: Any) -> Any:
        """The value for a query, in the type of this field; called when the query is built.

        Raises:
            ValueError, TypeError, ValidationError: it cannot be converted.
        """
        return value._cast() if isinstance(value, Promise) else value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """The value for a kind of database, before the dialect's own representation."""
        return value if prepared else self.get_prep_value(value)

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        """The value for an INSERT or UPDATE."""
        if is_expression(value):
            return value
        return self.get_db_prep_value(value, connection=connection, prepared=False)

    def get_pk_value_on_save(self, instance: Any) -> Any:
        """The value of a primary key that an instance has none for: the default, or None."""
        return self.get_default() if self.has_default() else None

    def value_from_object(self, obj: Any) -> Any:
        """The value of this field in a model instance."""
        return getattr(obj, self.attname)

    def value_to_string(self, obj: Any) -> str:
        """The value of this field in a model instance, as text from which it can be read again."""
        return str(self.value_from_object(obj))

    def save_form_data(self, instance: Any, data: Any) -> None:
        """Take over a cleaned value."""
        setattr(instance, self.name, data)


#: Any field at all, for annotations.
AnyField: TypeAlias = "Field[Any, Any]"

_SHOWN_AS_THEY_ARE = (
    type(None),
    str,
    int,
    float,
    decimal.Decimal,
    datetime.date,
    datetime.time,
)


def _load_field(app_label: str, model_name: str, field_name: str) -> Any:
    """What a pickled field refers to."""
    return apps.get_model(app_label, model_name)._meta.get_field(field_name)


_FIELDS = "aorm.models.fields"
_REPR_PACKAGES = {
    "aorm.fields.relations": f"{_FIELDS}.related",
    "aorm.fields.many_to_many": f"{_FIELDS}.related",
    "aorm.fields.json": f"{_FIELDS}.json",
    "aorm.fields.composite": f"{_FIELDS}.composite",
}


def _public_path(cls: type, package: str) -> str:
    module = cls.__module__
    return f"{package if module.startswith('aorm.fields.') else module}.{cls.__qualname__}"


def _declared_choices(value: Any) -> Any:
    if isinstance(value, CallableChoiceIterator):
        return value.func
    if isinstance(value, Iterable) and not isinstance(value, str | list):
        return list(value)
    return value


def _display_method(field: AnyField, name: str) -> Callable[[Any], Any]:
    def display(self: Any) -> Any:
        return field.display(self)

    display.__name__ = display.__qualname__ = name
    display.__doc__ = f"The label of the choice that is the value of `{field.name}`."
    return display


def _none() -> None:
    return None
