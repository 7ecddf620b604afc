# Streaming, where there is a graphics card: Sunshine sends the screen, a program beside it shows it in a browser.
$script:StreamPorts = @(47984, 47989, 48010, 47998, 47999, 48000)
$script:BrowserPorts = @(40000, 40001, 40002, 40003, 40004, 40005, 40006, 40007, 40008, 40009, 40010)
$script:SunshineFolder = Join-Path $env:ProgramFiles 'Sunshine'
$script:SunshineUrl = 'https://127.0.0.1:47990'
$script:SunshineIsThere = $false

# Once for both names that need it: `pin.` is its own page, and `web.` shows what it sends.
function Initialize-Sunshine {
    param([string]$PageHost)
    if (-not $script:SunshineIsThere) {
        Install-Sunshine -PinHost $PageHost
        $script:SunshineIsThere = $true
    }
}

# The installer opens the firewall for its program as a whole; those rules go, ours say which ports.
function Install-Sunshine {
    param([string]$PinHost)
    $setup = Install-Tool -Name 'sunshine' -File 'sunshine.msi'
    $log = Join-Path $script:ServicesPath 'sunshine-setup.log'
    $run = Invoke-Native -Path (Get-SystemProgram -Name 'msiexec.exe') -Arguments @('/i', $setup, '/qn', '/norestart', '/l', $log) -Verb 'installing Sunshine'
    if ($run['code'] -ne 0 -and $run['code'] -ne 3010) {
        throw "the setup of Sunshine ended with $($run['code'])"
    }
    Get-NetFirewallRule -DisplayName 'Sunshine*' -ErrorAction SilentlyContinue | Remove-NetFirewallRule
    $settings = "origin_web_ui_allowed = pc`ncsrf_allowed_origins = https://$PinHost`nwan_encryption_mode = 2`nupnp = disabled`n"
    [IO.File]::WriteAllText((Join-Path $script:SunshineFolder 'config\sunshine.conf'), $settings, [Text.Encoding]::ASCII)
    Restart-Service -Name 'SunshineService' -Force
    Set-SunshinePassword
    $program = Join-Path $script:SunshineFolder 'sunshine.exe'
    $ports = Select-OpenPorts -Wanted $script:StreamPorts
    Set-Firewall -Program $program -Ports $ports -Name 'sunshine'
}

# Over its own page on this machine, because an argument would be seen in the list of processes.
function Set-SunshinePassword {
    $new = [ordered]@{ currentUsername = 'pin'; currentPassword = $script:Values['PIN_PASSWORD']; newUsername = 'pin'; newPassword = $script:Values['PIN_PASSWORD']; confirmNewPassword = $script:Values['PIN_PASSWORD'] }
    $body = [Text.Encoding]::UTF8.GetBytes((ConvertTo-JsonText -Value $new))
    $basic = [Convert]::ToBase64String([Text.Encoding]::ASCII.GetBytes('pin:' + $script:Values['PIN_PASSWORD']))
    $headers = @{ 'Content-Type' = 'application/json'; 'Authorization' = 'Basic ' + $basic }
    for ($try = 1; $try -le 10; $try++) {
        try {
            $answer = [Vhdlift.Web]::SendLocal('POST', $script:SunshineUrl + '/api/password', $headers, $body, 10000)
            if ($answer.Ok) {
                return
            }
            $why = $answer.Summary
        } catch {
            $why = Get-Cause -Problem $_
        }
        Wait-Scaled -Seconds 3
    }
    throw "Sunshine did not take its password: $why"
}

# It trusts the name that Caddy gives it, and listens for Caddy only.
function Install-Browser {
    param([string]$WebHost)
    if (-not (Get-TableValue -Name 'TOOLS').Contains('moonlight')) {
        throw 'no program for the browser is among the tools; the settings can name one as moonlight'
    }
    Stop-OwnService -Name 'vhdlift-web'
    $program = Install-WholeTool -Name 'moonlight' -File 'web-server.exe' -Folder (Join-Path $script:ServicesPath 'moonlight')
    $folder = [IO.Path]::GetDirectoryName($program)
    $address = [string]([Net.Dns]::GetHostAddresses($WebHost) | Select-Object -First 1)
    $settings = [ordered]@{
        web_server = [ordered]@{ bind_address = '127.0.0.1:8080'; forwarded_header = [ordered]@{ username_header = 'X-Forwarded-User'; auto_create_missing_user = $true } }
        webrtc = [ordered]@{ port_range = [ordered]@{ min = 40000; max = 40010 }; nat_1to1 = [ordered]@{ ice_candidate_type = 'host'; ips = @($address) } }
    }
    New-ServiceFolder -Path (Join-Path $folder 'server') -Rights 'Modify'
    Write-JsonFile -Path (Join-Path $folder 'server\config.json') -Value $settings
    Register-OwnService -Name 'vhdlift-web' -Program $program -Arguments @() -Folder $folder
    $ports = Select-OpenPorts -Wanted $script:BrowserPorts
    Set-Firewall -Program $program -Ports $ports -Name 'browser'
}
