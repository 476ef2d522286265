"""Write docs/reference.md: `python -m tests.reference`, with a PostgreSQL as the tests find one."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

import server  # noqa: E402
import shop.models  # noqa: E402
from support import Ask  # noqa: E402

import aorm  # noqa: E402
from reference import page  # noqa: E402
from reference.examples import SECTIONS  # noqa: E402


async def blocks_of(url: str, vendor: str) -> dict[tuple[str, str], str]:
    """What each example sends to one database."""
    aorm.configure(url)
    await aorm.acreate_tables(*shop.models.ALL)
    ask = Ask("sync")
    found = {
        (example.code, vendor): await page.shown(ask, example, vendor)
        for section in SECTIONS
        for example in section.examples
    }
    ask.close()
    await aorm.aclose()
    return found


def main() -> None:
    directory = server.shared_directory()
    try:
        with tempfile.TemporaryDirectory() as files:
            postgres = server.create_database(server.server_url(directory), "aorm_reference")
            blocks = asyncio.run(blocks_of(f"sqlite:///{files}/shop.db", "sqlite"))
            blocks |= asyncio.run(blocks_of(postgres, "postgresql"))
    finally:
        server.stop(directory)
    page.PLACE.write_text(page.written(blocks))


if __name__ == "__main__":
    main()
