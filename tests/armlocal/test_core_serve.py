"""`armlocal serve`: one process with everything in it, ready when its env file is there."""

from __future__ import annotations

import json
import signal
import ssl
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from armlocal.tls import make_certificates

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


VERSION = {"api-version": "2025-04-01"}
LOGGED = {"time", "operation", "method", "path", "status", "duration"}


@dataclass(frozen=True)
class Served:
    """A running stand-in, and a client that is signed in."""

    folder: Path
    env: dict[str, str]
    client: httpx.Client

    @property
    def groups(self) -> str:
        """Where resource groups are."""
        return f"/subscriptions/{self.env['AZURE_SUBSCRIPTION_ID']}/resourceGroups"


@contextmanager
def _serving(folder: Path, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "armlocal", "serve", "--dir", str(folder), *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _wait(process: subprocess.Popen[bytes], folder: Path) -> dict[str, str]:
    """What a shell that sources the env file gets."""
    deadline = time.monotonic() + 60
    while not (folder / "env").exists():
        assert process.poll() is None, process.stderr.read().decode()  # type: ignore[union-attr]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    shell = subprocess.run(["sh", "-c", f". {folder}/env && env -0"], capture_output=True, check=True, env={})
    return dict(line.split("=", 1) for line in shell.stdout.decode().split("\0") if line)


def _client(env: dict[str, str]) -> httpx.Client:
    return httpx.Client(
        base_url=env["VHDLIFT_ARM_ENDPOINT"], verify=_context(env), trust_env=False, timeout=30
    )


def _context(env: dict[str, str]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=env["VHDLIFT_CA_BUNDLE"])


def _sign_in(client: httpx.Client, env: dict[str, str]) -> None:
    form = {
        "client_id": env["AZURE_CLIENT_ID"],
        "client_secret": env["AZURE_CLIENT_SECRET"],
        "grant_type": "client_credentials",
        "scope": "x",
    }
    answer = client.post(f"/{env['AZURE_TENANT_ID']}/oauth2/v2.0/token", data=form)
    client.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"


def _left(client: httpx.Client) -> list[Any]:
    return list(client.get("/_control/left").raise_for_status().json()["resources"])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    with _serving(folder, "--time-scale", "0.001") as process:
        env = _wait(process, folder)
        with _client(env) as client:
            _sign_in(client, env)
            yield Served(folder, env, client)


def test_it_starts_with_a_running_source_machine_and_says_how_to_reach_it(tmp_path: Path) -> None:
    with _serving(tmp_path) as process:
        env = _wait(process, tmp_path)
        with _client(env) as client:
            left = _left(client)
        machine = next(r for r in left if r["id"].endswith(f"/virtualMachines/{env['VHDLIFT_SOURCE_VM']}"))
        assert machine["powerState"] == "running"
        types = {r["type"].split("/", 1)[1] for r in left}
        assert {
            "resourceGroups",
            "networkInterfaces",
            "publicIPAddresses",
            "disks",
            "virtualNetworks",
        } <= types
        assert env["VHDLIFT_TIME_SCALE"] == "0.02"
        assert env["VHDLIFT_CLOUD"] == "custom"
        assert stat.S_IMODE((tmp_path / "env").stat().st_mode) == 0o600
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert not (tmp_path / "env").exists()


def test_reset_makes_the_starting_world_again_while_it_runs(served: Served) -> None:
    client = served.client
    before = _left(client)
    client.put(f"{served.groups}/other", params=VERSION, json={"location": "uksouth"})
    vm = f"{served.groups}/lab/providers/Microsoft.Compute/virtualMachines/lab-source"
    client.post(f"{vm}/deallocate", params=VERSION)
    client.post("/_control/faults", json=[{"operation": "GET a/b", "kind": "error"}])
    client.post("/_control/knobs", json={"scale": 5})
    client.post("/_webhook", json={"a": 1})
    assert (served.folder / "webhooks.ndjson").exists()
    assert client.post("/_control/reset").status_code == 204
    assert _left(client) == before
    assert client.get("/_control/faults").json() == []
    assert client.get("/_control/knobs").json() == {
        "scale": 0.001,
        "token_seconds": 3599.0,
        "clock_ahead": 0.0,
    }
    assert not (served.folder / "webhooks.ndjson").exists()
    disk = f"{served.groups}/lab/providers/Microsoft.Compute/disks/lab-source_OsDisk"
    assert client.get(disk, params=VERSION).json()["properties"]["diskSizeBytes"] >= 1024**3


def test_every_request_to_arm_is_written_down_without_secrets(served: Served) -> None:
    served.client.post("/_control/reset")
    _sign_in(served.client, served.env)
    served.client.get(served.groups, params={**VERSION, "sig": "hidden"})
    served.client.get("/_control/left")
    text = (served.folder / "requests.ndjson").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["method"] for line in lines] == ["POST", "GET"]
    assert lines[1]["path"] == f"{served.groups}?api-version=2025-04-01&sig=*"
    assert (lines[1]["status"], set(lines[1])) == (200, LOGGED)
    assert served.env["AZURE_CLIENT_SECRET"] not in text


def test_a_knob_that_there_is_not_is_refused(served: Served) -> None:
    answer = served.client.post("/_control/knobs", json={"speed": 1})
    assert (answer.status_code, "speed" in answer.json()["error"]) == (400, True)


def test_a_port_that_is_taken_is_told_in_one_sentence(tmp_path: Path) -> None:
    with _serving(tmp_path / "a") as first:
        port = _wait(first, tmp_path / "a")["VHDLIFT_ARM_ENDPOINT"].rsplit(":", 1)[1]
        with _serving(tmp_path / "b", "--port", port) as second:
            _, told = second.communicate(timeout=30)
            assert second.returncode == 1
            assert told.decode().startswith("armlocal: ")
            assert told.decode().count("\n") == 1


def test_the_private_key_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.key.parent.stat().st_mode) == 0o700
    assert made.trust().get_ca_certs()
