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
    [Vhdlift.Files]::Replace($script:StatePath, (ConvertTo-JsonText -Value $script:Job), ($script:StatePath + '.old'))
}

# A machine that loses its power can keep a file whose bytes never reached the disk: then the one before it serves,
# and the phase that was told about last is done again.
function Open-Job {
    try {
        $script:Job = Read-JsonFile -Path $script:StatePath
        if ($script:Job -isnot [System.Collections.IDictionary]) {
            throw 'it holds no table'
        }
    } catch {
        $before = $script:StatePath + '.old'
        if (-not (Test-Path -LiteralPath $before)) {
            throw
        }
        Write-Log -Message ('the state cannot be read, the one before is taken: ' + (Get-Cause -Problem $_))
        $script:Job = Read-JsonFile -Path $before
        $script:Job['sequence'] = [int64]$script:Job['sequence'] + 1
    }
}

# The job of this run, as the last program left it; a new one if there is none, or only another run's.
function Open-OrNewJob {
    if ((Test-Path -LiteralPath $script:StatePath) -or (Test-Path -LiteralPath ($script:StatePath + '.old'))) {
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

# The seconds of a phase, those of earlier attempts and of a program before a restart included.
function Get-Spent {
    param([string]$Name, [double]$Seconds)
    $before = 0
    if ($script:Job['timings'].Contains($Name)) {
        $before = [double]$script:Job['timings'][$Name]
    }
    return [Math]::Round($before + $Seconds, 1)
}

# The end of a phase: its time, and a line of the history.
function Close-Phase {
    param([string]$Name, [string]$Result, [double]$Seconds)
    $spent = Get-Spent -Name $Name -Seconds $Seconds
    $script:Job['timings'][$Name] = $spent
    [void]$script:Job['history'].Add([ordered]@{ phase = $Name; state = $Result; seconds = $spent })
    if ($Result -ne 'failed') {
        [void]$script:Job['done'].Add($Name)
    }
    Save-Job
}
