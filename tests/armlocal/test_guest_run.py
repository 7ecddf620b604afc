"""One whole run of the guest double, and what it leaves and tells."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from armlocal.guest.wishes import PHASES
from fixedvhd import FOOTER_SIZE, GIB, MIB
from tests.armlocal.conftest import Certificates, serving
from tests.armlocal.lab import ARTEFACT, SECRET, VM, Lab
from tests.outside import run
from vhdlift.guest.render import render

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from armlocal.azurite import Azurite

TARGET = 640 * MIB
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def done(
    certificates: Certificates, azurite_of_module: Azurite, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Lab]:
    """A guest that has ended."""
    made = Lab(tmp_path_factory.mktemp("lab"), certificates, azurite_of_module)
    async with serving([*made.exports.routes(), *made.hooks.routes()], certificates) as base:
        await made.prepare(base)
        assert (await made.install(render(made.values(target_size_bytes=str(TARGET))))).ok
        await made.guest.ended(VM)
        yield made
        await made.guest.close()


async def test_the_artefact_is_a_smaller_disk(done: Lab, tmp_path: Path) -> None:
    """It has the size that was asked for, and the manifest tells the truth."""
    manifest = await done.manifest()
    file = tmp_path / "artefact.vhd"
    assert manifest["sha256"] == await done.artefact(file)
    assert (manifest["size"], manifest["virtual_size"]) == (TARGET + FOOTER_SIZE, TARGET)
    assert file.stat().st_size == manifest["size"]
    assert manifest["source"]["size"] == 2 * GIB
    assert json.loads(run("qemu-img", "info", "--output=json", "-f", "vpc", file))["virtual-size"] == TARGET


async def test_the_manifest_lists_phases_and_changes(done: Lab) -> None:
    """Whoever boots the disk can know what is different from the source."""
    manifest = await done.manifest()
    assert set(PHASES) - set(manifest["timings"]) == {"services", "finish"}
    assert manifest["timings"]["upload"] > 0
    told = "\n".join(manifest["changes"])
    for words in ("recovery partition 4", "was shrunk from 1990197248", "was cut from 2147483648", "footer"):
        assert words in told


async def test_only_data_travels(done: Lab) -> None:
    """Holes are neither downloaded nor uploaded."""
    assert (await done.manifest())["size"] > TARGET
    async with done.blobs() as service:
        blob = service.get_blob_client("vhdusb", ARTEFACT)
        assert (await blob.get_blob_properties()).blob_type == "PageBlob"
        pages = [page async for page in blob.list_page_ranges()]
    assert sum((page.end or 0) - (page.start or 0) + 1 for page in pages) < 80 * MIB


async def test_each_phase_is_told_in_order(done: Lab) -> None:
    """progress.json and webhook posts count up, and every phase begins and ends."""
    last = await done.until("finish", "done")
    assert [row["phase"] for row in last["history"]] == list(PHASES)
    details = [post["body"]["details"] for post in done.posts()]
    assert [d["guest_sequence"] for d in details] == list(range(1, len(details) + 1))
    begun = [d["phase"] for d in details if d["state"] == "started"]
    over = [d["phase"] for d in details if d["state"] in ("done", "skipped")]
    assert begun == over == list(PHASES)


async def test_posts_have_the_one_shape_and_a_signature(done: Lab) -> None:
    """Receivers parse the guest's posts like all others, and can check them."""
    await done.until("finish", "done")
    post = done.posts()[0]
    body = post["body"]
    assert (body["vm_name"], body["status"], body["resource_group"]) == ("lab1", "provisioning", "g's")
    assert (body["sequence"], body["run_id"]) == (None, "01RUN")
    assert (body["details"]["step"], body["details"]["reporter"]) == ("vhd_exported", "guest")
    assert post["headers"]["webhook-id"] == "01RUN.guest.1"
    assert post["headers"]["webhook-signature"].startswith("v1,")


async def test_no_secret_is_told(done: Lab) -> None:
    """Neither posts nor progress hold a signature or the webhook's secret."""
    await done.until("finish", "done")
    told = done.hooks.file.read_text() + str(await done.read(f"{ARTEFACT}.progress.json"))
    assert "sig=" not in told
    assert SECRET not in told
