"""What a run leaves in the database for people and other processes to read.

SQLite in the user's state directory by default; any database that SQLAlchemy and DBOS both speak when
`VHDLIFT_DATABASE_URL` says so. Cheap to import: no DBOS, no Azure.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import sqlalchemy as sa

from vhdlift.engine import tables
from vhdlift.engine.database import connect, database_url, opening, patient
from vhdlift.errors import ExitCode, Leftover, VhdliftError
from vhdlift.model import Event, Run, State, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

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
class Undelivered:
    """An event whose post nobody has taken.

    `delivery` is `waiting`, when it is still to be posted, or `gave up`; `reason` is what the last attempt
    met.
    """

    sequence: int
    step: str
    state: State
    delivery: Literal["waiting", "gave up"]
    reason: str


@dataclass(frozen=True)
class RunRow:
    """A run as the database knows it."""

    id: str
    run: Run
    plan: tuple[str, ...]
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


@dataclass(frozen=True)
class Standing:
    """What whoever works on a run must know of it at any time."""

    ended: bool
    cancel_requested: bool


class Store:
    """Reads and writes of the run database; each call is one transaction, safe from any thread.

    Attributes:
        on_news: called with a run's id after this process has written an event of it, its end, or that a
            post is over.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self.on_news: Callable[[str], None] = lambda _run_id: None

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The database of these settings, its tables made if they are missing.

        Raises:
            VhdliftError: the database cannot be opened.
        """
        url = database_url(settings)
        is_file = url.startswith("sqlite")
        with opening(settings.state_dir if is_file else "VHDLIFT_DATABASE_URL"):
            engine = connect(url)
            tables.make(engine)
            if is_file:
                os.chmod(url.removeprefix("sqlite:///"), 0o600)  # noqa: PTH101
        return cls(engine)

    def close(self) -> None:
        """End the connections; one that a thread still uses ends when the thread is done with it."""
        sa.event.listen(self._engine, "checkin", lambda _connection, entry: entry.invalidate())
        self._engine.dispose()

    @property
    def engine(self) -> sa.Engine:
        """The connections, for DBOS to share."""
        return self._engine

    @patient
    def add_run(self, run: Run, plan: list[dict[str, Any]]) -> None:
        """Enter a run before anything of it happens; entering it again changes nothing."""
        row = {"id": run.id, "run": run.to_json(), "plan": plan}
        with self._engine.begin() as db:
            if db.execute(sa.select(tables.runs.c.id).where(tables.runs.c.id == run.id)).first() is None:
                start = {"status": "provisioning", "created_at": run.created_at}
                db.execute(tables.runs.insert().values(**row, **start))

    @patient
    def runs(self) -> list[RunRow]:
        """All runs, the newest first."""
        query = sa.select(tables.runs).order_by(tables.runs.c.id.desc())
        with self._engine.connect() as db:
            return [_run_row(row) for row in db.execute(query)]

    @patient
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

    @patient
    def plan(self, run_id: str) -> list[dict[str, Any]]:
        """The frozen plan of a run: name and needs of each step."""
        query = sa.select(tables.runs.c.plan).where(tables.runs.c.id == run_id)
        with self._engine.connect() as db:
            return list(db.execute(query).scalar_one())

    def request_cancel(self, run_id: str) -> None:
        """Ask the process that works on the run to stop and undo it."""
        self._update_run(run_id, cancel_requested=True)

    @patient
    def standing(self, run_ids: Iterable[str]) -> dict[str, Standing]:
        """How these runs stand, all in one look."""
        t = tables.runs
        query = sa.select(t.c.id, t.c.ended_at, t.c.cancel_requested).where(t.c.id.in_(list(run_ids)))
        with self._engine.connect() as db:
            rows = db.execute(query).all()
        return {row.id: Standing(row.ended_at is not None, bool(row.cancel_requested)) for row in rows}

    def park(self, run_id: str) -> None:
        """Note that the user interrupted the run: it waits for the user, and no worker takes it up."""
        self._update_run(run_id, parked=True)

    def unpark(self, run_id: str) -> None:
        """The user went on with the run."""
        self._update_run(run_id, parked=False)

    @patient
    def to_take_up(self) -> list[str]:
        """The ids of all runs that have not ended and are not parked, the oldest first."""
        t = tables.runs
        waiting = t.c.ended_at.is_(None) & ~t.c.parked
        with self._engine.connect() as db:
            return list(db.execute(sa.select(t.c.id).where(waiting).order_by(t.c.id)).scalars())

    def end_run(self, run_id: str, outcome: Outcome) -> None:
        """Write down how a run ended."""
        self._update_run(run_id, status=outcome.status, ended_at=now(), outcome=outcome.to_json())
        self.on_news(run_id)

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
                kept = self._insert_event(key, event)
            except sa.exc.IntegrityError:
                continue  # another process took the number, or the key, first
            self.on_news(event.run_id)
            return kept
        raise VhdliftError(f"Event {key} could not be kept.", "The run database is overloaded.")

    @patient
    def events(self, run_id: str, after: int = 0) -> list[Event]:
        """The run's events in order, those numbered above `after`."""
        t = tables.events
        query = sa.select(t.c.event).where(t.c.run_id == run_id, t.c.sequence > after).order_by(t.c.sequence)
        with self._engine.connect() as db:
            return [Event.from_json(row) for row in db.execute(query).scalars()]

    @patient
    def mark_delivery(self, run_id: str, sequence: int, result: str, reason: str = "") -> None:
        """`result` is `waiting`, `sent` or `gave up`; `reason` is what the last attempt met."""
        t = tables.events
        where = (t.c.run_id == run_id) & (t.c.sequence == sequence)
        with self._engine.begin() as db:
            db.execute(t.update().where(where).values(delivery=result, delivery_reason=reason))
        self.on_news(run_id)

    @patient
    def unposted(self, run_id: str, after: int = 0) -> list[int]:
        """The numbers above `after` of events that have been neither taken nor given up."""
        t = tables.events
        open_ = t.c.delivery.is_(None) | (t.c.delivery == "waiting")
        own = (t.c.run_id == run_id) & (t.c.sequence > after) & open_
        with self._engine.connect() as db:
            return list(db.execute(sa.select(t.c.sequence).where(own).order_by(t.c.sequence)).scalars())

    @patient
    def undelivered(self, run_id: str) -> list[Undelivered]:
        """Events that no webhook receiver has taken; none where nobody has tried to post any."""
        t = tables.events
        query = sa.select(t.c.event, t.c.delivery, t.c.delivery_reason)
        with self._engine.connect() as db:
            rows = db.execute(query.where(t.c.run_id == run_id).order_by(t.c.sequence)).all()
        if not any(row.delivery for row in rows):
            return []
        return [_undelivered(row) for row in rows if row.delivery != "sent"]

    @patient
    def has_posted(self, run_id: str) -> bool:
        """Whether a post of any of the run's events has been tried."""
        tried = (tables.events.c.run_id == run_id) & tables.events.c.delivery.is_not(None)
        with self._engine.connect() as db:
            return bool(db.execute(sa.select(sa.exists().where(tried))).scalar())

    @patient
    def add_facts(self, run_id: str, step: str, facts: Mapping[str, Any]) -> None:
        """Keep what a step handed on; the last word counts."""
        t = tables.facts
        with self._engine.begin() as db:
            db.execute(t.delete().where(t.c.run_id == run_id, t.c.step == step))
            db.execute(t.insert().values(run_id=run_id, step=step, facts=dict(facts)))

    @patient
    def told(self, run_id: str, key: str) -> Event | None:
        """The event that was kept under this key, if one was."""
        t = tables.events
        with self._engine.connect() as db:
            known = db.execute(sa.select(t.c.event).where(t.c.run_id == run_id, t.c.key == key)).scalar()
        return None if known is None else Event.from_json(known)

    @patient
    def facts_of(self, run_id: str, step: str) -> dict[str, Any]:
        """What one step handed on."""
        t = tables.facts
        query = sa.select(t.c.facts).where(t.c.run_id == run_id, t.c.step == step)
        with self._engine.connect() as db:
            return dict(db.execute(query).scalar() or {})

    @patient
    def facts(self, run_id: str) -> dict[str, Any]:
        """All facts of a run in one mapping."""
        query = sa.select(tables.facts.c.facts).where(tables.facts.c.run_id == run_id)
        merged: dict[str, Any] = {}
        with self._engine.connect() as db:
            for row in db.execute(query).scalars():
                merged |= row
        return merged

    @patient
    def add_ledger(self, run_id: str, step: str, resource_id: str) -> None:
        """Note a resource before its create call is sent."""
        t = tables.ledger
        same = (t.c.run_id == run_id) & (t.c.resource_id == resource_id)
        with self._engine.begin() as db:
            if db.execute(sa.select(t.c.step).where(same)).first() is None:
                row = {"run_id": run_id, "resource_id": resource_id, "step": step, "noted_at": now()}
                db.execute(t.insert().values(**row))

    @patient
    def ledger(self, run_id: str, step: str | None = None) -> list[str]:
        """Every resource the run, or one step of it, was about to make, in that order."""
        t = tables.ledger
        query = sa.select(t.c.resource_id).where(t.c.run_id == run_id).order_by(t.c.noted_at)
        if step is not None:
            query = query.where(t.c.step == step)
        with self._engine.connect() as db:
            return list(db.execute(query).scalars())

    def leftovers(self, run_id: str) -> list[Leftover]:
        """What the run could not remove."""
        outcome = self.find(run_id).outcome
        return list(outcome.leftovers) if outcome else []

    @patient
    def _update_run(self, run_id: str, **values: Any) -> None:
        with self._engine.begin() as db:
            db.execute(tables.runs.update().where(tables.runs.c.id == run_id).values(**values))

    @patient
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


def _undelivered(row: Any) -> Undelivered:
    event = Event.from_json(row.event)
    reason = row.delivery_reason or "waits for those before it"
    return Undelivered(event.sequence, event.step, event.state, row.delivery or "waiting", reason)


def _run_row(row: Any) -> RunRow:
    outcome = Outcome.from_json(row.outcome) if row.outcome else None
    plan = tuple(step["name"] for step in row.plan)
    status = cast("Status", row.status)
    run = Run.from_json(row.run)
    return RunRow(row.id, run, plan, status, row.created_at, row.ended_at, outcome)
