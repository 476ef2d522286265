"""The plugin, in projects of their own: other plugins, workers, and what goes wrong."""

from __future__ import annotations

import pytest

CONFTEST = """
import os
import aorm
from aorm import models

aorm.configure(os.environ["DATABASE_URL"])

class Author(models.Model):
    name = models.CharField(max_length=100, unique=True)
    class Meta:
        app_label = "project"
"""

# an asynchronous fixture, its test, and a synchronous fixture run in different tasks and contexts
ASYNC_TESTS = """
import asyncio, threading
import aorm, pytest, pytest_asyncio
from conftest import Author

pytestmark = [pytest.mark.aorm, pytest.mark.asyncio]

@pytest.fixture
def ada(aorm_transaction):
    with aorm.atomic():
        return Author.objects.create(name="Ada")

@pytest_asyncio.fixture
async def eve(ada):
    async with aorm.atomic():
        eve = await Author.objects.acreate(name="Eve")
        yield eve
    await eve.arefresh_from_db()

@pytest_asyncio.fixture(loop_scope="session")
async def zoe(ada):
    return await Author.objects.acreate(name="Zoe")

@pytest.mark.parametrize("time", [1, 2])
async def test_all_see_the_same(ada, eve, zoe, time):
    names = [author.name async for author in Author.objects.order_by("name")]
    assert names == ["Ada", "Eve", "Zoe"]
    assert await asyncio.to_thread(Author.objects.count) == 3
    with pytest.raises(aorm.errors.IntegrityError):
        async with aorm.atomic():
            await Author.objects.acreate(name="Ada")
    await Author.objects.acreate(name="Joe")

@pytest.mark.asyncio(loop_scope="session")
async def test_on_the_loop_of_the_session(zoe):
    assert await Author.objects.acount() == 2

async def test_cancelled(ada):
    task = asyncio.create_task(Author.objects.acount())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

async def test_cancelled_anywhere_in_a_write(ada):
    await Author.objects.acreate(name="Joe")
    for turns in range(12):
        task = asyncio.create_task(Author.objects.acreate(name=f"Max {turns}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    assert await Author.objects.filter(name__in=["Ada", "Joe"]).acount() == 2

async def test_after_it():
    assert await Author.objects.acount() == 0
"""

TESTS = """
import os
import aorm, pytest
from conftest import Author

@pytest.mark.aorm
@pytest.mark.parametrize("time", range(4))
def test_create(time):
    Author.objects.create(name="Ada")
    assert Author.objects.count() == 1
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    name = aorm.connections["default"].address.name
    assert "test_" in name and worker in name

@pytest.mark.aorm(commit=True)
async def not_a_test():
    pass
"""


@pytest.fixture
def authors(project):
    project.write("conftest.py", CONFTEST)
    return project


def test_fixtures_and_tests_of_pytest_asyncio(authors, on):
    pytest.importorskip("pytest_asyncio")
    authors.write("test_async.py", ASYNC_TESTS)
    option = "asyncio_default_fixture_loop_scope=function"
    result = authors.run("-o", option, url=on, plugins=["pytest_asyncio.plugin"])
    result.assert_outcomes(passed=6)


def test_each_worker_has_a_database(authors, on):
    authors.write("test_sync.py", TESTS)
    authors.run("-n", "2", url=on, plugins=["xdist"]).assert_outcomes(passed=4)


def test_no_database_is_an_error_that_says_what_to_do(project):
    project.write("test_none.py", "import pytest\n@pytest.mark.aorm\ndef test(): pass\n")
    result = project.run(url="")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*call aorm.configure() in conftest.py, set DATABASE_URL*"])


WRONG = """
import pytest

@pytest.mark.aorm(True)
def test_1(): pass

@pytest.mark.aorm(commits=True)
def test_2(): pass

@pytest.mark.aorm(using="default")
def test_3(): pass
"""


def test_a_wrong_marker_is_an_error(authors):
    authors.write("test_wrong.py", WRONG)
    result = authors.run(url="sqlite://:memory:")
    result.assert_outcomes(errors=3)
    wrong = "*the marker is aorm(commit=False, using=None), not *"
    result.stdout.fnmatch_lines([wrong, wrong, "*`using` of the marker aorm is a list of aliases*"])


def test_an_unmarked_test_has_no_transaction(authors):
    text = "import aorm\ndef test(): assert aorm.connections['default'].autocommit\n"
    authors.write("test_plain.py", text)
    authors.run(url="sqlite://:memory:").assert_outcomes(passed=1)
