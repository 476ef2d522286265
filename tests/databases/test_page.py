"""The examples of docs/databases.md run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import shop.models
from shop.models import Author

import aorm

PAGE = Path(__file__).parents[2] / "docs" / "databases.md"
EXAMPLES = re.findall(r"<!-- run: (\w+) -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def examples(kind: str) -> Any:
    texts = [text for found, text in EXAMPLES if found == kind]
    ids = [text.partition("\n")[0] for text in texts]
    return pytest.mark.parametrize("example", texts, ids=ids)


def run(example: str) -> dict[str, Any]:
    names = {**vars(shop.models), "aorm": aorm}
    exec(compile(example, str(PAGE), "exec"), names)
    return names


@examples("two")
@pytest.mark.usefixtures("two")
def test_an_example_on_two_databases(example):
    run(example)


@examples("replica")
def test_an_example_on_a_replica(lag, example):
    lag.pause()
    run(example)


async def test_the_middleware_hands_the_position_on(lag):
    (example,) = (text for _, text in EXAMPLES if "class ReadYourWrites" in text)
    lag.pause()
    seen: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/write":
            await Author.objects.acreate(name="Ada")
        else:
            seen.append(await Author.objects.acount())
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def asked(path: str, *cookies: bytes) -> list[bytes]:
        answers: list[dict[str, Any]] = []

        async def send(message: Any) -> None:
            answers.append(message)

        headers = [(b"cookie", cookie) for cookie in cookies]
        await middleware({"type": "http", "path": path, "headers": headers}, None, send)
        return [value for _, value in answers[0]["headers"]]

    middleware = run(example)["ReadYourWrites"](app)
    assert await asked("/read") == []
    (cookie,) = await asked("/write")
    await asked("/read", cookie.partition(b";")[0])
    await asked("/read", b"position=made-up")
    assert seen == [0, 1, 0]


def test_there_are_examples():
    assert len(EXAMPLES) == PAGE.read_text().count("<!-- run") == 4
