"""Keys of request bodies in whatever capitals: the providers take `diskSizeGb` for `diskSizeGB`.

Azure's clients spell some keys in several ways (azure-cli's templates do), and the service reads them alike
and answers with its own spelling. The keys here are those that a handler reads.
"""

from __future__ import annotations

from typing import Any

NAMESPACES = ("microsoft.compute/", "microsoft.network/", "microsoft.storage/")
OPAQUE = frozenset({"tags", "settings", "protectedsettings", "metadata"})
"""What is below these is the client's own."""
_KEYS = """
    access accessTier addressPrefix addressPrefixes addressSpace adminPassword adminUsername
    allowBlobPublicAccess allowExtensionOperations allowSharedKeyAccess assessmentMode
    autoUpgradeMinorVersion bootDiagnostics caching computerName createOption creationData dataDisks
    delegations deleteOption destinationAddressPrefix destinationAddressPrefixes destinationPortRange
    destinationPortRanges diagnosticsProfile diskAccessId diskControllerType diskSizeGB durationInSeconds
    enableAcceleratedNetworking enableAutomaticUpdates enableIPForwarding hardwareProfile hyperVGeneration id
    idleTimeoutInMinutes imageReference incremental ipConfigurations keyName kind licenseType location
    managedDisk minimumTlsVersion name networkAccessPolicy networkAcls networkInterfaces networkProfile
    networkSecurityGroup offer osDisk osProfile osType patchMode patchSettings primary priority
    privateIPAddress privateIPAddressVersion privateIPAllocationMethod properties protectedSettings protocol
    provisionVMAgent publicIPAddress publicIPAddressVersion publicIPAllocationMethod publicNetworkAccess
    publisher secrets secureBootEnabled securityProfile securityRules securityType serviceName settings sku
    sourceAddressPrefix sourceAddressPrefixes sourcePortRange sourcePortRanges sourceResourceId
    storageAccountType storageProfile subnet subnets supportsHttpsTrafficOnly tags type typeHandlerVersion
    uefiSettings vTpmEnabled version vmSize windowsConfiguration zones
"""
_OFFICIAL = {key.lower(): key for key in _KEYS.split()}


def spelled(body: Any) -> Any:
    """A body with the keys that are known in their official spelling, and all others as sent."""
    if isinstance(body, list):
        return [spelled(item) for item in body]
    if not isinstance(body, dict):
        return body
    return {
        _OFFICIAL.get(key.lower(), key): value if key.lower() in OPAQUE else spelled(value)
        for key, value in body.items()
    }
