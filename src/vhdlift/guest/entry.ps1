# What the extension runs: the bootstrap, with the values of the head. This file holds secrets, so it is deleted
# whatever happens.
$script:Values = [ordered]@{}
foreach ($name in @('SNAPSHOT_URL', 'AZURE_SAS_TOKEN', 'WEBHOOK_URL', 'WEBHOOK_SECRET', 'RUN_ID', 'VM_NAME', 'RESOURCE_GROUP', 'LOCATION', 'CONTAINER_URL', 'ARTEFACT_NAME', 'SOURCE_VM', 'TARGET_SIZE_BYTES', 'SAS_EXPIRES', 'TIME_SCALE', 'HYPER_V', 'BLOB_TYPE', 'TOOLS', 'SERVICES', 'HOSTS', 'PORTS', 'DROP_PASSWORD', 'PIN_PASSWORD')) {
    $script:Values[$name] = Get-Variable -Name $name -ValueOnly
}
Register-Secrets
try {
    Invoke-Bootstrap -SetupPath $PSCommandPath
} catch {
    $script:ExitCode = 1
    $cause = Get-Cause -Problem $_
    [Console]::Out.WriteLine('bootstrap failed: ' + $cause)
    if ($null -ne $script:Job) {
        Send-Progress -Phase 'bootstrap' -State 'failed' -Message $cause
    }
} finally {
    Remove-Item -LiteralPath $PSCommandPath -Force -ErrorAction SilentlyContinue
}
exit $script:ExitCode
