# services: what answers at web., drop. and pin. Caddy has the certificates, the passwords and the only open ports;
# all else listens on this machine alone. Whatever fails here is told and ends nothing: the disk is uploaded.
$script:DropPort = 5000

function Invoke-Services {
    $wanted = Get-ListValue -Name 'SERVICES'
    if ($wanted.Count -eq 0) {
        return New-Skipped -Message 'none was asked for'
    }
    $ports = Select-OpenPorts -Wanted @(80, 443)
    if ($ports -notcontains 443) {
        return Skip-Services -Names $wanted -Why 'port 443 is not open, so no name can answer'
    }
    $names = Get-TableValue -Name 'HOSTS'
    $sites = New-Object System.Collections.ArrayList
    $said = New-Object System.Collections.ArrayList
    $problem = Invoke-Gently -What 'caddy' -Work { Initialize-Services }
    if ($problem -ne '') {
        return Skip-Services -Names $wanted -Why "no name answers: $problem"
    }
    $gpu = Get-Gpu
    $facts = [ordered]@{}
    foreach ($name in $wanted) {
        $why = Get-ServiceProblem -Name $name -Site $names[$name] -Gpu $gpu
        [void]$sites.Add((New-Site -Name $name -Site $names[$name] -Why $why))
        $facts[$name] = $(if ($why -eq '') { 'on' } else { $why })
        [void]$said.Add("${name}: $($facts[$name])")
    }
    $problem = Invoke-Gently -What 'caddy' -Work { Start-Caddy -Sites $sites -Ports $ports }
    if ($problem -ne '') {
        return Skip-Services -Names $wanted -Why "no name answers: $problem"
    }
    Set-Fact -Name 'services' -Value $facts
    return $said -join '; '
}

# The one reason is that of each service, for the mail.
function Skip-Services {
    param($Names, [string]$Why)
    $facts = [ordered]@{}
    foreach ($name in $Names) {
        $facts[$name] = $Why
    }
    Set-Fact -Name 'services' -Value $facts
    return New-Skipped -Message $Why
}

# Folders and programs. Programs and settings can be read by LocalService, and changed by administrators alone.
function Initialize-Services {
    New-ServiceFolder -Path $script:ServicesPath -Rights 'ReadAndExecute'
    foreach ($folder in @('caddy', 'logs')) {
        New-ServiceFolder -Path (Join-Path $script:ServicesPath $folder) -Rights 'Modify'
    }
    $program = Install-Tool -Name 'caddy' -File 'caddy.exe'
    Stop-OwnService -Name 'vhdlift-caddy'
    Copy-Item -LiteralPath $program -Destination (Join-Path $script:ServicesPath 'caddy.exe') -Force
}

# Nothing when the service is set up, else why it is not, in words for its page.
function Get-ServiceProblem {
    param([string]$Name, [string]$Site, [string]$Gpu)
    if ((Get-Password -Name $Name) -eq '') {
        return 'no e-mail address was given, so nobody would know its password'
    }
    if ($Name -eq 'drop') {
        return Invoke-Gently -What 'drop' -Work { Install-Drop }
    }
    if ($Gpu -eq '') {
        return 'this size of machine has no graphics card, so its screen cannot be streamed'
    }
    if ($Name -eq 'pin') {
        return Invoke-Gently -What 'pin' -Work { Initialize-Sunshine -PageHost $Site }
    }
    return Invoke-Gently -What 'web' -Work {
        Initialize-Sunshine -PageHost (Get-TableValue -Name 'HOSTS')['pin']
        Install-Browser -WebHost $Site
    }
}

# Files can be added and read, not deleted; on the roomiest volume.
function Install-Drop {
    $program = Install-Tool -Name 'dufs' -File 'dufs.exe'
    $folder = "$((Get-RoomiestVolume).DriveLetter):\vhdlift-drop"
    New-ServiceFolder -Path $folder -Rights 'Modify'
    Stop-OwnService -Name 'vhdlift-drop'
    $copy = Join-Path $script:ServicesPath 'dufs.exe'
    Copy-Item -LiteralPath $program -Destination $copy -Force
    Register-OwnService -Name 'vhdlift-drop' -Program $copy -Arguments @('-b', '127.0.0.1', '-p', "$($script:DropPort)", '--allow-upload', '--allow-search', $folder) -Folder $folder
}

