# What the services stand on: their folder, scheduled tasks that run as a user with few rights, and the firewall.
$script:ServicesPath = Join-Path $env:ProgramData 'vhdlift-services'
$script:LocalService = 'S-1-5-19'

# SYSTEM and administrators as everywhere, and LocalService, as which the services run, with the rights it needs.
function New-ServiceFolder {
    param([string]$Path, [string]$Rights)
    New-PrivateFolder -Path $Path
    $security = [IO.Directory]::GetAccessControl($Path)
    $who = New-Object System.Security.Principal.SecurityIdentifier $script:LocalService
    $rule = New-Object System.Security.AccessControl.FileSystemAccessRule -ArgumentList $who, $Rights, 'ContainerInherit, ObjectInherit', 'None', 'Allow'
    $security.AddAccessRule($rule)
    [IO.Directory]::SetAccessControl($Path, $security)
}

# A program that runs always, as LocalService: from every start of Windows on, and again a minute after it ended.
function Register-OwnService {
    param([string]$Name, [string]$Program, [string[]]$Arguments, [string]$Folder)
    $quoted = @($Arguments | ForEach-Object { [Vhdlift.Native]::Quote($_) }) -join ' '
    $action = New-ScheduledTaskAction -Execute $Program -WorkingDirectory $Folder
    if ($quoted -ne '') {
        $action = New-ScheduledTaskAction -Execute $Program -Argument $quoted -WorkingDirectory $Folder
    }
    $startup = New-ScheduledTaskTrigger -AtStartup
    $repeat = New-ScheduledTaskTrigger -Once -At ((Get-Date).AddMinutes(1)) -RepetitionInterval (New-TimeSpan -Minutes 1)
    $principal = New-ScheduledTaskPrincipal -UserId $script:LocalService -LogonType ServiceAccount -RunLevel Limited
    Stop-OwnService -Name $Name
    Register-ScheduledTask -TaskName $Name -Action $action -Trigger @($startup, $repeat) -Principal $principal -Settings (New-TaskSettings) -Force | Out-Null
    Start-ScheduledTask -TaskName $Name
}

function Stop-OwnService {
    param([string]$Name)
    $task = Get-ScheduledTask -TaskName $Name -ErrorAction SilentlyContinue
    if ($null -ne $task) {
        Stop-ScheduledTask -TaskName $Name
    }
}

# Exactly the chosen ports, each for one program only. Rules of an earlier attempt go first.
function Set-Firewall {
    param([string]$Program, [int[]]$Ports, [string]$Name)
    Get-NetFirewallRule -Name "vhdlift-$Name-*" -ErrorAction SilentlyContinue | Remove-NetFirewallRule
    foreach ($port in $Ports) {
        $protocol = Get-PortProtocol -Port $port
        New-NetFirewallRule -Name "vhdlift-$Name-$port" -DisplayName "vhdlift: $Name, $protocol $port" -Direction Inbound -Action Allow -Protocol $protocol -LocalPort $port -Program $Program | Out-Null
    }
}

# As the network rules have it: video and control are UDP, all else is TCP.
function Get-PortProtocol {
    param([int]$Port)
    if (($Port -ge 40000 -and $Port -le 40010) -or ($Port -ge 47998 -and $Port -le 48000)) {
        return 'UDP'
    }
    return 'TCP'
}

# Those of the wanted ports that the settings open.
function Select-OpenPorts {
    param([int[]]$Wanted)
    $open = @((Get-ListValue -Name 'PORTS') | ForEach-Object { [int]$_ })
    return , [int[]]@($Wanted | Where-Object { $open -contains $_ })
}

# A graphics card that can encode video. The screen of a virtual machine without one cannot be streamed.
function Get-Gpu {
    foreach ($card in @(Get-CimInstance -ClassName 'Win32_VideoController')) {
        if ([string]$card.PNPDeviceID -match 'VEN_(10DE|1002)') {
            return [string]$card.Name
        }
    }
    return ''
}

# Three tries, because a download can fail; then the reason is the answer, and nothing is thrown.
function Invoke-Gently {
    param([string]$What, [scriptblock]$Work)
    for ($try = 1; $try -le 3; $try++) {
        try {
            & $Work | Out-Null
            return ''
        } catch {
            $cause = Get-Cause -Problem $_
            Write-Log -Message "${What}, try $try of 3: $cause"
        }
        Wait-Scaled -Seconds (10 * $try)
    }
    return $cause
}
