# hyperv: switched on where it was asked for and can work. Nothing after it needs it, so it never ends the export.
$script:MetadataUrl = 'http://169.254.169.254/metadata/instance/compute?api-version=2021-12-13'
$script:MaxRestarts = 2

function Invoke-HyperV {
    $wish = $script:Values['HYPER_V']
    if ($wish -eq 'off') {
        return New-Skipped -Message 'off by the settings'
    }
    $feature = Get-HyperVFeature
    if ($null -eq $feature) {
        return New-Skipped -Message 'this edition of Windows has no Hyper-V'
    }
    if ([string]$feature.State -eq 'Enabled') {
        return 'Hyper-V is on'
    }
    if ($wish -eq 'auto') {
        $why = Get-NestingProblem
        if ($why -ne '') {
            return New-Skipped -Message $why
        }
    }
    return Enable-HyperV -Name $feature.FeatureName -State ([string]$feature.State)
}

# Windows client has the one name, Windows Server the other.
function Get-HyperVFeature {
    foreach ($name in @('Microsoft-Hyper-V-All', 'Microsoft-Hyper-V')) {
        $feature = Get-WindowsOptionalFeature -Online -FeatureName $name -ErrorAction SilentlyContinue
        if ($null -ne $feature) {
            return $feature
        }
    }
    return $null
}

function Enable-HyperV {
    param([string]$Name, [string]$State)
    $restart = $State -eq 'EnablePending'
    if (-not $restart) {
        try {
            $result = @(Invoke-Slowly -Command 'Enable-WindowsOptionalFeature' -Parameters @{ Online = $true; FeatureName = $Name; All = $true; NoRestart = $true } -Verb 'switching Hyper-V on')
            $restart = $result.Count -gt 0 -and [bool]$result[0].RestartNeeded
        } catch {
            return New-Skipped -Message ('Windows refused: ' + (Get-Cause -Problem $_))
        }
    }
    if (-not $restart) {
        return 'Hyper-V was switched on'
    }
    $restarts = 0
    if (Test-Fact -Name 'hyperv_restarts') {
        $restarts = [int](Get-Fact -Name 'hyperv_restarts')
    }
    if ($restarts -ge $script:MaxRestarts) {
        return New-Skipped -Message "Windows still wants a restart after $restarts of them"
    }
    Set-Fact -Name 'hyperv_restarts' -Value ($restarts + 1)
    Stop-ForRestart -Message 'Hyper-V needs a restart of Windows'
}

# Why a virtual machine could not run inside this one; nothing when it could. Azure's own metadata says what it is.
# Sizes: the feature tables of Azure's pages of the Dsv3, Dsv5, Dasv5 and Ddsv6 series.
function Get-NestingProblem {
    $answer = $null
    try {
        $answer = [Vhdlift.Web]::Send('GET', $script:MetadataUrl, @{ 'Metadata' = 'true' }, $null, 5000)
    } catch {
        return 'the size of this machine is not known: ' + (Get-Cause -Problem $_)
    }
    if (-not $answer.Ok) {
        return "the size of this machine is not known: the metadata service answered $($answer.Summary)"
    }
    $compute = ConvertTo-Table -Value (ConvertFrom-Json -InputObject $answer.Text)
    $size = [string]$compute['vmSize']
    if ($size -notmatch '^Standard_D[0-9]+(s_v3|s_v5|as_v5|ds_v6)$') {
        return "the size $size is not known to allow virtual machines inside"
    }
    $security = $compute['securityProfile']
    if ($null -ne $security -and ([string]$security['securityType'] -eq 'TrustedLaunch' -or [string]$security['secureBootEnabled'] -eq 'true')) {
        return 'the security type Trusted Launch keeps virtual machines from running inside'
    }
    return ''
}

Add-Phase -Name 'hyperv' -Work { Invoke-HyperV } -Optional
