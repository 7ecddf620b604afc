"""The right to work on a run where PostgreSQL keeps the runs: a lock of the server, held by a session.

The server gives such a lock back when the session ends, however it ends: the process was killed, its machine
lost power, the network broke, the server restarted. So whoever holds one must know that the session lives:

- A holder asks every second, and waits `ANSWER_SECONDS` at most. Without an answer it holds nothing any more
  and breaks off what it was doing, in the middle of a step (`engine.py`). A step that has sent a request to
  Azure waits for its answer before it ends: what Azure did is never unknown.
- The server asks the holder's machine too (TCP keep-alive), and ends the session of one that is silent for
  `SILENCE_SECONDS`.
- Whoever wants to take over a run waits until nobody has held its lock for `service.GRACE_SECONDS`, which is
  longer than a holder needs to notice its loss. So one has stopped before the other begins.
- If that fails all the same (a process frozen for a minute wakes up), what it does next is not recorded: DBOS
  keeps the result of a step only from the process that it gave the run to last. And two processes in one step
  find each other's resources by name and tag, as after a crash.

The connection must be one session: a pooler that shares sessions between clients (PgBouncer in transaction
mode) cannot be used.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from vhdlift.engine.database import connect
from vhdlift.errors import VhdliftError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ANSWER_SECONDS = 5.0
SILENCE_SECONDS = 20
SHORTEST_SECONDS = 1.0

_TAKEN = """
select classid::bigint << 32 | objid::bigint from pg_locks
where locktype = 'advisory' and objsubid = 1 and granted
and database = (select oid from pg_database where datname = current_database())
"""
# What a version of the server does not know is left out.
_SET = "select set_config(name, :value, false) from pg_settings where name = :name"
_SESSION = {
    "tcp_keepalives_idle": SILENCE_SECONDS // 4,
    "tcp_keepalives_interval": SILENCE_SECONDS // 4,
    "tcp_keepalives_count": 3,
    "idle_session_timeout": 0,
}
_WHO = "select pid, backend_start from pg_stat_activity where pid = pg_backend_pid()"
_END = "select pg_terminate_backend(pid) from pg_stat_activity where pid = :pid and backend_start = :since"


def key_of(run_id: str) -> int:
    """The number by which the server knows the lock of a run: 64 bits, the same in every process."""
    return int.from_bytes(hashlib.sha256(f"vhdlift run {run_id}".encode()).digest()[:8], signed=True)


class ServerLocks:
    """Advisory locks, all of them of one session on a connection of its own."""

    def __init__(self, url: str, time_scale: float) -> None:
        self._engine = connect(url, connect_args=_impatient(), poolclass=sa.pool.NullPool)
        self._limit = max(SHORTEST_SECONDS, ANSWER_SECONDS * time_scale)
        self._guard = threading.RLock()
        self._held: set[str] = set()
        self._lost = False
        self._closed = False
        self._session: sa.Connection | None = None
        self._who: tuple[int, Any] | None = None

    def take(self, run_id: str) -> bool:
        """Try to get the lock of this run.

        Raises:
            VhdliftError: the server cannot be reached.
        """
        with self._asked() as session:
            # A session may take what it has again and again, so this has to be asked here.
            if run_id in self._held:
                return False
            query = sa.text("select pg_try_advisory_lock(:key)")
            if session.execute(query, {"key": key_of(run_id)}).scalar_one():
                self._held.add(run_id)
                return True
            return False

    def give_back(self, run_id: str) -> None:
        """Let others have the lock; a lost session has given it back already."""
        with self._guard:
            if run_id not in self._held:
                return
            self._held.discard(run_id)
            with suppress(VhdliftError), self._asked() as session:
                session.execute(sa.text("select pg_advisory_unlock(:key)"), {"key": key_of(run_id)})

    def taken(self, run_ids: Iterable[str]) -> set[str]:
        """Those of these runs whose lock somebody holds.

        Raises:
            VhdliftError: the server cannot be reached.
        """
        with self._asked() as session:
            keys = set(session.execute(sa.text(_TAKEN)).scalars())
        return {run_id for run_id in run_ids if key_of(run_id) in keys}

    def held(self) -> bool:
        """Ask the server whether the session lives; without an answer in time, end it from here."""
        session = self._session
        if self._lost or session is None:
            lost, self._lost = self._lost, False
            return not lost
        hanging = threading.Timer(self._limit, _cut, (session,))
        hanging.start()
        try:
            with self._asked() as asked:
                asked.execute(sa.text("select 1"))
        except VhdliftError:
            self._lost = False
            return False
        finally:
            hanging.cancel()
        return True

    def close(self) -> None:
        """End the session, and with it all its locks; for whoever still asks it, it is lost."""
        self._closed = True
        if self._session is not None:
            _cut(self._session)
        with self._guard:
            self._drop()
        self._engine.dispose()

    @contextmanager
    def _asked(self) -> Iterator[sa.Connection]:
        """The session, opened if there is none; any error of it ends it, and all locks with it."""
        with self._guard:
            try:
                if self._session is None:
                    self._session = self._open()
                yield self._session
            except sa.exc.SQLAlchemyError as problem:
                self._lost = self._lost or bool(self._held)
                self._drop()
                said = f"The server of the run database does not answer: {type(problem).__name__}."
                raise VhdliftError(said, "Check VHDLIFT_DATABASE_URL and the server.") from None

    def _drop(self) -> None:
        """End the session here, whatever the server says."""
        lost, self._session = self._session, None
        self._held.clear()
        if lost is not None:
            with suppress(sa.exc.SQLAlchemyError):
                lost.invalidate()
                lost.close()

    def _open(self) -> sa.Connection:
        if self._closed:
            raise sa.exc.InvalidRequestError("closed")
        session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        for name, value in _SESSION.items():
            session.execute(sa.text(_SET), {"name": name, "value": str(value)})
        if self._who is not None:
            # Our own old session, if the server has not noticed its end, must not lock us out.
            session.execute(sa.text(_END), dict(zip(("pid", "since"), self._who, strict=True)))
        who = session.execute(sa.text(_WHO)).one()
        self._who = int(who[0]), who[1]
        return session


def _impatient() -> dict[str, Any]:
    """How libpq notices a dead network within seconds."""
    return {
        "connect_timeout": 5,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": int(ANSWER_SECONDS * 1000),
        "application_name": "vhdlift lock",
    }


def _cut(session: sa.Connection) -> None:
    """End a connection under whoever waits for its answer; the server sees its end, too."""
    with suppress(Exception):
        fileno = session.connection.dbapi_connection.fileno()  # type: ignore[union-attr]
        with socket.socket(fileno=os.dup(fileno)) as line:
            line.shutdown(socket.SHUT_RDWR)
