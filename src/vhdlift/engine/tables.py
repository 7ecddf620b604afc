"""The tables of the run database: plain data that other processes read; never a secret."""

from __future__ import annotations

import time

import sqlalchemy as sa

_TRIES, _PAUSE_SECONDS = 20, 0.1

metadata = sa.MetaData()

runs = sa.Table(
    "vhdlift_runs",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("run", sa.JSON, nullable=False),
    sa.Column("plan", sa.JSON, nullable=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("created_at", sa.String, nullable=False),
    sa.Column("ended_at", sa.String),
    sa.Column("cancel_requested", sa.Boolean, nullable=False, default=False),
    # Its user interrupted it: it waits for the user, and no worker takes it up.
    sa.Column("parked", sa.Boolean, nullable=False, default=False),
    sa.Column("outcome", sa.JSON),
)

events = sa.Table(
    "vhdlift_events",
    metadata,
    sa.Column("run_id", sa.String, primary_key=True),
    sa.Column("sequence", sa.Integer, primary_key=True),
    # What makes a repeated `do` after a crash tell the same event once.
    sa.Column("key", sa.String, nullable=False),
    sa.Column("event", sa.JSON, nullable=False),
    sa.Column("delivery", sa.String),
    sa.Column("delivery_reason", sa.String),
    sa.UniqueConstraint("run_id", "key"),
)

facts = sa.Table(
    "vhdlift_facts",
    metadata,
    sa.Column("run_id", sa.String, primary_key=True),
    sa.Column("step", sa.String, primary_key=True),
    sa.Column("facts", sa.JSON, nullable=False),
)

notes = sa.Table(
    "vhdlift_notes",
    metadata,
    sa.Column("run_id", sa.String, primary_key=True),
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("value", sa.Integer, nullable=False),
)

ledger = sa.Table(
    "vhdlift_ledger",
    metadata,
    sa.Column("run_id", sa.String, primary_key=True),
    sa.Column("resource_id", sa.String, primary_key=True),
    sa.Column("step", sa.String, nullable=False),
    sa.Column("noted_at", sa.String, nullable=False),
)


def make(engine: sa.Engine) -> None:
    """Make the tables that are missing; processes that do so at once get in each other's way.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
    """
    for left in reversed(range(_TRIES)):
        try:
            return metadata.create_all(engine)
        except sa.exc.DBAPIError as problem:
            if not (left and _is_quicker(problem)):
                raise
            time.sleep(_PAUSE_SECONDS)
    return None


def _is_quicker(problem: sa.exc.DBAPIError) -> bool:
    """Whether another process is making them; SQLite has no class of its own for that."""
    if isinstance(problem, sa.exc.IntegrityError | sa.exc.ProgrammingError):
        return True
    return any(word in str(problem.orig) for word in ("already exists", "locked"))
