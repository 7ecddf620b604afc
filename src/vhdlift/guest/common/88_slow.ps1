# Commands of Windows that take minutes or hours and say nothing meanwhile: run beside the script, which goes on telling.
function Invoke-Slowly {
    param([string]$Command, $Parameters, [string]$Verb)
    $shell = [PowerShell]::Create()
    try {
        [void]$shell.AddCommand($Command).AddParameters($Parameters)
        $clock = [Diagnostics.Stopwatch]::StartNew()
        $told = 0.0
        $waiting = $shell.BeginInvoke()
        while (-not $waiting.IsCompleted) {
            Start-Sleep -Milliseconds 100
            $seconds = $clock.Elapsed.TotalSeconds
            if ($seconds - $told -ge $script:HeartbeatSeconds * (Get-Scale)) {
                $told = $seconds
                Send-Progress -Phase $script:Job['phase'] -State 'progress' -Message "$Verb for $([Math]::Round($seconds / 60)) minutes"
            }
        }
        $found = $shell.EndInvoke($waiting)
        if ($shell.Streams.Error.Count -gt 0) {
            throw ("${Command}: " + $shell.Streams.Error[0].Exception.Message)
        }
        return @($found)
    } finally {
        $shell.Dispose()
    }
}
