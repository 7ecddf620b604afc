# What every part of the guest relies on: strict rules, TLS 1.2, and where things are.
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
[Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12

$script:Root = Join-Path $env:ProgramData 'vhdlift'
$script:AgentPath = Join-Path $script:Root 'agent.ps1'
$script:LogPath = Join-Path $script:Root 'agent.log'
$script:StatePath = Join-Path $script:Root 'state.json'
$script:ValuesPath = Join-Path $script:Root 'values.dpapi'
$script:OutboxPath = Join-Path $script:Root 'outbox'
$script:ToolsPath = Join-Path $script:Root 'tools'
$script:BeforePath = Join-Path $script:Root 'before'
$script:TaskName = 'vhdlift'
$script:MutexName = 'Global\vhdlift'
$script:AgentBegins = '# [agent begins]'
$script:AgentEnds = '# [agent ends]'
$script:MaxAttempts = 3
$script:HeartbeatSeconds = 60

$script:Values = @{}
$script:Job = $null
$script:OutboxNext = 0
$script:OutboxFailures = 0
$script:ExitCode = 0
$script:PhaseClock = [Diagnostics.Stopwatch]::StartNew()
$script:Phases = New-Object System.Collections.ArrayList

# A phase of the agent: its name and the work. Phases run in the order in which they are added. The work returns the
# sentence it ends with, or New-Skipped. A phase that is optional is skipped where another would end the job.
function Add-Phase {
    param([string]$Name, [scriptblock]$Work, [switch]$Optional)
    [void]$script:Phases.Add(@{ name = $Name; work = $Work; optional = [bool]$Optional })
}

# What a phase returns that had nothing to do, or could not.
function New-Skipped {
    param([string]$Message)
    return @{ state = 'skipped'; message = $Message }
}

# Ends the phase for a restart of Windows; after it the same phase goes on, and no attempt is counted.
function Stop-ForRestart {
    param([string]$Message)
    $problem = New-Object System.InvalidOperationException $Message
    $problem.Data['restart'] = $true
    throw $problem
}

# An error that another attempt cannot mend.
function Stop-Final {
    param([string]$Message)
    $problem = New-Object System.InvalidOperationException $Message
    $problem.Data['final'] = $true
    throw $problem
}

function Get-UtcText {
    return [DateTime]::UtcNow.ToString('yyyy-MM-ddTHH:mm:ssZ', [Globalization.CultureInfo]::InvariantCulture)
}

# Seconds since 1970.
function Get-Epoch {
    return [DateTimeOffset]::UtcNow.ToUnixTimeSeconds()
}

# TIME_SCALE: by which every wait is multiplied; 1 on a real machine.
function Get-Scale {
    return [double]::Parse($script:Values['TIME_SCALE'], [Globalization.CultureInfo]::InvariantCulture)
}

function Wait-Scaled {
    param([double]$Seconds)
    Start-Sleep -Milliseconds ([int](1000 * $Seconds * (Get-Scale)))
}

# Bytes for people, with the exact number where it matters to write both.
function Format-Bytes {
    param([int64]$Bytes)
    $gib = ($Bytes / 1gb).ToString('0.0', [Globalization.CultureInfo]::InvariantCulture)
    return "$gib GiB"
}
