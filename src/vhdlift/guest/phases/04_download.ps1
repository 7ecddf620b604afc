# download: the snapshot's written pages into a file of full length, resumed at its mark.
function Invoke-Download {
    $vhd = Get-Fact -Name 'vhd_path'
    $length = [int64](Get-Fact -Name 'source_length')
    $part = $vhd + '.part'
    $mark = $vhd + '.mark'
    if (-not (Test-Path -LiteralPath $vhd)) {
        Receive-Snapshot -Part $part -Mark $mark -Length $length
        [IO.File]::Move($part, $vhd)
    }
    $have = (Get-Item -LiteralPath $vhd).Length
    if ($have -ne $length) {
        throw "the download has $have bytes, the snapshot has $length"
    }
    return "$(Format-Bytes -Bytes $length), $(Format-Bytes -Bytes (Get-Fact -Name 'allocated_bytes')) of it in use"
}

function Receive-Snapshot {
    param([string]$Part, [string]$Mark, [int64]$Length)
    $url = $script:Values['SNAPSHOT_URL']
    $list = (Get-Fact -Name 'vhd_path') + '.pages'
    $at = [Vhdlift.Download]::Mark($Part, $Mark, $Length)
    if ($at -eq 0 -or -not (Test-Path -LiteralPath $list)) {
        Save-PageList -Url $url -Path $list -Length $Length
    }
    $spans = [Vhdlift.Pages]::Load($list)
    Set-Fact -Name 'allocated_bytes' -Value ([Vhdlift.Pages]::Sum($spans))
    Write-Log -Message "$($spans.Count) ranges, from byte $at on"
    $work = [Vhdlift.Download]::new($url, $Part, $Mark, $spans, $Length, 8, (Get-Scale))
    $work.Start()
    Wait-Work -Work $work -Phase 'download' -Verb 'downloaded'
}

function Save-PageList {
    param([string]$Url, [string]$Path, [int64]$Length)
    $work = [Vhdlift.Listing]::new($Url, $Length, (Get-Scale))
    $work.Start()
    Wait-Work -Work $work -Phase 'download' -Verb 'asking which pages were written'
    $spans = $work.Spans
    if ($null -eq $spans) {
        Write-Log -Message 'the snapshot does not list its pages: all of it is read'
        $spans = [Vhdlift.Pages]::Whole(0, $Length - 1)
    }
    if ($work.Unlisted -gt 0) {
        Write-Log -Message "$($work.Unlisted) parts of 16 GiB were not listed and are read as a whole; the last because: $($work.Reason)"
    }
    [Vhdlift.Pages]::Save($Path, $spans)
}

Add-Phase -Name 'download' -Work { Invoke-Download }
