"""The command `aorm`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from aorm.errors import ImproperlyConfigured, OperationalError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 1 for a failure, 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        return _demo(options)
    except ImproperlyConfigured as error:
        return _complain(error, 2)
    except OperationalError as error:
        return _complain(error, 1)
    except KeyboardInterrupt:
        return _complain("interrupted", 130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aorm", description="Django's query language as a standalone ORM."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    demo = commands.add_parser(
        "demo",
        help="load the metadata of the installed Python distributions and ask about it",
        description="Loads the metadata of the installed Python distributions into a database, "
        "in one transaction, and asks it questions through the synchronous and the asynchronous "
        "API, with the SQL beside the answer.",
    )
    demo.add_argument(
        "--database",
        metavar="URL",
        help="sqlite:///file.db or postgresql://user:password@host:port/name "
        "(default: a temporary SQLite file); tables named demo_... are replaced",
    )
    demo.add_argument(
        "--keep",
        action="store_true",
        help="leave the tables in place to look around; without --database in ./aorm-demo.db",
    )
    return parser


def _demo(options: argparse.Namespace) -> int:
    try:
        # Imported when asked for: rich is an extra, and `aorm --help` works without it.
        demo = importlib.import_module("aorm.cli.demo")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        return _complain("the demo's output needs rich: pip install 'aorm[cli]'", 2)
    return int(demo.run(options.database, keep=options.keep))


def _complain(problem: object, code: int) -> int:
    print(f"aorm: {problem}", file=sys.stderr)
    return code
