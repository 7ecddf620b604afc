# upload: the file by AzCopy, as a page blob (holes are not sent) or a block blob; looked at afterwards, marked with its
# sum, the manifest last. What is there and equal already is not sent again.
function Invoke-Upload {
    $vhd = Get-Fact -Name 'vhd_path'
    $length = (Get-Item -LiteralPath $vhd).Length
    Stop-StrayAzCopy
    $said = 'was there already, and equal'
    if (-not (Test-Uploaded -Length $length)) {
        Send-Artefact -Vhd $vhd -Length $length
        Assert-Uploaded -Length $length
        Set-ArtefactSum
        $said = 'sent'
    }
    Send-Manifest -Length $length
    return "$length bytes ${said}, with the manifest"
}

function Get-BlobKind {
    if ($script:Values['BLOB_TYPE'] -eq 'block') {
        return 'BlockBlob'
    }
    return 'PageBlob'
}

# An AzCopy of an agent that was killed would write to the same blob.
function Stop-StrayAzCopy {
    $program = Get-ToolPath -File 'azcopy.exe'
    foreach ($stray in @(Get-Process -Name 'azcopy' -ErrorAction SilentlyContinue | Where-Object { $_.Path -eq $program })) {
        Write-Log -Message "ends the AzCopy of an earlier attempt, process $($stray.Id)"
        Stop-Process -Id $stray.Id -Force
        Wait-Process -Id $stray.Id -Timeout 30 -ErrorAction SilentlyContinue
    }
}

# AzCopy takes a SAS as part of its argument only. The argument is visible to administrators of this machine while
# AzCopy runs; it is never logged here, and AzCopy leaves it out of its own logs.
function Send-Artefact {
    param([string]$Vhd, [int64]$Length)
    $program = Get-ToolPath -File 'azcopy.exe'
    $url = Get-BlobUrl -Name $script:Values['ARTEFACT_NAME']
    $kind = Get-BlobKind
    $arguments = [string[]]@(
        'copy', $Vhd, $url, '--from-to=LocalBlob', "--blob-type=$kind", '--check-length=true',
        '--overwrite=true', '--output-type=json', '--log-level=WARNING'
    )
    $work = [Vhdlift.Native]::new($program, $arguments, (Get-AzCopyEnvironment))
    $work.Total = $Length
    $work.Start()
    $last = Watch-AzCopy -Work $work -Length $Length
    if ($work.Error -ne '') {
        throw $work.Error
    }
    if ($work.ExitCode -ne 0) {
        throw "AzCopy ended with $($work.ExitCode): $last"
    }
}

# Tells the percent that AzCopy says, every minute; returns the last thing it said that was not progress.
function Watch-AzCopy {
    param($Work, [int64]$Length)
    $clock = [Diagnostics.Stopwatch]::StartNew()
    $told = 0.0
    $percent = 0.0
    $last = ''
    while ($true) {
        $over = $Work.Finished
        $line = $Work.NextLine()
        while ($null -ne $line) {
            $message = Read-AzCopyLine -Line $line
            if ($message['type'] -eq 'Progress') {
                $percent = $message['percent']
            } elseif ($message['text'] -ne '') {
                $last = $message['text']
            }
            $line = $Work.NextLine()
        }
        if ($over) {
            return $last
        }
        $seconds = $clock.Elapsed.TotalSeconds
        if ($seconds - $told -ge $script:HeartbeatSeconds * (Get-Scale)) {
            $told = $seconds
            $sent = [int64]($Length * $percent / 100)
            Send-Progress -Phase 'upload' -State 'progress' -Message "AzCopy says $percent percent" -Done $sent -Total $Length
        }
        Start-Sleep -Milliseconds 250
    }
}

