# inspect: what is on the disk, before anything is changed: encryption, Windows, how full it is, whether it fits.
function Invoke-Inspect {
    $vhd = Get-Fact -Name 'vhd_path'
    $size = [int64](Get-Fact -Name 'source_size')
    if ((Test-Fact -Name 'changes') -and @(Get-Fact -Name 'changes').Count -gt 0) {
        return 'was looked at before; the copy has been changed since'
    }
    Dismount-Image
    Save-Before -Vhd $vhd -Size $size
    Write-NewIds -Vhd $vhd -Size $size
    $layout = [Vhdlift.Layout]::Read($vhd, $size)
    Assert-Sound -Problem $layout.Problem -What 'the source'
    Assert-NotEncrypted -Volumes $layout.Volumes
    Resolve-Identifier -Vhd $vhd -Size $size -Ids $layout.Ids
    Find-Windows -Volumes $layout.Volumes
    Set-Fact -Name 'system_offset' -Value (Get-SystemOffset -Volumes $layout.Volumes)
    Assert-Room -Volumes $layout.Volumes -Size $size
    $used = Format-Bytes -Bytes (Get-Fact -Name 'windows_used')
    return "Windows $(Get-Fact -Name 'windows_version') in partition $(Get-Fact -Name 'windows_partition') uses $used of $(Format-Bytes -Bytes (Get-Fact -Name 'windows_size'))"
}

# The first and last sectors and the footer as they were, for a look back; kept from the first attempt only.
function Save-Before {
    param([string]$Vhd, [int64]$Size)
    New-PrivateFolder -Path $script:BeforePath
    $path = Join-Path $script:BeforePath 'ends.bin'
    if (-not (Test-Path -LiteralPath $path)) {
        [Vhdlift.Layout]::SaveEnds($Vhd, $Size, $path)
    }
}

# What is encrypted stays unreadable outside Azure, and its key is not in the disk.
function Assert-NotEncrypted {
    param($Volumes)
    foreach ($volume in $Volumes) {
        if ($volume.Contents -eq 'bitlocker') {
            Stop-Final -Message "partition $($volume.Number) ($($volume.Size) bytes) is encrypted with BitLocker, which Azure Disk Encryption uses too: decrypt it on the source VM first"
        }
    }
}

# A disk made from the same image as this machine's can have the same identifiers; Windows would keep it offline.
function Resolve-Identifier {
    param([string]$Vhd, [int64]$Size, [string[]]$Ids)
    $taken = @(Get-TakenIds)
    $same = @($Ids | Where-Object { $taken -contains $_ })
    if ($same.Count -eq 0 -or (Test-Fact -Name 'new_ids')) {
        return
    }
    Write-Log -Message "the disk and its partitions get new identifiers, because this machine has $($same -join ', ') too"
    Set-Fact -Name 'old_ids' -Value $Ids
    Set-Fact -Name 'new_ids' -Value ([Vhdlift.Identifiers]::Fresh($Ids))
    Write-NewIds -Vhd $Vhd -Size $Size
}

# The identifiers of this machine's disks and their partitions.
function Get-TakenIds {
    foreach ($disk in @(Get-Disk)) {
        if ([string]$disk.PartitionStyle -eq 'MBR') {
            '{0:x8}' -f [int64]$disk.Signature
            continue
        }
        ([string]$disk.Guid).Trim('{', '}')
        foreach ($part in @(Get-Partition -DiskNumber $disk.Number -ErrorAction SilentlyContinue)) {
            ([string]$part.Guid).Trim('{', '}')
        }
    }
}

# They are in the state before they are on the disk: after a crash between the two, or while they were written, the
# next attempt writes the same ones.
function Write-NewIds {
    param([string]$Vhd, [int64]$Size)
    if (Test-Fact -Name 'new_ids') {
        [Vhdlift.Layout]::SetIds($Vhd, $Size, [string[]]@(Get-Fact -Name 'new_ids'))
    }
}

