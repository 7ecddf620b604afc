# verify_result: the finished file, read as a stranger would read it, and its SHA-256.
function Invoke-VerifyResult {
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
    $work = [Vhdlift.HashWork]::new($vhd)
    $work.Start()
    Wait-Work -Work $work -Phase 'verify_result' -Verb 'hashed'
    Set-Fact -Name 'sha256' -Value $work.Hex
    return "SHA-256 $($work.Hex)"
}

Add-Phase -Name 'verify_result' -Work { Invoke-VerifyResult }
