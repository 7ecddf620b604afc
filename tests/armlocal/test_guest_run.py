"""One whole run of the guest double, and what it leaves and tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from armlocal.guest.wishes import PHASES
from fixedvhd import FOOTER_SIZE, GIB, MIB
from tests.armlocal.conftest import Certificates, serving
from tests.armlocal.lab import ARTEFACT, SECRET, SNAPSHOT, VM, Lab
from tests.outside import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from armlocal.azurite import Azurite

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def done(
    certificates: Certificates, azurite_of_module: Azurite, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Lab]:
    """A guest that has ended."""
    made = Lab(tmp_path_factory.mktemp("lab"), certificates, azurite_of_module)
    async with serving([*made.exports.routes(), *made.hooks.routes()], certificates) as base:
        await made.prepare(base)
        assert (await made.install()).ok
        await made.guest.ended(VM)
        yield made
        await made.guest.close()


async def test_the_artefact_is_the_sources_disk(done: Lab, tmp_path: Path) -> None:
    """Every byte of the disk comes through, with a footer of its own; the manifest tells the truth."""
    manifest = await done.manifest()
    file = tmp_path / "artefact.vhd"
    assert manifest["sha256"] == await done.artefact(file)
    assert (manifest["size"], manifest["virtual_size"]) == (GIB + FOOTER_SIZE, GIB)
    assert file.stat().st_size == manifest["size"]
    source = done.disks.open(SNAPSHOT)
    assert "identical" in run("qemu-img", "compare", "-f", "vpc", "-F", "vpc", source, file)
    assert set(PHASES) - set(manifest["timings"]) == {"upload", "finish"}
    assert manifest["changes"]


async def test_only_data_travels(done: Lab) -> None:
    """Holes are neither downloaded nor uploaded."""
    progress = await done.manifest()
    assert progress["size"] > GIB
    async with done.blobs() as service:
        blob = service.get_blob_client("vhdusb", ARTEFACT)
        assert (await blob.get_blob_properties()).blob_type == "PageBlob"
        pages = [page async for page in blob.list_page_ranges()]
    assert sum((page.end or 0) - (page.start or 0) + 1 for page in pages) < 60 * MIB


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
