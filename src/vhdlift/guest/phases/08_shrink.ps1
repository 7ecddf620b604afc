# shrink: Windows itself makes its NTFS and the partition smaller, on the mounted copy. The file is cut afterwards, by
# finalize_vhd.
function Invoke-Shrink {
    $size = [int64](Get-Fact -Name 'source_size')
    $final = Get-FinalSize -Size $size
    Set-Fact -Name 'virtual_size' -Value $final
    if ($final -eq $size) {
        return New-Skipped -Message "the disk keeps its $(Format-Bytes -Bytes $size)"
    }
    Dismount-Image
    $volumes = [Vhdlift.Layout]::Read((Get-Fact -Name 'vhd_path'), $size).Volumes
    Invoke-WithImage -Access 'ReadWrite' -Work {
        Remove-RecoveryBehind -Volumes $volumes -Limit ($final - 1mb)
        Set-WindowsEnd -Limit ($final - 1mb)
    } | Out-Null
    return "from $(Format-Bytes -Bytes $size) to $(Format-Bytes -Bytes $final)"
}

# A recovery partition behind the limit cannot stay where it is. Windows starts without it. The volumes were read before
# the file was attached: nobody can open it meanwhile. It is told before it is done, as the attempt after a crash finds
# nothing to do any more; while it stays, the phase fails.
function Remove-RecoveryBehind {
    param($Volumes, [int64]$Limit)
    foreach ($volume in $Volumes) {
        if (-not $volume.IsRecovery -or $volume.End -le $Limit) {
            continue
        }
        $part = Get-ImagePartition -Offset $volume.Offset
        Set-Fact -Name 'recovery_removed' -Value $true
        Set-Change -Text "the recovery partition $($volume.Number) ($($volume.Size) bytes) behind Windows was removed"
        Remove-Partition -DiskNumber $script:ImageDisk -PartitionNumber $part.PartitionNumber -Confirm:$false
    }
}

# Three rounds: files that cannot be moved are often freed by a defragmentation.
function Set-WindowsEnd {
    param([int64]$Limit)
    $offset = [int64](Get-Fact -Name 'windows_offset')
    $part = Get-ImagePartition -Offset $offset
    if ($offset + $part.Size -le $Limit) {
        return
    }
    $wanted = $Limit - $offset
    $wanted = $wanted - $wanted % 1mb
    $target = @{ DiskNumber = $script:ImageDisk; PartitionNumber = $part.PartitionNumber }
    for ($round = 1; $round -le 3; $round++) {
        $least = [int64](@(Invoke-Slowly -Command 'Get-PartitionSupportedSize' -Parameters $target -Verb 'asking how small it can get')[0].SizeMin)
        Write-Log -Message "round ${round}: Windows' partition can shrink to $least bytes, wanted are $wanted"
        $why = Resize-WindowsPartition -Target $target -Size $wanted -Least $least
        if ($why -eq '') {
            Set-Change -Text "Windows' partition was shrunk from $($part.Size) to $wanted bytes"
            return
        }
        if ($round -lt 3) {
            Optimize-ImageVolume -Letter (Get-ImageLetter -Offset $offset)
        }
    }
    $smallest = $offset + $least + 2mb
    $smallest = $smallest - $smallest % 1mb
    Stop-Final -Message "the disk cannot be made as small as $($Limit + 1mb) bytes: $why. With this content it can have $smallest bytes ($(Format-Bytes -Bytes $smallest)) at the least.$(Get-Blocker)"
}

# Nothing when it was done, else why not.
function Resize-WindowsPartition {
    param($Target, [int64]$Size, [int64]$Least)
    if ($Least -gt $Size) {
        return "Windows' partition cannot shrink below $Least bytes"
    }
    try {
        Invoke-Slowly -Command 'Resize-Partition' -Parameters ($Target + @{ Size = $Size; Confirm = $false }) -Verb 'shrinking' | Out-Null
    } catch {
        $cause = Get-Cause -Problem $_
        Write-Log -Message $cause
        return $cause
    }
    return ''
}

# Free space is brought together (/X) at normal priority (/H). However it ends, the next round shows what it was good for.
function Optimize-ImageVolume {
    param([string]$Letter)
    try {
        $run = Invoke-Native -Path (Get-SystemProgram -Name 'defrag.exe') -Arguments @($Letter, '/X', '/H') -Verb 'defragmenting'
        Write-Log -Message "defrag ended with $($run['code']): $($run['last'])"
    } catch {
        Write-Log -Message ('defragmenting: ' + (Get-Cause -Problem $_))
    }
}

# The event 259 of the application log names the last file that could not be moved.
function Get-Blocker {
    $event259 = Get-WinEvent -FilterHashtable @{ LogName = 'Application'; Id = 259 } -MaxEvents 1 -ErrorAction SilentlyContinue
    if ($null -eq $event259) {
        return ''
    }
    return ' Windows says: ' + ([string]$event259.Message -replace '\s+', ' ')
}

Add-Phase -Name 'shrink' -Work { Invoke-Shrink }
