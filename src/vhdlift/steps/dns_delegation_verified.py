"""Whether the domain's registrar sends the world to the zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vhdlift.azure.dns import check_ns_delegation_with_retries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.azure.delegation import Delegation
    from vhdlift.errors import Leftover
    from vhdlift.steps.base import Context, Made


class DnsDelegationVerified:
    """Compares the name servers that public resolvers give with the zone's own."""

    name = "dns_delegation_verified"
    title = "Compare the delegation of the domain with its zone"
    needs = ("dns_zone_ready",)

    async def do(self, c: Context) -> Made:
        """Ask the resolvers of the settings until they agree with the zone, for five minutes.

        Raises:
            TookTooLong: they do not; expected and found name servers stand side by side.
        """

        async def waiting(seen: Delegation) -> None:
            await c.progress(f"{seen.sentence}. {seen.hint}", {"expected": sorted(seen.expected)})

        seen = await check_ns_delegation_with_retries(
            c.names.zone, c.facts["name_servers"], c.settings.resolvers, c.azure.scale, waiting
        )
        return {"delegated_to": sorted(seen.expected)}

    async def undo(self, c: Context) -> Sequence[Leftover]:  # noqa: ARG002
        """Nothing: it only looked."""
        return []
