"""What each setting may be: one table of values that are taken and one of values that are refused."""

# ruff: noqa: E501 # a table is read by its columns
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vhdlift.errors import UsageError
from vhdlift.options import BY_NAME
from vhdlift.settings import load_settings

NOWHERE = Path("/nonexistent")

TAKEN: list[tuple[str, Any, Any]] = [
    ("vm_name", "lab1", "lab1"),
    ("vm_name", "A2345678901234B", "A2345678901234B"),
    ("source_vm", "Old_PC.01-with-a-long-name", "Old_PC.01-with-a-long-name"),
    ("resource_group", "Gruppe-Süd_(1).x", "Gruppe-Süd_(1).x"),
    ("location", "UK South", "uksouth"),
    ("location", "westeurope", "westeurope"),
    ("vm_size", "Standard_D4s_v5", "Standard_D4s_v5"),
    ("vm_size", "Standard_NV36adms_A10_v5", "Standard_NV36adms_A10_v5"),
    ("vm_size", "Standard_M208-52s_v2", "Standard_M208-52s_v2"),
    ("image", "a:b:c:latest", "a:b:c:latest"),
    ("image", "a:b:c:26100.4061.250510", "a:b:c:26100.4061.250510"),
    ("os_disk_gb", "30", 30),
    ("os_disk_gb", 4095, 4095),
    ("admin_username", "ann.smith", "ann.smith"),
    ("domain", "Example.ORG.", "example.org"),
    ("domain", "bücher.example", "xn--bcher-kva.example"),
    ("domain", "xn--bcher-kva.example", "xn--bcher-kva.example"),
    ("subdomain", "a.b", "a.b"),
    ("subdomain", "straße", "xn--strae-oqa"),
    ("target_size_gib", "2040", 2040),
    ("port", "80, 3389", (80, 3389)),
    ("port", ["443"], (443,)),
    ("service", "Drop,web", ("drop", "web")),
    ("service", ["none"], ("none",)),
    ("blob_type", "block", "block"),
    ("hyper_v", "off", "off"),
    ("allow_from", "*", ("*",)),
    ("allow_from", "203.0.113.0/24,198.51.100.7", ("203.0.113.0/24", "198.51.100.7/32")),
    ("email", "Ann+x@bücher.example", ("Ann+x@xn--bcher-kva.example",)),
    ("tag", "team=lab, note=a b", {"team": "lab", "note": "a b"}),
    ("tag", ["q=a,b=c"], {"q": "a,b=c"}),
    ("tag", {"team": ""}, {"team": ""}),
    ("link_days", 60, 60),
    ("resolvers", "1.1.1.1,127.0.0.1:5353,[::1]:53,2001:db8::1", ("1.1.1.1", "127.0.0.1:5353", "[::1]:53", "2001:db8::1")),
    ("time_scale", "0.02", 0.02),
    ("subscription_id", "0000AAAA-0000-0000-0000-000000000001", "0000aaaa-0000-0000-0000-000000000001"),
    ("authority_host", "login.example.org", "https://login.example.org"),
    ("smtp_host", "127.0.0.1", "127.0.0.1"),
    ("smtp_host", "mail.example.org", "mail.example.org"),
    ("smtp_from", "VHD Lift <a@example.org>", "VHD Lift <a@example.org>"),
    ("smtp_from", "a@example.org", "a@example.org"),
]  # fmt: skip

