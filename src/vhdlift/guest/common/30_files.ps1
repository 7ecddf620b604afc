# JSON files, always replaced as a whole, and folders that only SYSTEM and administrators can open.
function ConvertTo-JsonText {
    param($Value)
    return ConvertTo-Json -InputObject $Value -Depth 8 -Compress
}

# What ConvertFrom-Json gives, as tables and lists that can be changed.
function ConvertTo-Table {
    param($Value)
    if ($Value -is [System.Management.Automation.PSCustomObject]) {
        $table = [ordered]@{}
        foreach ($property in $Value.PSObject.Properties) {
            $table[$property.Name] = ConvertTo-Table -Value $property.Value
        }
        return $table
    }
    if ($Value -is [System.Array]) {
        $list = New-Object System.Collections.ArrayList
        foreach ($item in $Value) {
            [void]$list.Add((ConvertTo-Table -Value $item))
        }
        return , $list
    }
    return $Value
}

function Write-JsonFile {
    param([string]$Path, $Value)
    [Vhdlift.Files]::Replace($Path, (ConvertTo-JsonText -Value $Value))
}

function Read-JsonFile {
    param([string]$Path)
    $data = ConvertFrom-Json -InputObject ([IO.File]::ReadAllText($Path))
    return ConvertTo-Table -Value $data
}

# SIDs and not names, because the names differ by the language of Windows.
function New-PrivateFolder {
    param([string]$Path)
    $security = New-Object System.Security.AccessControl.DirectorySecurity
    $security.SetAccessRuleProtection($true, $false)
    foreach ($sid in @('S-1-5-18', 'S-1-5-32-544')) {
        $who = New-Object System.Security.Principal.SecurityIdentifier $sid
        $rule = New-Object System.Security.AccessControl.FileSystemAccessRule -ArgumentList $who, 'FullControl', 'ContainerInherit, ObjectInherit', 'None', 'Allow'
        $security.AddAccessRule($rule)
    }
    if (Test-Path -LiteralPath $Path) {
        [IO.Directory]::SetAccessControl($Path, $security)
    } else {
        [void][IO.Directory]::CreateDirectory($Path, $security)
    }
}

function Remove-Tree {
    param([string]$Path)
    if (Test-Path -LiteralPath $Path) {
        Remove-Item -LiteralPath $Path -Recurse -Force
    }
}
