# The scheduled task that starts the agent as SYSTEM: at every start of Windows, and every five minutes, so that
# an agent that was killed is back soon. A second one is not started while one runs.
function Register-Agent {
    $powershell = Join-Path $env:SystemRoot 'System32\WindowsPowerShell\v1.0\powershell.exe'
    $arguments = '-NoProfile -NonInteractive -ExecutionPolicy Bypass -File "' + $script:AgentPath + '"'
    $action = New-ScheduledTaskAction -Execute $powershell -Argument $arguments
    $startup = New-ScheduledTaskTrigger -AtStartup
    $repeat = New-ScheduledTaskTrigger -Once -At ((Get-Date).AddMinutes(5)) -RepetitionInterval (New-TimeSpan -Minutes 5)
    $principal = New-ScheduledTaskPrincipal -UserId 'S-1-5-18' -LogonType ServiceAccount -RunLevel Highest
    Register-ScheduledTask -TaskName $script:TaskName -Action $action -Trigger @($startup, $repeat) -Principal $principal -Settings (New-TaskSettings) -Force | Out-Null
}

# Of a task that runs for ever. Priority 4 is normal; the scheduler's own 7 slows down processor, disk and memory.
function New-TaskSettings {
    return New-ScheduledTaskSettingsSet -Priority 4 -MultipleInstances IgnoreNew -ExecutionTimeLimit ([TimeSpan]::Zero) -StartWhenAvailable -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries
}

function Stop-AgentTask {
    $task = Get-ScheduledTask -TaskName $script:TaskName -ErrorAction SilentlyContinue
    if ($null -ne $task) {
        Stop-ScheduledTask -TaskName $script:TaskName
    }
}

function Unregister-Agent {
    $task = Get-ScheduledTask -TaskName $script:TaskName -ErrorAction SilentlyContinue
    if ($null -ne $task) {
        Unregister-ScheduledTask -TaskName $script:TaskName -Confirm:$false
    }
}

# True when this process now is the only one that works. A mutex whose owner was killed is ours as well.
function Enter-Mutex {
    param([System.Threading.Mutex]$Mutex, [int]$Seconds)
    try {
        return $Mutex.WaitOne([TimeSpan]::FromSeconds($Seconds))
    } catch {
        if ($_.Exception.GetBaseException() -is [System.Threading.AbandonedMutexException]) {
            return $true
        }
        throw
    }
}
