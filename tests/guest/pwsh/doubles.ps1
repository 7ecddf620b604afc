# What only Windows has, as functions, for runs of the guest under PowerShell 7 on Linux. A function hides a cmdlet of
# its name, and one that is read later hides an earlier one. What must outlive a process is kept as files in the
# folder GUEST_WORLD; what was done is a line of its deeds.txt.
$script:World = $env:GUEST_WORLD

function Write-Deed {
    param([string]$Text)
    [IO.File]::AppendAllText((Join-Path $script:World 'deeds.txt'), $Text + "`n")
}

# Ends this process as a power cut would.
function Stop-Now {
    [Diagnostics.Process]::GetCurrentProcess().Kill()
    Start-Sleep -Seconds 60
}

# Rights and DPAPI: folders without rights, values as they are.
function New-PrivateFolder {
    param([string]$Path)
    [void][IO.Directory]::CreateDirectory($Path)
}

function New-ServiceFolder {
    param([string]$Path, [string]$Rights)
    New-PrivateFolder -Path $Path
    Write-Deed -Text "folder $([IO.Path]::GetFileName($Path.Replace('\', '/'))) $Rights"
}

function Assert-System {
    Write-Deed -Text 'asked for SYSTEM'
}

function Save-Values {
    [IO.File]::WriteAllText($script:ValuesPath, (ConvertTo-JsonText -Value $script:Values))
}

# PowerShell 7 makes a time of what looks like one; 5.1 leaves it as text.
function Open-Values {
    $script:Values = Read-JsonFile -Path $script:ValuesPath
    if ($script:Values['SAS_EXPIRES'] -is [DateTime]) {
        $script:Values['SAS_EXPIRES'] = $script:Values['SAS_EXPIRES'].ToString('yyyy-MM-ddTHH:mm:ssZ')
    }
    Register-Secrets
}

# Scheduled tasks: one file each.
function New-ScheduledTaskAction {
    param([string]$Execute, [string]$Argument = '', [string]$WorkingDirectory = '')
    return @{ execute = $Execute; argument = $Argument }
}

function New-ScheduledTaskTrigger {
    param([switch]$AtStartup, [switch]$Once, $At, $RepetitionInterval)
    if ($AtStartup) {
        return 'startup'
    }
    return "every $($RepetitionInterval.TotalMinutes) minutes"
}

function New-ScheduledTaskPrincipal {
    param([string]$UserId, [string]$LogonType, [string]$RunLevel)
    return "$UserId $RunLevel"
}

function New-ScheduledTaskSettingsSet {
    param([int]$Priority, [string]$MultipleInstances, $ExecutionTimeLimit, [switch]$StartWhenAvailable, [switch]$AllowStartIfOnBatteries, [switch]$DontStopIfGoingOnBatteries)
    return "$MultipleInstances $($ExecutionTimeLimit.TotalSeconds) $Priority"
}

function Register-ScheduledTask {
    param([string]$TaskName, $Action, $Trigger, $Principal, $Settings, [switch]$Force)
    $text = "$($Action['execute']) $($Action['argument'])`n$($Trigger -join ', ')`n$Principal`n$Settings"
    [IO.File]::WriteAllText((Join-Path $script:World "task-$TaskName"), $text)
    return $TaskName
}

function Get-ScheduledTask {
    [CmdletBinding()]
    param([string]$TaskName)
    if (Test-Path -LiteralPath (Join-Path $script:World "task-$TaskName")) {
        return $TaskName
    }
}

function Start-ScheduledTask {
    param([string]$TaskName)
    Write-Deed -Text "started $TaskName"
}

function Stop-ScheduledTask {
    param([string]$TaskName)
    Write-Deed -Text "stopped $TaskName"
}

function Unregister-ScheduledTask {
    [CmdletBinding(SupportsShouldProcess)]
    param([string]$TaskName)
    Remove-Item -LiteralPath (Join-Path $script:World "task-$TaskName") -Force
}

# A restart makes an end of what waited for one.
function Restart-Computer {
    param([switch]$Force)
    Write-Deed -Text 'restarted Windows'
    if ((Get-FeatureState) -eq 'EnablePending') {
        [IO.File]::WriteAllText((Join-Path $script:World 'feature'), 'Enabled')
    }
}

# Programs: a signature is good, and marks what it is of as a program, which a zip on Linux does not.
function Get-AuthenticodeSignature {
    param([string]$LiteralPath)
    & chmod '+x' $LiteralPath
    return [pscustomobject]@{
        Status = 'Valid'
        SignerCertificate = [pscustomobject]@{ Subject = 'CN=Microsoft Corporation, O=Microsoft Corporation, C=US' }
    }
}

# Hyper-V: the file `feature` has its state; without it this Windows knows none.
function Get-FeatureState {
    $path = Join-Path $script:World 'feature'
    if (Test-Path -LiteralPath $path) {
        return [IO.File]::ReadAllText($path)
    }
    return ''
}

function Get-WindowsOptionalFeature {
    [CmdletBinding()]
    param([switch]$Online, [string]$FeatureName)
    if ((Get-FeatureState) -eq '' -or $FeatureName -ne 'Microsoft-Hyper-V') {
        return $null
    }
    return [pscustomobject]@{ FeatureName = $FeatureName; State = (Get-FeatureState) }
}

function Enable-WindowsOptionalFeature {
    param([switch]$Online, [string]$FeatureName, [switch]$All, [switch]$NoRestart)
    Write-Deed -Text "enabled $FeatureName"
    [IO.File]::WriteAllText((Join-Path $script:World 'feature'), 'EnablePending')
    return [pscustomobject]@{ RestartNeeded = $true }
}

function Get-WinEvent {
    [CmdletBinding()]
    param($FilterHashtable, [int]$MaxEvents)
    return $null
}

# A runspace of its own would not know the functions of this file.
function Invoke-Slowly {
    param([string]$Command, $Parameters, [string]$Verb)
    return @(& $Command @Parameters)
}

# Graphics card: the one of a machine without one. Firewall: what was opened.
function Get-CimInstance {
    param([string]$ClassName)
    return [pscustomobject]@{ Name = 'Microsoft Hyper-V Video'; PNPDeviceID = 'VMBUS\{da0a7802}' }
}

function Get-NetFirewallRule {
    [CmdletBinding()]
    param([string]$Name, [string]$DisplayName)
    return $null
}

function Remove-NetFirewallRule {
    [CmdletBinding()]
    param([Parameter(ValueFromPipeline)]$Rule)
    process {
        if ($null -ne $Rule) {
            throw 'no rule was there'
        }
    }
}

function New-NetFirewallRule {
    param([string]$Name, [string]$DisplayName, [string]$Direction, [string]$Action, [string]$Protocol, [int]$LocalPort, [string]$Program)
    Write-Deed -Text "opened $Protocol $LocalPort for $([IO.Path]::GetFileName($Program))"
}
