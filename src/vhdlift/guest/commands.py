"""The two short scripts that are run beside the guest: the end of its log, and another try after a failure.

They hold no secret, and what they print has passed the guest's scrubber, or is a sentence of its own. Run
Command keeps 4 KB of that.
"""

from __future__ import annotations

_BYTES = 3900

LOGS = f"""\
$ErrorActionPreference = 'Stop'
$path = Join-Path $env:ProgramData 'vhdlift\\agent.log'
$text = (Get-Content -LiteralPath $path -Tail 200) -join "`n"
if ($text.Length -gt {_BYTES}) {{
    $text = $text.Substring($text.Length - {_BYTES})
}}
Write-Output $text
"""

RESUME = """\
$ErrorActionPreference = 'Stop'
$agent = Join-Path $env:ProgramData 'vhdlift\\agent.ps1'
$powershell = Join-Path $env:SystemRoot 'System32\\WindowsPowerShell\\v1.0\\powershell.exe'
& $powershell -NoProfile -NonInteractive -ExecutionPolicy Bypass -File $agent -Resume
exit $LASTEXITCODE
"""
