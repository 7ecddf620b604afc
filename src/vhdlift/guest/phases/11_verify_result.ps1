# verify_result: the finished file, read as a stranger would read it, mounted once more to be read by Windows, and its
# SHA-256.
function Invoke-VerifyResult {
    Dismount-Image
    $vhd = Get-Fact -Name 'vhd_path'
    $size = [int64](Get-Fact -Name 'virtual_size')
    $footer = [Vhdlift.Footer]::Read($vhd)
    Assert-Sound -Problem $footer.Problem -What 'the result'
    if ($footer.Size -ne $size) {
        Stop-Final -Message "the result: the footer says $($footer.Size) bytes, promised are $size"
    }
    $layout = [Vhdlift.Layout]::Read($vhd, $size)
    Assert-Sound -Problem $layout.Problem -What 'the result'
    if (-not $layout.BackupAtEnd) {
        Stop-Final -Message 'the result: the backup GPT is not at the end of the disk'
    }
    Invoke-WithImage -Access 'ReadOnly' -Work { Assert-Readable } | Out-Null
    $work = [Vhdlift.HashWork]::new($vhd)
    $work.Start()
    Wait-Work -Work $work -Phase 'verify_result' -Verb 'hashed'
    Set-Fact -Name 'sha256' -Value $work.Hex
    return "SHA-256 $($work.Hex)"
}

# Windows takes the cut disk and its file system for whole, and its own files are in it.
function Assert-Readable {
    $letter = Get-ImageLetter -Offset ([int64](Get-Fact -Name 'windows_offset'))
    if (-not (Test-Path -LiteralPath ($letter + '\Windows\System32\config\SYSTEM'))) {
        Stop-Final -Message 'the result: Windows cannot be read in it any more'
    }
    $health = [string](Get-ImageVolume -Letter $letter).HealthStatus
    if ($health -ne 'Healthy') {
        Stop-Final -Message "the result: Windows' volume is said to be $health"
    }
}

Add-Phase -Name 'verify_result' -Work { Invoke-VerifyResult }
