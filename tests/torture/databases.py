"""A run database for each point: SQLite in its own folder, or a fresh one on a PostgreSQL server."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa


@dataclass
class Databases:
    """Makes and drops them.

    Attributes:
        url: of a PostgreSQL server's database that may create others; empty for SQLite.
    """

    url: str = ""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def one(self) -> Iterator[dict[str, str]]:
        """The environment with a database that nobody else uses."""
        if not self.url:
            yield {}
            return
        server = sa.make_url(self.url)
        name = f"torture_{os.getpid()}_{next(self._numbers)}"
        engine = sa.create_engine(server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as db:
                db.execute(sa.text(f"CREATE DATABASE {name}"))
            yield {"VHDLIFT_DATABASE_URL": server.set(database=name).render_as_string(hide_password=False)}
            with engine.connect() as db:
                db.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        finally:
            engine.dispose()
