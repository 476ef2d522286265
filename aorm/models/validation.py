"""Checking an instance before it is saved: values, uniqueness, constraints.

Whether something is unique is asked of the database; everything here has an asynchronous twin,
which runs the same in a worker thread (validators are synchronous code), in the same transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from aorm.connections import on_primary, sync_to_async
from aorm.errors import NON_FIELD_ERRORS, ValidationError
from aorm.fields.base import DatabaseDefault
from aorm.fields.composite import CompositePrimaryKey
from aorm.operations.routing import router

if TYPE_CHECKING:
    from aorm.fields.options import Options

UniqueCheck = tuple[Any, tuple[str, ...]]
DateCheck = tuple[Any, str, str, str]


def capfirst(text: Any) -> str:
    """The text with a capital first letter."""
    shown = str(text)
    return shown[:1].upper() + shown[1:]


def enumerated(words: list[str], last: str = "and") -> str:
    """`a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def _names(exclude: Collection[str] | None) -> frozenset[str]:
    return frozenset([exclude] if isinstance(exclude, str) else exclude or ())


class Validation:
    """The part of `Model` that checks."""

    if TYPE_CHECKING:
        _meta: ClassVar[Options]
        _state: Any
        pk: Any

        def _get_pk_val(self, meta: Any = None) -> Any: ...
        def _is_pk_set(self, meta: Any = None) -> bool: ...

    # --- everything -----------------------------------------------------------------------

    def full_clean(
        self,
        exclude: Collection[str] | None = None,
        validate_unique: bool = True,
        validate_constraints: bool = True,
    ) -> None:
        """Check values, the whole, uniqueness and constraints.

        Args:
            exclude: names of fields to leave out.

        Raises:
            ValidationError: with all that is wrong, by field.
        """
        errors: dict[str, Any] = {}
        excluded = set(exclude or ())
        try:
            self.clean_fields(exclude=excluded)
        except ValidationError as error:
            errors = error.update_error_dict(errors)
        try:
            self.clean()
        except ValidationError as error:
            errors = error.update_error_dict(errors)
        for wanted, check in (
            (validate_unique, self.validate_unique),
            (validate_constraints, self.validate_constraints),
        ):
            if wanted:
                # What is known to be wrong need not be unique.
                excluded |= errors.keys() - {NON_FIELD_ERRORS}
                try:
                    check(exclude=excluded)
                except ValidationError as error:
                    errors = error.update_error_dict(errors)
        if errors:
            raise ValidationError(errors)

    async def afull_clean(
        self,
        exclude: Collection[str] | None = None,
        validate_unique: bool = True,
        validate_constraints: bool = True,
    ) -> None:
        await sync_to_async(self.full_clean)(exclude, validate_unique, validate_constraints)

    def clean(self) -> None:
        """Override it to check, or change, the instance as a whole."""

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Convert and check the values of all fields.

        Raises:
            ValidationError: with the errors by field.
        """
        excluded = _names(exclude)
        errors: dict[str, Any] = {}
        for field in self._meta.fields:
            if field.name in excluded or field.generated or not field.concrete:
                continue
            value = getattr(self, field.attname)
            if isinstance(value, DatabaseDefault) or (field.blank and value in field.empty_values):
                continue
            try:
                setattr(self, field.attname, field.clean(value, self))
            except ValidationError as error:
                errors[field.name] = error.error_list
        if errors:
            raise ValidationError(errors)

    async def aclean_fields(self, exclude: Collection[str] | None = None) -> None:
        await sync_to_async(self.clean_fields)(exclude)

    # --- uniqueness -----------------------------------------------------------------------

    def validate_unique(self, exclude: Collection[str] | None = None) -> None:
        """Check that unique fields, `unique_together` and `unique_for_date` hold.

        Raises:
            ValidationError: another row has these values.
        """
        unique_checks, date_checks = self._get_unique_checks(exclude=exclude)
        with on_primary():
            errors = self._perform_unique_checks(unique_checks)
            found_by_date = self._perform_date_checks(date_checks)
        for name, found in found_by_date.items():
            errors.setdefault(name, []).extend(found)
        if errors:
            raise ValidationError(errors)

    async def avalidate_unique(self, exclude: Collection[str] | None = None) -> None:
        await sync_to_async(self.validate_unique)(exclude)

    def _tables(self) -> list[Any]:
        return [type(self), *self._meta.all_parents]

    def _get_unique_checks(
        self, exclude: Collection[str] | None = None, include_meta_constraints: bool = False
    ) -> tuple[list[UniqueCheck], list[DateCheck]]:
        """What has to be unique: names of fields by model, and fields by parts of dates."""
        excluded = _names(exclude)
        checks: list[UniqueCheck] = []
        for model in self._tables():
            groups: Iterable[Any] = model._meta.unique_together
            if include_meta_constraints:
                constraints = model._meta.total_unique_constraints
                groups = [*groups, *(constraint.fields for constraint in constraints)]
            checks += [(model, tuple(group)) for group in groups if excluded.isdisjoint(group)]
        dates: list[DateCheck] = []
        for model in self._tables():
            for field in model._meta.local_fields:
                name = field.name
                if name in excluded:
                    continue
                if isinstance(field, CompositePrimaryKey):
                    names = tuple(each.name for each in field.fields)
                    if excluded.isdisjoint(names):
                        checks.append((model, names))
                    continue
                if field.unique:
                    checks.append((model, (name,)))
                for part in ("date", "year", "month"):
                    other = getattr(field, f"unique_for_{part}")
                    if other and other not in excluded:
                        dates.append((model, part, name, other))
        return checks, dates

    def _perform_unique_checks(self, unique_checks: list[UniqueCheck]) -> dict[str, list[Any]]:
        errors: dict[str, list[Any]] = {}
        for model, names in unique_checks:
            values = self._values_to_check(model, names)
            if values is None:
                continue
            if self._others(model._default_manager.filter(**values), model).exists():
                key = names[0] if len(names) == 1 else NON_FIELD_ERRORS
                errors.setdefault(key, []).append(self.unique_error_message(model, names))
        return errors

    def _values_to_check(self, model: Any, names: tuple[str, ...]) -> dict[str, Any] | None:
        options = model._meta
        fields = [options.get_field(name) for name in names]
        if not self._state.adding and all(
            field.primary_key or field in options.pk_fields for field in fields
        ):
            # The key of a row that exists is that row's own.
            return None
        values = {}
        for field in fields:
            value = getattr(self, field.attname)
            if isinstance(value, DatabaseDefault):
                value = field.db_default
            if value is None:
                return None
            values[field.name] = value
        return values

    def _others(self, queryset: Any, model: Any) -> Any:
        """The rows of the QuerySet that are not this instance's."""
        options = model._meta
        if not self._state.adding and self._is_pk_set(options):
            return queryset.exclude(pk=self._get_pk_val(options))
        return queryset

    def _perform_date_checks(self, date_checks: list[DateCheck]) -> dict[str, list[Any]]:
        errors: dict[str, list[Any]] = {}
        for model, part, name, other in date_checks:
            date = getattr(self, other)
            if date is None:
                continue
            parts = ("day", "month", "year") if part == "date" else (part,)
            values = {f"{other}__{each}": getattr(date, each) for each in parts}
            values[name] = getattr(self, name)
            if self._others(model._default_manager.filter(**values), model).exists():
                errors.setdefault(name, []).append(self.date_error_message(part, name, other))
        return errors

    def date_error_message(self, lookup_type: str, field_name: str, unique_for: str) -> Any:
        """The error for a value that is not unique for a date."""
        options = self._meta
        field, date_field = options.get_field(field_name), options.get_field(unique_for)
        return ValidationError(
            field.error_messages["unique_for_date"],
            code="unique_for_date",
            params={
                "model": self,
                "model_name": capfirst(options.verbose_name),
                "lookup_type": lookup_type,
                "field": field_name,
                "field_label": capfirst(field.verbose_name),
                "date_field": unique_for,
                "date_field_label": capfirst(date_field.verbose_name),
            },
        )

    def unique_error_message(self, model_class: Any, unique_check: Any) -> Any:
        """The error for values that another row has."""
        options = model_class._meta
        names = tuple(unique_check)
        params: dict[str, Any] = {
            "model": self,
            "model_class": model_class,
            "model_name": capfirst(options.verbose_name),
            "unique_check": names,
        }
        labels = [capfirst(options.get_field(name).verbose_name) for name in names]
        if len(names) == 1:
            params["field_label"] = labels[0]
            message = options.get_field(names[0]).error_messages["unique"]
            return ValidationError(message, code="unique", params=params)
        params["field_labels"] = enumerated(labels)
        return ValidationError(
            "%(model_name)s with this %(field_labels)s already exists.",
            code="unique_together",
            params=params,
        )

    # --- constraints ----------------------------------------------------------------------

    def get_constraints(self) -> list[tuple[Any, list[Any]]]:
        """The constraints of this model and its parents, by model."""
        return [
            (model, model._meta.constraints)
            for model in self._tables()
            if model is type(self) or model._meta.constraints
        ]

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Check the constraints of `Meta.constraints`.

        Raises:
            ValidationError: one of them is violated.
        """
        using = router.db_for_write(type(self), instance=self)
        errors: dict[str, Any] = {}
        for model, constraints in self.get_constraints():
            for constraint in constraints:
                try:
                    constraint.validate(model, self, exclude=exclude, using=using)
                except ValidationError as error:
                    fields: tuple[str, ...] = getattr(constraint, "fields", ())
                    if getattr(error, "code", None) == "unique" and len(fields) == 1:
                        errors.setdefault(fields[0], []).append(error)
                    else:
                        errors = error.update_error_dict(errors)
        if errors:
            raise ValidationError(errors)

    async def avalidate_constraints(self, exclude: Collection[str] | None = None) -> None:
        await sync_to_async(self.validate_constraints)(exclude)
