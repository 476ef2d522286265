"""Databases that aorm speaks to."""
