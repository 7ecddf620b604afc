# The log on the machine: one line an event, scrubbed before it is written.
function Write-Log {
    param([string]$Message)
    $line = (Get-UtcText) + ' ' + [Vhdlift.Scrubber]::Clean($Message) + "`r`n"
    try {
        [IO.File]::AppendAllText($script:LogPath, $line)
    } catch {
        [Console]::Error.WriteLine('the log cannot be written: ' + $_.Exception.Message)
    }
}

# The innermost cause of an error record, scrubbed.
function Get-Cause {
    param($Problem)
    return [Vhdlift.Scrubber]::Clean($Problem.Exception.GetBaseException().Message)
}

function Get-LogTail {
    param([int]$Count)
    return [Vhdlift.Scrubber]::Clean([Vhdlift.Files]::Tail($script:LogPath, $Count))
}
