# finalize_vhd: the file becomes what is promised: cut to its size, both GPTs whole, one fixed-VHD footer. Doing it
# again gives the same bytes, because time and id are kept in the state.
function Invoke-FinalizeVhd {
    Dismount-Image
    $vhd = Get-Fact -Name 'vhd_path'
    $size = [int64](Get-Fact -Name 'virtual_size')
    if ($size % 1mb -ne 0) {
        Stop-Final -Message "the disk has $size bytes: not whole MiB, as Azure and the target want it"
    }
    Set-FooterFacts
    $source = [int64](Get-Fact -Name 'source_size')
    Assert-Ends -Vhd $vhd -Size $size
    [Vhdlift.Layout]::Fit($vhd, $size)
    $made = [DateTimeOffset]::FromUnixTimeSeconds([int64](Get-Fact -Name 'footer_epoch')).UtcDateTime
    $id = [Convert]::FromBase64String((Get-Fact -Name 'footer_id'))
    [Vhdlift.Footer]::Write($vhd, $size, $made, $id)
    if ($size -lt $source) {
        Set-Change -Text "the disk was cut from $source to $size bytes, its partition table fitted to that"
    }
    Set-Change -Text 'the VHD footer was written anew'
    return "a fixed VHD of $size bytes"
}

# Nothing is cut off that a partition holds.
function Assert-Ends {
    param([string]$Vhd, [int64]$Size)
    $layout = [Vhdlift.Layout]::Read($Vhd, ((Get-Item -LiteralPath $Vhd).Length - [Vhdlift.Footer]::Length))
    if ($layout.End -gt $Size) {
        Stop-Final -Message "a partition ends at byte $($layout.End), the disk is to have $Size bytes: nothing was cut"
    }
}

function Set-FooterFacts {
    if (Test-Fact -Name 'footer_id') {
        return
    }
    Set-Fact -Name 'footer_epoch' -Value (Get-Epoch)
    Set-Fact -Name 'footer_id' -Value ([Convert]::ToBase64String([Guid]::NewGuid().ToByteArray()))
}

Add-Phase -Name 'finalize_vhd' -Work { Invoke-FinalizeVhd }
