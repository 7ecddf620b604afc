"""Deployments of templates into a resource group: how `az vm create` makes its machine.

Source: recordings `test_vm_user_update_win` [13]-[18], `test_vmss_create_default_app_gateway` [5] (refusal).
What a deployment that fails says is Microsoft's documented wording; no recording has it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, Any

from armlocal.errors import ArmError
from armlocal.ids import DEPLOYMENT_TYPE as TYPE
from armlocal.ids import parse_id
from armlocal.lro import DEPLOYMENT, Plan
from armlocal.providers.base import Call, Reply, get_resource, list_resources, required
from armlocal.routing import Incoming
from armlocal.state import make_resource
from armlocal.templates.template import read_template

if TYPE_CHECKING:
    from armlocal.providers.base import Routes
    from armlocal.state import Resource
    from armlocal.templates.template import Planned, Template

Json = dict[str, Any]
ENGINE = {"x-ms-deployment-engine-version": "1.280.0"}
FAILED = (
    "At least one resource deployment operation failed. Please list deployment operations for details. "
    "Please see https://aka.ms/arm-deployment-operations for usage details."
)


async def put(call: Call) -> Reply:
    """Starts a deployment: each resource is made as soon as those it depends on are there."""
    old = call.world.find(call.id.text)
    if old is not None and call.world.operations.running(old, call.world) is not None:
        message = (
            f"Unable to edit or replace deployment '{call.id.name}': previous deployment is still active."
        )
        raise ArmError(409, "DeploymentActive", message, gateway=True)
    template = _read(call)
    body = {"properties": _properties(call, template, "Accepted") | {"duration": "PT0.0007665S"}}
    deployment = call.world.add(make_resource(call.id.text, TYPE, body))
    first = Reply(201 if old is None else 200, deployment.body, ENGINE)
    del deployment.properties["duration"]

    async def work() -> None:
        try:
            await _make_all(call, template)
        except ArmError as error:
            deployment.properties["error"] = error.inner()
            raise
        made = sorted(resource.id for resource in template.resources)
        deployment.properties.update(outputs=template.outputs, outputResources=[{"id": i} for i in made])
        deployment.properties["timestamp"] = call.world.timestamp()

    async def failed() -> None:
        deployment.properties["timestamp"] = call.world.timestamp()

    operation = await call.start(DEPLOYMENT, Plan("deployment", work, deployment, "Running", failed=failed))
    first.headers |= operation.headers(call.world)
    return first


async def validate(call: Call) -> Reply:
    """Reads a template and makes nothing. The providers are not asked, unlike on the real service."""
    template = _read(call)
    properties = _properties(call, template, "Succeeded")
    properties["validatedResources"] = [{"id": resource.id} for resource in template.resources]
    return Reply(200, {"id": call.id.text, "name": call.id.name, "type": TYPE, "properties": properties})


def _read(call: Call) -> Template:
    """The template.

    Raises:
        ArmError: 400, it cannot be read, is linked to or is to replace all that is in the group.
    """
    properties = required(call.body, "properties")
    if str(required(properties, "mode")).lower() != "incremental" or "templateLink" in properties:
        message = "Only deployments of whole templates in mode Incremental are carried here."
        raise ArmError(400, "InvalidDeployment", message, gateway=True)
    group = call.world.group(call.group)
    assert group is not None
    subscription = {
        "id": f"/subscriptions/{call.world.subscription_id}",
        "subscriptionId": call.world.subscription_id,
        "tenantId": call.world.tenant_id,
    }
    return read_template(properties, subscription, group.body)


def _properties(call: Call, template: Template, state: str) -> Json:
    told = json.dumps(call.body["properties"]["template"], sort_keys=True).encode()
    return {
        "templateHash": str(int.from_bytes(hashlib.sha256(told).digest()[:8], "big")),
        "parameters": template.parameters,
        "mode": "Incremental",
        "provisioningState": state,
        "timestamp": call.world.timestamp(),
        "correlationId": call.world.new_guid(),
        "providers": _providers(template.resources),
        "dependencies": _dependencies(template.resources),
    }


def _providers(resources: list[Planned]) -> list[Json]:
    """The types of a template, by namespace, each with the regions it is made in."""
    places: dict[str, dict[str, list[str | None]]] = {}
    for resource in resources:
        namespace, _, kind = resource.type.partition("/")
        known = places.setdefault(namespace, {}).setdefault(kind, [])
        if (resource.location or None) not in known:
            known.append(resource.location or None)
    return [
        {
            "namespace": namespace,
            "resourceTypes": [{"resourceType": k, "locations": where} for k, where in kinds.items()],
        }
        for namespace, kinds in places.items()
    ]


def _dependencies(resources: list[Planned]) -> list[Json]:
    by_id = {resource.id: resource for resource in resources}
    return [
        {"dependsOn": [_reference(by_id[need]) for need in resource.needs], **_reference(resource)}
        for resource in resources
        if resource.needs
    ]


def _reference(resource: Planned) -> Json:
    return {"id": resource.id, "resourceType": resource.type, "resourceName": resource.name}


async def _make_all(call: Call, template: Template) -> None:
    """Makes every resource, at the same time where none needs the other.

    Raises:
        ArmError: DeploymentFailed, with what those that failed say; what needs them is left out.
    """
    done = {resource.id: asyncio.Event() for resource in template.resources}
    errors: dict[str, ArmError] = {}

    async def make(resource: Planned) -> None:
        for need in resource.needs:
            await done[need].wait()
        if not errors.keys() & set(resource.needs):
            try:
                await _make(call, resource)
            except ArmError as error:
                errors[resource.id] = error
        else:
            errors[resource.id] = errors[next(need for need in resource.needs if need in errors)]
        done[resource.id].set()

    async with asyncio.TaskGroup() as tasks:
        for resource in template.resources:
            tasks.create_task(make(resource))
    if errors:
        inner = {id(error): error.inner() for error in errors.values()}
        raise ArmError(409, "DeploymentFailed", FAILED, details=list(inner.values()))


async def _make(call: Call, planned: Planned) -> None:
    """One resource, with the provider's own operation and its time.

    Raises:
        ArmError: the provider's refusal, or its operation's failure.
    """
    world = call.world
    incoming = Incoming(api_version=planned.api_version, body=dict(planned.body))
    inner = call.router.call(world, "PUT", parse_id(planned.id), incoming)
    inner.instant = call.instant
    reply = await call.router.answer(inner)
    address = reply.headers.get("Azure-AsyncOperation") or reply.headers.get("Location")
    operation = world.operations.at(address) if address else None
    if operation is None or operation.task is None:
        return
    await asyncio.wait([operation.task])
    if operation.error is not None:
        raise operation.error


async def delete(call: Call) -> Reply:
    """Forgets a deployment; what it made stays. Documented; no recording has it."""
    deployment: Resource | None = call.world.find(call.id.text)
    if deployment is not None:
        call.refuse_if_busy(deployment)
        call.world.remove(deployment.id)
    return Reply(204)


ROUTES: Routes = {
    f"PUT {TYPE}": put,
    f"GET {TYPE}": get_resource,
    f"LIST {TYPE}": list_resources,
    f"DELETE {TYPE}": delete,
    f"POST {TYPE}/validate": validate,
}
