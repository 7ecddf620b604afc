# finalize_vhd: the file becomes what is promised: both GPTs whole, one fixed-VHD footer. Doing it again gives
# the same bytes, because time and id are kept in the state.
function Invoke-FinalizeVhd {
    $vhd = Get-Fact -Name 'vhd_path'
    $size = [int64](Get-Fact -Name 'source_size')
    Assert-Fits -Size $size
    if ($size % 1mb -ne 0) {
        Stop-Final -Message "the disk has $size bytes: not whole MiB, as Azure and the target want it"
    }
    Save-Before -Vhd $vhd -Size $size
    Set-FooterFacts
    Repair-BackupGpt -Vhd $vhd -Size $size
    $made = [DateTimeOffset]::FromUnixTimeSeconds([int64](Get-Fact -Name 'footer_epoch')).UtcDateTime
    $id = [Convert]::FromBase64String((Get-Fact -Name 'footer_id'))
    [Vhdlift.Footer]::Write($vhd, $size, $made, $id)
    Set-Change -Text 'the VHD footer was written anew'
    Set-Fact -Name 'virtual_size' -Value $size
    return "a fixed VHD of $size bytes"
}

# The first and last sectors and the footer as they were, for a look back; kept from the first attempt only.
function Save-Before {
    param([string]$Vhd, [int64]$Size)
    New-PrivateFolder -Path $script:BeforePath
    $path = Join-Path $script:BeforePath 'ends.bin'
    if (Test-Path -LiteralPath $path) {
        return
    }
    [Vhdlift.Layout]::SaveEnds($Vhd, $Size, $path)
}

function Set-FooterFacts {
    if (Test-Fact -Name 'footer_id') {
        return
    }
    Set-Fact -Name 'footer_epoch' -Value (Get-Epoch)
    Set-Fact -Name 'footer_id' -Value ([Convert]::ToBase64String([Guid]::NewGuid().ToByteArray()))
}

# A disk that was made larger can have its backup GPT in the middle still.
function Repair-BackupGpt {
    param([string]$Vhd, [int64]$Size)
    $layout = [Vhdlift.Layout]::Read($Vhd, $Size)
    if ($layout.Scheme -eq 'gpt' -and -not $layout.BackupAtEnd) {
        [Vhdlift.Layout]::FitGpt($Vhd, $Size)
        Set-Change -Text 'the backup GPT was moved to the end of the disk'
    }
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
    }
}

Add-Phase -Name 'finalize_vhd' -Work { Invoke-FinalizeVhd }