# Looked for read-only first. A source that was not stopped can need its file system's log worked off before Windows
# reads it, and that takes a disk that can be written.
function Find-Windows {
    param($Volumes)
    $likely = @($Volumes | Where-Object { $_.Contents -eq 'ntfs' -and -not $_.IsRecovery })
    try {
        $found = Invoke-WithImage -Access 'ReadOnly' -Work { Read-Windows -Volumes $likely } | Select-Object -Last 1
    } catch {
        $found = $false
        Write-Log -Message ('looking for Windows, read-only: ' + (Get-Cause -Problem $_))
    }
    if (-not $found) {
        $found = Invoke-WithImage -Access 'ReadWrite' -Work { Read-Windows -Volumes $likely } | Select-Object -Last 1
    }
    if (-not $found) {
        $seen = @($likely | ForEach-Object { "partition $($_.Number) of $($_.Size) bytes" }) -join ', '
        Stop-Final -Message "no Windows was found: of $($Volumes.Count) partitions, $($likely.Count) are NTFS and not for recovery ($seen)"
    }
}

# Where Windows is, how full its volume is, and which Windows it is; true when it is there.
function Read-Windows {
    param($Volumes)
    foreach ($volume in $Volumes) {
        $letter = Get-ImageLetter -Offset $volume.Offset
        if (-not (Test-Path -LiteralPath ($letter + '\Windows\System32\config\SYSTEM'))) {
            continue
        }
        $room = Get-ImageVolume -Letter $letter
        Set-Fact -Name 'windows_partition' -Value $volume.Number
        Set-Fact -Name 'windows_offset' -Value $volume.Offset
        Set-Fact -Name 'windows_size' -Value $volume.Size
        Set-Fact -Name 'windows_used' -Value ([int64]($room.Size - $room.SizeRemaining))
        Set-Fact -Name 'windows_version' -Value (Get-KernelVersion -Windows $letter)
        return $true
    }
    return $false
}

function Get-KernelVersion {
    param([string]$Windows)
    $kernel = $Windows + '\Windows\System32\ntoskrnl.exe'
    if (-not (Test-Path -LiteralPath $kernel)) {
        return 'of an unknown version'
    }
    return [string][Diagnostics.FileVersionInfo]::GetVersionInfo($kernel).ProductVersion
}

# Where the files for the start belong: the EFI system partition, the active one, or Windows' own.
function Get-SystemOffset {
    param($Volumes)
    foreach ($volume in $Volumes) {
        if ($volume.Kind -eq [Vhdlift.Volume]::Efi -or $volume.Active) {
            return $volume.Offset
        }
    }
    return [int64](Get-Fact -Name 'windows_offset')
}

# Too small is told now and not after hours: NTFS wants a tenth of air, and one MiB stays behind the last partition.
function Assert-Room {
    param($Volumes, [int64]$Size)
    $final = Get-FinalSize -Size $Size
    if ($final -eq $Size) {
        return
    }
    $start = [int64](Get-Fact -Name 'windows_offset')
    $used = [int64](Get-Fact -Name 'windows_used')
    $least = $start + [int64]($used * 1.1) + 1mb
    if ($least -gt $final) {
        Stop-Final -Message "the target may have $final bytes ($(Format-Bytes -Bytes $final)), Windows uses $used bytes ($(Format-Bytes -Bytes $used)): at least $least bytes ($(Format-Bytes -Bytes $least)) are needed"
    }
    foreach ($volume in $Volumes) {
        if ($volume.Offset -ne $start -and -not $volume.IsRecovery -and $volume.End -gt $final - 1mb) {
            Stop-Final -Message "partition $($volume.Number) ends at byte $($volume.End), the target may have $final bytes: only Windows' own partition is shrunk, and only recovery partitions are removed"
        }
    }
}

# The size that the finished disk has: the source's, or the target's if that is smaller; whole MiB.
function Get-FinalSize {
    param([int64]$Size)
    $target = [int64]$script:Values['TARGET_SIZE_BYTES']
    $target = $target - $target % 1mb
    if ($target -gt 0 -and $target -lt $Size) {
        return $target
    }
    return $Size
}

Add-Phase -Name 'inspect' -Work { Invoke-Inspect }
