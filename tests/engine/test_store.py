"""The run database, opened."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from tests.engine.conftest import settings_in
from vhdlift.engine.store import Store

NUMBER = 6


def test_a_connection_in_use_when_the_database_is_closed_ends_with_its_use(tmp_path: Path) -> None:
    """A thread may be on its way through a question then; no connection may stay."""
    store = Store.open(settings_in(tmp_path))
    session = store.engine.connect()
    held: Any = session.connection.dbapi_connection
    store.close()
    session.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        held.execute("select 1")


@pytest.mark.parametrize("_", range(5))
def test_many_that_open_a_new_database_at_once_all_have_it(tmp_path: Path, _: int) -> None:
    """As the commands of a pipeline that start side by side on a new machine."""
    settings, start = settings_in(tmp_path), Barrier(NUMBER)

    def opened(_: int) -> int:
        start.wait()
        store = Store.open(settings)
        try:
            return len(store.runs())
        finally:
            store.close()

    with ThreadPoolExecutor(NUMBER) as pool:
        assert list(pool.map(opened, range(NUMBER))) == [0] * NUMBER
