"""Helpers, by Django's module names."""
