"""Where the run database is, and how it is reached: SQLite, or PostgreSQL that several machines share."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import sqlalchemy as sa

from vhdlift.errors import VhdliftError
from vhdlift.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vhdlift.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE_SECONDS = 120.0
PAUSE_SECONDS = 0.5
_OF_THE_DATABASE = (sa.exc.DBAPIError, sa.exc.TimeoutError)
_OURS = (sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.DataError)
# SQLite's words for other writers, and for a disk that may have room again.
_PASSING = ("locked", "busy", "is full", "disk I/O")
POOL = 8
OVERFLOW = 40
"""Connections that the threads of one process may have open; a hundred runs share them."""


class DatabaseLost(VhdliftError):
    """The run database does not answer any more: nothing can be told or recorded."""


def database_url(settings: Settings) -> str:
    """Where the database is; makes the state directory, for the user's eyes only.

    Raises:
        VhdliftError: the directory cannot be made.
    """
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    folder: Path = settings.state_dir
    with opening(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return f"sqlite:///{folder / 'vhdlift.db'}"


@contextmanager
def opening(where: Path | str) -> Iterator[None]:
    """Say in a sentence why the run database, or a file beside it, cannot be opened.

    Args:
        where: the state directory, or the variable with the server's address.

    Raises:
        VhdliftError: it cannot.
    """
    try:
        yield
    except (sa.exc.SQLAlchemyError, OSError) as problem:
        why = getattr(problem, "strerror", None) or type(problem).__name__
        sentence = f"The run database at {where} cannot be opened: {why}."
        raise VhdliftError(sentence, "Check VHDLIFT_STATE_DIR or VHDLIFT_DATABASE_URL.") from None


def connect(url: str, **extra: Any) -> sa.Engine:
    """An engine on the run database, waiting for other writers instead of failing."""
    if not url.startswith("sqlite"):
        spelled = sa.make_url(url).set(drivername="postgresql+psycopg")
        pooled = {"pool_size": POOL, "max_overflow": OVERFLOW, "pool_timeout": PATIENCE_SECONDS}
        given = extra if "poolclass" in extra else {**pooled, "pool_pre_ping": True, **extra}
        return sa.create_engine(spelled, **given)
    wait = {"timeout": 30, "check_same_thread": False}
    engine = sa.create_engine(
        url, connect_args=wait, pool_size=POOL, max_overflow=OVERFLOW, pool_timeout=PATIENCE_SECONDS
    )

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        # In KiB. Each of many connections would keep two megabytes of a database that has less.
        connection.execute("PRAGMA cache_size=-256")

    return engine


def patient(work: Callable[P, T]) -> Callable[P, T]:
    """Do the work again while the database is away or busy; it must bear being done twice.

    A server that restarts must not look like a step that failed: that would undo a healthy VM.

    Raises:
        DatabaseLost: it has not come back within `PATIENCE_SECONDS`, or refuses what no wait would mend.
    """

    @wraps(work)
    def again(*args: P.args, **kwargs: P.kwargs) -> T:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return work(*args, **kwargs)
            except sa.exc.SQLAlchemyError as problem:
                if isinstance(problem, _OURS) or not isinstance(problem, _OF_THE_DATABASE):
                    raise
                if not _passes(problem) or time.monotonic() > deadline:
                    raise _lost(problem) from None
            time.sleep(PAUSE_SECONDS)

    return again


def _passes(problem: sa.exc.SQLAlchemyError) -> bool:
    """Whether waiting may help: the server is away, other writers are busy, the disk is full."""
    if isinstance(problem, sa.exc.TimeoutError):
        return True
    if not isinstance(problem, sa.exc.OperationalError | sa.exc.InterfaceError):
        return False
    said = str(problem.orig)
    return "sqlite" not in type(problem.orig).__module__ or any(word in said for word in _PASSING)


def _lost(problem: sa.exc.SQLAlchemyError) -> DatabaseLost:
    why = str(getattr(problem, "orig", None) or type(problem).__name__).strip().partition("\n")[0]
    return DatabaseLost(
        f"The run database cannot be used: {redact(why)}.",
        "What is recorded is not lost: `vhdlift resume` goes on when it is back.",
    )
