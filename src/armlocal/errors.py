"""Error answers of the stand-in, in the shapes that the real service was recorded to give.

ARM itself (the gateway) and the providers behind it word the same thing differently; a client has to cope
with both, so both are kept apart here.
"""

from __future__ import annotations

from typing import Any

LEARN_NOT_FOUND = "For more details please go to https://aka.ms/ARMResourceNotFoundFix"


class ArmError(Exception):
    """One error answer. Raise it anywhere in a provider: the app turns it into the HTTP answer.

    Attributes:
        status: HTTP status.
        code: ARM's error code.
        message: the sentence.
        details: inner errors; `[]` is sent as an empty list (Network does so), None leaves the key out.
        target: what it is about; None leaves the key out.
        gateway: True when ARM itself made it (`x-ms-failure-cause: gateway`).
        bare: True for bodies without the `error` wrapper (DNS, Compute's throttling).
        retry_after: seconds as recorded at scale 1; sent scaled. None sends no header.
        headers: more headers.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: list[dict[str, Any]] | None = None,
        target: str | None = None,
        gateway: bool = False,
        bare: bool = False,
        retry_after: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.target = target
        self.gateway = gateway
        self.bare = bare
        self.retry_after = retry_after
        self.headers = dict(headers or {})

    def inner(self) -> dict[str, Any]:
        """The error object: code, message, and what else it has."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.target is not None:
            error["target"] = self.target
        if self.details is not None:
            error["details"] = self.details
        return error

    def body(self) -> dict[str, Any]:
        """The whole JSON body."""
        return self.inner() if self.bare else {"error": self.inner()}


def resource_not_found(type_: str, names: str, group: str) -> ArmError:
    """ARM's own 404. `type_` is the full type, `names` the name path (`vm` or `vm/extensions/ext`'s names).

    Source: recordings, `Test_Networking_PublicIP_20250301_CRUD` [12].
    """
    message = f"The Resource '{type_}/{names}' under resource group '{group}' was not found. "
    return ArmError(404, "ResourceNotFound", message + LEARN_NOT_FOUND, gateway=True)


def group_not_found(group: str) -> ArmError:
    """404 for a resource group that does not exist. Source: `Test_NewResourceGroup` [6]."""
    return ArmError(
        404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.", gateway=True
    )


def parent_not_found(parent: str) -> ArmError:
    """404 for a child whose parent is gone. Source: `Test_Network_v1api20180501_CreationAndDeletion` [30]."""
    message = f"Can not perform requested operation on nested resource. Parent resource '{parent}' not found."
    return ArmError(404, "ParentResourceNotFound", message, gateway=True)


def group_being_deleted(group: str) -> ArmError:
    """409 for a write into a group on its way out. Source: `test_subscription_level_deployment` [9]."""
    message = f"The resource group '{group}' is in deprovisioning state and cannot perform this operation."
    return ArmError(409, "ResourceGroupBeingDeleted", message, gateway=True)


def conflict() -> ArmError:
    """Compute's 409 while another write runs. Source: `test_guest_attestation_extension_and_msi` [148]."""
    message = (
        "The request failed due to conflict with a concurrent request. To resolve it, please refer to "
        "https://aka.ms/activitylog to get more details on the conflicting requests."
    )
    return ArmError(409, "Conflict", message)


def another_operation(operation_url: str) -> ArmError:
    """409 of Network while another write runs. Source: `Test_RedHatOpenShift_OpenShiftCluster_CRUD` [8].

    Args:
        operation_url: where the running operation is told about, without signature.
    """
    message = (
        "Another operation on this or dependent resource is in progress. To retrieve status of the operation "
        f"use uri: {operation_url}."
    )
    return ArmError(409, "AnotherOperationInProgress", message, details=[])


def nic_reserved(vm_id: str, seconds: float) -> ArmError:
    """Network's 400 while a NIC is kept for the VM that had it.

    No recording has it; the text is the one that operators quote from real deployments in 2022-2026.
    """
    wait = f"{seconds:g} seconds"
    message = (
        f"Nic(s) in request is reserved for another Virtual Machine for {wait}. Please provide another "
        f"nic(s) or retry after {wait}. Reserved VM: {vm_id}"
    )
    return ArmError(400, "NicReservedForAnotherVm", message, details=[])
