"""The guest double: a real rendered script, real bytes, Azurite, and HTTPS in between."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio

from fixedvhd import MIB
from tests.armlocal.conftest import Certificates, serving
from tests.armlocal.lab import ARTEFACT, VM, Lab
from vhdlift.guest.render import render

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from armlocal.azurite import Azurite

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def lab(certificates: Certificates, azurite: Azurite, tmp_path: Path) -> AsyncIterator[Lab]:
    made = Lab(tmp_path, certificates, azurite)
    routes = [*made.exports.routes(), *made.hooks.routes(), *made.guest.routes()]
    async with serving(routes, certificates) as base:
        await made.prepare(base)
        yield made
        await made.guest.close()


async def test_a_long_phase_is_heard_of(lab: Lab) -> None:
    """The download tells how far it is, in bytes and percent."""
    slower = render(lab.values(time_scale="0.01"))
    await lab.install(slower)
    await lab.until("finish", "done")
    heard = [p["body"]["details"] for p in lab.posts() if p["body"]["details"]["state"] == "progress"]
    loud = [d for d in heard if d["phase"] == "download"]
    assert loud
    assert all(0 <= d["bytes"] <= d["total"] and 0 <= d["percent"] <= 100 for d in loud)


async def test_a_refused_post_comes_again_in_order(lab: Lab) -> None:
    """A receiver that was away gets everything, oldest first."""
    async with httpx.AsyncClient(verify=lab.ca_context(), base_url=lab.base) as client:
        await client.post("/_control/webhook", json={"status": 503, "times": 3})
    await lab.install()
    await lab.guest.ended(VM)
    taken = [p["body"]["details"]["guest_sequence"] for p in lab.posts() if p["status"] == 200]
    assert taken == list(range(1, len(taken) + 1))
    assert len(lab.posts()) == len(taken) + 3


async def test_a_target_that_is_too_small_is_refused_with_the_numbers(lab: Lab) -> None:
    """Nothing is uploaded; what was asked for and what is needed at least are named."""
    await lab.install(render(lab.values(target_size_bytes=str(200 * MIB))))
    told = await wait_for_failure(lab)
    assert (told["phase"], told["attempt"]) == ("inspect", 1)
    assert "as small as 209715200 bytes" in told["message"]
    assert "needs at least 389021696 bytes" in told["message"]
    assert await lab.read(f"{ARTEFACT}.json") is None


async def test_a_revoked_snapshot_is_told(lab: Lab) -> None:
    """The storage's own answer is in the sentence, the signature is not."""
    script = render(lab.values())
    lab.exports.reset()
    await lab.install(script)
    told = await wait_for_failure(lab)
    assert "403 AuthenticationFailed" in told["message"]
    assert told["attempt"] == 3
    assert "sig=" not in str(told).replace("sig=***", "")


async def wait_for_failure(lab: Lab) -> dict[str, Any]:
    async with asyncio.timeout(180):
        while True:
            told = await lab.read(f"{ARTEFACT}.progress.json")
            if told and told["state"] == "failed":
                return told
            await asyncio.sleep(0.02)


async def wish(lab: Lab, **row: Any) -> None:
    async with httpx.AsyncClient(verify=lab.ca_context(), base_url=lab.base) as client:
        answer = await client.post("/_control/guest", json=[row])
        answer.raise_for_status()


@pytest.mark.parametrize("phase", ["preflight", "download", "verify_result", "finish"])
async def test_a_phase_that_fails_ends_the_work(lab: Lab, phase: str) -> None:
    """The failure is told with the phase and the end of the log; there is no manifest unless it was there."""
    await wish(lab, phase=phase, kind="fail", message="the disk is full")
    await lab.install()
    told = await wait_for_failure(lab)
    assert (told["phase"], told["message"]) == (phase, "the disk is full")
    assert "the disk is full" in told["log_tail"]
    assert told["history"][-1]["state"] == "failed"
    assert (await lab.read(f"{ARTEFACT}.json") is None) == (phase != "finish")


async def test_a_phase_is_tried_again(lab: Lab) -> None:
    """A failure that is not final is told as progress, and the second attempt ends well."""
    await wish(lab, phase="download", kind="fail", final=False)
    await lab.install()
    await lab.manifest()
    details = [p["body"]["details"] for p in lab.posts() if p["body"]["details"]["phase"] == "download"]
    assert [d["state"] for d in details if "attempt" in d["message"]] == ["started", "progress", "started"]


