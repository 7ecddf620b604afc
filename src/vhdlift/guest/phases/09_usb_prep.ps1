# usb_prep: the Windows on the copy learns to start from a USB disk on another machine, from inside a VHD or written
# to the stick as it is. Each change is in the manifest. Nothing else of its settings is touched.
$script:UsbDrivers = @('USBXHCI', 'USBHUB3', 'USBSTOR', 'UASPStor', 'storahci', 'stornvme')
$script:AzureServices = @('WindowsAzureGuestAgent', 'RdAgent', 'WindowsAzureTelemetryService')
$script:BootFlags = 0x16

function Invoke-UsbPrep {
    Invoke-WithImage -Access 'ReadWrite' -Work {
        $windows = Get-ImageLetter -Offset ([int64](Get-Fact -Name 'windows_offset'))
        Open-Hive -Windows $windows
        Set-UsbRegistry
        if (Test-Fact -Name 'new_ids') {
            Set-MountedDevices -Old @(Get-Fact -Name 'old_ids') -New @(Get-Fact -Name 'new_ids')
        }
        Close-Hive
        Write-BootFiles -Windows $windows
    } | Out-Null
    if (Test-Fact -Name 'new_ids') {
        Set-Change -Text "the disk and its partitions have new identifiers in place of $(@(Get-Fact -Name 'old_ids') -join ', ')"
    }
    return "$(@(Get-Fact -Name 'changes').Count) changes so far, all in the manifest"
}

# BootDriverFlags: which drivers Windows loads first, as bits: 0x2 disks in a VHD, 0x4 USB disks, 0x10 USB 3 ("Specifying
# driver load order", Windows driver documentation). A machine's key has a GUID for a name; `Current` beside them can be a
# link into the registry of this Windows. SanPolicy 4 leaves the disks of the machine it starts on offline.
function Set-UsbRegistry {
    $set = 'ControlSet{0:D3}' -f [int](Get-HiveNumber -Key 'Select' -Name 'Current')
    foreach ($machine in @(Get-HiveKeys -Key 'HardwareConfig')) {
        if ($machine -notmatch '^\{[0-9A-Fa-f-]{36}\}$') {
            continue
        }
        $key = "HardwareConfig\$machine"
        $flags = [int](Get-HiveNumber -Key $key -Name 'BootDriverFlags')
        Set-HiveNumber -Key $key -Name 'BootDriverFlags' -Value ($flags -bor $script:BootFlags)
    }
    foreach ($driver in $script:UsbDrivers) {
        $key = "$set\Services\$driver"
        if (Test-HiveKey -Key $key) {
            Set-HiveNumber -Key $key -Name 'Start' -Value 0
            Remove-HiveKey -Key "$key\StartOverride"
        }
    }
    Set-HiveNumber -Key "$set\Services\partmgr\Parameters" -Name 'SanPolicy' -Value 4
    Set-HiveNumber -Key "$set\Control\BitLocker" -Name 'PreventDeviceEncryption' -Value 1
    foreach ($service in $script:AzureServices) {
        $key = "$set\Services\$service"
        if (Test-HiveKey -Key $key) {
            Set-HiveNumber -Key $key -Name 'Start' -Value 4
        }
    }
}

# The start files anew: they name the disk and its partitions by identifiers, which may have changed.
function Write-BootFiles {
    param([string]$Windows)
    $system = Get-ImageLetter -Offset ([int64](Get-Fact -Name 'system_offset'))
    $firmware = 'BIOS'
    $store = $system + '\Boot\BCD'
    if ((Get-Fact -Name 'scheme') -eq 'gpt') {
        $firmware = 'UEFI'
        $store = $system + '\EFI\Microsoft\Boot\BCD'
    }
    $run = Invoke-Native -Path (Get-SystemProgram -Name 'bcdboot.exe') -Arguments @(($Windows + '\Windows'), '/s', $system, '/f', $firmware) -Verb 'bcdboot is at work'
    Assert-Native -Run $run -What 'bcdboot'
    Set-Change -Text "the start files for $firmware were written anew by bcdboot"
    if (Test-Fact -Name 'recovery_removed') {
        $run = Invoke-Native -Path (Get-SystemProgram -Name 'bcdedit.exe') -Arguments @('/store', $store, '/set', '{default}', 'recoveryenabled', 'No') -Verb 'bcdedit is at work'
        Assert-Native -Run $run -What 'bcdedit'
        Set-Change -Text 'recovery was switched off in the start files, because its partition is gone'
    }
}

Add-Phase -Name 'usb_prep' -Work { Invoke-UsbPrep }
