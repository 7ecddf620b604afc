# Native programs: run to their end with a heartbeat meanwhile, their lines in the log, their exit code looked at.
function Invoke-Native {
    param([string]$Path, [string[]]$Arguments, $Environment = @{}, [string]$Verb, [string]$Text = '')
    $work = [Vhdlift.Native]::new($Path, $Arguments, $Environment)
    $work.Text = $Text
    $work.Start()
    Wait-Work -Work $work -Phase $script:Job['phase'] -Verb $Verb
    $lines = New-Object System.Collections.ArrayList
    $line = $work.NextLine()
    while ($null -ne $line) {
        if ($line.Trim() -ne '') {
            [void]$lines.Add($line.Trim())
        }
        $line = $work.NextLine()
    }
    $first = [string]($lines | Select-Object -First 1)
    $last = [string]($lines | Select-Object -Last 1)
    return @{ code = $work.ExitCode; lines = $lines; first = $first; last = $last }
}

function Assert-Native {
    param($Run, [string]$What)
    if ($Run['code'] -ne 0) {
        throw "$What ended with $($Run['code']): $($Run['last'])"
    }
}

# A program of Windows itself, by its full path: nothing else on the PATH can stand in for it.
function Get-SystemProgram {
    param([string]$Name)
    return Join-Path $env:SystemRoot (Join-Path 'System32' $Name)
}
