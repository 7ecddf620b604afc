"""Webhook receivers in bad weather: the run does not notice, and nothing is lost or told out of order."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.engine.conftest import settings_in
from tests.engine.doubles import Cloud, Fake, play, run_of
from tests.engine.test_ending import resume
from tests.receiver import receiving
from vhdlift.cli import show
from vhdlift.engine.store import Outcome, Store
from vhdlift.model import Run
from vhdlift.settings import Settings

STEPS = 4
POSTS = 2 * STEPS  # each step starts and is done


def chain(cloud: Cloud) -> list[Fake]:
    """A few steps, one after the other."""
    return [Fake(cloud, f"s{n}", *([f"s{n - 1}"] if n else [])) for n in range(STEPS)]


def closed_port() -> socket.socket:
    """A port that refuses all connections and is nobody else's until somebody listens on the socket."""
    place = socket.socket()
    place.bind(("127.0.0.1", 0))
    return place


async def quick(settings: Settings, cloud: Cloud, run: Run) -> Outcome:
    """The run; it is given up after half a minute, and a receiver has a day to take a post."""
    outcome = await play(settings, cloud, *chain(cloud), run=run)
    assert outcome.status == "completed"
    return outcome


def numbers(settings: Settings, run: Run) -> list[tuple[int, str]]:
    """What the database says has not been taken: number and standing of each post."""
    store = Store.open(settings)
    try:
        return [(post.sequence, post.delivery) for post in store.undelivered(run.id)]
    finally:
        store.close()


async def test_a_receiver_that_comes_back_after_the_run_gets_it_all_in_order(
    tmp_path: Path, cloud: Cloud
) -> None:
    """It was down for the whole run; `resume` posts what waits, once and without a gap."""
    place, run = closed_port(), run_of()
    url = f"http://127.0.0.1:{place.getsockname()[1]}/hook"
    settings = settings_in(tmp_path, VHDLIFT_WEBHOOK_URL=url)
    outcome = await quick(settings, cloud, run)
    assert outcome.undelivered == POSTS
    done = list(cloud.log)
    with receiving(place) as receiver:
        again = outcome
        while again.undelivered:  # a command leaves what is not taken within two seconds to the next
            again = await resume(settings, cloud, run.id, *chain(cloud))
    assert again.status == "completed"
    assert [body["sequence"] for body in receiver.bodies()] == [*range(1, POSTS + 1)]
    assert numbers(settings, run) == []
    assert cloud.log == done  # nothing was done again


@pytest.mark.parametrize("status", [500, 301])
async def test_a_receiver_that_refuses_everything_is_not_waited_for(
    status: int, tmp_path: Path, cloud: Cloud
) -> None:
    run = run_of()
    with receiving() as receiver:
        receiver.statuses = [status]
        settings = settings_in(tmp_path, VHDLIFT_WEBHOOK_URL=receiver.url)
        outcome = await quick(settings, cloud, run)
    assert outcome.undelivered == POSTS
    assert [number for number, _ in numbers(settings, run)] == [*range(1, POSTS + 1)]


ODD = {
    "garbage": b"\x00\xff\xfe garbage \r\n\r\n",
    "an endless head": b"HTTP/1.1 200 OK\r\n" + b"x-y: " + b"z" * 200_000,
    "nothing, for ever": b"",
}


@asynccontextmanager
async def odd_receiver(said: bytes) -> AsyncIterator[str]:
    """A server that takes connections, says this, and leaves them open; its address."""
    open_ones: set[asyncio.StreamWriter] = set()

    async def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.add(writer)
        writer.write(said)

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        for writer in open_ones:
            writer.transport.abort()


@pytest.mark.parametrize("kind", ODD)
async def test_a_receiver_that_answers_nonsense_or_never_is_not_waited_for(
    kind: str, tmp_path: Path, cloud: Cloud
) -> None:
    run = run_of()
    async with odd_receiver(ODD[kind]) as url:
        outcome = await quick(settings_in(tmp_path, VHDLIFT_WEBHOOK_URL=url), cloud, run)
    assert outcome.undelivered == POSTS


async def test_order_and_completeness_are_kept_through_bad_answers(tmp_path: Path, cloud: Cloud) -> None:
    """Each post is repeated until it is taken, and none overtakes it."""
    with receiving() as receiver:
        receiver.statuses = [500, 200, 301, 503, 200, 200, 404, 200, 500, 200]
        await quick(settings_in(tmp_path, VHDLIFT_WEBHOOK_URL=receiver.url), cloud, run_of())
        assert [body["sequence"] for body in receiver.bodies()] == [*range(1, POSTS + 1)]


async def test_what_was_not_taken_by_its_deadline_is_listed_by_show(tmp_path: Path, cloud: Cloud) -> None:
    """A day at scale 1; a second here."""
    run = run_of()
    with receiving() as receiver:
        receiver.statuses = [503]
        settings = settings_in(tmp_path, VHDLIFT_WEBHOOK_URL=receiver.url, VHDLIFT_TIME_SCALE="0.00001")
        await quick(settings, cloud, run)
        await resume(settings, cloud, run.id, *chain(cloud))
    assert numbers(settings, run) == [(n, "gave up") for n in range(1, POSTS + 1)]
    store = Store.open(settings)
    told = "\n".join(show.lines(store, store.find(run.id), "completed"))
    data = show.as_data(store, store.find(run.id), "completed")
    store.close()
    listed = told.partition("webhook posts that were not taken, and are given up:")[2]
    assert [line.split()[0] for line in listed.strip().splitlines()] == [str(n) for n in range(1, POSTS + 1)]
    assert "503" in listed
    assert [post["sequence"] for post in data["undelivered"]] == [*range(1, POSTS + 1)]
