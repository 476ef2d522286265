"""Database functions."""
