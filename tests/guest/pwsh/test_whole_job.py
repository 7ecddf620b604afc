"""The agent from its first phase to its last, under PowerShell, on real bytes and over real HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from standardwebhooks import Webhook

from fixedvhd import MIB, build_footer, chunk_reader, read_gpt, rewrite_gpt
from tests.guest.pwsh.cloud import Cloud
from tests.guest.pwsh.machine import AGENT, HIDDEN, SECRET, SIZE, Machine, source
from vhdlift.guest.render import phases

ALL = list(phases()[1:])


def expected(machine: Machine) -> bytes:
    """The artefact as the package of bytes makes it of the same source, with the guest's time and id."""
    facts = machine.state()["facts"]
    body = bytearray(source())
    for patch in rewrite_gpt(read_gpt(chunk_reader({0: bytes(body)}), SIZE), SIZE):
        body[patch.offset : patch.offset + len(patch.data)] = patch.data
    made = datetime.fromtimestamp(int(facts["footer_epoch"]), UTC)
    body[SIZE:] = build_footer(SIZE, UUID(bytes=base64.b64decode(facts["footer_id"])), made)
    return bytes(body)


@pytest.fixture
def ended(machine: Machine) -> Machine:
    done = machine.run()
    assert done.code == 0, done.said + machine.log()
    return machine


def test_all_phases_are_done_in_order(ended: Machine, cloud: Cloud) -> None:
    """Each once, by the state, the history and the webhook alike; nothing is left to do or to know."""
    state = ended.state()
    assert (state["status"], state["done"]) == ("done", ALL)
    assert [row["phase"] for row in state["history"]] == ALL
    started = [body["phase"] for body in cloud.bodies() if body["state"] == "started"]
    assert started == ALL
    assert set(state["attempts"].values()) == {1}
    assert not (ended.folder / "data/vhdlift/values.dpapi").exists()
    assert not (ended.folder / "world/task-vhdlift").exists()
    assert not (ended.folder / "work").exists()


def test_the_artefact_is_what_the_byte_package_makes_of_the_source(ended: Machine, cloud: Cloud) -> None:
    """GPT and footer to the byte; the manifest tells the truth, with the upload among its times."""
    artefact = cloud.blobs["old1.vhd"]
    manifest = json.loads(cloud.blobs["old1.vhd.json"].content)
    assert (artefact.kind, artefact.content) == ("PageBlob", expected(ended))
    assert manifest["sha256"] == artefact.sha256 == hashlib.sha256(artefact.content).hexdigest()
    assert (manifest["size"], manifest["virtual_size"]) == (SIZE + 512, SIZE)
    assert set(manifest["timings"]) == {*ALL} - {"services", "finish"}
    assert any("BootDriverFlags" in line for line in manifest["changes"])


def test_only_what_was_written_is_read(ended: Machine, cloud: Cloud) -> None:
    assert sum(last + 1 - first for first, last in cloud.reads) < SIZE / 8


