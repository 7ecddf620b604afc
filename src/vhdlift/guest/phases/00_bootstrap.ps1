# bootstrap: the only part that runs inside the extension, whose time is short and which must not restart
# Windows. It lays out the folder, seals the values, writes the agent and hands over to the scheduled task.
function Invoke-Bootstrap {
    param([string]$SetupPath)
    Assert-System
    $clock = [Diagnostics.Stopwatch]::StartNew()
    foreach ($folder in @($script:Root, $script:OutboxPath, $script:ToolsPath)) {
        New-PrivateFolder -Path $folder
    }
    Stop-AgentTask
    $mutex = New-Object System.Threading.Mutex -ArgumentList $false, $script:MutexName
    if (-not (Enter-Mutex -Mutex $mutex -Seconds 60)) {
        throw 'another program of this guest does not end'
    }
    try {
        Save-Values
        Open-OrNewJob
        Send-Progress -Phase 'bootstrap' -State 'started' -Message 'the setup script runs'
        Initialize-Agent -SetupPath $SetupPath
        if (-not ($script:Job['done'] -contains 'bootstrap')) {
            Close-Phase -Name 'bootstrap' -Result 'done' -Seconds $clock.Elapsed.TotalSeconds
        }
        Send-Progress -Phase 'bootstrap' -State 'done' -Message 'the agent works on as a scheduled task'
    } finally {
        $mutex.ReleaseMutex()
        $mutex.Dispose()
    }
}

function Assert-System {
    if (-not [Security.Principal.WindowsIdentity]::GetCurrent().IsSystem) {
        throw 'the setup script must run as SYSTEM, as the CustomScriptExtension does: only SYSTEM can open what it seals'
    }
}

# The agent waits for the mutex, so it may be started before the last word of the bootstrap. An earlier failure
# of the same run is forgotten: whoever runs the setup script again wants it to work again.
function Initialize-Agent {
    param([string]$SetupPath)
    $script:Job['status'] = 'working'
    $script:Job['attempts'] = [ordered]@{}
    Save-Job
    [IO.File]::WriteAllText($script:AgentPath, (Get-AgentText -SetupPath $SetupPath), [Text.Encoding]::ASCII)
    Register-Agent
    Start-ScheduledTask -TaskName $script:TaskName
}

# The setup script between its two marks: everything but the values.
function Get-AgentText {
    param([string]$SetupPath)
    $text = [IO.File]::ReadAllText($SetupPath)
    $from = $text.IndexOf("`n" + $script:AgentBegins + "`n", [StringComparison]::Ordinal)
    $to = $text.IndexOf("`n" + $script:AgentEnds + "`n", [StringComparison]::Ordinal)
    if ($from -lt 0 -or $to -lt $from) {
        throw 'the marks of the agent are missing in the setup script'
    }
    $body = $text.Substring($from + 1, $to - $from)
    return $body + 'if ($args -contains ''-Resume'') { Request-Resume } else { Start-Agent }' + "`n" + 'exit $script:ExitCode' + "`n"
}
