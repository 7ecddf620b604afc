# clean: what Windows makes anew by itself goes from the copy: less to shrink around, to upload and to keep. Nothing
# that a person made is touched.
function Invoke-Clean {
    Invoke-WithImage -Access 'ReadWrite' -Work {
        $letter = Get-ImageLetter -Offset ([int64](Get-Fact -Name 'windows_offset'))
        Repair-ImageVolume -Letter $letter
        Remove-Shadows -Letter $letter
        Remove-Clutter -Letter $letter
    } | Out-Null
    return "$(Format-Bytes -Bytes (Get-Fact -Name 'cleaned_bytes')) removed"
}

# The snapshot is like a disk after a power cut; a volume that is marked dirty cannot be shrunk. chkdsk answers
# 0: no errors, 1: errors fixed, 2: tidied up; 3 is a volume it could not check.
function Repair-ImageVolume {
    param([string]$Letter)
    $run = Invoke-Native -Path (Get-SystemProgram -Name 'chkdsk.exe') -Arguments @($Letter, '/f', '/x') -Verb 'chkdsk is at work'
    if ($run['code'] -gt 2) {
        throw "chkdsk ended with $($run['code']): $($run['last'])"
    }
    if ($run['code'] -eq 1) {
        Set-Change -Text 'chkdsk mended errors of the file system'
    }
}

# Shadow copies cannot be moved by the shrinking. vssadmin fails when there is none, which is as good.
function Remove-Shadows {
    param([string]$Letter)
    $run = Invoke-Native -Path (Get-SystemProgram -Name 'vssadmin.exe') -Arguments @('delete', 'shadows', "/for=$Letter", '/all', '/quiet') -Verb 'vssadmin is at work'
    if ($run['code'] -eq 0) {
        Set-Change -Text 'shadow copies (restore points) were removed'
    } else {
        Write-Log -Message "vssadmin ended with $($run['code']): $($run['last'])"
    }
}

# Single files are filled with zeros before they go: they held what was in memory.
function Remove-Clutter {
    param([string]$Letter)
    $names = [string[]]@(
        'pagefile.sys', 'swapfile.sys', 'hiberfil.sys', 'Windows\MEMORY.DMP', 'Windows\Minidump\', 'Windows\LiveKernelReports\',
        'Windows\Temp\', 'Windows\SoftwareDistribution\Download\', 'Users\*\AppData\Local\Temp\', 'Users\*\AppData\Local\CrashDumps\'
    )
    $work = [Vhdlift.Cleaner]::new($Letter + '\', $names)
    $work.Start()
    Wait-Work -Work $work -Phase 'clean' -Verb 'overwrote'
    foreach ($line in $work.Removed) {
        Set-Change -Text "removed $line"
    }
    if ($work.Refused -gt 0) {
        Write-Log -Message "$($work.Refused) files or folders could not be removed, and stay"
    }
    $before = 0
    if (Test-Fact -Name 'cleaned_bytes') {
        $before = [int64](Get-Fact -Name 'cleaned_bytes')
    }
    Set-Fact -Name 'cleaned_bytes' -Value ($before + $work.Freed)
}

Add-Phase -Name 'clean' -Work { Invoke-Clean }
