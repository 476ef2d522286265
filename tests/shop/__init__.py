"""A small shop: the models that most tests use."""
