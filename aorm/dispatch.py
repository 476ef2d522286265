"""Signals, by Django's module name."""

from aorm.operations.signals import Signal, receiver

__all__ = ["Signal", "receiver"]
