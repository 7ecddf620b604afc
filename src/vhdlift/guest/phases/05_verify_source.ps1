# verify_source: is this a fixed VHD with a disk in it that we understand? Changes nothing.
function Invoke-VerifySource {
    $vhd = Get-Fact -Name 'vhd_path'
    $footer = [Vhdlift.Footer]::Read($vhd)
    Assert-Sound -Problem $footer.Problem -What 'the source'
    $layout = [Vhdlift.Layout]::Read($vhd, $footer.Size)
    Assert-Sound -Problem $layout.Problem -What 'the source'
    Set-Fact -Name 'source_size' -Value $footer.Size
    Set-Fact -Name 'scheme' -Value $layout.Scheme
    return "$($footer.Size) bytes, $($layout.Scheme), $($layout.Partitions) partitions"
}

# Reading the same bytes again would find the same.
function Assert-Sound {
    param([string]$Problem, [string]$What)
    if ($Problem -ne '') {
        Stop-Final -Message "${What}: $Problem"
    }
}

Add-Phase -Name 'verify_source' -Work { Invoke-VerifySource }
