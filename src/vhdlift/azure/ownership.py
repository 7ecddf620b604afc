"""What belongs to a run: made with its tag, taken over by its tag, deleted only with its tag.

A step describes a resource once, as a `Resource`, and uses it for both directions::

    network = Resource(
        id=f"{group_id}/providers/Microsoft.Network/virtualNetworks/{name}",
        what=f"the network {name}",
        get=partial(ops.get, group, name),
        begin_delete=partial(ops.begin_delete, group, name))

    vnet = await made(c.azure, network, c.run.id, c.ledger, create)   # do
    return await delete_ours(c.azure, network, c.run.id)              # undo
"""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Any

from vhdlift.azure.failures import incomplete
from vhdlift.azure.polling import Watch, state_of
from vhdlift.azure.together import together
from vhdlift.azure.waiting import asked, finished, found, listed, until
from vhdlift.errors import AzureRefused, Leftover, TookTooLong, VhdliftError
from vhdlift.model import RUN_TAG

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from vhdlift.azure.clients import Azure
    from vhdlift.azure.polling import KindName

_MOVING = frozenset({"creating", "updating", "deleting", "accepted", "running", "resolvingdns"})
_FAILED = frozenset({"failed", "canceled"})
_GROUP_VERSION = "2021-04-01"


@dataclass(frozen=True)
class Resource:
    """One ARM resource of the run: how to read it, how to remove it, what to call it.

    Attributes:
        id: the ARM id.
        what: as it reads in a sentence: `the network lab1-vnet`.
        get: a call without arguments that reads it.
        begin_delete: an SDK's `begin_delete` with its arguments bound; or None, and then `delete` is used.
        delete: a plain call without arguments that deletes it, for what has no long operation.
        kind: the deadline and pace of its deletion.
        command: the `az` command that removes it, when `az resource delete --ids ID` is not the one.
    """

    id: str
    what: str
    get: Callable[[], Awaitable[Any]]
    begin_delete: Callable[..., Awaitable[Any]] | None = None
    delete: Callable[[], Awaitable[Any]] | None = None
    kind: KindName = "delete"
    command: str = ""

    def leftover(self, reason: str) -> Leftover:
        """This resource as something that could not be removed."""
        return Leftover(self.id, reason, self.command or f"az resource delete --ids {quote(self.id)}")


def is_ours(tags: Mapping[str, str] | None, run_id: str) -> bool:
    """Whether a resource with these tags was made by this run."""
    return bool(run_id) and tag(tags, RUN_TAG) == run_id


def tag(tags: Mapping[str, str] | None, name: str) -> str:
    """The value of a tag, empty when it is not there; ARM may answer with other capitals in its name."""
    return next((str(value) for key, value in (tags or {}).items() if key.lower() == name.lower()), "")


def arm_id(azure: Azure, group: str, provider_path: str = "") -> str:
    """The ARM id of a resource group, or of `Microsoft.X/type/name[/type/name]` in it."""
    base = f"/subscriptions/{azure.subscription_id}/resourceGroups/{group}"
    return f"{base}/providers/{provider_path}" if provider_path else base


def place_of(resource_id: str) -> tuple[str, str]:
    """The resource group in an ARM id, and the name at its end."""
    parts = resource_id.split("/")
    return parts[4], parts[-1]


async def made(
    azure: Azure,
    resource: Resource,
    run_id: str,
    ledger: Callable[[str], Awaitable[None]],
    create: Callable[[], Awaitable[Any]],
) -> Any:
    """The resource, taken over if this run made it before, created otherwise.

    An operation that is already under way on it is waited out. The ledger entry comes before the create
    call is sent.

    Args:
        azure: the clients.
        resource: what to look for.
        run_id: the run whose tag allows a take-over.
        ledger: told the id before a create call.
        create: sends the create call, waits for it and returns the resource.

    Raises:
        AzureRefused: something of that name exists that this run did not make (code `NotOurs`), or what
            Azure says is there has no id.
        VhdliftError: what looking or `create` raises.
    """
    there = await settled(azure, resource)
    if there is not None and not is_ours(there.tags, run_id):
        raise AzureRefused(
            f"{resource.what} exists already and was not made by this run",
            "NotOurs",
            409,
            "Choose another name, or remove it first.",
        )
    if there is None or state_of(there) in _FAILED:
        await ledger(resource.id)
        there = await create()
    if not there.id:
        raise incomplete(f"reading {resource.what}", "id")
    return there


