# The agent: goes on with the phase at which the last program stopped, until all are done or one has failed.
function Start-Agent {
    param([switch]$Resume)
    $mutex = New-Object System.Threading.Mutex -ArgumentList $false, $script:MutexName
    if (-not (Enter-Mutex -Mutex $mutex -Seconds 180)) {
        return
    }
    try {
        Open-Values
        Open-Job
        if ($Resume) {
            Restart-Job
        }
        Invoke-Job
    } catch {
        $script:ExitCode = 1
        Write-Log -Message ('the agent stopped: ' + (Get-Cause -Problem $_))
    } finally {
        $mutex.ReleaseMutex()
        $mutex.Dispose()
    }
}

# By hand, after the cause of a failure is gone: the failed phase gets all its attempts again.
function Restart-Job {
    $script:Job['status'] = 'working'
    $script:Job['attempts'] = [ordered]@{}
    Save-Job
    Write-Log -Message 'resumed by hand'
}

function Invoke-Job {
    if ($script:Job['status'] -eq 'failed') {
        Send-Outbox
        return
    }
    foreach ($phase in $script:Phases) {
        if ($script:Job['done'] -contains $phase['name']) {
            continue
        }
        Invoke-Phase -Phase $phase
        if ($script:Job['status'] -eq 'failed') {
            $script:ExitCode = 1
            return
        }
    }
    $script:Job['status'] = 'done'
    Save-Job
    Remove-Agent
}

# At most three attempts. One is counted before it starts, so that a phase that kills the machine is counted too.
function Invoke-Phase {
    param($Phase)
    $name = $Phase['name']
    while ($true) {
        $attempt = 1
        if ($script:Job['attempts'].Contains($name)) {
            $attempt = 1 + [int]$script:Job['attempts'][$name]
        }
        if ($attempt -gt $script:MaxAttempts) {
            Set-Failure -Name $name -Message ('given up after ' + $script:MaxAttempts + ' attempts; the last problem: ' + $script:Job['last_error']) -Seconds 0
            return
        }
        $script:Job['phase'] = $name
        $script:Job['attempts'][$name] = $attempt
        $script:Job['last_error'] = 'the program was stopped from outside'
        Send-Progress -Phase $name -State 'started' -Message "attempt $attempt of $($script:MaxAttempts)"
        if (Invoke-Attempt -Phase $Phase -Attempt $attempt) {
            return
        }
        Wait-Scaled -Seconds (30 * $attempt)
    }
}

# True when the phase is over: done, or failed for good.
function Invoke-Attempt {
    param($Phase, [int]$Attempt)
    $name = $Phase['name']
    $clock = [Diagnostics.Stopwatch]::StartNew()
    try {
        $message = [string](& $Phase['work'] | Select-Object -Last 1)
    } catch {
        $cause = Get-Cause -Problem $_
        $script:Job['last_error'] = $cause
        $final = $_.Exception.GetBaseException().Data.Contains('final')
        Write-Log -Message ($name + ' at ' + $_.InvocationInfo.PositionMessage)
        if ($final -or $Attempt -ge $script:MaxAttempts) {
            Set-Failure -Name $name -Message $cause -Seconds $clock.Elapsed.TotalSeconds
            return $true
        }
        Send-Progress -Phase $name -State 'progress' -Message "attempt $Attempt of $($script:MaxAttempts) failed: $cause"
        return $false
    }
    Close-Phase -Name $name -Result 'done' -Seconds $clock.Elapsed.TotalSeconds
    Send-Progress -Phase $name -State 'done' -Message $message
    return $true
}

function Set-Failure {
    param([string]$Name, [string]$Message, [double]$Seconds)
    $script:Job['status'] = 'failed'
    Close-Phase -Name $Name -Result 'failed' -Seconds $Seconds
    Send-Progress -Phase $Name -State 'failed' -Message $Message
    Send-LogBlob
}

# The log beside the artefact, for people who cannot reach the machine. Its failure changes nothing.
function Send-LogBlob {
    try {
        $text = Get-LogTail -Count 1048576
        Set-Blob -Name ($script:Values['ARTEFACT_NAME'] + '.guest.log') -Text $text -ContentType 'text/plain; charset=utf-8'
    } catch {
        Write-Log -Message ('the log was not uploaded: ' + (Get-Cause -Problem $_))
    }
}
