# The byte work and the web requests are C# 5, compiled here by the compiler of Windows' own .NET Framework:
# loops over bytes in PowerShell are thousands of times slower. System.dll is always referenced.
$script:ByteWork = @'
#{csharp}
'@
if (-not ('Vhdlift.Footer' -as [type])) {
    Add-Type -TypeDefinition $script:ByteWork -ReferencedAssemblies 'System.Xml' -IgnoreWarnings
}
