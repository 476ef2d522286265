"""Tests of DDL, of the values that databases hold, and of INSERT, UPDATE and DELETE."""
