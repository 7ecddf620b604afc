# What the agent knows after a crash or a restart: state.json, replaced as a whole at every change.
function New-Job {
    param([string]$RunId)
    return [ordered]@{
        schema = 1
        run_id = $RunId
        status = 'working'
        phase = 'bootstrap'
        sequence = 0
        started_at = Get-UtcText
        updated_at = Get-UtcText
        done = New-Object System.Collections.ArrayList
        attempts = [ordered]@{}
        timings = [ordered]@{}
        facts = [ordered]@{}
        history = New-Object System.Collections.ArrayList
        last_error = ''
    }
}

function Save-Job {
    $script:Job['updated_at'] = Get-UtcText
    Write-JsonFile -Path $script:StatePath -Value $script:Job
}

function Open-Job {
    $script:Job = Read-JsonFile -Path $script:StatePath
}

# The job of this run, as the last program left it; a new one if there is none, or only another run's.
function Open-OrNewJob {
    if (Test-Path -LiteralPath $script:StatePath) {
        Open-Job
        if ($script:Job['run_id'] -eq $script:Values['RUN_ID']) {
            return
        }
    }
    Remove-Tree -Path $script:OutboxPath
    New-PrivateFolder -Path $script:OutboxPath
    $script:Job = New-Job -RunId $script:Values['RUN_ID']
    Save-Job
}

function Set-Fact {
    param([string]$Name, $Value)
    $script:Job['facts'][$Name] = $Value
    Save-Job
}

# The fact, or an error that says which phase's work is missing.
function Get-Fact {
    param([string]$Name)
    if (-not $script:Job['facts'].Contains($Name)) {
        throw "the state has no '$Name': an earlier phase did not record it"
    }
    return $script:Job['facts'][$Name]
}

function Test-Fact {
    param([string]$Name)
    return $script:Job['facts'].Contains($Name)
}

# The end of a phase: its time, and a line of the history.
function Close-Phase {
    param([string]$Name, [string]$Result, [double]$Seconds)
    $before = 0
    if ($script:Job['timings'].Contains($Name)) {
        $before = [double]$script:Job['timings'][$Name]
    }
    $spent = [Math]::Round($before + $Seconds, 1)
    $script:Job['timings'][$Name] = $spent
    [void]$script:Job['history'].Add([ordered]@{ phase = $Name; state = $Result; seconds = $spent })
    if ($Result -ne 'failed') {
        [void]$script:Job['done'].Add($Name)
    }
    Save-Job
}
