# finish: the log goes beside the artefact, the copy of the disk goes. Nothing here can undo what was uploaded.
function Invoke-Finish {
    Send-LogBlob
    foreach ($folder in @((Get-Fact -Name 'work_folder'), (Join-Path $script:Root 'azcopy'))) {
        try {
            Remove-Tree -Path $folder
        } catch {
            Write-Log -Message ("$folder stays: " + (Get-Cause -Problem $_))
        }
    }
    return 'the artefact and its manifest are uploaded'
}

# After the last word: no secret and no task is left, the log and the state stay.
function Remove-Agent {
    Complete-Outbox -Seconds 120
    Clear-Values
    Unregister-Agent
    Write-Log -Message 'secrets and task are removed'
}

Add-Phase -Name 'finish' -Work { Invoke-Finish }
