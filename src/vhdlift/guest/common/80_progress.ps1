# Telling: each change of a phase goes to the blob <artefact>.progress.json and to the webhook. Neither can
# fail the work.
function New-WebhookBody {
    param($Progress)
    return [ordered]@{
        vm_name = $script:Values['VM_NAME']
        status = 'provisioning'
        resource_group = $script:Values['RESOURCE_GROUP']
        location = $script:Values['LOCATION']
        run_id = $Progress['run_id']
        sequence = $null
        details = [ordered]@{
            step = 'vhd_exported'
            state = $Progress['state']
            phase = $Progress['phase']
            reporter = 'guest'
            guest_sequence = $Progress['sequence']
            percent = $Progress['percent']
            bytes = $Progress['bytes']
            total = $Progress['total']
            message = $Progress['message']
            timestamp = $Progress['updated_at']
        }
    }
}

function Get-Attempt {
    param([string]$Phase)
    if ($script:Job['attempts'].Contains($Phase)) {
        return [int]$script:Job['attempts'][$Phase]
    }
    return 1
}

function New-Progress {
    param([string]$Phase, [string]$State, [string]$Message, $Done, $Total)
    $percent = $null
    if ($null -ne $Done -and $Total -gt 0) {
        $percent = [Math]::Round(100.0 * $Done / $Total, 1)
    }
    $tail = ''
    if ($State -eq 'failed') {
        $tail = Get-LogTail -Count 2048
    }
    $services = @{}
    if (Test-Fact -Name 'services') {
        $services = Get-Fact -Name 'services'
    }
    return [ordered]@{
        schema = 1
        run_id = $script:Values['RUN_ID']
        sequence = $script:Job['sequence']
        phase = $Phase
        state = $State
        percent = $percent
        bytes = $Done
        total = $Total
        message = [Vhdlift.Scrubber]::Clean($Message)
        attempt = Get-Attempt -Phase $Phase
        updated_at = Get-UtcText
        history = $script:Job['history']
        services = $services
        log_tail = $tail
    }
}

# The number is used up on the disk before anything is sent, so that it never comes twice.
function Send-Progress {
    param([string]$Phase, [string]$State, [string]$Message, $Done = $null, $Total = $null)
    $script:Job['sequence'] = [int64]$script:Job['sequence'] + 1
    Save-Job
    Write-Log -Message "$Phase ${State}: $Message"
    $progress = New-Progress -Phase $Phase -State $State -Message $Message -Done $Done -Total $Total
    try {
        Send-ProgressBlob -Progress $progress
    } catch {
        Write-Log -Message ('the progress blob was not written: ' + (Get-Cause -Problem $_))
    }
    try {
        Add-ToOutbox -Sequence $progress['sequence'] -Body (New-WebhookBody -Progress $progress)
        Send-Outbox
    } catch {
        Write-Log -Message ('the outbox has a problem: ' + (Get-Cause -Problem $_))
    }
}

function Send-ProgressBlob {
    param($Progress)
    $name = $script:Values['ARTEFACT_NAME'] + '.progress.json'
    Set-Blob -Name $name -Text (ConvertTo-JsonText -Value $Progress) -ContentType 'application/json'
}

# Waits for work on another thread and tells every minute how far it is, or how long it takes if it does not say.
function Wait-Work {
    param($Work, [string]$Phase, [string]$Verb)
    $clock = [Diagnostics.Stopwatch]::StartNew()
    $told = 0.0
    $first = $Work.Done
    while (-not $Work.Finished) {
        Start-Sleep -Milliseconds 250
        $seconds = $clock.Elapsed.TotalSeconds
        if ($seconds - $told -ge $script:HeartbeatSeconds * (Get-Scale)) {
            $told = $seconds
            Send-Heartbeat -Work $Work -Phase $Phase -Verb $Verb -First $first -Seconds $seconds
        }
    }
    if ($Work.Error -ne '') {
        throw $Work.Error
    }
}

function Send-Heartbeat {
    param($Work, [string]$Phase, [string]$Verb, [int64]$First, [double]$Seconds)
    if ($Work.Total -le 0) {
        Send-Progress -Phase $Phase -State 'progress' -Message "$Verb for $([Math]::Round($Seconds / 60)) minutes"
        return
    }
    $rate = [Math]::Round(($Work.Done - $First) / 1e6 / $Seconds)
    $message = "$Verb $(Format-Bytes -Bytes $Work.Done) of $(Format-Bytes -Bytes $Work.Total), $rate MB/s"
    Send-Progress -Phase $Phase -State 'progress' -Message $message -Done $Work.Done -Total $Work.Total
}