# One name of the Caddyfile. A service that is not there answers with a page that says why.
function New-Site {
    param([string]$Name, [string]$Site, [string]$Why)
    if ($Why -ne '') {
        $folder = Join-Path $script:ServicesPath "pages\$Name"
        [void][IO.Directory]::CreateDirectory($folder)
        $text = [Net.WebUtility]::HtmlEncode("$Site is not served: $Why.")
        [IO.File]::WriteAllText((Join-Path $folder 'index.html'), "<!doctype html><meta charset=""utf-8""><title>$Name</title><p>$text</p>", [Text.Encoding]::ASCII)
        return "$Site {`n    root * ""$($folder.Replace('\', '/'))""`n    rewrite * /index.html`n    file_server`n}`n"
    }
    $user = $(if ($Name -eq 'drop') { 'drop' } else { 'pin' })
    $guard = "    basic_auth {`n        $user $(Get-PasswordHash -Name $user)`n    }`n"
    if ($Name -eq 'drop') {
        return "$Site {`n$guard    reverse_proxy 127.0.0.1:$($script:DropPort)`n}`n"
    }
    if ($Name -eq 'web') {
        return "$Site {`n$guard    reverse_proxy 127.0.0.1:8080 {`n        header_up X-Forwarded-User {http.auth.user.id}`n    }`n}`n"
    }
    return "$Site {`n$guard    redir / /pin`n    reverse_proxy $($script:SunshineUrl) {`n        transport http {`n            tls_insecure_skip_verify`n        }`n    }`n}`n"
}

# Caddy hashes the password itself (bcrypt), and reads it from its standard input: it stands in no argument and no file.
function Get-PasswordHash {
    param([string]$Name)
    $run = Invoke-Native -Path (Join-Path $script:ServicesPath 'caddy.exe') -Arguments @('hash-password') -Text ((Get-Password -Name $Name) + "`n") -Verb 'hashing a password'
    Assert-Native -Run $run -What 'caddy hash-password'
    return $run['last']
}

function Get-Password {
    param([string]$Name)
    if ($Name -eq 'drop') {
        return $script:Values['DROP_PASSWORD']
    }
    return $script:Values['PIN_PASSWORD']
}

# No port for orders (admin off), certificates in our folder, log beside them.
function Start-Caddy {
    param($Sites, [int[]]$Ports)
    $root = $script:ServicesPath.Replace('\', '/')
    $log = "    log {`n        output file ""$root/logs/caddy.log"" {`n            roll_size 10MiB`n            roll_keep 3`n        }`n    }`n"
    $redirects = $(if ($Ports -contains 80) { '' } else { "    auto_https disable_redirects`n" })
    $text = "{`n    admin off`n    persist_config off`n$redirects    storage file_system ""$root/caddy""`n$log}`n" + ($Sites -join '')
    $config = Join-Path $script:ServicesPath 'Caddyfile'
    [IO.File]::WriteAllText($config, $text, [Text.Encoding]::ASCII)
    $program = Join-Path $script:ServicesPath 'caddy.exe'
    $run = Invoke-Native -Path $program -Arguments @('validate', '--config', $config, '--adapter', 'caddyfile') -Verb 'checking the settings of Caddy'
    Assert-Native -Run $run -What 'caddy validate'
    Set-Firewall -Program $program -Ports $Ports -Name 'caddy'
    Register-OwnService -Name 'vhdlift-caddy' -Program $program -Arguments @('run', '--config', $config, '--adapter', 'caddyfile') -Folder $script:ServicesPath
}

Add-Phase -Name 'services' -Work { Invoke-Services } -Optional