async def settled(azure: Azure, resource: Resource) -> Any | None:
    """The resource when no operation runs on it any more, or None when there is none."""

    async def look() -> tuple[Any | None] | None:
        there = await found(resource.get, what=f"reading {resource.what}", scale=azure.scale)
        return None if there is not None and state_of(there) in _MOVING else (there,)

    (there,) = await until(
        look, what=f"the change under way of {resource.what}", scale=azure.scale, kind=resource.kind
    )
    return there


async def delete_ours(azure: Azure, resource: Resource, run_id: str) -> list[Leftover]:
    """Delete the resource if this run made it, and look that it is gone.

    Nothing there, or something there without this run's tag: nothing is done and nothing is left over.
    A resource that is busy or still in use is waited for. Never raises for what Azure answers.

    Returns:
        The resource as a leftover when it could not be read, deleted, or seen gone.
    """
    try:
        there = await found(resource.get, what=f"reading {resource.what}", scale=azure.scale)
        if there is None or not is_ours(there.tags, run_id):
            return []
        await delete_now(azure, resource, owned_by(run_id))
    except VhdliftError as error:
        return [resource.leftover(str(error))]
    return []


def owned_by(run_id: str) -> Callable[[Any], Awaitable[bool]]:
    """Asks of what was read whether it carries this run's tag."""

    async def ours(there: Any) -> bool:
        return is_ours(there.tags, run_id)

    return ours


async def delete_now(
    azure: Azure, resource: Resource, still: Callable[[Any], Awaitable[bool]] | None = None
) -> None:
    """Delete the resource whatever its tags, and look until it is gone.

    Args:
        azure: the clients.
        resource: what is to go.
        still: whether what is there now may go too: asked when the deletion is over and something is there
            all the same. A deletion that never began is then asked for again; without it, only waited for.

    Raises:
        VhdliftError: it could not be deleted, or was still there at the deadline.
    """
    what = f"deleting {resource.what}"
    await _ask_to_delete(azure, resource, what)
    try:
        await _seen_gone(azure, resource, what, "list")
    except TookTooLong:
        # A proxy's answer in place of Azure's ends the wait for a deletion that never began.
        there = await found(resource.get, what=f"reading {resource.what}", scale=azure.scale)
        if there is not None and still is not None:
            if not await still(there):
                return
            await _ask_to_delete(azure, resource, what)
        await _seen_gone(azure, resource, what, resource.kind)


async def _ask_to_delete(azure: Azure, resource: Resource, what: str) -> None:
    if resource.begin_delete is not None:
        watch = Watch(resource.get, ready=lambda _: False, until_gone=True)
        await finished(resource.begin_delete, what=what, kind=resource.kind, scale=azure.scale, watch=watch)
    elif resource.delete is not None:
        await asked(resource.delete, what=what, kind=resource.kind, scale=azure.scale)


async def _seen_gone(azure: Azure, resource: Resource, what: str, kind: KindName) -> None:
    async def gone() -> bool | None:
        there = await found(resource.get, what=f"reading {resource.what}", scale=azure.scale)
        return True if there is None else None

    await until(gone, what=what, kind=kind, scale=azure.scale, typical=1)


async def inventory(azure: Azure, run_id: str, told: Sequence[str] = (), group: str = "") -> list[str]:
    """The ids of all that carries this run's tag in the whole subscription, resource groups included.

    Args:
        azure: the clients.
        run_id: the run.
        group: as in `tagged`.
        told: ids of what may still be there, with a tag or without; those that are, are in the list too.
            They are asked for one by one, as a list lags behind deletions.

    Raises:
        VhdliftError: the lists could not be read.
    """
    listed_ids = [item.id for item in await tagged(azure, run_id, group)]
    asked_for = {one.lower() for one in told}
    versions = Versions(azure)
    there = await together(*(exists(azure, one, versions) for one in told))
    return [
        *(one for one, is_there in zip(told, there, strict=True) if is_there),
        *(one for one in listed_ids if one.lower() not in asked_for),
    ]