# One line of `--output-type json`: MessageType, and MessageContent, which is JSON in a string for progress.
function Read-AzCopyLine {
    param([string]$Line)
    $result = @{ type = ''; text = $Line; percent = 0.0 }
    if (-not $Line.StartsWith('{')) {
        return $result
    }
    try {
        $outer = ConvertTo-Table -Value (ConvertFrom-Json -InputObject $Line)
        $result['type'] = [string]$outer['MessageType']
        $result['text'] = [string]$outer['MessageContent']
        if ($result['type'] -eq 'Progress') {
            $inner = ConvertTo-Table -Value (ConvertFrom-Json -InputObject $result['text'])
            $result['percent'] = [Math]::Round([double]::Parse([string]$inner['PercentComplete'], [Globalization.CultureInfo]::InvariantCulture), 1)
        }
    } catch {
        Write-Log -Message ('a line of AzCopy was not understood: ' + $Line)
        $result['type'] = ''
    }
    return $result
}

function Get-Artefact {
    $url = Get-BlobUrl -Name $script:Values['ARTEFACT_NAME']
    return [Vhdlift.Web]::Send('HEAD', $url, @{ 'x-ms-version' = [Vhdlift.Web]::StorageVersion }, $null, 60000)
}

# True when the blob has the length, the type and the sum of the file. The sum is written after the last byte, so a
# page blob that was begun and has its full length from the start does not look complete.
function Test-Uploaded {
    param([int64]$Length)
    $answer = Get-Artefact
    if ($answer.Status -eq 404) {
        return $false
    }
    $same = $answer.Ok -and $answer.Header('x-ms-blob-type') -eq (Get-BlobKind) -and $answer.Header('Content-Length') -eq "$Length"
    return $same -and $answer.Header('x-ms-meta-sha256') -eq (Get-Fact -Name 'sha256')
}

function Assert-Uploaded {
    param([int64]$Length)
    $answer = Get-Artefact
    if (-not $answer.Ok) {
        throw "the artefact cannot be seen after the upload: $($answer.Summary)"
    }
    $kind = $answer.Header('x-ms-blob-type')
    $there = [int64]$answer.Header('Content-Length')
    $wanted = Get-BlobKind
    if ($there -ne $Length -or $kind -ne $wanted) {
        throw "the artefact is a $kind of $there bytes, sent was a $wanted of $Length bytes"
    }
}

function Set-ArtefactSum {
    $url = (Get-BlobUrl -Name $script:Values['ARTEFACT_NAME']) + '&comp=metadata'
    $headers = @{ 'x-ms-version' = [Vhdlift.Web]::StorageVersion; 'x-ms-meta-sha256' = (Get-Fact -Name 'sha256') }
    $answer = [Vhdlift.Web]::Send('PUT', $url, $headers, (New-Object byte[] 0), 60000)
    if (-not $answer.Ok) {
        Write-Log -Message "the sum was not written to the artefact: $($answer.Summary)"
    }
}

# Its presence means done, so it comes after everything else of the artefact. The upload is not over while it is
# written, and stands in its timings with what it took so far.
function Send-Manifest {
    param([int64]$Length)
    $timings = ConvertTo-Table -Value (ConvertFrom-Json -InputObject (ConvertTo-JsonText -Value $script:Job['timings']))
    $timings['upload'] = Get-Spent -Name 'upload' -Seconds $script:PhaseClock.Elapsed.TotalSeconds
    $manifest = [ordered]@{
        schema = 1
        run_id = $script:Values['RUN_ID']
        name = $script:Values['ARTEFACT_NAME']
        size = $Length
        virtual_size = Get-Fact -Name 'virtual_size'
        sha256 = Get-Fact -Name 'sha256'
        source = [ordered]@{ vm = $script:Values['SOURCE_VM']; size = Get-Fact -Name 'source_size' }
        started_at = $script:Job['started_at']
        finished_at = Get-UtcText
        timings = $timings
        changes = @(Get-Fact -Name 'changes')
    }
    Set-BlobSurely -Name ($script:Values['ARTEFACT_NAME'] + '.json') -Text (ConvertTo-JsonText -Value $manifest) -ContentType 'application/json'
}

Add-Phase -Name 'upload' -Work { Invoke-Upload }