REFUSED: list[tuple[str, Any]] = [
    *(("vm_name", v) for v in ("12345", "a" * 16, "-a", "a-", "a_b", "a.b", "ä", "a\nb", "a\n", " ")),
    *(("source_vm", v) for v in ("-a", "a-", "a" * 65, "a/b", "/subscriptions/x")),
    *(("resource_group", v) for v in ("a.", "a" * 91, "a/b", "a b")),
    *(("location", v) for v in ("uk-south", "1", "uksouth\n")),
    *(("vm_size", v) for v in ("D4s_v5", "Standard_d4s_v5", "Standard_", "Standard_D4s v5")),
    *(("image", v) for v in ("a:b:c", "a:b:c:d", "a:b::latest", "a:b:c:latest:x", "a:b c:d:latest")),
    *(("os_disk_gb", v) for v in (29, 4096, "1e3", "x")),
    *(("admin_username", v) for v in ("Administrator", "a.", "a b", "a" * 21, "a@b", "user5")),
    *(("domain", v) for v in ("example", "a..b", "-a.b", f"{'a' * 64}.b", ".".join(["a" * 50] * 6), "1.2.3.4", "a_b.c", "*.a.b")),
    *(("subdomain", v) for v in ("*", "a_b", "-a", "a" * 64, ".")),
    *(("target_size_gib", v) for v in (0, 2041)),
    *(("service", v) for v in ("mail", "drop,drop", "none,web")),
    ("blob_type", "append"),
    ("hyper_v", "maybe"),
    *(("port", v) for v in ("0", "65536", "80,80", "x", "80-90")),
    *(("allow_from", v) for v in ("10.0.0.1/24", "*,10.0.0.0/8", "10.0.0.0/8,10.1.0.0/16", "::/0", "any", "1.2.3.4,1.2.3.4")),
    *(("email", v) for v in ("a", "a@", "@b.de", "a b@c.de", "a@b", "a..b@c.de", "a@b.de,A@b.de", "a\r\nBcc: x@y.de", f"{'a' * 65}@b.de")),
    *(("tag", v) for v in ("a", "=b", "1a=b", "vhdlift-run=x", "Azure-x=y", "a=1,A=2", "a=1,a=2", "a=" + "x" * 257, "a b=c", "a%=c")),
    ("tag", {f"t{n}": "x" for n in range(13)}),
    ("tag", {"a": "line\nline"}),
    ("source_stop", "halt"),
    ("link_days", 61),
    *(("resolvers", v) for v in ("dns.example", "1.1.1.1:", "1.1.1.1:99999", "::1:53x", "[1.1.1.1]:53")),
    *(("time_scale", v) for v in (0, -1, 101, "nan", "inf", "x")),
    *(("subscription_id", v) for v in ("x", "{00000000-0000-0000-0000-000000000001}")),
    *(("arm_endpoint", v) for v in ("http://arm.example", "https://arm.example/path", "arm.example")),
    *(("authority_host", v) for v in ("http://login.example", "https://login.example/tenant")),
    ("azcopy_url", "http://a.example/x.zip"),
    ("azcopy_sha256", "abc"),
    ("smtp_port", 0),
    *(("smtp_from", v) for v in ("x", "A <x>", "A\r\nBcc: b@c.de <a@b.de>")),
    *(("smtp_host", v) for v in ("a b", "-a")),
    ("database_url", "mysql://a/b"),
    ("ca_bundle", "/nonexistent/ca.pem"),
    ("ca_bundle", __file__),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "expected"), TAKEN)
def test_taken(name: str, given: Any, expected: Any) -> None:
    """A value that Azure and Windows take is taken, in its one canonical form."""
    assert getattr(load_settings({name: given}, {}, NOWHERE), name) == expected


@pytest.mark.parametrize(("name", "given"), REFUSED)
def test_refused(name: str, given: Any) -> None:
    """A value that could not work is refused in one sentence that names the setting."""
    with pytest.raises(UsageError) as caught:
        load_settings({name: given}, {}, NOWHERE)
    (problem,) = caught.value.problems
    assert problem.startswith(BY_NAME[name].title)
    assert " must " in problem
    assert problem.isprintable()


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example/x?code=1",
        "http://127.0.0.1:8000/x",
        "http://localhost/x",
        "http://[::1]:80/x",
    ],
)
def test_webhook_taken(url: str) -> None:
    """A webhook is https, or http on this machine."""
    found = load_settings({"webhook_url": url}, {}, NOWHERE).webhook_url
    assert found is not None
    assert found.get_secret_value() == url


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/x",
        "https://user:pass-word@hooks.example/x",
        "https://user@hooks.example/x",
        "https://169.254.169.254/metadata",
        "http://169.254.169.254/metadata",
        "https://2852039166/metadata",
        "https://0xa9fea9fe/metadata",
        "https://[::ffff:169.254.169.254]/metadata",
        "https://168.63.129.16/",
        "https://0.0.0.0/",
        "https://hooks.example/x#y",
        "https://hooks.example:99999/x",
        "https:///x",
        "ftp://hooks.example/x",
        "hooks.example",
        "https://hooks.example/a b",
        "https://hooks.example/\r\nx",
    ],
)
def test_webhook_refused(url: str) -> None:
    """No credentials in the URL, no way to the cloud's own services, and the URL is not repeated."""
    with pytest.raises(UsageError) as caught:
        load_settings({"webhook_url": url}, {}, NOWHERE)
    (problem,) = caught.value.problems
    assert problem.startswith("--webhook-url (VHDLIFT_WEBHOOK_URL) must ")
    assert url not in problem


@pytest.mark.parametrize("secret", ["whsec_" + "QUFB" * 8, "QUFB" * 8, "QUFB" * 21])
def test_webhook_secret_taken(secret: str) -> None:
    """A webhook secret is base64 of 24 to 64 bytes, with or without its prefix."""
    assert load_settings({}, {"VHDLIFT_WEBHOOK_SECRET": secret}, NOWHERE).webhook_secret is not None


@pytest.mark.parametrize("secret", ["secret-text", "QUFB" * 7, "QUFB" * 22, "whsec_"])
def test_webhook_secret_refused(secret: str) -> None:
    """A secret that is no key, or a weak one, is refused and not repeated."""
    with pytest.raises(UsageError) as caught:
        load_settings({}, {"VHDLIFT_WEBHOOK_SECRET": secret}, NOWHERE)
    assert secret not in str(caught.value).replace("'whsec_'", "")
