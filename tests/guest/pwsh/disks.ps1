# Disks: disk 0 is this machine's; the image is disk 7 while the file `attached` is there. Nobody can read a file that is
# attached: it lies elsewhere meanwhile. Its disk, its partitions and their letters show at the second ask only. Its
# partitions are those in its bytes, and a letter of one is a file, and a drive whose root is the folder volumes/<number>.
$script:Asked = @{}

function Get-Attached {
    return Join-Path $script:World 'attached.vhd'
}

function Test-Attached {
    return Test-Path -LiteralPath (Join-Path $script:World 'attached')
}

# False the first time that it is asked since the image was attached.
function Test-Shown {
    param([string]$What)
    $shown = $script:Asked.ContainsKey($What)
    $script:Asked[$What] = $true
    return $shown
}

function Get-DiskImage {
    [CmdletBinding()]
    param([string]$ImagePath, [string]$StorageType)
    $number = $null
    if ((Test-Attached) -and (Test-Shown -What 'disk')) {
        $number = 7
    }
    return [pscustomobject]@{ ImagePath = $ImagePath; Attached = (Test-Attached); Number = $number }
}

function Mount-DiskImage {
    [CmdletBinding(SupportsShouldProcess)]
    param([string]$ImagePath, [string]$StorageType, [string]$Access, [switch]$NoDriveLetter)
    if (Test-Attached) {
        throw 'the image is attached already'
    }
    $script:Asked = @{}
    [IO.File]::WriteAllText((Join-Path $script:World 'attached'), $Access)
    [IO.File]::Move($ImagePath, (Get-Attached))
    Write-Deed -Text "mounted $Access"
}

function Dismount-DiskImage {
    [CmdletBinding(SupportsShouldProcess)]
    param([string]$ImagePath, [string]$StorageType)
    [IO.File]::Move((Get-Attached), $ImagePath)
    foreach ($path in [IO.Directory]::GetFiles($script:World, 'letter-*')) {
        Remove-Letter -Number ([int]($path -replace '^.*letter-', ''))
    }
    Remove-Item -LiteralPath (Join-Path $script:World 'attached') -Force
    Write-Deed -Text 'dismounted'
}

function Get-Disk {
    [CmdletBinding()]
    param([int]$Number = 0)
    return [pscustomobject]@{
        Number = $Number; IsOffline = $false; IsReadOnly = $false; PartitionStyle = 'GPT'; Signature = 0
        Guid = '{00000000-1111-2222-3333-444444444444}'; LargestFreeExtent = 0; FriendlyName = 'Virtual Disk'
    }
}

function Set-Disk {
    param([int]$Number, $IsOffline, $IsReadOnly)
    throw 'the disk of the test is online and writable'
}

function Update-Disk {
    [CmdletBinding()]
    param([int]$Number)
}

