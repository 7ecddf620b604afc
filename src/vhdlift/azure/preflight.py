"""Everything that can be known before anything is touched, asked at the same time, told all at once.

`check` only reads. Each look is a coroutine that returns findings; a look that Azure refuses becomes a
finding itself, so that one missing right does not hide the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vhdlift.azure import (
    preflight_account,
    preflight_delegation,
    preflight_locks,
    preflight_names,
    preflight_policies,
    preflight_quota,
    preflight_rights,
    preflight_source,
    preflight_target,
)
from vhdlift.azure.clients import open_clients
from vhdlift.azure.failures import NO_CONNECTION, SCOPE_LOCKED
from vhdlift.azure.findings import Finding, in_order
from vhdlift.azure.identity import Identity, read_identity
from vhdlift.azure.power import read_vm
from vhdlift.azure.scene import Scene
from vhdlift.azure.sizes import no_price
from vhdlift.azure.together import together
from vhdlift.errors import AzureRefused, NotAllowed, PreflightFailed, SignInNeeded, TookTooLong, VhdliftError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from typing import Any

    from vhdlift.azure.clients import Azure
    from vhdlift.model import Run, Spec
    from vhdlift.settings import Settings

    Look = Callable[[], Awaitable[list[Finding]]]

__all__ = ["Finding", "Report", "check", "complete_spec", "look"]


@dataclass(frozen=True)
class Report:
    """Who asked, and what speaks against a run: the gravest first."""

    identity: Identity | None
    findings: list[Finding]


async def complete_spec(settings: Settings) -> Spec:
    """What the user asked for, with the source VM's location where none was given.

    Raises:
        UsageError: something that a run needs is missing.
        PreflightFailed: the source VM, whose location is needed, is not there, or Azure is out of reach.
        SignInNeeded: no credential works.
    """
    if settings.location or not (settings.source_vm and settings.source_resource_group):
        return settings.spec()
    async with open_clients(settings) as azure:
        try:
            await preflight_account.knock(azure, settings.source_resource_group)
            vm = await read_vm(azure, settings.source_resource_group, settings.source_vm)
        except (AzureRefused, TookTooLong) as refusal:
            group, name = settings.source_resource_group, settings.source_vm
            problem = _away(refusal) or preflight_source.missing(group, name, refusal)
            raise PreflightFailed([problem.to_json()]) from refusal
    return settings.spec(location=str(vm.location))


async def check(
    settings: Settings,
    spec: Spec,
    run: Run | None = None,
    *,
    also: Sequence[Look] = (),
    price: Callable[[str], str | None] = no_price,
) -> Report:
    """All that speaks against a run of `spec`, the gravest first.

    Args:
        settings: how to sign in, and to which cloud.
        spec: what is asked for.
        run: a run that has its id already; then the names that come from the id are looked at too, and
            what carries its tag is no problem.
        also: looks at what is not Azure, made at the same time.
        price: of a VM size for an hour, for the list of alternatives.

    Raises:
        SignInNeeded: no credential works, so nothing can be asked.
    """
    async with open_clients(settings) as azure:
        return await look(azure, spec, run, also=also, price=price, resolvers=settings.resolvers)


async def look(
    azure: Azure,
    spec: Spec,
    run: Run | None = None,
    *,
    also: Sequence[Look] = (),
    price: Callable[[str], str | None] = no_price,
    resolvers: Sequence[str] = (),
) -> Report:
    """`check` with clients that are open already; without resolvers, nobody is asked about the domain.

    Raises:
        SignInNeeded: no credential works.
    """
    scene = Scene(azure, spec, run, price, tuple(resolvers))
    answers = await together(_azure(scene), *(_outside(one) for one in also))
    identity = next((answer.identity for answer in answers if answer.identity), None)
    return Report(identity, in_order([finding for answer in answers for finding in answer.findings]))


async def _azure(scene: Scene) -> Report:
    """Two small questions first: without a token, or a network, every other answer would be the same."""
    try:
        identity = await read_identity(scene.azure)
        knocked = await preflight_account.knock(scene.azure, scene.spec.resource_group)
    except (AzureRefused, TookTooLong) as refusal:
        if (problem := _away(refusal)) is None:
            raise
        return Report(None, [problem])
    scene.identity, scene.group_exists = identity, knocked.group_exists
    answers = await together(*(_answered(about, one) for about, one in _looks(scene)))
    found = [finding for answer in answers for finding in answer]
    return Report(identity, [*preflight_account.clock(knocked), *found])


def _looks(scene: Scene) -> list[tuple[str, Coroutine[Any, Any, list[Finding]]]]:
    return [
        ("the rights of the caller", preflight_rights.look(scene)),
        ("the source VM", preflight_source.questions(scene)),
        ("the VM size and its quota", preflight_target.size(scene)),
        ("the quota of the network", preflight_quota.network(scene)),
        ("the quota of storage accounts", preflight_quota.storage(scene)),
        ("the image", preflight_target.image(scene)),
        ("the resource providers", preflight_account.providers(scene)),
        ("management locks", preflight_locks.look(scene)),
        ("policies", preflight_policies.look(scene)),
        ("names that the run will use", preflight_names.resources(scene)),
        ("the DNS zone", preflight_names.zone(scene)),
        ("the delegation of the domain", preflight_delegation.look(scene)),
    ]


async def _outside(one: Look) -> Report:
    return Report(None, await one())


def _away(refusal: VhdliftError) -> Finding | None:
    """The one thing to say when Azure cannot be reached."""
    if isinstance(refusal, AzureRefused) and refusal.code != NO_CONNECTION:
        return None
    return Finding("not-reached", "error", refusal.sentence, "signing in", "az cloud show --output table")


async def _answered(about: str, question: Coroutine[Any, Any, list[Finding]]) -> list[Finding]:
    """The answer, or a finding that says why there is none."""
    try:
        return await question
    except SignInNeeded:
        raise
    except NotAllowed as refusal:
        message = f"It could not be looked at: {refusal.sentence}."
        return [Finding("not-allowed", "warning", message, about, _ROLE)]
    except VhdliftError as problem:
        if isinstance(problem, AzureRefused) and problem.code in _TOLD_ELSEWHERE:
            return []
        message = f"It could not be looked at: {problem.sentence}."
        return [Finding("not-answered", "warning", message, about, problem.hint)]


# Why Azure takes no posts, questions included; the looks at locks and at the group say so.
_TOLD_ELSEWHERE = frozenset({SCOPE_LOCKED, "ResourceGroupBeingDeleted"})
_ROLE = "az role definition create --role-definition docs/role.json"
