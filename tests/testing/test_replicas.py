"""Databases with replicas are one test database: what it is made of has none."""

from __future__ import annotations

import pytest

PROJECT = """
import os

import aorm
from aorm import models

# nobody is there: whoever asks it fails
urls = {"default": os.environ["DATABASE_URL"], "replica": "postgresql://nobody@127.0.0.1:1/gone"}
aorm.configure(urls, replicas={"default": "replica"})


class Note(models.Model):
    class Meta:
        app_label = "notes"
"""
TESTS = """
import pytest
from conftest import Note

from aorm import connections


@pytest.mark.aorm
def test_in_a_transaction():
    Note.objects.create()
    assert Note.objects.count() == Note.objects.using("replica").count() == 1


@pytest.mark.aorm(commit=True)
async def test_committed():
    await Note.objects.acreate()
    assert await Note.objects.acount() == await Note.objects.using("replica").acount() == 1
    assert connections["default"].replicas is None
"""


@pytest.mark.parametrize("on", ["postgresql"], indirect=True)
def test_replicas_are_aliases_of_the_test_database(project, on):
    project.write("conftest.py", PROJECT)
    project.write("test_notes.py", TESTS)
    project.write("pytest.ini", "[pytest]\nanyio_mode = auto\n")
    project.run(url=on, plugins=["anyio"]).assert_outcomes(passed=2)
