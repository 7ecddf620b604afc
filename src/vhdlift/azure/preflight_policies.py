"""Preflight of policies: Azure itself judges what the run would make, before it is made.

`Microsoft.PolicyInsights/checkPolicyRestrictions` takes a resource as it would be sent and says which
assignments would refuse it. It changes nothing. Assignments that the caller may not see, such as those of a
management group above its rights, are not judged. Shapes: Microsoft's reference, 2022-03-01.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vhdlift.azure import machine, network
from vhdlift.azure.findings import Finding
from vhdlift.azure.plainly import plain
from vhdlift.azure.preflight_account import is_registered
from vhdlift.azure.snapshot import copy_of
from vhdlift.azure.storage import account_body
from vhdlift.azure.together import together

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vhdlift.azure.plainly import Json
    from vhdlift.azure.scene import Scene

VERSION = "2022-03-01"
PROVIDER = "Microsoft.PolicyInsights"
_TAG = "tags["


async def look(scene: Scene) -> list[Finding]:
    """One finding for each assignment that would refuse something.

    A subscription that never used the provider has nobody to ask; asking would register it, a change.
    """
    if not await is_registered(scene.azure, PROVIDER):
        message = f"Whether policies would refuse something cannot be asked without {PROVIDER}."
        command = f"az provider register --namespace {PROVIDER}"
        return [Finding("policies-unknown", "notice", message, f"the registration of {PROVIDER}", command)]
    answers = await together(*(_refusals(scene, body) for body in bodies(scene)))
    refused: dict[str, list[tuple[str, Json]]] = {}
    for kind, rows in answers:
        for row in rows:
            assignment = str(row["policyInfo"].get("policyAssignmentId") or "")
            refused.setdefault(assignment, []).append((kind, row))
    return [_finding(scene, assignment, rows) for assignment, rows in refused.items()]


def bodies(scene: Scene) -> Iterator[Json]:
    """Everything that the run makes, as it would be sent, with type and name."""
    run, spec = scene.some_run, scene.spec
    names, location, tags = run.names, spec.location, run.tags
    group = scene.group(spec.resource_group)
    ids = {kind: f"{group}/providers/Microsoft.Network/{kind}/x" for kind in ("subnets", "ips", "nsgs")}
    nic = network.network_interface(location, tags, ids["subnets"], ids["ips"], ids["nsgs"])
    source = f"{scene.group(spec.source_resource_group)}/providers/Microsoft.Compute/disks/x"
    rules = network.security_rules(run)
    if not scene.group_exists:
        yield _typed("Microsoft.Resources/subscriptions/resourceGroups", names.group, _plain(location, tags))
    yield _typed("Microsoft.Compute/snapshots", names.snapshot, copy_of(source, location, tags))
    yield _typed("Microsoft.Storage/storageAccounts", names.export_account, account_body(location, tags))
    vnet = network.virtual_network(location, tags, names.short)
    yield _typed("Microsoft.Network/virtualNetworks", names.vnet, vnet.as_dict())
    address = network.public_ip_address(location, tags)
    yield _typed("Microsoft.Network/publicIPAddresses", names.public_ip, address.as_dict())
    nsg = network.security_group(location, tags, rules)
    yield _typed("Microsoft.Network/networkSecurityGroups", names.nsg, nsg.as_dict())
    yield _typed("Microsoft.Network/networkInterfaces", names.nic, nic.as_dict())
    vm = machine.virtual_machine(spec, tags, names.os_disk, f"{group}/nic", "")
    yield _typed("Microsoft.Compute/virtualMachines", names.vm, vm.as_dict())


def _typed(kind: str, name: str, body: Json) -> Json:
    return {"type": kind, "name": name, **body}


def _plain(location: str, tags: Any) -> Json:
    return {"location": location, "tags": dict(tags)}


async def _refusals(scene: Scene, body: Json) -> tuple[str, list[Json]]:
    """The type of a resource, and the evaluations that refuse it."""
    kind = str(body["type"])
    path = f"{scene.target}/providers/{PROVIDER}/checkPolicyRestrictions"
    what = f"asking the policies about {kind}"
    question = {"resourceDetails": {"resourceContent": body}}
    answer = await plain(scene.azure, path, VERSION, what=what, body=question)
    rows = (answer.get("contentEvaluationResult") or {}).get("policyEvaluations") or []
    return kind, [row for row in rows if _refuses(row)]


def _refuses(row: Json) -> bool:
    effect = str((row.get("effectDetails") or {}).get("policyEffect") or "Deny")
    result = str(row.get("evaluationResult") or "")
    return result.lower() == "noncompliant" and effect.lower() == "deny" and bool(row.get("policyInfo"))


def _finding(scene: Scene, assignment: str, rows: list[tuple[str, Json]]) -> Finding:
    kinds = ", ".join(dict.fromkeys(kind.rpartition("/")[2] for kind, _ in rows))
    why = [text for _, row in rows for text in _expressions(row)]
    because = f" because of {', '.join(dict.fromkeys(why))}" if why else ""
    name = assignment.rpartition("/")[2]
    message = f"The policy assignment {name} would refuse {kinds}{because}."
    tags = sorted({text[len(_TAG) :].rstrip("]") for text in why if text.startswith(_TAG)})
    command = (
        " ".join(f"--tag {tag.strip(_QUOTES)}=VALUE" for tag in tags)
        or f"az policy exemption create --name vhdlift --exemption-category Waiver --policy-assignment "
        f"{assignment} --scope {scene.target}"
    )
    return Finding("policy", "error", message, "what the policies say to each thing that is made", command)


_QUOTES = "'\""


def _expressions(row: Json) -> list[str]:
    """The fields that decided, but for the type, which says nothing."""
    evaluated = (row.get("evaluationDetails") or {}).get("evaluatedExpressions") or []
    fields = [str(one.get("expression") or "") for one in evaluated if one.get("expressionKind") == "Field"]
    return [field for field in fields if field and field.lower() != "type"]
