"""Preflight of the delegation, against the stand-in's resolver, its parent of all zones, and its zones."""

from __future__ import annotations

from tests.azure.looking import ZONE, Lab, lab, looked_at

__all__ = ["lab", "looked_at"]

DOMAIN = "rehearsal.example"


def test_wrong_delegation(lab: Lab) -> None:
    """Expected and found stand side by side, with where to look them up."""
    lab.cloud.control("delegation", {"zone": DOMAIN, "servers": ["ns1.elsewhere.example"]})
    finding = lab.only()
    assert (finding.code, finding.severity) == ("delegation", "error")
    assert "expected ns1-" in finding.message
    assert "its parent example (ns1.parents.invalid) gives ns1.elsewhere.example" in finding.message
    assert finding.command.startswith("az network dns zone show --resource-group dns")


def test_no_delegation(lab: Lab) -> None:
    """The parent knows nothing of the domain."""
    lab.cloud.control("delegation", {"zone": DOMAIN, "servers": []})
    finding = lab.only()
    assert (finding.code, finding.severity) == ("delegation", "error")
    assert "gives none" in finding.message


def test_zone_that_has_yet_to_be_made(lab: Lab) -> None:
    """Its name servers are not known yet, which is said."""
    lab.cloud.arm("DELETE", ZONE, "2018-05-01").raise_for_status()
    finding = lab.only()
    assert (finding.code, finding.severity) == ("dns-zone-new", "notice")
    assert "within five minutes" in finding.message
