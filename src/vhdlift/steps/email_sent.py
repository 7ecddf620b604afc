"""The completion mail, with the one link that carries a signature, and the passwords of the services.

What makes and sends mails is imported when there is one to send: the plan is imported long before that.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from vhdlift.azure.ownership import tagged
from vhdlift.azure.service_passwords import service_passwords
from vhdlift.azure.snapshot import snapshot_of
from vhdlift.azure.storage import account_of, blob_read_url
from vhdlift.azure.waiting import found
from vhdlift.errors import Leftover, StepWarning, VhdliftError
from vhdlift.model import CONTAINER, SERVICES
from vhdlift.steps.service_report import ON, services_told

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from vhdlift.azure.ownership import Resource
    from vhdlift.notify.email import CompletionMail
    from vhdlift.steps.base import Context, Made


class EmailSent:
    """Sent when the artefact was verified; a mail server that refuses does not fail the run."""

    name = "email_sent"
    title = "Send the completion mail"
    needs = ("vhd_verified",)
    may_fail = True

    async def do(self, c: Context) -> Made:
        """Make the link, which is never kept, and send the mail; nothing if no address was given.

        Raises:
            StepWarning: the mail could not be sent.
        """
        if not c.run.spec.email:
            await c.progress("No mail is sent, as no address was given", {"skipped": True})
            return {"email_to": []}
        from vhdlift.notify.email import send_completion_email  # noqa: PLC0415

        try:
            mail = await _mail(c)
            await send_completion_email(c.settings, mail, partial(_tell_wait, c))
        except VhdliftError as error:
            raise StepWarning(f"The completion mail was not sent: {error.sentence}", error.hint) from error
        return {"email_to": list(c.run.spec.email), "link_expires": mail.link_expires.isoformat()}

    async def undo(self, c: Context) -> Sequence[Leftover]:  # noqa: ARG002
        """Nothing: a mail cannot be called back, and its link ends with the account."""
        return []


async def _tell_wait(c: Context, said: str, seconds: float) -> None:
    await c.progress(said, {"waiting_seconds": round(seconds)})


async def _mail(c: Context) -> CompletionMail:
    from vhdlift.notify.email import CompletionMail  # noqa: PLC0415

    told = await services_told(c)
    now = datetime.now(UTC).replace(microsecond=0)
    life = timedelta(days=c.run.spec.link_days)
    names = c.names
    link = await blob_read_url(
        c.azure,
        names.group,
        c.facts["export_account"],
        endpoint=c.facts["export_endpoint"],
        container=CONTAINER,
        blob=names.artefact,
        life=life,
    )
    return CompletionMail(
        run_id=c.run.id,
        to=c.run.spec.email,
        vm_name=names.vm,
        source_vm=c.run.spec.source_vm,
        resource_group=names.group,
        artefact=names.artefact,
        link=link,
        link_expires=now + life,
        size=c.facts["artefact_size"],
        sha256=c.facts["sha256"],
        addresses={service: names.host(service) for service in SERVICES},
        holes=c.run.spec.blob_type == "page",
        services=told,
        passwords=await _passwords(c, told),
        durations=[
            (phase.replace("_", " "), float(took)) for phase, took in c.facts.get("guest_timings", {}).items()
        ],
        elapsed=(now - datetime.fromisoformat(c.run.created_at)).total_seconds(),
        scheme=c.facts["verified"]["scheme"],
        **await _what_is_there(c),
    )


async def _what_is_there(c: Context) -> dict[str, Any]:
    """What was removed, what is still to go, and what stays, as the mail tells it."""
    passing = [account_of(c.azure, c.names.group, c.names.script_account), snapshot_of(c.azure, c.run)]
    gone = await _gone(c, passing)
    return {
        "removed": [one.what for one in gone],
        "leaving": [one.what for one in passing if one not in gone],
        "stays": await _stays(c, {one.id.lower() for one in passing}),
    }


async def _passwords(c: Context, told: Mapping[str, str]) -> dict[str, str]:
    """User and password for what is served; secrets.

    None when the account's key was changed since the VM got them: what would be made of it now is wrong.
    """
    users = {"drop" if service == "drop" else "pin" for service, how in told.items() if how == ON}
    if not users:
        return {}
    made = await service_passwords(c.azure, c.names.group, c.facts["export_account"], c.run.id)
    if made.mark != c.facts.get("passwords_mark"):
        return {}
    return {user: getattr(made, user) for user in sorted(users)}


async def _gone(c: Context, passing: Sequence[Resource]) -> list[Resource]:
    """What of it is not there any more; asked, as others remove it."""
    return [
        resource
        for resource in passing
        if await found(resource.get, what=f"reading {resource.what}", scale=c.azure.scale) is None
    ]


async def _stays(c: Context, passing: Collection[str]) -> list[str]:
    """All that carries the run's tag, as `type name`, but what is there for the time of the work only.

    Nothing if Azure does not say: the mail is worth more than this list.
    """
    try:
        there = await tagged(c.azure, c.run.id)
    except VhdliftError:
        return []
    kinds = {one.id: one.type.rpartition("/")[2] or "resourcegroup" for one in there}
    return sorted(f"{kinds[one.id]} {one.name}" for one in there if one.id.lower() not in passing)
