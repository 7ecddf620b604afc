# tools: AzCopy, without which nothing can be uploaded. What the services need is fetched by them, later: its
# failure must not end the export.
function Invoke-Tools {
    New-PrivateFolder -Path (Join-Path $script:Root 'azcopy')
    $path = Install-Tool -Name 'azcopy' -File 'azcopy.exe' -Signer 'Microsoft Corporation'
    $version = Get-AzCopyVersion -Path $path
    Set-Fact -Name 'azcopy_version' -Value $version
    return $version
}

function Get-AzCopyVersion {
    param([string]$Path)
    $run = Invoke-Native -Path $Path -Arguments @('--version') -Environment (Get-AzCopyEnvironment) -Verb 'asked AzCopy'
    Assert-Native -Run $run -What 'azcopy.exe --version'
    return $run['first']
}

# Its logs and plans belong in our folder; without this they go to the profile of SYSTEM.
function Get-AzCopyEnvironment {
    return @{
        AZCOPY_LOG_LOCATION = Join-Path $script:Root 'azcopy'
        AZCOPY_JOB_PLAN_LOCATION = Join-Path $script:Root 'azcopy'
        AZCOPY_DISABLE_SYSLOG = 'true'
    }
}

Add-Phase -Name 'tools' -Work { Invoke-Tools }
