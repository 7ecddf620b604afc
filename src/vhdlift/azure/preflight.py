"""Everything that can be known before anything is touched, asked at the same time, told all at once.

`check` only reads. Each question is a coroutine that returns findings; a question that Azure refuses to
answer becomes a finding itself, so that one missing right does not hide the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vhdlift.azure import preflight_names, preflight_source, preflight_target
from vhdlift.azure.clients import open_clients
from vhdlift.azure.failures import NO_CONNECTION
from vhdlift.azure.findings import Finding
from vhdlift.azure.power import read_vm
from vhdlift.azure.together import together
from vhdlift.azure.waiting import asked
from vhdlift.errors import AzureRefused, NotAllowed, PreflightFailed, SignInNeeded, VhdliftError

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from vhdlift.azure.clients import Azure
    from vhdlift.model import Run, Spec
    from vhdlift.settings import Settings

__all__ = ["Finding", "check", "complete_spec", "look"]


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
        if problem := await _sign_in(azure, settings.source_resource_group):
            raise PreflightFailed([problem.to_json()])
        try:
            vm = await read_vm(azure, settings.source_resource_group, settings.source_vm)
        except AzureRefused as refusal:
            missing = preflight_source.missing(settings.source_resource_group, settings.source_vm, refusal)
            raise PreflightFailed([missing.to_json()]) from refusal
    return settings.spec(location=str(vm.location))


async def check(settings: Settings, spec: Spec, run: Run | None = None) -> list[Finding]:
    """All that speaks against a run of `spec`, errors first.

    Args:
        settings: how to sign in, and to which cloud.
        spec: what is asked for.
        run: a run that has its id already; then the names that come from the id are looked at too, and
            what carries its tag is no problem.

    Raises:
        SignInNeeded: no credential works, so nothing can be asked.
    """
    async with open_clients(settings) as azure:
        return await look(azure, spec, run)


async def look(azure: Azure, spec: Spec, run: Run | None = None) -> list[Finding]:
    """`check` with clients that are open already.

    Raises:
        SignInNeeded: no credential works.
    """
    if problem := await _sign_in(azure, spec.resource_group):
        return [problem]
    questions = [
        _answered("the source VM", preflight_source.questions(azure, spec)),
        _answered("the VM size and its quota", preflight_target.size(azure, spec)),
        _answered("the image", preflight_target.image(azure, spec)),
        _answered("the resource providers", preflight_target.providers(azure, spec)),
        _answered("names that the run will use", preflight_names.resources(azure, spec, run)),
        _answered("the DNS zone", preflight_names.zone(azure, spec, run)),
    ]
    findings = [finding for answer in await together(*questions) for finding in answer]
    return sorted(findings, key=lambda finding: finding.severity != "error")


async def _sign_in(azure: Azure, group: str) -> Finding | None:
    """One small question first: without a token, or a network, every other answer would be the same."""
    check = azure.resources.resource_groups.check_existence
    try:
        await asked(check, group, what="signing in", kind="probe", scale=azure.scale)
    except SignInNeeded:
        raise
    except VhdliftError as problem:
        if isinstance(problem, AzureRefused) and problem.code == NO_CONNECTION:
            return Finding("not-reached", "error", problem.sentence, "signing in")
    return None  # signed in; what else is wrong shows where it is asked for


async def _answered(about: str, question: Coroutine[Any, Any, list[Finding]]) -> list[Finding]:
    """The answer, or a finding that says why there is none."""
    try:
        return await question
    except SignInNeeded:
        raise
    except NotAllowed as refusal:
        return [Finding("not-allowed", "error", refusal.sentence, about, _ROLES)]
    except VhdliftError as problem:
        return [Finding("not-answered", "error", problem.sentence, about, problem.hint)]


_ROLES = "az role assignment list --assignee CLIENT_ID --all --output table"
