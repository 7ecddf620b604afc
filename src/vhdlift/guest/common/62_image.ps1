# The copy of the disk, mounted in this Windows by what Windows brings along: no Hyper-V is needed. Whatever a killed
# attempt left mounted is taken down first. Letters are given only to what is worked on, and taken away again.
$script:HiveName = 'vhdlift'
$script:ImageDisk = -1

function Invoke-WithImage {
    param([string]$Access, [scriptblock]$Work)
    Dismount-Image
    $vhd = Get-Fact -Name 'vhd_path'
    Mount-DiskImage -ImagePath $vhd -StorageType VHD -Access $Access -NoDriveLetter -Confirm:$false | Out-Null
    $problem = $null
    try {
        $script:ImageDisk = Open-ImageDisk -Vhd $vhd -Access $Access
        & $Work
    } catch {
        $problem = $_
    }
    Close-Image -Problem $problem
    if ($null -ne $problem) {
        throw $problem
    }
}

# The work's own error is the one that counts: another of the dismounting is only logged beside it.
function Close-Image {
    param($Problem)
    try {
        Dismount-Image
    } catch {
        if ($null -eq $Problem) {
            throw
        }
        Write-Log -Message ('dismounting: ' + (Get-Cause -Problem $_))
    }
}

# The number of its disk, once Windows shows it with its partitions: attaching ends before that. A disk that Windows
# finds strange stays offline or read-only until it is told otherwise.
function Open-ImageDisk {
    param([string]$Vhd, [string]$Access)
    $number = Wait-Found -Seconds 60 -What 'the disk of the attached image' -Find { (Get-DiskImage -ImagePath $Vhd -StorageType VHD).Number }
    $disk = Wait-Found -Seconds 60 -What "disk $number" -Find { Get-Disk -Number $number -ErrorAction SilentlyContinue }
    if ($disk.IsOffline) {
        Set-Disk -Number $number -IsOffline $false
    }
    if ($Access -eq 'ReadWrite' -and (Get-Disk -Number $number).IsReadOnly) {
        Set-Disk -Number $number -IsReadOnly $false
    }
    Update-Disk -Number $number -ErrorAction SilentlyContinue
    Wait-Found -Seconds 60 -What "a partition of disk $number" -Find { Get-Partition -DiskNumber $number -ErrorAction SilentlyContinue } | Out-Null
    return [int]$number
}

# What `Find` finds, asked twice a second; an error that names it when there is nothing after `Seconds`.
function Wait-Found {
    param([int]$Seconds, [string]$What, [scriptblock]$Find)
    for ($ask = 0; $ask -le 2 * $Seconds; $ask++) {
        $found = & $Find
        if ($null -ne $found) {
            return $found
        }
        Wait-Scaled -Seconds 0.5
    }
    throw "Windows did not show $What within $Seconds seconds"
}

function Dismount-Image {
    Close-Hive
    $vhd = Get-Fact -Name 'vhd_path'
    $image = Get-Image -Vhd $vhd
    if ($null -eq $image -or -not $image.Attached) {
        return
    }
    if ($null -ne $image.Number) {
        Remove-Letters -Disk $image.Number
    }
    Dismount-DiskImage -ImagePath $vhd -StorageType VHD -Confirm:$false | Out-Null
}

# Windows refuses to look at a file that is no VHD: such a file is not attached. One that is attached cannot be read.
function Get-Image {
    param([string]$Vhd)
    try {
        return Get-DiskImage -ImagePath $Vhd -StorageType VHD
    } catch {
        $cause = Get-Cause -Problem $_
        if (-not (Test-NoVhd -Path $Vhd)) {
            throw
        }
        Write-Log -Message "the image is not attached, because it is no VHD: $cause"
        return $null
    }
}

function Test-NoVhd {
    param([string]$Path)
    try {
        return [Vhdlift.Footer]::Read($Path).Problem -ne ''
    } catch {
        return $false
    }
}

# A letter that stays is a nuisance; an image that stays attached because of it would end the work.
function Remove-Letters {
    param([int]$Disk)
    foreach ($part in @(Get-Partition -DiskNumber $Disk -ErrorAction SilentlyContinue)) {
        foreach ($path in @(Get-Letters -Part $part)) {
            try {
                Remove-PartitionAccessPath -DiskNumber $Disk -PartitionNumber $part.PartitionNumber -AccessPath $path -Confirm:$false
            } catch {
                Write-Log -Message ("taking $path away: " + (Get-Cause -Problem $_))
            }
        }
    }
}

# The partition that starts at this byte of the disk.
function Get-ImagePartition {
    param([int64]$Offset)
    return Wait-Found -Seconds 15 -What "the partition at byte $Offset" -Find {
        Get-Partition -DiskNumber $script:ImageDisk -ErrorAction SilentlyContinue | Where-Object { $_.Offset -eq $Offset } | Select-Object -First 1
    }
}

# Its letter, such as `F:`; one is given if it has none.
function Get-ImageLetter {
    param([int64]$Offset)
    $part = Get-ImagePartition -Offset $Offset
    if (@(Get-Letters -Part $part).Count -eq 0) {
        Add-PartitionAccessPath -DiskNumber $script:ImageDisk -PartitionNumber $part.PartitionNumber -AssignDriveLetter
    }
    $path = Wait-Found -Seconds 15 -What "a letter of the partition at byte $Offset" -Find {
        Get-Letters -Part (Get-ImagePartition -Offset $Offset) | Select-Object -First 1
    }
    return $path.Substring(0, 2)
}

# The volume of that letter, with its size and health.
function Get-ImageVolume {
    param([string]$Letter)
    return Wait-Found -Seconds 15 -What "the volume $Letter" -Find {
        Get-Volume -DriveLetter $Letter.Substring(0, 1) -ErrorAction SilentlyContinue
    }
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
