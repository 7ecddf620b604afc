from __future__ import annotations

from importlib import resources

import pytest

from tests.guest.grammar import broken, parse
from tests.guest.names import unknown
from tests.guest.rules import violations
from vhdlift.guest.commands import LOGS, RESUME
from vhdlift.guest.render import GuestValues, agent, csharp, render

PACKAGE = resources.files("vhdlift.guest")
FILES = sorted(f"{d}/{f.name}" for d in ("common", "phases") for f in (PACKAGE / d).iterdir())
GOOD = """\
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
[Net.SecurityProtocolType]::Tls12
"""
BAD = {
    "parses": "function Get-X {",
    "ascii": "Write-Log -Message 'caf\u00e9'",
    "basic parsing": "Invoke-WebRequest -Uri $u",
    "depth": "ConvertTo-Json -InputObject $x -Compress",
    "no eval": "Invoke-Expression $x",
    "encoding": "'x' > file.txt",
    "native": "robocopy.exe a b\nGet-Item -LiteralPath 'x'",
    "untold secrets": "Write-Log -Message $script:Values['SNAPSHOT_URL']",
}
MORE_BAD = [
    ("no eval", "[scriptblock]::Create($x)"),
    ("encoding", "Set-Content -Path x -Value y"),
    ("native", "& $program copy a b\n$x = 1"),
    ("native", "function Start-It {\n$w = [Vhdlift.Native]::new($a, $b, $c)\n}"),
    ("untold secrets", "[IO.File]::WriteAllText('x', $script:Values['AZURE_SAS_TOKEN'])"),
    ("untold secrets", "Send-Progress -Message (Get-BlobUrl -Name 'x')"),
    ("parses", "switch ($a) { 'x' { 1 } default { 2 } }"),
    ("no eval", "[PowerShell]::Create().AddScript($x)"),
    ("native", "function Start-It {\n$run = Invoke-Native -Path $a -Arguments $b -Verb 'x'\n}"),
    ("prompts", "Remove-Partition -DiskNumber 1 -PartitionNumber 2"),
    (
        "attached",
        (
            "function Get-X {\nreturn [Vhdlift.Layout]::Read($a, $b)\n}\n"
            "function Set-X {\nInvoke-WithImage -Access 'ReadWrite' -Work { Get-X }\n}"
        ),
    ),
    ("reserved", "function Get-X {\nparam([string]$Host)\n}"),
    ("reserved", "$Matches = 1"),
    ("untold secrets", "Set-Change -Text $script:Values['PIN_PASSWORD']"),
    (
        "untold secrets",
        "function Get-X {\n$url = Get-BlobUrl -Name 'x'\n$more = $url + '&a'\nWrite-Log -Message $more\n}",
    ),
    (
        "untold secrets",
        (
            "function Get-X {\n$a = @('-p', $script:Values['DROP_PASSWORD'])\n"
            "$run = Invoke-Native -Path 'x' -Arguments $a -Verb 'y'\nAssert-Native -Run $run -What 'x'\n}"
        ),
    ),
]
FINE = [
    "function Get-X {\nparam([scriptblock]$Work)\n& $Work\n}",
    (
        "function Get-X {\n$run = Invoke-Native -Path 'x' -Verb 'y' -Text ($script:Values['PIN_PASSWORD'])\n"
        "Assert-Native -Run $run -What 'x'\n}"
    ),
    (
        "function Get-X {\n$url = Get-BlobUrl -Name 'x'\n"
        "$answer = [Vhdlift.Web]::Send('GET', $url, $null, $null, 1)\nWrite-Log -Message $answer.Summary\n}"
    ),
    "if ($script:Values['WEBHOOK_URL'] -eq '') {\nWrite-Log -Message 'no webhook'\n}",
]


@pytest.mark.parametrize("name", [*FILES, "entry.ps1"])
def test_each_file_keeps_the_rules(name: str) -> None:
    text = PACKAGE.joinpath(name).read_text("ascii")
    assert violations(text, whole=False) == []


@pytest.mark.parametrize("text", [LOGS, RESUME])
def test_what_run_command_runs_keeps_the_rules(text: str) -> None:
    assert violations(text, whole=False) == []
    assert unknown(text, csharp()) == []


def test_what_runs_keeps_the_rules(values: GuestValues) -> None:
    assert violations(render(values)) == []
    assert violations(agent()) == []


@pytest.mark.parametrize(("rule", "text"), [*BAD.items(), *MORE_BAD])
def test_each_rule_finds_what_breaks_it(rule: str, text: str) -> None:
    assert rule in {v.split(":")[0] for v in violations(GOOD + text)}


def test_a_script_that_keeps_the_rules_passes() -> None:
    assert violations(GOOD + "robocopy.exe a b\nif ($LASTEXITCODE -ge 8) { throw 'x' }\n") == []


@pytest.mark.parametrize("text", FINE)
def test_what_a_rule_must_not_find_is_not_found(text: str) -> None:
    assert violations(GOOD + text + "\n") == []


@pytest.mark.parametrize("missing", GOOD.splitlines()[:3])
def test_the_rules_of_the_start_are_looked_for(missing: str) -> None:
    assert f"start: {missing} is missing at the start" in violations(GOOD.replace(missing + "\n", ""))


def test_tls_is_looked_for() -> None:
    assert any(v.startswith("tls") for v in violations(GOOD.replace("Tls12", "Tls")))


def test_all_that_is_named_exists(values: GuestValues) -> None:
    assert unknown(render(values), csharp()) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Get-Nothing", "get-nothing"),
        ("Get-Item -LiteralPath 'x' -Follow", "get-item -Follow"),
        ("function Get-X { param($A) $A }\nGet-X -B 1", "get-x -B"),
        ("function Get-X { param($A) $A }\nGet-X 1", "get-x is given a value"),
        ("function Get-X { $y }", "$y"),
        ("function Get-X { $script:Y }", "$script:y"),
        ("function Stop-Process { 1 }", "hides a cmdlet"),
        ("[Vhdlift.Footer]::Reed('x')", "[Vhdlift.Footer]::Reed"),
        ("[Vhdlift.Feet]::Read('x')", "[Vhdlift.Feet]::Read"),
        ("Invoke-Slowly -Command 'Get-Nothing' -Parameters @{ A = 1 } -Verb 'x'", "Get-Nothing"),
        (
            "Invoke-Slowly -Command 'Resize-Partition' -Parameters @{ Speed = 1 } -Verb 'x'",
            "Resize-Partition -Speed",
        ),
    ],
)
def test_a_name_that_does_not_exist_is_found(text: str, found: str) -> None:
    assert any(found in name for name in unknown(text, csharp()))


def test_the_grammar_sees_errors_in_the_middle() -> None:
    assert broken(parse("$a = (1\n$b = 2\n"))
