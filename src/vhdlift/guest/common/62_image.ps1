# The copy of the disk, mounted in this Windows by what Windows brings along: no Hyper-V is needed. Whatever a killed
# attempt left mounted is taken down first. Letters are given only to what is worked on, and taken away again.
$script:HiveName = 'vhdlift'
$script:ImageDisk = -1

function Invoke-WithImage {
    param([string]$Access, [scriptblock]$Work)
    Dismount-Image
    $vhd = Get-Fact -Name 'vhd_path'
    Mount-DiskImage -ImagePath $vhd -StorageType VHD -Access $Access -NoDriveLetter -Confirm:$false | Out-Null
    try {
        $script:ImageDisk = Open-ImageDisk -Vhd $vhd -Access $Access
        & $Work
    } finally {
        Dismount-Image
    }
}

# The number of its disk. A disk that Windows finds strange stays offline or read-only until it is told otherwise.
function Open-ImageDisk {
    param([string]$Vhd, [string]$Access)
    $disk = Get-DiskImage -ImagePath $Vhd -StorageType VHD | Get-Disk
    $number = [int]$disk.Number
    if ($disk.IsOffline) {
        Set-Disk -Number $number -IsOffline $false
    }
    if ($Access -eq 'ReadWrite' -and (Get-Disk -Number $number).IsReadOnly) {
        Set-Disk -Number $number -IsReadOnly $false
    }
    return $number
}

function Dismount-Image {
    Close-Hive
    $vhd = Get-Fact -Name 'vhd_path'
    $image = Get-DiskImage -ImagePath $vhd -StorageType VHD
    if (-not $image.Attached) {
        return
    }
    $disk = $image | Get-Disk
    foreach ($part in @(Get-Partition -DiskNumber $disk.Number -ErrorAction SilentlyContinue)) {
        foreach ($path in @(Get-Letters -Part $part)) {
            Remove-PartitionAccessPath -DiskNumber $disk.Number -PartitionNumber $part.PartitionNumber -AccessPath $path -Confirm:$false
        }
    }
    Dismount-DiskImage -ImagePath $vhd -StorageType VHD -Confirm:$false | Out-Null
}

# The partition that starts at this byte of the disk, or nothing.
function Get-ImagePartition {
    param([int64]$Offset)
    return Get-Partition -DiskNumber $script:ImageDisk | Where-Object { $_.Offset -eq $Offset } | Select-Object -First 1
}

# Its letter, such as `F:`; one is given if it has none.
function Get-ImageLetter {
    param([int64]$Offset)
    $part = Get-ImagePartition -Offset $Offset
    if (@(Get-Letters -Part $part).Count -eq 0) {
        Add-PartitionAccessPath -DiskNumber $script:ImageDisk -PartitionNumber $part.PartitionNumber -AssignDriveLetter
        $part = Get-ImagePartition -Offset $Offset
    }
    $letters = @(Get-Letters -Part $part)
    if ($letters.Count -eq 0) {
        throw "Windows gave no letter to the partition at byte $Offset"
    }
    return $letters[0].Substring(0, 2)
}

function Get-Letters {
    param($Part)
    return @($Part.AccessPaths | Where-Object { $_ -match '^[A-Z]:\\$' })
}

# What the manifest says about the difference to the source; each once.
function Set-Change {
    param([string]$Text)
    $changes = @()
    if (Test-Fact -Name 'changes') {
        $changes = @(Get-Fact -Name 'changes')
    }
    if ($changes -notcontains $Text) {
        Set-Fact -Name 'changes' -Value @($changes + $Text)
        Write-Log -Message "changed: $Text"
    }
}
