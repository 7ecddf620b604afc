"""Preflight of rights: what the plan needs on each scope, against what the caller may do there."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from vhdlift.azure import rights
from vhdlift.azure.findings import Finding
from vhdlift.azure.together import together
from vhdlift.errors import AzureRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vhdlift.azure.scene import Scene

_MOST_NAMED = 6


async def look(scene: Scene) -> list[Finding]:
    """One finding for each scope on which something is missing."""
    source = scene.group(scene.spec.source_resource_group)
    made = (*rights.TARGET, *(rights.SCHEDULES if scene.spec.auto_shutdown else ()))
    answers = await together(
        _at(scene, scene.subscription, rights.SUBSCRIPTION),
        _at(scene, source, rights.SOURCE),
        _at(scene, scene.target, made),
        _dns(scene),
    )
    return [finding for answer in answers for finding in answer]


async def _dns(scene: Scene) -> list[Finding]:
    """On the zone's group; a zone that has yet to be made comes into the target's."""
    group = await scene.zone_group()
    if group is None:
        return []
    here = group.lower() == scene.spec.resource_group.lower()
    return await _at(scene, scene.target if here else scene.group(group), rights.DNS)


async def _at(scene: Scene, scope: str, needed: Iterable[str]) -> list[Finding]:
    about = f"the caller's rights on {scope}"
    try:
        rows = await scene.permissions(scope)
    except AzureRefused as refusal:
        if refusal.status != HTTPStatus.NOT_FOUND:
            raise
        return []  # what is in a group that is not there is missed by those who look for it
    lacking = rights.missing(rows, needed)
    if not lacking:
        return []
    named = ", ".join(lacking[:_MOST_NAMED])
    more = f" and {len(lacking) - _MOST_NAMED} more" if len(lacking) > _MOST_NAMED else ""
    message = f"{len(lacking)} rights that the plan needs are missing on {scope}: {named}{more}."
    who = scene.identity.assignee if scene.identity else "CLIENT_ID"
    command = f'az role assignment create --assignee {who} --role "{rights.ROLE_NAME}" --scope {scope}'
    return [Finding("rights-missing", "error", message, about, command)]