async def test_a_silent_guest_says_nothing_more(lab: Lab) -> None:
    """It hangs, and no report comes."""
    await wish(lab, phase="verify_source", kind="silent")
    await lab.install()
    told = await lab.until("verify_source", "started")
    await asyncio.sleep(0.3)
    assert await lab.read(f"{ARTEFACT}.progress.json") == told


async def test_a_stopped_machine_stops_its_guest(lab: Lab) -> None:
    """Nothing goes on after the machine is off; stopping again is nothing."""
    await wish(lab, phase="download", kind="slow", seconds=1000.0)
    await lab.install()
    await lab.until("download", "started", "progress")
    await lab.guest.stop(VM.upper())
    told = await lab.read(f"{ARTEFACT}.progress.json")
    await asyncio.sleep(0.3)
    assert await lab.read(f"{ARTEFACT}.progress.json") == told
    await lab.guest.stop(VM)


@pytest.mark.parametrize("phase", ["verify_result", "upload", "finalize_vhd"])
async def test_a_guest_can_lie(lab: Lab, phase: str, tmp_path: Path) -> None:
    """All is told as well, and the artefact is not what the manifest says, or no sound disk."""
    await wish(lab, phase=phase, kind="lie")
    await lab.install()
    manifest = await lab.manifest()
    same = manifest["sha256"] == await lab.artefact(tmp_path / "artefact.vhd")
    assert same == (phase == "finalize_vhd")


async def test_the_extension_again_starts_the_work_anew(lab: Lab) -> None:
    """The same run goes on where it was; what was done is not done again."""
    await wish(lab, phase="verify_result", kind="silent")
    await lab.install()
    await lab.until("verify_result", "started")
    await lab.install()
    told = await lab.until("finish", "done")
    assert [row["phase"] for row in told["history"]].count("download") == 1


FAILURES = [
    ({"fileUris": ["https://127.0.0.1:1/scripts/lab1-setup.ps1"]}, "Failed to download all specified files"),
    ({"commandToExecute": "powershell -File other.ps1"}, "The argument 'other.ps1' to the -File parameter"),
    ({"commandToExecute": ""}, "CommandToExecute is not specified"),
]


@pytest.mark.parametrize(("settings", "told"), FAILURES)
async def test_the_extension_fails_as_the_handler_does(lab: Lab, settings: dict[str, Any], told: str) -> None:
    """What cannot be downloaded or run is the extension's failure, in its words."""
    result = await lab.install(**settings)
    assert not result.ok
    assert told in result.message
    assert "sig=" not in result.message


async def test_a_wrong_signature_of_the_script_fails_the_extension(lab: Lab) -> None:
    """The handler has nothing but the SAS."""
    url = f"{lab.azurite.endpoint('labaccount')}scripts/lab1-setup.ps1?sv=2021-12-02&sig=x"
    result = await lab.install(fileUris=[url])
    assert "(403)" in result.message


async def test_a_key_in_both_parts_is_refused(lab: Lab) -> None:
    """The handler takes each key in one part only."""
    result = await lab.guest.run_extension(lab.vm, {"commandToExecute": "a"}, {"commandToExecute": "b"})
    assert "in both" in result.message


async def test_a_script_without_its_head_fails_the_bootstrap(lab: Lab) -> None:
    """A missing value and a character that is not ASCII are found before anything runs."""
    script = render(lab.values())
    without = "\n".join(line for line in script.splitlines() if not line.startswith("$RUN_ID"))
    assert "'$RUN_ID' cannot be retrieved" in (await lab.install(without)).message
    assert (
        "not pure ASCII" in (await lab.install(script + "# \N{LATIN SMALL LETTER U WITH DIAERESIS}")).message
    )


async def test_a_bootstrap_that_fails_fails_the_extension(lab: Lab) -> None:
    """Exit code 1, and the progress says so too."""
    await wish(lab, phase="bootstrap", kind="fail", message="no rights")
    result = await lab.install()
    assert "non-zero exit code of: '1'" in result.message
    assert result.stdout == "bootstrap failed: no rights"
    assert (await wait_for_failure(lab))["phase"] == "bootstrap"


async def test_hostile_values_arrive_as_they_are(lab: Lab) -> None:
    """Quotes in a value are part of it, and nothing in it is run."""
    hostile = 'it\'s $(whoami) `n "x"'
    script = render(replace(lab.values(), resource_group=hostile))
    await lab.install(script)
    await lab.until("finish", "done")
    assert lab.posts()[0]["body"]["resource_group"] == hostile
