# The values of the head of the setup script. On the disk they are sealed by DPAPI for SYSTEM alone.
function Register-Secrets {
    foreach ($name in @('SNAPSHOT_URL', 'AZURE_SAS_TOKEN', 'WEBHOOK_URL', 'WEBHOOK_SECRET', 'DROP_PASSWORD', 'PIN_PASSWORD')) {
        [Vhdlift.Scrubber]::Add($script:Values[$name])
    }
    foreach ($tool in (Get-TableValue -Name 'TOOLS').Values) {
        [Vhdlift.Scrubber]::Add(([Uri]$tool['url']).Query)
    }
}

# A value that is JSON, as a table.
function Get-TableValue {
    param([string]$Name)
    return ConvertTo-Table -Value (ConvertFrom-Json -InputObject $script:Values[$Name])
}

# A value that is a list with commas between; nothing is an empty list. In a pipeline it needs parentheses around it.
function Get-ListValue {
    param([string]$Name)
    return , @($script:Values[$Name].Split([char[]]',', [StringSplitOptions]::RemoveEmptyEntries))
}

function Save-Values {
    Add-Type -AssemblyName 'System.Security'
    $plain = [Text.Encoding]::UTF8.GetBytes((ConvertTo-JsonText -Value $script:Values))
    $scope = [Security.Cryptography.DataProtectionScope]::CurrentUser
    [IO.File]::WriteAllBytes($script:ValuesPath, [Security.Cryptography.ProtectedData]::Protect($plain, $null, $scope))
}

function Open-Values {
    Add-Type -AssemblyName 'System.Security'
    $scope = [Security.Cryptography.DataProtectionScope]::CurrentUser
    $plain = [Security.Cryptography.ProtectedData]::Unprotect([IO.File]::ReadAllBytes($script:ValuesPath), $null, $scope)
    $data = ConvertFrom-Json -InputObject ([Text.Encoding]::UTF8.GetString($plain))
    $script:Values = ConvertTo-Table -Value $data
    Register-Secrets
}

# Overwritten before it is deleted, so that the sealed text does not lie in free space either.
function Clear-Values {
    if (Test-Path -LiteralPath $script:ValuesPath) {
        $length = (Get-Item -LiteralPath $script:ValuesPath).Length
        [IO.File]::WriteAllBytes($script:ValuesPath, (New-Object byte[] $length))
        Remove-Item -LiteralPath $script:ValuesPath -Force
    }
    $script:Values = @{ TIME_SCALE = '1'; WEBHOOK_URL = '' }
}
