"""The services: what Caddy is told, what the firewall opens, and a failure that ends nothing."""

from __future__ import annotations

from typing import Any

from tests.guest.pwsh.cloud import Cloud
from tests.guest.pwsh.machine import AGENT, Machine

NAMES = ("web", "drop", "pin")
WORD = "drop-word-7h3x9k"


def serve(machine: Machine, body: str = AGENT, **more: Any) -> str:
    """The Caddyfile after a whole run; empty when there is none."""
    wish: dict[str, Any] = {
        "services": NAMES,
        "ports": (80, 443),
        "drop_password": WORD,
        "pin_password": WORD,
    }
    machine.seal(hosts={name: f"{name}.lab1.example.org" for name in NAMES}, **{**wish, **more})
    done = machine.run(body)
    assert done.code == 0, done.said + machine.log()
    path = machine.folder / "data/vhdlift-services/Caddyfile"
    return path.read_text() if path.exists() else ""


def test_drop_is_served_and_the_others_say_why_not(machine: Machine, cloud: Cloud) -> None:
    """Behind its password; without a graphics card there is a page, and no port for streaming."""
    text = serve(machine)
    assert "drop.lab1.example.org {\n    basic_auth {\n        drop $2a$14$of-what-came-in" in text
    assert "reverse_proxy 127.0.0.1:5000" in text
    assert "47990" not in text
    assert "admin off" in text
    for name in ("web", "pin"):
        page = machine.folder / f"data/vhdlift-services/pages/{name}/index.html"
        assert "no graphics card" in page.read_text()
    told = cloud.reports[-1]["services"]
    assert (told["drop"], "no graphics card" in told["web"]) == ("on", True)
    opened = [deed for deed in machine.deeds() if deed.startswith("opened")]
    assert opened == ["opened TCP 80 for caddy.exe", "opened TCP 443 for caddy.exe"]


def test_programs_run_with_few_rights_and_no_password_in_sight(machine: Machine) -> None:
    """As LocalService; the password is in no file and no argument."""
    serve(machine)
    for name in ("caddy", "drop"):
        task = (machine.folder / f"world/task-vhdlift-{name}").read_text()
        assert "S-1-5-19 Limited" in task
    files = [f for f in machine.folder.rglob("*") if f.is_file() and f.suffix not in {".exe", ".ps1"}]
    assert [f for f in files if WORD.encode() in f.read_bytes()] == []


def test_without_a_password_nothing_is_served(machine: Machine, cloud: Cloud) -> None:
    assert "reverse_proxy" not in serve(machine, drop_password="", pin_password="")
    assert "no e-mail address" in cloud.reports[-1]["services"]["drop"]


def test_a_closed_port_means_no_service(machine: Machine, cloud: Cloud) -> None:
    assert serve(machine, ports=(80,)) == ""
    assert "port 443 is not open" in cloud.reports[-1]["services"]["pin"]


def test_a_service_that_fails_does_not_fail_the_export(machine: Machine, cloud: Cloud) -> None:
    """Three tries, then the reason on its page; the manifest was there before."""
    body = AGENT.replace("Start-Agent", "function Install-Drop { throw 'no room' }\nStart-Agent")
    assert "reverse_proxy" not in serve(machine, body)
    assert cloud.reports[-1]["services"]["drop"] == "no room"
    assert "old1.vhd.json" in cloud.blobs
    assert machine.state()["status"] == "done"
