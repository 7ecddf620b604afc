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
    $download = Receive-Tool -Name $Name -Tool $Tool
    if ($download -like '*.zip') {
        $folder = Join-Path $script:ToolsPath ($Name + '.unpacked')
        $program = Expand-Tool -Name $Name -Zip $download -Folder $folder -File ([IO.Path]::GetFileName($Path))
        Copy-Item -LiteralPath $program -Destination $Path -Force
        Remove-Tree -Path $folder
    } else {
        Copy-Item -LiteralPath $download -Destination $Path -Force
    }
    Remove-Item -LiteralPath $download -Force
    $file = [Vhdlift.HashWork]::Of($Path)
    Set-Fact -Name "tool_$Name" -Value ([ordered]@{ version = $Tool['version']; download = $Tool['sha256'].ToLowerInvariant(); file = $file })
}

# A program with all that lies beside it in its archive; the path of the program.
function Install-WholeTool {
    param([string]$Name, [string]$File, [string]$Folder)
    $download = Receive-Tool -Name $Name -Tool (Get-TableValue -Name 'TOOLS')[$Name]
    $program = Expand-Tool -Name $Name -Zip $download -Folder $Folder -File $File
    Remove-Item -LiteralPath $download -Force
    Assert-Signature -Path $program -Signer ''
    return $program
}

# The download, which has the SHA-256 that it must have.
function Receive-Tool {
    param([string]$Name, $Tool)
    $end = [IO.Path]::GetExtension(([Uri]$Tool['url']).AbsolutePath)
    $download = Join-Path $script:ToolsPath ($Name + '.download' + $end)
    $work = [Vhdlift.SaveWork]::new($Tool['url'], $download)
    $work.Start()
    Wait-Work -Work $work -Phase $script:Job['phase'] -Verb "downloaded $Name,"
    $found = [Vhdlift.HashWork]::Of($download)
    if ($found -ne $Tool['sha256']) {
        Remove-Item -LiteralPath $download -Force
        throw "the SHA-256 of the download of $Name is $found, expected $($Tool['sha256'])"
    }
    return $download
}

function Expand-Tool {
    param([string]$Name, [string]$Zip, [string]$Folder, [string]$File)
    Remove-Tree -Path $Folder
    Expand-Archive -LiteralPath $Zip -DestinationPath $Folder -Force
    $program = Get-ChildItem -LiteralPath $Folder -Filter $File -Recurse | Select-Object -First 1
    if ($null -eq $program) {
        throw "there is no $File in the archive of $Name"
    }
    return $program.FullName
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
