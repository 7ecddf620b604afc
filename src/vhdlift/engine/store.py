"""What a run leaves in the database for people and other processes to read.

SQLite in the user's state directory by default; any database that SQLAlchemy and DBOS both speak when
`VHDLIFT_DATABASE_URL` says so. Cheap to import: no DBOS, no Azure.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self, cast

import sqlalchemy as sa

from vhdlift.engine import tables
from vhdlift.errors import ExitCode, Leftover, VhdliftError
from vhdlift.model import Event, Run, Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from vhdlift.settings import Settings

INSERT_TRIES = 50


def now() -> str:
    """The time in UTC, ISO 8601 with milliseconds and a Z."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Outcome:
    """How a run ended; the same whether it is read at once or from the database later.

    `leftovers` are what could not be removed, `kept` what `--on-failure keep` left on purpose,
    `undelivered` how many webhook posts have not reached their receiver.
    """

    status: Status
    failed_step: str | None = None
    reason: str | None = None
    hint: str = ""
    leftovers: tuple[Leftover, ...] = ()
    kept: tuple[str, ...] = ()
    facts: Mapping[str, Any] | None = None
    undelivered: int = 0

    @property
    def exit_code(self) -> ExitCode:
        """What the process ends with."""
        if self.status == "completed":
            return ExitCode.COMPLETED
        return ExitCode.LEFTOVERS if self.leftovers else ExitCode.FAILED

    def to_json(self) -> dict[str, Any]:
        """Plain data, for the database and `--json`."""
        return {
            "status": self.status,
            "failed_step": self.failed_step,
            "reason": self.reason,
            "hint": self.hint,
            "leftovers": [left.to_json() for left in self.leftovers],
            "kept": list(self.kept),
            "facts": dict(self.facts or {}),
            "undelivered": self.undelivered,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """The outcome that `to_json` wrote."""
        rows = [Leftover(**row) for row in data["leftovers"]]
        return cls(**{**data, "leftovers": tuple(rows), "kept": tuple(data["kept"])})


@dataclass(frozen=True)
class RunRow:
    """A run as the database knows it."""

    id: str
    run: Run
    plan: tuple[str, ...]
    executor: str
    status: Status
    created_at: str
    ended_at: str | None
    outcome: Outcome | None

    @property
    def failed_step(self) -> str | None:
        """The step that failed, if one did."""
        return self.outcome.failed_step if self.outcome else None

    @property
    def reason(self) -> str | None:
        """Why it failed, in one sentence."""
        return self.outcome.reason if self.outcome else None


def database_url(settings: Settings) -> str:
    """Where the database is; makes the state directory, for the user's eyes only."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    folder: Path = settings.state_dir
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return f"sqlite:///{folder / 'vhdlift.db'}"


def connect(url: str) -> sa.Engine:
    """An engine on the run database, waiting for other writers instead of failing."""
    if not url.startswith("sqlite"):
        return sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    wait = {"timeout": 30, "check_same_thread": False}
    engine = sa.create_engine(url, connect_args=wait, pool_size=4, max_overflow=28)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        # In KiB. Each of many connections would keep two megabytes of a database that has less.
        connection.execute("PRAGMA cache_size=-256")

    return engine


class Store:
    """Reads and writes of the run database; each call is one transaction, safe from any thread."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The database of these settings, its tables made if they are missing.

        Raises:
            VhdliftError: the database cannot be opened.
        """
        url = database_url(settings)
        try:
            engine = connect(url)
            tables.metadata.create_all(engine)
        except sa.exc.SQLAlchemyError as problem:
            where = settings.state_dir if url.startswith("sqlite") else "VHDLIFT_DATABASE_URL"
            sentence = f"The run database at {where} cannot be opened: {type(problem).__name__}."
            raise VhdliftError(sentence, "Check VHDLIFT_STATE_DIR or VHDLIFT_DATABASE_URL.") from None
        if url.startswith("sqlite"):
            os.chmod(url.removeprefix("sqlite:///"), 0o600)  # noqa: PTH101
        return cls(engine)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    @property
    def sqlite(self) -> sa.Engine | None:
        """The engine, if it is SQLite: DBOS then shares its connections and its settings."""
        return self._engine if self._engine.dialect.name == "sqlite" else None

    def add_run(self, run: Run, plan: list[dict[str, Any]], executor: str) -> None:
        """Enter a run before anything of it happens; entering it again changes nothing."""
        row = {"id": run.id, "run": run.to_json(), "plan": plan, "executor": executor}
        with self._engine.begin() as db:
            if db.execute(sa.select(tables.runs.c.id).where(tables.runs.c.id == run.id)).first() is None:
                start = {"status": "provisioning", "created_at": run.created_at, "cancel_requested": False}
                db.execute(tables.runs.insert().values(**row, **start))

    def runs(self) -> list[RunRow]:
        """All runs, the newest first."""
        query = sa.select(tables.runs).order_by(tables.runs.c.id.desc())
        with self._engine.connect() as db:
            return [_run_row(row) for row in db.execute(query)]

    def find(self, run_id: str) -> RunRow:
        """The run with this id, or the only one whose id starts with it (case does not matter).

        Raises:
            VhdliftError: none does, or several do.
        """
        wanted = run_id.strip().upper()
        id_ = tables.runs.c.id
        query = sa.select(tables.runs).where(sa.func.upper(id_).startswith(wanted, autoescape=True)).limit(2)
        with self._engine.connect() as db:
            found = [_run_row(row) for row in db.execute(query)] if wanted else []
        if len(found) == 1:
            return found[0]
        said = "No run" if not found else "More than one run"
        raise VhdliftError(f"{said} has an id that starts with {run_id!r}.", "`vhdlift runs` lists them.")

    def plan(self, run_id: str) -> list[dict[str, Any]]:
        """The frozen plan of a run: name and needs of each step."""
        query = sa.select(tables.runs.c.plan).where(tables.runs.c.id == run_id)
        with self._engine.connect() as db:
            return list(db.execute(query).scalar_one())

    def request_cancel(self, run_id: str) -> None:
        """Ask the process that works on the run to stop and undo it."""
        self._update_run(run_id, cancel_requested=True)

    def cancel_requested(self, run_id: str) -> bool:
        """Whether somebody asked for the run to end."""
        query = sa.select(tables.runs.c.cancel_requested).where(tables.runs.c.id == run_id)
        with self._engine.connect() as db:
            return bool(db.execute(query).scalar_one())

    def end_run(self, run_id: str, outcome: Outcome) -> None:
        """Write down how a run ended."""
        self._update_run(run_id, status=outcome.status, ended_at=now(), outcome=outcome.to_json())

    def reopen(self, run_id: str) -> None:
        """A run that ended is worked on again (its clean-up is repeated)."""
        self._update_run(run_id, ended_at=None)

    def add_event(self, key: str, event: Event) -> Event:
        """Number an event and keep it; the same key again returns the event of the first time.

        Raises:
            VhdliftError: the database did not take it.
        """
        for _ in range(INSERT_TRIES):
            try:
                return self._insert_event(key, event)
            except sa.exc.IntegrityError:
                continue  # another process took the number, or the key, first
        raise VhdliftError(f"Event {key} could not be kept.", "The run database is overloaded.")

    def events(self, run_id: str, after: int = 0) -> list[Event]:
        """The run's events in order, those numbered above `after`."""
        t = tables.events
        query = sa.select(t.c.event).where(t.c.run_id == run_id, t.c.sequence > after).order_by(t.c.sequence)
        with self._engine.connect() as db:
            return [Event.from_json(row) for row in db.execute(query).scalars()]

    def mark_delivery(self, run_id: str, sequence: int, result: str, reason: str = "") -> None:
        """`result` is `sent` or `gave up`."""
        t = tables.events
        where = (t.c.run_id == run_id) & (t.c.sequence == sequence)
        with self._engine.begin() as db:
            db.execute(t.update().where(where).values(delivery=result, delivery_reason=reason))

    def unposted(self, run_id: str, after: int = 0) -> list[int]:
        """The numbers above `after` of events that have been neither taken nor given up."""
        t = tables.events
        own = (t.c.run_id == run_id) & (t.c.sequence > after) & t.c.delivery.is_(None)
        with self._engine.connect() as db:
            return list(db.execute(sa.select(t.c.sequence).where(own).order_by(t.c.sequence)).scalars())

    def undelivered(self, run_id: str) -> list[Event]:
        """Events that no webhook receiver has taken."""
        t = tables.events
        missing = t.c.delivery.is_(None) | (t.c.delivery != "sent")
        query = sa.select(t.c.event).where(t.c.run_id == run_id, missing).order_by(t.c.sequence)
        with self._engine.connect() as db:
            return [Event.from_json(row) for row in db.execute(query).scalars()]

    def add_facts(self, run_id: str, step: str, facts: Mapping[str, Any]) -> None:
        """Keep what a step handed on; the last word counts."""
        t = tables.facts
        with self._engine.begin() as db:
            db.execute(t.delete().where(t.c.run_id == run_id, t.c.step == step))
            db.execute(t.insert().values(run_id=run_id, step=step, facts=dict(facts)))

    def facts(self, run_id: str) -> dict[str, Any]:
        """All facts of a run in one mapping."""
        query = sa.select(tables.facts.c.facts).where(tables.facts.c.run_id == run_id)
        merged: dict[str, Any] = {}
        with self._engine.connect() as db:
            for row in db.execute(query).scalars():
                merged |= row
        return merged

    def add_ledger(self, run_id: str, step: str, resource_id: str) -> None:
        """Note a resource before its create call is sent."""
        t = tables.ledger
        same = (t.c.run_id == run_id) & (t.c.resource_id == resource_id)
        with self._engine.begin() as db:
            if db.execute(sa.select(t.c.step).where(same)).first() is None:
                row = {"run_id": run_id, "resource_id": resource_id, "step": step, "noted_at": now()}
                db.execute(t.insert().values(**row))

    def ledger(self, run_id: str) -> list[str]:
        """Every resource the run was about to make, in that order."""
        t = tables.ledger
        query = sa.select(t.c.resource_id).where(t.c.run_id == run_id).order_by(t.c.noted_at)
        with self._engine.connect() as db:
            return list(db.execute(query).scalars())

    def leftovers(self, run_id: str) -> list[Leftover]:
        """What the run could not remove."""
        outcome = self.find(run_id).outcome
        return list(outcome.leftovers) if outcome else []

    def _update_run(self, run_id: str, **values: Any) -> None:
        with self._engine.begin() as db:
            db.execute(tables.runs.update().where(tables.runs.c.id == run_id).values(**values))

    def _insert_event(self, key: str, event: Event) -> Event:
        t = tables.events
        own = t.c.run_id == event.run_id
        with self._engine.begin() as db:
            known = db.execute(sa.select(t.c.event).where(own, t.c.key == key)).scalar()
            if known is not None:
                return Event.from_json(known)
            last = db.execute(sa.select(sa.func.max(t.c.sequence)).where(own)).scalar()
            numbered = replace(event, sequence=(last or 0) + 1, timestamp=now())
            row = {"run_id": event.run_id, "sequence": numbered.sequence, "key": key}
            db.execute(t.insert().values(**row, event=numbered.to_json()))
            return numbered


def _run_row(row: Any) -> RunRow:
    outcome = Outcome.from_json(row.outcome) if row.outcome else None
    plan = tuple(step["name"] for step in row.plan)
    status = cast("Status", row.status)
    run = Run.from_json(row.run)
    return RunRow(row.id, run, plan, row.executor, status, row.created_at, row.ended_at, outcome)
