"""Enumerations of choices, by Django's module name."""

from aorm.fields.enums import Choices, ChoicesType, IntegerChoices, TextChoices

__all__ = ["Choices", "ChoicesType", "IntegerChoices", "TextChoices"]