function Get-Partition {
    [CmdletBinding()]
    param([int]$DiskNumber)
    if ($DiskNumber -eq 0) {
        return [pscustomobject]@{ PartitionNumber = 1; Guid = "{$env:GUEST_TAKEN}"; Offset = 1mb; Size = 1gb; AccessPaths = @('C:\') }
    }
    if (-not (Test-Attached) -or -not (Test-Shown -What 'partitions')) {
        return
    }
    $size = (Get-Item -LiteralPath (Get-Attached)).Length - 512
    foreach ($volume in [Vhdlift.Layout]::Read((Get-Attached), $size).Volumes) {
        $paths = @("\\?\Volume{$($volume.Number)}\")
        $letter = Join-Path $script:World "letter-$($volume.Number)"
        if ((Test-Path -LiteralPath $letter) -and (Test-Shown -What $letter)) {
            $paths += (Get-Letter -Number $volume.Number) + ':\'
        }
        [pscustomobject]@{ PartitionNumber = $volume.Number; Guid = "{$($volume.Id)}"; Offset = $volume.Offset; Size = $volume.Size; AccessPaths = $paths }
    }
}

function Get-Letter {
    param([int]$Number)
    return [string][char](69 + $Number)
}

function Add-PartitionAccessPath {
    param([int]$DiskNumber, [int]$PartitionNumber, [switch]$AssignDriveLetter)
    $root = Join-Path $script:World "volumes/$PartitionNumber"
    [void][IO.Directory]::CreateDirectory($root)
    [IO.File]::WriteAllText((Join-Path $script:World "letter-$PartitionNumber"), '')
    New-PSDrive -Name (Get-Letter -Number $PartitionNumber) -PSProvider FileSystem -Root $root -Scope Global | Out-Null
}

function Remove-PartitionAccessPath {
    [CmdletBinding(SupportsShouldProcess)]
    param([int]$DiskNumber, [int]$PartitionNumber, [string]$AccessPath)
    if ($env:GUEST_KEEPS_LETTERS) {
        throw 'the letter is in use'
    }
    Remove-Letter -Number $PartitionNumber
}

function Remove-Letter {
    param([int]$Number)
    Remove-Item -LiteralPath (Join-Path $script:World "letter-$Number") -Force
    Remove-PSDrive -Name (Get-Letter -Number $Number) -Scope Global -ErrorAction SilentlyContinue
}

function Get-Volume {
    [CmdletBinding()]
    param([string]$DriveLetter = '')
    return [pscustomobject]@{
        DriveLetter = 'C'; DriveType = 'Fixed'; FileSystem = 'NTFS'; FileSystemLabel = ''; HealthStatus = 'Healthy'
        Size = 20mb; SizeRemaining = [int64]$env:GUEST_FREE
    }
}

function Get-PartitionSupportedSize {
    param([int]$DiskNumber, [int]$PartitionNumber)
    return [pscustomobject]@{ SizeMin = [int64]$env:GUEST_LEAST; SizeMax = 20mb }
}

function Resize-Partition {
    [CmdletBinding(SupportsShouldProcess)]
    param([int]$DiskNumber, [int]$PartitionNumber, [int64]$Size)
    Edit-Table -Words @('resize', "$PartitionNumber", "$Size")
}

function Remove-Partition {
    [CmdletBinding(SupportsShouldProcess)]
    param([int]$DiskNumber, [int]$PartitionNumber)
    Edit-Table -Words @('remove', "$PartitionNumber")
}

# The bytes are changed by the package that the tests trust.
function Edit-Table {
    param([string[]]$Words)
    & $env:GUEST_PYTHON -m tests.guest.pwsh.table (Get-Attached) @Words
    if ($LASTEXITCODE -ne 0) {
        throw "the table was not changed: $LASTEXITCODE"
    }
    Write-Deed -Text ($Words -join ' ')
}

# The registry of the copy: the file `hive` while it is loaded, a file for each number.
function Open-Hive {
    param([string]$Windows)
    [IO.File]::WriteAllText((Join-Path $script:World 'hive'), '')
}

function Test-Hive {
    return Test-Path -LiteralPath (Join-Path $script:World 'hive')
}

function Close-Hive {
    if (Test-Hive) {
        Remove-Item -LiteralPath (Join-Path $script:World 'hive') -Force
    }
}

function Test-HiveKey {
    param([string]$Key)
    return $Key -notlike '*WindowsAzureTelemetryService*'
}

function Get-HiveKeys {
    param([string]$Key)
    return @('Current', '{01234567-89ab-cdef-0123-456789abcdef}')
}

function Set-MountedDevices {
    param([string[]]$Old, [string[]]$New)
    Write-Deed -Text "letters follow from $($Old -join ' ') to $($New -join ' ')"
}

function Get-NumberPath {
    param([string]$Key, [string]$Name)
    return Join-Path $script:World ('number-' + [Uri]::EscapeDataString("$Key $Name"))
}

function Get-HiveNumber {
    param([string]$Key, [string]$Name)
    $path = Get-NumberPath -Key $Key -Name $Name
    if (Test-Path -LiteralPath $path) {
        return [int][IO.File]::ReadAllText($path)
    }
    if ($Name -eq 'Current') {
        return 1
    }
    return $null
}

function Set-HiveNumber {
    param([string]$Key, [string]$Name, [int]$Value)
    if ((Get-HiveNumber -Key $Key -Name $Name) -ne $Value) {
        [IO.File]::WriteAllText((Get-NumberPath -Key $Key -Name $Name), "$Value")
        Set-Change -Text "registry SYSTEM\${Key}: $Name is $Value"
    }
}

function Remove-HiveKey {
    param([string]$Key)
    Set-Change -Text "registry SYSTEM\${Key}: removed"
}
