"""Blocks on each face and each driver: what is kept, what is undone, what is refused."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from functools import partial

import pytest

from aorm import steps
from aorm.connections import (
    aget_rollback,
    aon_commit,
    arun,
    asavepoint,
    asavepoint_commit,
    asavepoint_rollback,
    aset_rollback,
    atomic,
    clean_savepoints,
    commit,
    connections,
    detached,
    get_autocommit,
    get_rollback,
    mark_for_rollback_on_error,
    on_commit,
    rollback,
    run,
    savepoint,
    savepoint_commit,
    savepoint_rollback,
    set_autocommit,
    set_rollback,
)
from aorm.errors import (
    DatabaseError,
    IntegrityError,
    NotSupportedError,
    TransactionManagementError,
)


class Boom(Exception):
    pass


async def test_a_block_commits(face, rows):
    async with face.atomic():
        await face.insert(1)
        if face.database.address.name != ":memory:":  # where readers wait for the writer
            assert rows() == []
    assert rows() == [1]


async def test_a_failing_block_rolls_back(face, rows):
    with pytest.raises(Boom):
        async with face.atomic():
            await face.insert(1)
            raise Boom
    assert rows() == []


async def test_a_nested_block_is_a_savepoint(face, rows):
    async with face.atomic():
        await face.insert(1)
        with pytest.raises(Boom):
            async with face.atomic():
                await face.insert(2)
                raise Boom
        async with face.atomic():
            await face.insert(3)
    assert rows() == [1, 3]


async def test_inner_blocks_go_with_the_outer_one(face, rows):
    with pytest.raises(Boom):
        async with face.atomic():
            async with face.atomic():
                await face.insert(1)
            raise Boom
    assert rows() == []


async def test_without_savepoint_a_failure_undoes_the_outer_block(face, rows):
    async with face.atomic():
        await face.insert(1)
        with pytest.raises(Boom):
            async with face.atomic(savepoint=False):
                await face.insert(2)
                raise Boom
        with pytest.raises(TransactionManagementError, match="until the end of the 'atomic'"):
            await face.insert(3)
    assert rows() == []


async def test_a_savepoint_around_clears_the_mark(face, rows):
    async with face.atomic():
        await face.insert(1)
        with pytest.raises(Boom):
            async with face.atomic(), face.atomic(savepoint=False):
                await face.insert(2)
                raise Boom
        await face.insert(3)
    assert rows() == [1, 3]


async def test_a_failed_write_marks_the_block(face, rows):
    await face.insert(1)
    async with face.atomic():
        await face.insert(2)
        with pytest.raises(IntegrityError) as first:
            await face.insert(1)
        with pytest.raises(TransactionManagementError) as second:
            await face.numbers()
        assert second.value.__cause__ is first.value
    assert rows() == [1]


async def test_a_failed_write_in_a_nested_block_is_undone_with_it(face, rows):
    await face.insert(1)
    async with face.atomic():
        await face.insert(2)
        with pytest.raises(IntegrityError):
            async with face.atomic():
                await face.insert(3)
                await face.insert(1)
        await face.insert(4)
    assert rows() == [1, 2, 4]


async def test_an_operations_own_block(face, rows, make_insert):
    def operation():
        yield from make_insert(face.database, 1)
        yield from make_insert(face.database, 1)

    with pytest.raises(IntegrityError):
        await face.run(steps.in_block(operation()))
    assert rows() == []
    async with face.atomic():
        await face.insert(5)
        with pytest.raises(IntegrityError):
            await face.run(steps.in_block(operation()))
        await face.insert(6)
    assert rows() == [5, 6]


async def test_an_operations_block_without_savepoint_marks_the_outer_one(face, rows, make_insert):
    def operation():
        yield from make_insert(face.database, 1)
        raise Boom

    async with face.atomic():
        with pytest.raises(Boom):
            await face.run(steps.in_block(operation(), savepoint=False))
        with pytest.raises(TransactionManagementError):
            await face.numbers()
    assert rows() == []


@pytest.mark.parametrize("kind", ["function", "coroutine"])
async def test_user_code_called_by_an_operation_joins_its_block(face, rows, make_insert, kind):
    database = face.database

    def function(number):
        return run(make_insert(database, number), database)

    async def coroutine(number):
        return await arun(make_insert(database, number), database)

    def operation(fails):
        yield from make_insert(database, 1)
        changed = yield from steps.call(locals_of[kind], 2)
        assert changed == 1
        yield from make_insert(database, 3)
        if fails:
            raise Boom

    locals_of = {"function": function, "coroutine": coroutine}
    with pytest.raises(Boom):
        await face.run(steps.in_block(operation(True)))
    assert rows() == []
    await face.run(steps.in_block(operation(False)))
    assert rows() == [1, 2, 3]


async def test_failing_user_code_fails_the_operation(face, rows, make_insert):
    def boom():
        raise Boom

    def operation():
        yield from make_insert(face.database, 1)
        yield from steps.call(boom)

    with pytest.raises(Boom):
        await face.run(steps.in_block(operation()))
    assert rows() == []


def test_decorator_of_functions(database, rows, make_insert):
    @atomic
    def write(number, fails):
        run(make_insert(database, number), database)
        if fails:
            raise Boom

    write(1, False)
    with pytest.raises(Boom):
        write(2, True)
    assert rows() == [1]


def test_decorator_of_coroutine_functions(database, rows, make_insert):
    @atomic(durable=True)
    async def write(number, fails):
        await arun(make_insert(database, number), database)
        if fails:
            raise Boom

    async def main():
        await asyncio.gather(write(1, False), write(2, False))
        with pytest.raises(Boom):
            await write(3, True)

    asyncio.run(main())
    assert rows() == [1, 2]


def test_one_object_may_be_entered_again_and_nested(database, rows, make_insert):
    block = atomic()
    with block:
        run(make_insert(database, 1), database)
        with pytest.raises(Boom), block:
            run(make_insert(database, 2), database)
            raise Boom
        with block:
            run(make_insert(database, 3), database)
    with block:
        run(make_insert(database, 4), database)
    assert rows() == [1, 3, 4]


async def test_durable_blocks_refuse_to_be_nested(face):
    async with face.atomic():
        with pytest.raises(RuntimeError, match="durable"):
            async with face.atomic(durable=True):
                pass
    async with face.atomic(durable=True), face.atomic():
        pass


def test_durable_blocks_may_open_inside_a_testcase(database):
    outer = atomic()
    outer._from_testcase = True
    with outer, atomic(durable=True):
        pass


async def test_set_rollback(face, rows):
    async with face.atomic():
        await face.insert(1)
        await face.call(set_rollback, aset_rollback, True)
        assert await face.call(get_rollback, aget_rollback)
    assert rows() == []


async def test_rollback_flag_needs_a_block(face):
    with pytest.raises(TransactionManagementError):
        await face.call(get_rollback, aget_rollback)


async def test_savepoints_by_hand(face, rows):
    async with face.atomic():
        await face.insert(1)
        sid = await face.call(savepoint, asavepoint)
        await face.insert(2)
        await face.call(savepoint_rollback, asavepoint_rollback, sid)
        sid = await face.call(savepoint, asavepoint)
        await face.insert(3)
        await face.call(savepoint_commit, asavepoint_commit, sid)
    assert rows() == [1, 3]


async def test_rolling_back_to_a_savepoint_by_hand_undoes_a_failure(face, rows):
    async with face.atomic():
        await face.insert(1)
        sid = await face.call(savepoint, asavepoint)
        with pytest.raises(IntegrityError):
            await face.insert(1)
        await face.call(savepoint_rollback, asavepoint_rollback, sid)
        await face.insert(2)
    assert rows() == [1, 2]


async def test_unknown_savepoints_are_refused(face):
    async with face.atomic():
        with pytest.raises(TransactionManagementError, match="no savepoint"):
            await face.call(savepoint_rollback, asavepoint_rollback, "x; DROP TABLE item")
        await face.plainly(clean_savepoints)


async def test_on_commit_runs_in_order_after_the_commit(face, rows):
    seen = []
    async with face.atomic():
        await face.insert(1)
        await face.call(on_commit, aon_commit, lambda: seen.append(("a", rows())))
        async with face.atomic():
            await face.call(on_commit, aon_commit, lambda: seen.append(("b", rows())))
        assert seen == []
    assert seen == [("a", [1]), ("b", [1])]


async def test_on_commit_of_a_rolled_back_block_is_dropped(face):
    seen = []
    async with face.atomic():
        await face.call(on_commit, aon_commit, lambda: seen.append(1))
        with pytest.raises(Boom):
            async with face.atomic():
                async with face.atomic():
                    await face.call(on_commit, aon_commit, lambda: seen.append(2))
                raise Boom
        await face.call(on_commit, aon_commit, lambda: seen.append(3))
    assert seen == [1, 3]
    with pytest.raises(Boom):
        async with face.atomic():
            await face.call(on_commit, aon_commit, lambda: seen.append(4))
            raise Boom
    assert seen == [1, 3]


async def test_on_commit_takes_coroutine_functions(face):
    seen = []

    async def note():
        await asyncio.sleep(0)
        seen.append(1)

    async with face.atomic():
        await face.call(on_commit, aon_commit, note)
    await face.call(on_commit, aon_commit, note)
    assert seen == [1, 1]


async def test_on_commit_outside_of_a_transaction_is_at_once(face):
    seen = []
    await face.call(on_commit, aon_commit, lambda: seen.append(1))
    assert seen == [1]


async def test_on_commit_failure_stops_those_after_it_unless_robust(face, rows, caplog):
    seen = []

    def boom():
        raise Boom

    async with face.atomic():
        await face.call(on_commit, aon_commit, boom, None, True)
        await face.call(on_commit, aon_commit, lambda: seen.append(1))
    assert seen == [1]
    assert "Error calling" in caplog.text
    with pytest.raises(Boom):
        async with face.atomic():
            await face.insert(1)
            await face.call(on_commit, aon_commit, boom)
            await face.call(on_commit, aon_commit, lambda: seen.append(2))
    assert seen == [1]
    assert rows() == [1]


async def test_a_callback_may_write(face, rows, make_insert):
    database = face.database

    def write():
        run(make_insert(database, 2), database)

    async def awrite():
        await arun(make_insert(database, 2), database)

    async with face.atomic():
        await face.insert(1)
        await face.call(on_commit, aon_commit, awrite if face.name == "async" else write)
    assert rows() == [1, 2]


async def test_mark_for_rollback_on_error(face, rows):
    async with face.atomic():
        await face.insert(1)
        with pytest.raises(Boom):
            if face.name == "async":
                async with mark_for_rollback_on_error():
                    raise Boom
            else:
                await face.in_thread(marked)
        with pytest.raises(TransactionManagementError):
            await face.numbers()
    assert rows() == []


def marked():
    with mark_for_rollback_on_error():
        raise Boom


def test_without_autocommit(database, rows, make_insert):
    assert get_autocommit()
    set_autocommit(False)
    assert not get_autocommit()
    run(make_insert(database, 1), database)
    rollback()
    run(make_insert(database, 2), database)
    with atomic():
        run(make_insert(database, 3), database)
        with pytest.raises(TransactionManagementError, match="forbidden"):
            commit()
    commit()
    run(make_insert(database, 4), database)
    rollback()
    set_autocommit(True)
    assert get_autocommit()
    assert rows() == [2, 3]


async def test_nothing_can_be_written_in_a_read_only_block(face, rows):
    with pytest.raises(DatabaseError, match=r"read-?only"):
        async with face.atomic(read_only=True):
            assert await face.numbers() == []
            await face.insert(1)
    async with face.atomic():
        await face.insert(2)
    await face.insert(3)
    assert rows() == [2, 3]


async def test_read_only_is_of_the_whole_transaction(face, rows):
    async with face.atomic():
        with pytest.raises(TransactionManagementError, match="read_only"):
            async with face.atomic(read_only=True):
                pass
        await face.insert(1)
    async with face.atomic(read_only=True):
        async with face.atomic(read_only=True):
            assert await face.numbers() == [1]
        with pytest.raises(DatabaseError, match=r"read-?only"):
            async with face.atomic():
                await face.insert(2)
    assert rows() == [1]


async def test_isolation(face):
    if face.database.vendor == "sqlite":
        with pytest.raises(NotSupportedError):
            async with face.atomic(isolation="repeatable read"):
                pass
        async with face.atomic(isolation="serializable"):
            pass
        return
    async with face.atomic(isolation="serializable", deferrable=True, read_only=True):
        level = await face.run(steps.fetch("SHOW transaction_isolation"))
    assert level[0][0] == "serializable"


def test_unknown_isolation_level():
    with pytest.raises(ValueError, match="serializable"):
        atomic(isolation="serializable; DROP TABLE item")


def test_retries_run_the_function_again(configured, make_insert, rows_of):
    database = configured("postgresql")
    attempts = []

    @atomic(retries=2)
    def write():
        attempts.append(1)
        run(make_insert(database, len(attempts)), database)
        if len(attempts) < 3:
            database.execute("DO $$ BEGIN RAISE 'again' USING ERRCODE = '40001'; END $$")

    write()
    assert rows_of(database) == [3]


@pytest.fixture
def rows_of():
    return lambda database: [row[0] for row in database.execute("SELECT id FROM item")]


async def test_state_of_the_database_as_seen_from_a_block(face):
    database = face.database
    look = lambda: (database.in_atomic_block, len(database.savepoint_ids), database.needs_rollback)  # noqa: E731
    assert await face.plainly(look) == (False, 0, False)
    async with face.atomic():
        assert await face.plainly(look) == (True, 0, False)
        async with face.atomic():
            assert await face.plainly(look) == (True, 1, False)
    assert await face.plainly(look) == (False, 0, False)


# --- turns ---------------------------------------------------------------------------


def test_gather_inside_a_transaction(database, rows, make_insert):
    async def main():
        async with atomic():
            await asyncio.gather(*[arun(make_insert(database, n), database) for n in range(20)])

    asyncio.run(main())
    assert rows() == list(range(20))


def test_gathered_nested_blocks_are_exclusive(database, rows, make_insert):
    async def nested(number):
        try:
            async with atomic():
                await arun(make_insert(database, number), database)
                await asyncio.sleep(0)
                await arun(make_insert(database, number + 100), database)
                if number % 2:
                    raise Boom
        except Boom:
            return

    async def main():
        async with atomic():
            await asyncio.gather(*map(nested, range(6)))

    asyncio.run(main())
    assert rows() == [0, 2, 4, 100, 102, 104]


def test_waiting_for_a_nested_block_names_its_place(configured, make_insert):
    database = configured("postgresql", block_timeout=0.05)

    async def stay(opened, leave):
        async with atomic():
            opened.set()
            await leave.wait()

    async def main():
        opened, leave = asyncio.Event(), asyncio.Event()
        async with atomic():
            task = asyncio.create_task(stay(opened, leave))
            await opened.wait()
            with pytest.raises(TransactionManagementError, match=r"test_atomic\.py:\d+"):
                await arun(make_insert(database, 1), database)
            leave.set()
            await task
            await arun(make_insert(database, 2), database)

    asyncio.run(main())


def test_a_task_that_outlives_the_transaction_is_refused(database, rows, make_insert):
    async def late(go):
        await go.wait()
        await arun(make_insert(database, 1), database)

    async def main():
        go = asyncio.Event()
        async with atomic():
            task = asyncio.create_task(late(go))
            with detached():
                other = asyncio.create_task(late(go))
        go.set()
        with pytest.raises(TransactionManagementError, match=r"has ended.*detached"):
            await task
        await other

    asyncio.run(main())
    assert rows() == [1]


def test_entered_in_one_context_and_left_in_another(database, rows, make_insert):
    async def main():
        block = atomic()
        await asyncio.create_task(block.__aenter__())
        await asyncio.create_task(block.__aexit__(None, None, None))
        await arun(make_insert(database, 1), database)

    asyncio.run(main())
    assert rows() == [1]


def test_closing_inside_a_block_gives_it_up(database, rows, make_insert, make_numbers):
    with atomic():
        run(make_insert(database, 1), database)
        database.close()
        with pytest.raises(TransactionManagementError):
            run(make_insert(database, 2), database)
    assert run(make_numbers(), database) == []
    assert rows() == []


@pytest.mark.parametrize("home", ["loop", "thread"])
def test_a_commit_that_is_cancelled_calls_what_waits_for_it(database, rows, make_insert, home):
    """Cancelled at the k-th turn of the loop after its last statement, for each k."""
    called = []

    async def block(number, reached):
        async with atomic():
            on_commit(lambda: called.append(number))
            await arun(make_insert(database, number), database)
            reached.set()

    async def cancelled_after(number):
        reached = asyncio.Event()
        task = asyncio.create_task(block(number, reached))
        await reached.wait()
        for _ in range(number):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    async def main():
        for number in range(12):
            await cancelled_after(number)
        await database.aclose()

    if home == "loop":
        asyncio.run(main())
    else:
        with atomic():
            asyncio.run(main())
    assert called == rows()


class Later:
    """A callable object with a coroutine method."""

    def __init__(self, called):
        self.called = called

    async def __call__(self):
        await asyncio.sleep(0)
        self.called.append("object")


def appending(called, what):
    called.append(what)


async def aappending(called, what):
    await asyncio.sleep(0)
    called.append(what)


async def test_on_commit_takes_whatever_can_be_called_on_both_sides(face):
    called = []
    callbacks = [
        Later(called),
        partial(appending, called, "partial"),
        partial(aappending, called, "coroutine partial"),
        lambda: aappending(called, "lambda"),
    ]
    async with face.atomic():
        for each in callbacks:
            await face.call(on_commit, aon_commit, each)
    assert called == ["object", "partial", "coroutine partial", "lambda"]
    called.clear()
    if face.name == "async":
        for each in callbacks:
            await aon_commit(each)
        assert called == ["object", "partial", "coroutine partial", "lambda"]


def test_a_cancelled_callback_does_not_keep_the_others_from_being_called(configured):
    configured("sqlite")
    asyncio.run(cancel_the_first_of_three_callbacks())


async def cancel_the_first_of_three_callbacks():
    called = []
    reached = asyncio.Event()

    async def stuck():
        reached.set()
        await asyncio.Event().wait()

    async def block():
        async with atomic():
            on_commit(stuck)
            on_commit(lambda: called.append("sync"))
            on_commit(partial(aappending, called, "async"))

    task = asyncio.create_task(block())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert called == ["sync", "async"]
    await connections["default"].aclose()


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_on_commit_comes_too_late_while_the_block_is_ending(configured, end):
    configured("sqlite")
    called, refused = [], []

    def on_statement(sql):
        if sql == end:
            try:
                started_in_it.run(on_commit, lambda: called.append(sql))
            except TransactionManagementError as error:
                refused.append(str(error))

    with atomic() as block:
        started_in_it = copy_context()
        raw = block.transaction.connection.raw_connection
        raw.set_trace_callback(on_statement)
        set_rollback(end == "ROLLBACK")
    raw.set_trace_callback(None)
    assert called == []
    assert len(refused) == 1
    assert "has ended" in refused[0]