@dataclass(frozen=True)
class Tagged:
    """A resource or a resource group that carries the tag of a run, with all its tags."""

    id: str
    tags: Mapping[str, str]

    @property
    def run_id(self) -> str:
        """The run."""
        return tag(self.tags, RUN_TAG)

    @property
    def group(self) -> str:
        """The resource group that it is, or is in."""
        return place_of(self.id)[0]

    @property
    def name(self) -> str:
        """Its name, without those of what it is a part of."""
        return place_of(self.id)[1]

    @property
    def type(self) -> str:
        """Its type in small letters: `microsoft.compute/virtualmachines/extensions`; empty for a group."""
        namespace, *rest = self.id.lower().partition("/providers/")[2].split("/")
        return "/".join([namespace, *rest[::2]]) if rest else ""


async def tagged(azure: Azure, run_id: str = "", group: str = "", **options: Any) -> list[Tagged]:
    """All that carries the tag of a run: first what is in resource groups, then the groups.

    Args:
        azure: the clients.
        run_id: the run; of any run when it is empty.
        group: the only resource group to look in, itself included; it need not exist. When it is empty, the
            whole subscription is looked at.
        **options: for the SDK's calls.

    Raises:
        VhdliftError: what Azure answered.
    """
    named = f"tagName eq '{RUN_TAG}'"
    wanted: dict[str, Any] = {"filter": f"{named} and tagValue eq '{run_id}'" if run_id else named}
    about: dict[str, Any] = {
        "what": f"listing what belongs to {f'run {run_id}' if run_id else 'any run'}",
        **options,
    }
    lists = azure.resources
    if group:
        of_group = lists.resources.list_by_resource_group
        there = await found(lists.resource_groups.get, group, **about, scale=azure.scale)
        groups = [] if there is None else [there]
        resources = await listed(of_group, group, **wanted, **about, scale=azure.scale) if groups else []
    else:
        resources = await listed(lists.resources.list, **wanted, **about, scale=azure.scale)
        groups = await listed(lists.resource_groups.list, **wanted, **about, scale=azure.scale)
    everything = await _with_tags(azure, [*resources, *groups])
    return [item for item in everything if item.run_id and run_id in {"", item.run_id}]


async def _with_tags(azure: Azure, items: Sequence[Any]) -> list[Tagged]:
    """With the tags that the service leaves out of lists by tag, as its reference says it does."""
    versions = Versions(azure)
    kept: list[Tagged] = []
    for item in items:
        there = item if item.tags else await _read(azure, str(item.id), versions)
        if there is not None:  # else it has gone meanwhile
            kept.append(Tagged(str(item.id), dict(there.tags or {})))
    return kept


async def exists(azure: Azure, resource_id: str, versions: Versions | None = None) -> bool:
    """Whether Azure still has the resource of that id, of whatever type; if it does not say, it has."""
    try:
        return await _read(azure, resource_id, versions or Versions(azure)) is not None
    except VhdliftError:
        return True


async def _read(azure: Azure, resource_id: str, versions: Versions) -> Any | None:
    version = await versions.of(resource_id)
    what = f"looking for {resource_id}"
    get = azure.resources.resources.get_by_id
    return await found(get, resource_id, api_version=version, what=what, scale=azure.scale)


class Versions:
    """Which version of the API knows a resource; each provider is asked once."""

    def __init__(self, azure: Azure) -> None:
        self._azure = azure
        self._types: dict[str, dict[str, list[str]]] = {}

    async def of(self, resource_id: str) -> str:
        """A version that knows the type of a resource, or the type that it is a part of.

        Raises:
            AzureRefused: there is no such type.
            VhdliftError: the provider could not be asked.
        """
        _, _, path = resource_id.partition("/providers/")
        if not path:
            return _GROUP_VERSION
        namespace, *rest = path.lower().split("/")
        wanted = "/".join(rest[::2])
        versions = await self._of_provider(namespace)
        known = [name for name in versions if versions[name] and f"{wanted}/".startswith(f"{name}/")]
        if not known:
            raise AzureRefused(f"reading the types of {namespace}: there is no {wanted}", "NotFound")
        newest = sorted(versions[max(known, key=len)])
        return next((v for v in reversed(newest) if "preview" not in v), newest[-1])

    async def _of_provider(self, namespace: str) -> dict[str, list[str]]:
        if namespace not in self._types:
            azure, what = self._azure, f"reading the types of {namespace}"
            provider = await asked(azure.resources.providers.get, namespace, what=what, scale=azure.scale)
            self._types[namespace] = {
                str(t.resource_type).lower(): t.api_versions or [] for t in provider.resource_types or []
            }
        return self._types[namespace]
