# preflight: everything that can be known before hours of work, with the numbers.
function Invoke-Preflight {
    $length = Get-SnapshotLength
    Set-Fact -Name 'source_length' -Value $length
    $hours = Get-HoursLeft
    if ($hours -lt 1) {
        Stop-Final -Message "the signatures end in $hours hours: too little for the work"
    }
    $folder = Find-WorkFolder -Needed ($length + 5gb)
    Set-Fact -Name 'work_folder' -Value $folder
    Set-Fact -Name 'vhd_path' -Value (Join-Path $folder 'disk.vhd')
    Test-Container
    return "the source has $(Format-Bytes -Bytes $length), the work is done in $folder, the signatures last $hours hours"
}

# Content-Length of the snapshot; also whether it can be read in ranges, and whether the clock is right.
function Get-SnapshotLength {
    $url = $script:Values['SNAPSHOT_URL']
    $answer = [Vhdlift.Web]::Send('HEAD', $url, @{ 'x-ms-version' = [Vhdlift.Web]::StorageVersion }, $null, 60000)
    Assert-Clock -Date ($answer.Header('Date'))
    if (-not $answer.Ok) {
        throw "the snapshot cannot be read: $($answer.Summary)"
    }
    $status = [Vhdlift.Web]::Range($url, 0, 511, (New-Object byte[] 512), 60000)
    if ($status -ne 206) {
        throw "the snapshot cannot be read in ranges: the server answered $status"
    }
    return [int64]$answer.Header('Content-Length')
}

# A SAS is judged by the clock of the service: a wrong clock here looks like a wrong signature.
function Assert-Clock {
    param([string]$Date)
    if ($Date -eq '') {
        return
    }
    $theirs = [DateTimeOffset]::Parse($Date, [Globalization.CultureInfo]::InvariantCulture)
    $minutes = [Math]::Abs(([DateTimeOffset]::UtcNow - $theirs).TotalMinutes)
    if ($minutes -gt 15) {
        throw "the clock of this machine is wrong by $([Math]::Round($minutes)) minutes"
    }
}

function Get-HoursLeft {
    $culture = [Globalization.CultureInfo]::InvariantCulture
    $ends = [DateTimeOffset]::Parse($script:Values['SAS_EXPIRES'], $culture)
    return [Math]::Floor(($ends - [DateTimeOffset]::UtcNow).TotalHours)
}

# A write is tried at the place where everything will be told.
function Test-Container {
    $progress = New-Progress -Phase 'preflight' -State 'progress' -Message 'the container can be written' -Done $null -Total $null
    Send-ProgressBlob -Progress $progress
}

# A folder on a volume with enough room; the one of an earlier attempt is taken again, for what lies in it.
function Find-WorkFolder {
    param([int64]$Needed)
    if ((Test-Fact -Name 'work_folder') -and (Test-Path -LiteralPath (Get-Fact -Name 'work_folder'))) {
        return Get-Fact -Name 'work_folder'
    }
    $best = Get-RoomiestVolume
    if ($best.SizeRemaining -lt $Needed) {
        Expand-Room -Needed $Needed
        $best = Get-RoomiestVolume
    }
    if ($best.SizeRemaining -lt $Needed) {
        Stop-Final -Message "the largest free room is $($best.SizeRemaining) bytes on $($best.DriveLetter):, the work needs $Needed"
    }
    $folder = "$($best.DriveLetter):\vhdlift-work"
    New-PrivateFolder -Path $folder
    return $folder
}

# The temporary disk of Azure is left out: it is empty after every deallocation.
function Get-RoomiestVolume {
    return Get-Volume | Where-Object {
        [string]$_.DriveLetter -match '^[A-Z]$' -and $_.DriveType -eq 'Fixed' -and $_.FileSystem -eq 'NTFS' -and $_.FileSystemLabel -ne 'Temporary Storage'
    } | Sort-Object -Property 'SizeRemaining' -Descending | Select-Object -First 1
}

# An image's partition keeps its size when the disk of the machine is made larger; what lies behind it is ours
# to take. Then come empty data disks, but for the local ones of some sizes, which lose all when the machine is
# deallocated. One that fails is logged: the numbers are looked at again afterwards.
function Expand-Room {
    param([int64]$Needed)
    foreach ($way in @({ Expand-SystemVolume }, { Add-SystemVolume }, { Add-DataVolumes })) {
        try {
            & $way | Out-Null
        } catch {
            Write-Log -Message ("${way}: " + (Get-Cause -Problem $_))
        }
        if ((Get-RoomiestVolume).SizeRemaining -ge $Needed) {
            return
        }
    }
}

function Expand-SystemVolume {
    $letter = $env:SystemDrive.Substring(0, 1)
    $part = Get-Partition -DriveLetter $letter
    $most = (Get-PartitionSupportedSize -DriveLetter $letter).SizeMax
    if ($most -gt $part.Size + 1gb) {
        Resize-Partition -DriveLetter $letter -Size $most -Confirm:$false
    }
}

function Add-SystemVolume {
    $part = Get-Partition -DriveLetter $env:SystemDrive.Substring(0, 1)
    $disk = Get-Disk -Number $part.DiskNumber
    if ($disk.LargestFreeExtent -gt 10gb) {
        Add-Volume -Number $disk.Number
    }
}

function Add-DataVolumes {
    foreach ($disk in @(Get-Disk | Where-Object { $_.PartitionStyle -eq 'RAW' -and $_.FriendlyName -notlike '*NVMe Direct Disk*' })) {
        Initialize-Disk -Number $disk.Number -PartitionStyle GPT -Confirm:$false
        Add-Volume -Number $disk.Number
    }
}

function Add-Volume {
    param([int]$Number)
    New-Partition -DiskNumber $Number -UseMaximumSize -AssignDriveLetter |
        Format-Volume -FileSystem NTFS -AllocationUnitSize 65536 -NewFileSystemLabel 'vhdlift' -Confirm:$false |
        Out-Null
}

Add-Phase -Name 'preflight' -Work { Invoke-Preflight }
