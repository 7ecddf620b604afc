# Programs from the internet: each is known by its SHA-256, and by its signer where one is expected. Nothing that
# fails either check is ever started.
function Get-ToolPath {
    param([string]$File)
    return Join-Path $script:ToolsPath $File
}

# The program `File`, out of the zip or as the download itself. What is there and unchanged is kept.
function Install-Tool {
    param([string]$Name, [string]$File, [string]$Signer = '')
    $tool = (Get-TableValue -Name 'TOOLS')[$Name]
    $path = Get-ToolPath -File $File
    $wanted = $tool['sha256'].ToLowerInvariant()
    if (-not (Test-Tool -Name $Name -Path $path -Wanted $wanted)) {
        Save-Tool -Name $Name -Tool $tool -Path $path
    }
    Assert-Signature -Path $path -Signer $Signer
    Write-Log -Message "$Name $($tool['version']) is there, SHA-256 as pinned"
    return $path
}

# Made of the pinned download, and not touched since.
function Test-Tool {
    param([string]$Name, [string]$Path, [string]$Wanted)
    if (-not (Test-Fact -Name "tool_$Name") -or -not (Test-Path -LiteralPath $Path)) {
        return $false
    }
    $known = Get-Fact -Name "tool_$Name"
    return $known['download'] -eq $Wanted -and $known['file'] -eq [Vhdlift.HashWork]::Of($Path)
}

function Save-Tool {
    param([string]$Name, $Tool, [string]$Path)
    $wanted = $Tool['sha256'].ToLowerInvariant()
    $download = Join-Path $script:ToolsPath ($Name + '.download')
    $work = [Vhdlift.SaveWork]::new($Tool['url'], $download)
    $work.Start()
    Wait-Work -Work $work -Phase $script:Job['phase'] -Verb "downloaded $Name,"
    $found = [Vhdlift.HashWork]::Of($download)
    if ($found -ne $wanted) {
        Remove-Item -LiteralPath $download -Force
        throw "the SHA-256 of the download of $Name is $found, expected $wanted"
    }
    if (([Uri]$Tool['url']).AbsolutePath -like '*.zip') {
        Expand-Tool -Name $Name -Download $download -Path $Path
    } else {
        Copy-Item -LiteralPath $download -Destination $Path -Force
    }
    Remove-Item -LiteralPath $download -Force
    Set-Fact -Name "tool_$Name" -Value ([ordered]@{ version = $Tool['version']; download = $wanted; file = [Vhdlift.HashWork]::Of($Path) })
}

function Expand-Tool {
    param([string]$Name, [string]$Download, [string]$Path)
    $zip = Join-Path $script:ToolsPath ($Name + '.zip')
    $folder = Join-Path $script:ToolsPath ($Name + '.unpacked')
    Remove-Tree -Path $folder
    Copy-Item -LiteralPath $Download -Destination $zip -Force
    Expand-Archive -LiteralPath $zip -DestinationPath $folder -Force
    $file = [IO.Path]::GetFileName($Path)
    $program = Get-ChildItem -LiteralPath $folder -Filter $file -Recurse | Select-Object -First 1
    if ($null -eq $program) {
        throw "there is no $file in the archive of $Name"
    }
    Copy-Item -LiteralPath $program.FullName -Destination $Path -Force
    Remove-Tree -Path $folder
    Remove-Item -LiteralPath $zip -Force
}

# A signature that is there must be good. One that is expected must be there, and of that organisation.
function Assert-Signature {
    param([string]$Path, [string]$Signer)
    $file = [IO.Path]::GetFileName($Path)
    $signature = Get-AuthenticodeSignature -LiteralPath $Path
    if ([string]$signature.Status -eq 'NotSigned' -and $Signer -eq '') {
        return
    }
    if ([string]$signature.Status -ne 'Valid') {
        throw "the signature of $file is $($signature.Status)"
    }
    $subject = [string]$signature.SignerCertificate.Subject
    if ($Signer -ne '' -and $subject -notmatch ('(^|, )O="?' + [Regex]::Escape($Signer) + '"?(,|$)')) {
        throw "$file is signed by $subject, expected $Signer"
    }
}
