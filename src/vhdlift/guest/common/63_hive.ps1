# The registry of the Windows on the copy: its SYSTEM file, loaded beside ours.
function Open-Hive {
    param([string]$Windows)
    $run = Invoke-Native -Path (Get-SystemProgram -Name 'reg.exe') -Arguments @('load', ('HKLM\' + $script:HiveName), ($Windows + '\Windows\System32\config\SYSTEM')) -Verb 'loading the registry'
    Assert-Native -Run $run -What 'reg load'
}

function Test-Hive {
    $key = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey($script:HiveName)
    if ($null -eq $key) {
        return $false
    }
    $key.Dispose()
    return $true
}

# A key that is still held by an object that nobody uses any more keeps the file loaded; so those are collected first.
function Close-Hive {
    for ($try = 1; $try -le 10; $try++) {
        if (-not (Test-Hive)) {
            return
        }
        [GC]::Collect()
        [GC]::WaitForPendingFinalizers()
        $run = Invoke-Native -Path (Get-SystemProgram -Name 'reg.exe') -Arguments @('unload', ('HKLM\' + $script:HiveName)) -Verb 'unloading the registry'
        if ($run['code'] -ne 0) {
            Write-Log -Message "reg unload ended with $($run['code']): $($run['last'])"
            Wait-Scaled -Seconds 2
        }
    }
    if (Test-Hive) {
        throw 'the registry of the copy cannot be unloaded'
    }
}

function Test-HiveKey {
    param([string]$Key)
    $found = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey($script:HiveName + '\' + $Key)
    if ($null -eq $found) {
        return $false
    }
    $found.Dispose()
    return $true
}

function Get-HiveKeys {
    param([string]$Key)
    $found = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey($script:HiveName + '\' + $Key)
    if ($null -eq $found) {
        return @()
    }
    try {
        return @($found.GetSubKeyNames())
    } finally {
        $found.Dispose()
    }
}

# A number, or nothing.
function Get-HiveNumber {
    param([string]$Key, [string]$Name)
    return [Microsoft.Win32.Registry]::GetValue('HKEY_LOCAL_MACHINE\' + $script:HiveName + '\' + $Key, $Name, $null)
}

function Set-HiveNumber {
    param([string]$Key, [string]$Name, [int]$Value)
    $before = Get-HiveNumber -Key $Key -Name $Name
    if ($before -eq $Value) {
        return
    }
    $kind = [Microsoft.Win32.RegistryValueKind]::DWord
    [Microsoft.Win32.Registry]::SetValue('HKEY_LOCAL_MACHINE\' + $script:HiveName + '\' + $Key, $Name, $Value, $kind)
    if ($null -eq $before) {
        $before = 'nothing'
    }
    Set-Change -Text "registry SYSTEM\${Key}: $Name was $before, is $Value"
}

function Remove-HiveKey {
    param([string]$Key)
    if (Test-HiveKey -Key $Key) {
        [Microsoft.Win32.Registry]::LocalMachine.DeleteSubKeyTree($script:HiveName + '\' + $Key)
        Set-Change -Text "registry SYSTEM\${Key}: removed"
    }
}

# Windows keeps its drive letters by the identifiers of disk and partitions: the new ones take the place of the old.
function Set-MountedDevices {
    param([string[]]$Old, [string[]]$New)
    $devices = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey($script:HiveName + '\MountedDevices', $true)
    if ($null -eq $devices) {
        return
    }
    $kind = [Microsoft.Win32.RegistryValueKind]::Binary
    try {
        foreach ($name in @($devices.GetValueNames())) {
            if ($devices.GetValueKind($name) -ne $kind) {
                continue
            }
            $value = [Vhdlift.Identifiers]::Remount([byte[]]$devices.GetValue($name), $Old, $New)
            if ($null -ne $value) {
                $devices.SetValue($name, [byte[]]$value, $kind)
                Set-Change -Text "registry SYSTEM\MountedDevices: $name follows the new identifiers"
            }
        }
    } finally {
        $devices.Dispose()
    }
}
