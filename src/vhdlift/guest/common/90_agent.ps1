# The agent: goes on with the phase at which the last program stopped, until all are done or one has failed.
function Start-Agent {
    $mutex = New-Object System.Threading.Mutex -ArgumentList $false, $script:MutexName
    if (-not (Enter-Mutex -Mutex $mutex -Seconds 180)) {
        return
    }
    try {
        Open-Job
        if (Test-Over) {
            Unregister-Agent
            return
        }
        Open-Values
        Invoke-Job
    } catch {
        $script:ExitCode = 1
        Write-Log -Message ('the agent stopped: ' + (Get-Cause -Problem $_))
    } finally {
        $mutex.ReleaseMutex()
        $mutex.Dispose()
    }
}

# All is done and the values are gone: only the task was left, by a kill in the last moment.
function Test-Over {
    return $script:Job['status'] -eq 'done' -and -not (Test-Path -LiteralPath $script:ValuesPath)
}

# By hand, after the cause of a failure is gone: the failed phase gets all its attempts again. The task does the work,
# because what runs this may end it with itself.
function Request-Resume {
    $mutex = New-Object System.Threading.Mutex -ArgumentList $false, $script:MutexName
    if (-not (Enter-Mutex -Mutex $mutex -Seconds 20)) {
        [Console]::Out.WriteLine('the agent is at work: nothing to resume')
        return
    }
    try {
        Open-Job
        if (-not (Test-Path -LiteralPath $script:ValuesPath)) {
            $script:ExitCode = 1
            [Console]::Out.WriteLine('the work is done: nothing to resume')
            return
        }
        $script:Job['status'] = 'working'
        $script:Job['attempts'] = [ordered]@{}
        Save-Job
        Write-Log -Message 'resumed by hand'
        Register-Agent
    } finally {
        $mutex.ReleaseMutex()
        $mutex.Dispose()
    }
    Start-ScheduledTask -TaskName $script:TaskName
    [Console]::Out.WriteLine('the agent works again')
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
        if ($script:Job['status'] -eq 'restarting') {
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
    $script:Job['status'] = 'working'
    while ($true) {
        $attempt = 1
        if ($script:Job['attempts'].Contains($name)) {
            $attempt = 1 + [int]$script:Job['attempts'][$name]
        }
        if ($attempt -gt $script:MaxAttempts) {
            Set-Failure -Phase $Phase -Message ('given up after ' + $script:MaxAttempts + ' attempts; the last problem: ' + $script:Job['last_error']) -Seconds 0
            return
        }
        $script:Job['phase'] = $name
        $script:Job['attempts'][$name] = $attempt
        $script:Job['last_error'] = 'the program was stopped from outside'
        Send-Progress -Phase $name -State 'started' -Message "attempt $attempt of $($script:MaxAttempts)"
        if (Invoke-Attempt -Phase $Phase -Attempt $attempt | Select-Object -Last 1) {
            return
        }
        Wait-Scaled -Seconds (30 * $attempt)
    }
}

# True when there is nothing more to do for now: done, skipped, failed for good, or Windows restarts.
function Invoke-Attempt {
    param($Phase, [int]$Attempt)
    $script:PhaseClock = [Diagnostics.Stopwatch]::StartNew()
    try {
        $result = & $Phase['work'] | Select-Object -Last 1
    } catch {
        return Complete-Failure -Phase $Phase -Attempt $Attempt -Problem $_ -Seconds $script:PhaseClock.Elapsed.TotalSeconds
    }
    $state = 'done'
    $message = $result
    if ($result -is [hashtable]) {
        $state = $result['state']
        $message = $result['message']
    }
    Close-Phase -Name $Phase['name'] -Result $state -Seconds $script:PhaseClock.Elapsed.TotalSeconds
    Send-Progress -Phase $Phase['name'] -State $state -Message ([string]$message)
    return $true
}

function Complete-Failure {
    param($Phase, [int]$Attempt, $Problem, [double]$Seconds)
    $name = $Phase['name']
    $cause = Get-Cause -Problem $Problem
    $data = $Problem.Exception.GetBaseException().Data
    if ($data.Contains('restart')) {
        Restart-Machine -Name $name -Message $cause
        return $true
    }
    $script:Job['last_error'] = $cause
    Write-Log -Message ($name + ' at ' + $Problem.InvocationInfo.PositionMessage)
    if ($data.Contains('final') -or $Attempt -ge $script:MaxAttempts) {
        Set-Failure -Phase $Phase -Message $cause -Seconds $Seconds
        return $true
    }
    Send-Progress -Phase $name -State 'progress' -Message "attempt $Attempt of $($script:MaxAttempts) failed: $cause"
    return $false
}

# The attempt that asked for it is not counted: the phase goes on after it. The task starts the agent again.
function Restart-Machine {
    param([string]$Name, [string]$Message)
    $script:Job['attempts'][$Name] = [int]$script:Job['attempts'][$Name] - 1
    $script:Job['status'] = 'restarting'
    Send-Progress -Phase $Name -State 'progress' -Message $Message
    Restart-Computer -Force
}

# An optional phase is skipped, and the job goes on.
function Set-Failure {
    param($Phase, [string]$Message, [double]$Seconds)
    $name = $Phase['name']
    if ($Phase['optional']) {
        Close-Phase -Name $name -Result 'skipped' -Seconds $Seconds
        Send-Progress -Phase $name -State 'skipped' -Message $Message
        return
    }
    $script:Job['status'] = 'failed'
    Close-Phase -Name $name -Result 'failed' -Seconds $Seconds
    Send-Progress -Phase $name -State 'failed' -Message $Message
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
