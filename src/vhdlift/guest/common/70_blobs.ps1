# Blobs beside the artefact: the same container, the same SAS.
function Get-BlobUrl {
    param([string]$Name)
    return $script:Values['CONTAINER_URL'] + '/' + [Uri]::EscapeDataString($Name) + '?' + $script:Values['AZURE_SAS_TOKEN']
}

# A small block blob, written whole.
function Set-Blob {
    param([string]$Name, [string]$Text, [string]$ContentType)
    $headers = @{
        'x-ms-blob-type' = 'BlockBlob'
        'x-ms-version' = [Vhdlift.Web]::StorageVersion
        'Content-Type' = $ContentType
    }
    $body = [Text.Encoding]::UTF8.GetBytes($Text)
    $answer = [Vhdlift.Web]::Send('PUT', (Get-BlobUrl -Name $Name), $headers, $body, 20000)
    if (-not $answer.Ok) {
        throw ('the storage account refused ' + $Name + ': ' + $answer.Summary)
    }
}

# Five tries, for the blobs without which the work would be lost.
function Set-BlobSurely {
    param([string]$Name, [string]$Text, [string]$ContentType)
    for ($try = 1; $try -le 5; $try++) {
        try {
            Set-Blob -Name $Name -Text $Text -ContentType $ContentType
            return
        } catch {
            Write-Log -Message ("try $try of 5: " + (Get-Cause -Problem $_))
            if ($try -eq 5) {
                throw
            }
        }
        Wait-Scaled -Seconds (5 * $try)
    }
}
