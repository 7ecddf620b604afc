"""The mail and the last words of a run."""

from __future__ import annotations

import email
from dataclasses import replace
from typing import Any

import pytest

from tests.azure.conftest import Answer, settings_of
from tests.notify.mailbox import listening
from tests.steps.conftest import World
from tests.steps.shelf import GROUP
from vhdlift.errors import StepWarning
from vhdlift.settings import Settings
from vhdlift.steps import PROVISION, ancestors
from vhdlift.steps.base import Context
from vhdlift.steps.completed import Completed
from vhdlift.steps.email_sent import EmailSent

SUBSCRIPTION_PATH = GROUP.partition("/resourceGroups/")[0]
PROVIDER = f"{SUBSCRIPTION_PATH}/providers/microsoft.compute"
TYPES = {"resourceTypes": [{"resourceType": "snapshots", "apiVersions": ["2024-03-02"]}]}
FACTS = {
    "export_endpoint": "https://acc.blob.core.windows.net/",
    "artefact_url": "https://acc.blob.core.windows.net/vhdusb/old1.vhd",
    "artefact_size": 1074790912,
    "sha256": "ab" * 32,
    "verified": {"scheme": "gpt"},
    "guest_timings": {"download": 12.5},
}


def ready(world: World, port: int) -> Context:
    """A run that wants a mail, with an account whose key can be read."""
    account = world.context.names.export_account
    keys = {"keys": [{"keyName": "key1", "value": "c2VjcmV0LXNlY3JldC1zZWNyZXQ=", "permissions": "FULL"}]}
    path = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{account}"
    world.shelf.on(f"POST {path}/listKeys", Answer(body=keys))
    settings: Settings = settings_of(
        world.shelf, smtp_host="127.0.0.1", smtp_port=port, smtp_from="vhdlift@example.org", smtp_tls="none"
    )
    c = replace(world.with_spec(email=("owner@example.org",), link_days=7), settings=settings)
    return replace(c, facts={**FACTS, "export_account": account})


def text_of(envelope: Any) -> str:
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


async def test_mail_has_the_link_and_nothing_handed_on_has_it(world: World) -> None:
    """The link is https, for reading, signed; facts, ledger and progress know nothing of it."""
    async with listening() as mailbox:
        made = await EmailSent().do(ready(world, mailbox.port))
    said = text_of(mailbox.envelopes[0])
    assert mailbox.envelopes[0].rcpt_tos == ["owner@example.org"]
    assert "https://acc.blob.core.windows.net/vhdusb/old1.vhd?" in said
    assert "sp=r&" in said
    assert "spr=https" in said
    assert "ab" * 32 in said
    assert "sig=" not in f"{made}{world.told}{world.entered}"


def tagged(world: World) -> list[str]:
    """What the run left: interface, group, and the snapshot that goes at the end; and something of others."""
    c = world.context
    kept = [f"{GROUP}/providers/Microsoft.Network/networkInterfaces/lab1-nic", GROUP]
    world.shelf.put(kept[0], {"tags": c.run.tags})
    world.shelf.put(GROUP, {"tags": c.run.tags})
    world.shelf.put(f"{GROUP}/providers/Microsoft.Network/networkInterfaces/x", {"tags": {"team": "b"}})
    world.shelf.put(f"{GROUP}/providers/Microsoft.Compute/snapshots/{c.names.snapshot}", {"tags": c.run.tags})
    return kept


async def test_the_mail_lists_what_carries_the_tag(world: World) -> None:
    """What stays, and apart from it what is still to go."""
    tagged(world)
    async with listening() as mailbox:
        await EmailSent().do(ready(world, mailbox.port))
    told = text_of(mailbox.envelopes[0]).partition("All that carries the tag")[2]
    stays, _, leaving = told.partition("Being")
    assert "resourcegroup lab1-rg" in stays
    assert "networkinterfaces lab1-nic" in stays
    assert "networkinterfaces x" not in stays
    assert world.context.names.snapshot in leaving
    assert world.context.names.snapshot not in stays


async def test_the_mail_goes_out_without_the_list(world: World) -> None:
    """When Azure does not say what there is."""
    denied = Answer(403, {"error": {"code": "AuthorizationFailed", "message": "No right."}})
    world.shelf.on(f"GET {SUBSCRIPTION_PATH}/resources", denied)
    async with listening() as mailbox:
        await EmailSent().do(ready(world, mailbox.port))
    assert "All that carries the tag" not in text_of(mailbox.envelopes[0])


async def test_completed_lists_what_carries_the_tag(world: World) -> None:
    """It is asked for at the very end, and goes into the last post with all other facts."""
    kept = tagged(world)
    snapshot = f"{GROUP}/providers/Microsoft.Compute/snapshots/{world.context.names.snapshot}"
    world.shelf.on(f"GET {PROVIDER}", Answer(body=TYPES))
    made = await Completed().do(world.with_facts(**FACTS))
    assert made["resources"] == sorted([*kept, snapshot], key=str.lower)
    world.shelf.on(f"GET {snapshot}", Answer(404))  # the list lags behind
    assert (await Completed().do(world.with_facts(**FACTS)))["resources"] == sorted(kept, key=str.lower)


async def test_a_list_that_cannot_be_had_fails_no_complete_run(world: World) -> None:
    """It would undo what is complete."""
    denied = Answer(403, {"error": {"code": "AuthorizationFailed", "message": "No right."}})
    world.shelf.on(f"GET {SUBSCRIPTION_PATH}/resources", denied)
    made = await Completed().do(world.with_facts(**FACTS))
    assert made["resources"] is None
    assert "AuthorizationFailed" in world.warned.get_nowait()[0]


async def test_what_is_gone_is_told_as_removed(world: World) -> None:
    """The temporary account and the snapshot count as removed when they are not there."""
    c = ready(world, 1)
    snapshot = f"{GROUP}/providers/Microsoft.Compute/snapshots/{c.names.snapshot}"
    world.shelf.put(snapshot, {"tags": c.run.tags})
    async with listening() as mailbox:
        await EmailSent().do(ready(world, mailbox.port))
    removed = text_of(mailbox.envelopes[0]).partition("STILL THERE")[0]
    assert c.names.script_account in removed
    assert c.names.snapshot not in removed


async def test_mail_server_that_refuses_is_a_warning(world: World) -> None:
    """The run goes on; the reason is told."""
    async with listening(refuse=("owner@example.org",)) as mailbox:
        with pytest.raises(StepWarning, match="was not sent"):
            await EmailSent().do(ready(world, mailbox.port))


async def test_no_address_means_no_mail(world: World) -> None:
    """Nothing is asked of Azure or the mail server."""
    assert await EmailSent().do(world.context) == {"email_to": []}
    assert world.shelf.seen == []
    assert len(world.told) == 1


async def test_completed_names_services_and_artefact_without_signature(world: World) -> None:
    """Three https addresses and the plain address of the artefact."""
    made = await Completed().do(world.with_facts(**FACTS))
    assert made["services"]["pin"] == "https://pin.lab1.example.org"
    assert sorted(made["services"]) == ["drop", "pin", "web"]
    assert made["artefact_url"] == FACTS["artefact_url"]


def test_completed_needs_everything() -> None:
    """No step of the plan can still be under way when the run says it is completed."""
    others = {step.name for step in PROVISION} - {"completed"}
    assert ancestors("completed") == others
