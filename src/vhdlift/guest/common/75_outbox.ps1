# Webhook posts wait on the disk until the receiver has taken them, in order. They never hold up the work:
# after a refusal the next try waits, from 5 seconds up to 5 minutes.
function Add-ToOutbox {
    param([int64]$Sequence, $Body)
    if ($script:Values['WEBHOOK_URL'] -eq '') {
        return
    }
    $path = Join-Path $script:OutboxPath ('{0:D8}.json' -f $Sequence)
    Write-JsonFile -Path $path -Value $Body
    Limit-Outbox
}

function Get-Outbox {
    return Get-ChildItem -LiteralPath $script:OutboxPath -Filter '*.json' | Sort-Object -Property 'Name'
}

# A receiver that is away for a day must not fill the disk: the oldest heartbeats go first.
function Limit-Outbox {
    $waiting = @(Get-Outbox)
    if ($waiting.Count -le 200) {
        return
    }
    foreach ($file in $waiting) {
        $body = Read-JsonFile -Path $file.FullName
        if ($body['details']['state'] -eq 'progress') {
            Remove-Item -LiteralPath $file.FullName -Force
            return
        }
    }
}

# True when the receiver took it, or is gone for good (410).
function Send-OutboxFile {
    param([string]$Path)
    $body = [IO.File]::ReadAllBytes($Path)
    $number = [int64][IO.Path]::GetFileNameWithoutExtension($Path)
    $id = $script:Values['RUN_ID'] + '.guest.' + $number
    $headers = @{ 'Content-Type' = 'application/json; charset=utf-8'; 'webhook-id' = $id }
    if ($script:Values['WEBHOOK_SECRET'] -ne '') {
        $now = Get-Epoch
        $headers['webhook-timestamp'] = "$now"
        $headers['webhook-signature'] = [Vhdlift.Web]::Sign($script:Values['WEBHOOK_SECRET'], $id, $now, $body)
    }
    try {
        $answer = [Vhdlift.Web]::Send('POST', $script:Values['WEBHOOK_URL'], $headers, $body, 10000)
    } catch {
        Write-Log -Message ('the webhook did not answer: ' + (Get-Cause -Problem $_))
        return $false
    }
    if (-not $answer.Ok) {
        Write-Log -Message ('the webhook answered ' + $answer.Status)
    }
    return $answer.Ok -or $answer.Status -eq 410
}

function Send-Outbox {
    if ($script:Values['WEBHOOK_URL'] -eq '' -or (Get-Epoch) -lt $script:OutboxNext) {
        return
    }
    $clock = [Diagnostics.Stopwatch]::StartNew()
    foreach ($file in @(Get-Outbox)) {
        if ($clock.Elapsed.TotalSeconds -gt 30) {
            return
        }
        if (-not (Send-OutboxFile -Path $file.FullName)) {
            $script:OutboxFailures++
            $wait = [Math]::Min(300, 5 * [Math]::Pow(2, $script:OutboxFailures - 1)) * (Get-Scale)
            $script:OutboxNext = (Get-Epoch) + $wait
            return
        }
        Remove-Item -LiteralPath $file.FullName -Force
        $script:OutboxFailures = 0
    }
}

# A last chance for what still waits, bounded: at most `Seconds`.
function Complete-Outbox {
    param([double]$Seconds)
    $script:OutboxNext = 0
    $script:OutboxFailures = 0
    $clock = [Diagnostics.Stopwatch]::StartNew()
    while (@(Get-Outbox).Count -gt 0 -and $clock.Elapsed.TotalSeconds -lt $Seconds * (Get-Scale)) {
        Send-Outbox
        Wait-Scaled -Seconds 2
    }
    $left = @(Get-Outbox).Count
    if ($left -gt 0) {
        Write-Log -Message "$left webhook posts were never taken by the receiver"
    }
}
