"""The doubles themselves, looked at without PowerShell: a slip in them would show only where there is one."""

from __future__ import annotations

import io
import json
import re
import subprocess
import zipfile
from importlib import resources
from pathlib import Path

import pytest

from fixedvhd import FOOTER_SIZE, MIB, chunk_reader, read_footer, read_gpt
from tests.guest.grammar import broken, declared, functions, parse
from tests.guest.pwsh.cloud import Cloud, Stored, serving
from tests.guest.pwsh.machine import AGENT, DOUBLES, Machine, guest_function, source
from tests.guest.pwsh.table import change
from tests.guest.pwsh.test_bytes import BUILD, FIT
from tests.guest.pwsh.test_state_machine import changed
from tests.guest.rules import violations
from vhdlift.guest.render import agent

LIST = json.loads((Path(__file__).parent.parent / "cmdlets_5_1.json").read_text())
CMDLETS = {c: {p.lower() for p in ps} for m in LIST["modules"].values() for c, ps in m.items()}
PHASES = resources.files("vhdlift.guest").joinpath("phases")
OWN = functions(parse(agent() + PHASES.joinpath("00_bootstrap.ps1").read_text("ascii")))


HELPERS = {
    *("Write-Deed", "Stop-Now", "Get-Letter", "Edit-Table", "Get-NumberPath", "Get-FeatureState"),
    *("Get-Attached", "Test-Attached", "Test-Shown", "Remove-Letter"),
}


@pytest.mark.parametrize("text", [DOUBLES, AGENT, BUILD, FIT, changed("Stop-Now")])
def test_they_parse(text: str) -> None:
    assert broken(parse(text)) == []
    assert text.isascii()


@pytest.mark.parametrize("name", sorted(functions(parse(DOUBLES))))
def test_a_double_is_of_something_and_takes_what_that_takes(name: str) -> None:
    """Of a function of the guest with its parameters, or of a cmdlet with some of its; or it is a helper."""
    mine = {p.lower() for p in declared(functions(parse(DOUBLES))[name])}
    if name in OWN:
        assert mine == {p.lower() for p in declared(OWN[name])}
    elif name in CMDLETS:
        assert mine - {"rule"} <= CMDLETS[name]
    else:
        assert name in HELPERS


def test_everything_that_only_windows_has_is_doubled() -> None:
    """Cmdlets of modules that PowerShell 7 on Linux lacks."""
    windows = ("Storage", "ScheduledTasks", "Dism", "NetSecurity", "CimCmdlets")
    wanted = {c for module in windows for c in LIST["modules"].get(module, {})}
    used = {c for c in wanted if re.search(rf"\b{c}\b", agent())}
    spared = {"Initialize-Disk", "New-Partition", "Format-Volume"}  # an empty disk, of which there is none
    assert used - spared - set(functions(parse(DOUBLES))) == set()


def test_the_source_is_a_sound_vhd() -> None:
    body = source()
    read_at = chunk_reader({0: body})
    assert read_footer(read_at, len(body)).size == len(body) - FOOTER_SIZE
    assert [p.number for p in read_gpt(read_at, len(body) - FOOTER_SIZE).partitions] == [1, 2, 3]


def test_the_table_is_changed_as_windows_would(tmp_path: Path) -> None:
    path = tmp_path / "x.vhd"
    path.write_bytes(source())
    change(path, "resize", 2, 11 * MIB)
    change(path, "remove", 3)
    body = path.read_bytes()
    table = read_gpt(chunk_reader({0: body}), len(body) - FOOTER_SIZE)
    assert [(p.number, p.end) for p in table.partitions] == [(1, 4 * MIB), (2, 15 * MIB)]


def test_a_function_of_the_guest_is_found_by_its_name() -> None:
    text = guest_function("Invoke-Slowly")
    assert text.startswith("function Invoke-Slowly {")
    assert violations(text, whole=False) == []


def test_a_machine_can_be_set_up(tmp_path: Path) -> None:
    """Folders, programs and values, as far as that needs no PowerShell."""
    machine = Machine("pwsh", tmp_path / "guest.dll", tmp_path, Cloud(url="http://127.0.0.1:1"))
    machine.seal()
    assert machine.values().problems() == []
    assert (tmp_path / "system/System32/chkdsk.exe").stat().st_mode & 0o111


def test_the_double_of_azcopy_uploads_as_it_is_told(tmp_path: Path) -> None:
    """The program out of its zip, with the arguments of the phase."""
    with serving(Cloud()) as cloud:
        Machine("pwsh", tmp_path / "guest.dll", tmp_path, cloud)
        program = tmp_path / "azcopy.exe"
        with zipfile.ZipFile(io.BytesIO(cloud.tools["azcopy"])) as archive:
            program.write_bytes(archive.read("azcopy_10/azcopy.exe"))
        program.chmod(0o755)
        (tmp_path / "disk.vhd").write_bytes(b"x" * 1024)
        words = ["copy", str(tmp_path / "disk.vhd"), f"{cloud.url}/vhdusb/old1.vhd?sig=x"]
        more = ["--from-to=LocalBlob", "--blob-type=BlockBlob", "--check-length=true"]
        said = subprocess.run([program, *words, *more], check=True, capture_output=True, text=True).stdout
        assert json.loads(said)["MessageType"] == "Progress"
        assert cloud.blobs["old1.vhd"] == Stored("BlockBlob", b"x" * 1024)
        version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
        assert version.stdout == "azcopy version 10.32.8\n"


def test_the_double_of_caddy_hashes_what_it_reads(tmp_path: Path) -> None:
    cloud = Cloud()
    Machine("pwsh", tmp_path / "guest.dll", tmp_path, cloud)
    with zipfile.ZipFile(io.BytesIO(cloud.tools["caddy"])) as archive:
        text = archive.read("caddy.exe").decode()
    env = {"GUEST_WORLD": str(tmp_path / "world")}
    command = ["sh", "-c", text, "caddy.exe", "hash-password"]
    done = subprocess.run(command, input="word\n", env=env, check=True, capture_output=True, text=True)
    assert done.stdout == "$2a$14$of-what-came-in\n"
