# tools: AzCopy, pinned by its SHA-256 and signed by Microsoft.
function Invoke-Tools {
    New-PrivateFolder -Path (Join-Path $script:Root 'azcopy')
    $path = Join-Path $script:ToolsPath 'azcopy.exe'
    $wanted = $script:Values['AZCOPY_SHA256'].ToLowerInvariant()
    $have = (Test-Fact -Name 'azcopy_zip_sha256') -and (Get-Fact -Name 'azcopy_zip_sha256') -eq $wanted
    if (-not ($have -and (Test-Path -LiteralPath $path))) {
        Get-AzCopy -Wanted $wanted -Path $path
        Set-Fact -Name 'azcopy_zip_sha256' -Value $wanted
    }
    Assert-Signature -Path $path
    $version = Get-AzCopyVersion -Path $path
    Set-Fact -Name 'azcopy_version' -Value $version
    return $version
}

function Get-AzCopy {
    param([string]$Wanted, [string]$Path)
    $zip = Join-Path $script:ToolsPath 'azcopy.zip'
    $folder = Join-Path $script:ToolsPath 'unpacked'
    [Vhdlift.Web]::Save($script:Values['AZCOPY_URL'], $zip, 120000)
    $found = [Vhdlift.HashWork]::Of($zip)
    if ($found -ne $Wanted) {
        throw "the SHA-256 of AzCopy's archive is $found, expected $Wanted"
    }
    Remove-Tree -Path $folder
    Expand-Archive -LiteralPath $zip -DestinationPath $folder -Force
    $program = Get-ChildItem -LiteralPath $folder -Filter 'azcopy.exe' -Recurse | Select-Object -First 1
    if ($null -eq $program) {
        throw 'there is no azcopy.exe in the archive'
    }
    Copy-Item -LiteralPath $program.FullName -Destination $Path -Force
    Remove-Tree -Path $folder
    Remove-Item -LiteralPath $zip -Force
}

function Assert-Signature {
    param([string]$Path)
    $signature = Get-AuthenticodeSignature -LiteralPath $Path
    if ($signature.Status -ne 'Valid') {
        throw "the signature of azcopy.exe is $($signature.Status)"
    }
    $signer = $signature.SignerCertificate.Subject
    if ($signer -notmatch '(^|, )O=Microsoft Corporation(,|$)') {
        throw "azcopy.exe is signed by $signer"
    }
}

function Get-AzCopyVersion {
    param([string]$Path)
    $work = [Vhdlift.Native]::new($Path, [string[]]@('--version'), (Get-AzCopyEnvironment))
    $work.Start()
    Wait-Work -Work $work -Phase 'tools' -Verb 'asked AzCopy'
    $line = [string]$work.NextLine()
    if ($work.ExitCode -ne 0) {
        throw "azcopy.exe --version ended with $($work.ExitCode): $line"
    }
    return $line
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