def test_every_post_is_signed_and_numbered(ended: Machine, cloud: Cloud) -> None:
    """By the library of the specification; numbers rise by one, and no id comes twice."""
    for headers, body in cloud.posts:
        Webhook(SECRET).verify(body, headers)
    numbers = [body["guest_sequence"] for body in cloud.bodies()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len({headers["webhook-id"] for headers, _ in cloud.posts}) == len(cloud.posts)


def test_nothing_that_goes_out_or_stays_has_a_secret(ended: Machine, cloud: Cloud) -> None:
    files = [f for f in (ended.folder / "data").rglob("*") if f.is_file()]
    told = cloud.told() + "".join(f.read_text("utf-8", "replace") for f in files)
    assert HIDDEN not in told
    assert SECRET not in told


def test_windows_starts_the_copy_with_new_files(ended: Machine) -> None:
    """chkdsk before the shrinking, bcdboot on the EFI partition after it; the image is never left mounted."""
    deeds = ended.deeds()
    assert "chkdsk.exe G: /f /x" in deeds
    assert "bcdboot.exe G:\\Windows /s F: /f UEFI" in deeds
    assert [d for d in deeds if d.startswith("mounted")] != []
    assert not (ended.folder / "world/attached").exists()
    assert not (ended.folder / "world/hive").exists()


def shrunk(machine: Machine, cloud: Cloud, **env: str) -> Any:
    machine.seal(target_size_bytes=str(16 * MIB))
    done = machine.run(**env)
    return done, machine.state()


def test_a_larger_disk_is_made_to_fit(machine: Machine, cloud: Cloud) -> None:
    """The recovery partition behind the limit goes, Windows' is shrunk, both tables fit, the rest is cut."""
    done, _ = shrunk(machine, cloud, GUEST_FREE=str(19 * MIB))
    assert done.code == 0, done.said + machine.log()
    body = cloud.blobs["old1.vhd"].content
    table = read_gpt(chunk_reader({0: body}), 16 * MIB)
    assert len(body) == 16 * MIB + 512
    assert [(p.number, p.end) for p in table.partitions] == [(1, 4 * MIB), (2, 15 * MIB)]
    assert any(d.startswith("bcdedit.exe /store F:\\EFI\\Microsoft\\Boot\\BCD") for d in machine.deeds())


def test_a_disk_that_cannot_be_made_so_small_is_refused_with_the_numbers(
    machine: Machine, cloud: Cloud
) -> None:
    """Before the shrinking when Windows uses too much, after three rounds when Windows refuses."""
    done, state = shrunk(machine, cloud, GUEST_FREE="0")
    assert (done.code, state["phase"], state["attempts"]["inspect"]) == (1, "inspect", 1)
    assert f"the target may have {16 * MIB} bytes" in cloud.reports[-1]["message"]


def test_windows_may_refuse_to_shrink(machine: Machine, cloud: Cloud) -> None:
    done, state = shrunk(machine, cloud, GUEST_FREE=str(19 * MIB), GUEST_LEAST=str(13 * MIB))
    assert (done.code, state["phase"], state["attempts"]["shrink"]) == (1, "shrink", 1)
    assert f"cannot shrink below {13 * MIB} bytes" in cloud.reports[-1]["message"]
    assert machine.deeds().count("defrag.exe G: /X /H") == 2


def test_a_disk_of_this_machines_image_gets_new_identifiers(machine: Machine, cloud: Cloud) -> None:
    """One partition's is enough: all of the disk's change, drive letters follow, the manifest tells it."""
    done = machine.run(GUEST_TAKEN=str(UUID(int=2)))
    assert done.code == 0, done.said + machine.log()
    facts = machine.state()["facts"]
    assert facts["old_ids"] == [str(UUID(int=n)) for n in (9, 1, 2, 3)]
    table = read_gpt(chunk_reader({0: cloud.blobs["old1.vhd"].content}), SIZE)
    assert [str(table.disk_id), *(str(p.unique_id) for p in table.partitions)] == facts["new_ids"]
    assert not {*facts["old_ids"]} & {*facts["new_ids"]}
    pairs = f"letters follow from {' '.join(facts['old_ids'])} to {' '.join(facts['new_ids'])}"
    assert pairs in machine.deeds()
    changes = json.loads(cloud.blobs["old1.vhd.json"].content)["changes"]
    assert any("new identifiers in place of" in line for line in changes)


def test_new_identifiers_survive_a_kill_before_they_are_written(machine: Machine, cloud: Cloud) -> None:
    """They are in the state already: the next attempt writes the same ones."""
    body = AGENT.replace(
        "Start-Agent", "function Write-NewIds { if (Test-Fact -Name 'new_ids') { Stop-Now } }\nStart-Agent"
    )
    assert machine.run(body, GUEST_TAKEN=str(UUID(int=2))).killed
    noted = machine.state()["facts"]["new_ids"]
    assert machine.run().code == 0
    table = read_gpt(chunk_reader({0: cloud.blobs["old1.vhd"].content}), SIZE)
    assert [str(table.disk_id), *(str(p.unique_id) for p in table.partitions)] == noted


def test_windows_that_shows_only_on_a_writable_disk_is_found(machine: Machine, cloud: Cloud) -> None:
    """As after a source that was not stopped: read-only first, then once more."""
    body = AGENT.replace(
        "Start-Agent",
        "function Get-KernelVersion {\n    param([string]$Windows)\n"
        "    $access = [IO.File]::ReadAllText((Join-Path $script:World 'attached'))\n"
        "    if ($access -eq 'ReadOnly') { throw 'not ready' }\n"
        "    return '10.0'\n}\nStart-Agent",
    )
    done = machine.run(body)
    assert done.code == 0, done.said + machine.log()
    assert [d for d in machine.deeds() if d.startswith("mounted")][:2] == [
        "mounted ReadOnly",
        "mounted ReadWrite",
    ]
    assert "looking for Windows, read-only: not ready" in machine.log()


def test_a_letter_that_stays_leaves_nothing_attached(machine: Machine, cloud: Cloud) -> None:
    """And what really went wrong is told, and is final as it was meant."""
    (machine.folder / "world/volumes/2/Windows/System32/config/SYSTEM").unlink()
    assert machine.run(GUEST_KEEPS_LETTERS="1").code == 1
    told = cloud.reports[-1]
    assert (told["phase"], told["attempt"]) == ("inspect", 1)
    assert "no Windows was found" in told["message"]
    assert not (machine.folder / "world/attached").exists()


def test_an_encrypted_disk_is_refused(machine: Machine, cloud: Cloud) -> None:
    cloud.snapshot = source(contents=b"-FVE-FS-")
    assert machine.run().code == 1
    told = cloud.reports[-1]
    assert (told["phase"], told["attempt"]) == ("inspect", 1)
    assert f"partition 2 ({24 * MIB} bytes) is encrypted with BitLocker" in told["message"]


def test_what_is_uploaded_and_equal_is_not_sent_again(machine: Machine, cloud: Cloud) -> None:
    """A kill between the upload and its note: the second agent looks, and leaves it alone."""
    body = AGENT.replace("Start-Agent", "function Send-Manifest { Stop-Now }\nStart-Agent")
    assert machine.run(body).killed
    sent = cloud.blobs["old1.vhd"]
    assert machine.run().code == 0
    assert cloud.blobs["old1.vhd"] is sent
    assert any("was there already" in body["message"] for body in cloud.bodies())


def test_a_block_blob_where_it_was_asked_for(machine: Machine, cloud: Cloud) -> None:
    machine.seal(blob_type="block")
    assert machine.run().code == 0
    assert cloud.blobs["old1.vhd"].kind == "BlockBlob"
