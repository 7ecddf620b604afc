"""ARM ids: paths that name resources, compared without regard to case."""

from __future__ import annotations

from dataclasses import dataclass

PAIR = 2
GROUP_TYPE = "Microsoft.Resources/resourceGroups"
DEPLOYMENT_TYPE = "Microsoft.Resources/deployments"
SUBSCRIPTION_TYPE = "Microsoft.Resources/subscriptions"


@dataclass(frozen=True)
class ArmId:
    """A path taken apart.

    `/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/virtualNetworks/V/subnets/N` has the type
    `Microsoft.Network/virtualNetworks/subnets` and the names `("V", "N")`. A path that ends with a type
    (a list, or an action) has one name fewer than its type has parts.

    Attributes:
        subscription: its id, as sent.
        group: the resource group, as sent; None for what lives in the subscription.
        type: namespace and types, as sent.
        names: the names, outermost first.
        text: the whole path, as sent, without a slash at its end.
    """

    subscription: str
    group: str | None
    type: str
    names: tuple[str, ...]
    text: str

    @property
    def key(self) -> str:
        """What it is stored under: the path in lower case."""
        return self.text.lower()

    @property
    def name(self) -> str:
        """The innermost name."""
        return self.names[-1]

    @property
    def name_path(self) -> str:
        """The names as ARM's 404 writes them: `vm`, or `vm/extensions/ext`."""
        parts = [self.names[0]]
        for kind, name in zip(self.type.split("/")[2:], self.names[1:], strict=False):
            parts += [kind, name]
        return "/".join(parts)

    @property
    def is_collection(self) -> bool:
        """Whether the path ends with a type: a list (GET) or an action (POST)."""
        return len(self.type.split("/")) - 1 > len(self.names)

    @property
    def last_type(self) -> str:
        """The last part of the type: `subnets`, or the action's name."""
        return self.type.rsplit("/", 1)[-1]

    @property
    def parent(self) -> ArmId:
        """The path one level up: of a child its parent, of a collection what it is in."""
        if self.is_collection:
            return parse_id(self.text.rsplit("/", 1)[0])
        return parse_id(self.text.rsplit("/", 2)[0])

    @property
    def location(self) -> str | None:
        """The region in a path such as `.../providers/Microsoft.Compute/locations/uksouth/usages`."""
        parts = self.type.split("/")
        return (
            self.names[0].lower()
            if len(parts) > 1 and parts[1].lower() == "locations" and self.names
            else None
        )


def parse_id(path: str) -> ArmId:
    """Takes a path apart.

    Args:
        path: begins with `/subscriptions/`.

    Raises:
        ValueError: it is not such a path.
    """
    text = path.rstrip("/")
    parts = text.split("/")[1:]
    if len(parts) < PAIR or parts[0].lower() != "subscriptions" or "" in parts:
        message = f"not an ARM path: {path}"
        raise ValueError(message)
    subscription, rest = parts[1], parts[2:]
    group = None
    if len(rest) >= PAIR and rest[0].lower() == "resourcegroups":
        group, rest = rest[1], rest[2:]
    last = max((n for n, part in enumerate(rest) if part.lower() == "providers"), default=0)
    if len(rest) > last + PAIR and rest[last].lower() == "providers":
        # What is put on any other thing, such as a lock, has a `providers` of its own behind that thing's.
        return _provider_id(subscription, group, rest[last + 1 :], text)
    return _plain_id(subscription, group, rest, text)


def scope_of(arm_id: ArmId) -> str:
    """The path of what a thing is put on: all before its own `/providers/`."""
    return arm_id.text[: arm_id.text.lower().rindex("/providers/")]


def _provider_id(subscription: str, group: str | None, rest: list[str], text: str) -> ArmId:
    kinds, names = rest[1::2], rest[2::2]
    return ArmId(subscription, group, "/".join([rest[0], *kinds]), tuple(names), text)


def _plain_id(subscription: str, group: str | None, rest: list[str], text: str) -> ArmId:
    """What ARM itself answers for: subscriptions, groups, and lists in them."""
    if group is not None and not rest:
        return ArmId(subscription, group, GROUP_TYPE, (group,), text)
    if not rest:
        return ArmId(subscription, group, SUBSCRIPTION_TYPE, (subscription,), text)
    kinds, names = rest[0::2], rest[1::2]
    return ArmId(subscription, group, "/".join(["Microsoft.Resources", *kinds]), tuple(names), text)
