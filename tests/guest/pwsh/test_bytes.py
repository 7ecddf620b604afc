"""The guest's bytes by PowerShell's own compiler: equal to the golden ones, which are Python's too."""

from __future__ import annotations

import json
from pathlib import Path

from tests.guest.pwsh.machine import Machine
from tests.guest.test_bytework import FOOTERS, GPTS, disk, unpack

BUILD = """
foreach ($row in ConvertFrom-Json -InputObject $env:GUEST_ROWS) {
    $id = New-Object byte[] 16
    for ($i = 0; $i -lt 16; $i++) { $id[$i] = [Convert]::ToByte($row.id.Substring(2 * $i, 2), 16) }
    $made = [DateTimeOffset]::FromUnixTimeSeconds($row.epoch).UtcDateTime
    $bytes = [Vhdlift.Footer]::Build($row.size, $made, $id)
    Write-Output ([BitConverter]::ToString($bytes).Replace('-', '').ToLowerInvariant())
}
"""
FIT = """
foreach ($row in ConvertFrom-Json -InputObject $env:GUEST_ROWS) {
    [Vhdlift.Layout]::Fit($row.path, $row.size)
    $layout = [Vhdlift.Layout]::Read($row.path, $row.size)
    Write-Output "$($layout.Partitions) $($layout.Problem)"
}
"""


def rows(machine: Machine, body: str, given: str) -> list[str]:
    done = machine.run(body, GUEST_ROWS=given)
    assert done.code == 0, done.said
    return done.said.splitlines()


def test_footers_equal_the_golden_ones(machine: Machine) -> None:
    assert rows(machine, BUILD, json.dumps(FOOTERS)) == [case["hex"] for case in FOOTERS]


def test_fitted_tables_equal_the_golden_ones(machine: Machine, tmp_path: Path) -> None:
    """Every disk of the golden file, fitted in place, has the bytes that the file promises, and is sound."""
    places = [disk(tmp_path / f"{n}.vhd", case, "before") for n, case in enumerate(GPTS)]
    given = [{"path": str(path), "size": case["size"]} for path, case in zip(places, GPTS, strict=True)]
    said = rows(machine, FIT, json.dumps(given))
    assert said == [f"{case['partitions']} " for case in GPTS]
    for path, case in zip(places, GPTS, strict=True):
        for patch in case["after"]:
            promised = unpack(patch["data"])
            with path.open("rb") as file:
                file.seek(patch["offset"])
                assert file.read(len(promised)) == promised, case["name"]
