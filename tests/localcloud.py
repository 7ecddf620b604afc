"""A local Azure for the tests: the stand-in as a real process, and what can be asked of it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import httpx

START_SECONDS = 120.0
# Settings of the tool under test; and a measurement of that tool, which would only slow the stand-in.
NOT_ITS_OWN = ("VHDLIFT_", "AZURE_", "SMTP_", "COVERAGE_")


class LocalCloud:
    """One running `armlocal serve`, its environment for a client, and its control path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = read_exports(folder / "env")
        self.url = self.env["VHDLIFT_ARM_ENDPOINT"]
        self._client = httpx.Client(base_url=self.url, verify=_context(folder / "ca.pem"), timeout=60)

    def left(self) -> list[dict[str, Any]]:
        """Every resource that exists, sorted by id."""
        rows = self._client.get("/_control/left").raise_for_status().json()["resources"]
        return sorted(rows, key=lambda row: str(row["id"]).lower())

    def fault(self, operation: str, kind: str = "error", **more: Any) -> None:
        """Break the nth (default first) call of an operation."""
        self._client.post(
            "/_control/faults", json=[{"operation": operation, "kind": kind, "nth": 1, **more}]
        ).raise_for_status()

    def control(self, path: str, body: Any) -> Any:
        """Any other control call."""
        return self._client.post(f"/_control/{path}", json=body).raise_for_status()

    def ask(self, path: str) -> Any:
        """What a control call tells."""
        return self._client.get(f"/_control/{path}").raise_for_status().json()

    def clear_faults(self) -> None:
        """Nothing that was asked for goes wrong from now on."""
        self._client.delete("/_control/faults").raise_for_status()

    def arm(self, method: str, path: str, version: str, body: Any = None) -> httpx.Response:
        """A call to ARM as any client makes it; `path` is below the subscription."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.env["AZURE_CLIENT_ID"],
            "client_secret": self.env["AZURE_CLIENT_SECRET"],
            "scope": f"{self.url}/.default",
        }
        login = self._client.post(f"/{self.env['AZURE_TENANT_ID']}/oauth2/v2.0/token", data=form)
        headers = {"authorization": f"Bearer {login.raise_for_status().json()['access_token']}"}
        url = f"/subscriptions/{self.env['AZURE_SUBSCRIPTION_ID']}/{path}?api-version={version}"
        return self._client.request(method, url, json=body, headers=headers)

    def put(self, path: str, version: str, body: Any) -> None:
        """Make something that was there before the run, and wait until it is."""
        self.arm("PUT", path, version, body).raise_for_status()
        deadline = time.monotonic() + START_SECONDS
        while _state(self.arm("GET", path, version).raise_for_status().json()) not in {"", "Succeeded"}:
            assert time.monotonic() < deadline, path
            time.sleep(0.05)

    def reset(self) -> None:
        """The starting world again."""
        self._client.post("/_control/reset").raise_for_status()

    def webhooks(self) -> list[dict[str, Any]]:
        """The bodies of all webhook posts that the tool itself sent for a run, in order of arrival.

        As a receiver keeps them: a post that was repeated, because its answer came too late, is one.
        """
        first: dict[str, dict[str, Any]] = {}
        for row in self.posts():
            body = row["body"]
            if body["details"].get("reporter") != "guest" and body["run_id"]:
                first.setdefault(str(row["headers"]["webhook-id"]), body)
        return list(first.values())

    def posts(self) -> list[dict[str, Any]]:
        """All posts to the webhook, as they came."""
        return ndjson(self.folder / "webhooks.ndjson")

    def requests(self) -> list[dict[str, Any]]:
        """All ARM requests so far."""
        return ndjson(self.folder / "requests.ndjson")

    def mails(self) -> list[EmailMessage]:
        """All mails, parsed."""
        parser = BytesParser(policy=policy.default)
        return [parser.parsebytes(f.read_bytes()) for f in sorted((self.folder / "mail").glob("*.eml"))]

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()


def _state(body: dict[str, Any]) -> str:
    return str(body.get("properties", {}).get("provisioningState", ""))


def ndjson(file: Path) -> list[dict[str, Any]]:
    """One JSON object a line, of those that are written to their end; no file is no line."""
    if not file.exists():
        return []
    whole = file.read_text().rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def read_exports(file: Path) -> dict[str, str]:
    """The variables that a shell would have after `. file`."""
    words = shlex.split(file.read_text(), comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word)


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[LocalCloud]:
    """Start the stand-in, wait until it says that it is ready, stop it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "armlocal", "serve", "--dir", str(folder), *options],
            stdout=log,
            stderr=log,
            env={k: v for k, v in os.environ.items() if not k.startswith(NOT_ITS_OWN)},
        )
        try:
            _wait_for(folder / "env", process, folder / "serve.log")
            cloud = LocalCloud(folder)
            yield cloud
            cloud.close()
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(file: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not file.exists():
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.05)


def _context(ca: Path) -> Any:
    import ssl  # noqa: PLC0415

    return ssl.create_default_context(cafile=str(ca))
