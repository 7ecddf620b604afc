"""`vhdlift` as a process that need not import first: a second of work, and tests start hundreds.

One process of the tests imports everything and then only copies itself. A copy becomes a command: with its
own arguments, environment, folder, outputs and process group, to be signalled, killed and waited for like any
other process. The whole job is tested with `python -m vhdlift` itself.
"""

from __future__ import annotations

import atexit
import faulthandler
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LONGEST_REQUEST = 1 << 20
# What the tool itself imports only when it is needed.
LATER = (
    "azure.identity.aio",
    "azure.mgmt.compute.aio",
    "azure.mgmt.dns.aio",
    "azure.mgmt.network.aio",
    "azure.mgmt.resource.resources.aio",
    "azure.mgmt.storage.aio",
    "azure.storage.blob.aio",
)


class Command:
    """A running command, with the calls of `subprocess.Popen` that tests need.

    Its outputs go to two files beside each other: `said`, and `.out` or `.err`.
    """

    def __init__(self, words: tuple[str, ...], env: Mapping[str, str], folder: Path, said: Path) -> None:
        self.words = words
        self.returncode: int | None = None
        self._files = (said.with_suffix(".out"), said.with_suffix(".err"))
        self._told, status = os.pipe()
        request = json.dumps({"words": words, "env": dict(env), "folder": str(folder)}).encode()
        with (
            Path(os.devnull).open("rb") as nothing,
            self._files[0].open("wb") as out,
            self._files[1].open("wb") as err,
        ):
            _source().copy(request, [nothing.fileno(), out.fileno(), err.fileno(), status])
        os.close(status)
        self.pid = int(self._line())

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self._end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, waited for so many seconds.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.words, timeout or 0)
            self._end()
        assert self.returncode is not None
        return self.returncode

    def output(self) -> tuple[str, str]:
        """What it wrote so far, to stdout and to stderr."""
        out, err = (file.read_text(errors="replace") for file in self._files)
        return out, err

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it wrote, once it has ended.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        self.wait(timeout)
        return self.output()

    def send_signal(self, number: int) -> None:
        """A signal to it and to what it started in its process group."""
        if self.poll() is None:
            os.killpg(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, as `send_signal`."""
        self.send_signal(signal.SIGKILL)

    def _end(self) -> None:
        self.returncode = os.waitstatus_to_exitcode(int(self._line()))
        os.close(self._told)

    def _line(self) -> str:
        line = b""
        while not line.endswith(b"\n"):
            more = os.read(self._told, 1)
            assert more, "the process that commands are copied from has ended"
            line += more
        return line.decode()


class Source:
    """The process that is copied; it ends when the way to it is closed, or this process ends."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._requests.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST_REQUEST)
        # A measurement begins in the copy, which is told of it by its own environment.
        env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.prepared", str(theirs.fileno())],
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def copy(self, request: bytes, handles: list[int]) -> None:
        """Ask for a command: its words, environment and folder; its three streams, and where it tells."""
        socket.send_fds(self._requests, [request], handles)

    def close(self) -> None:
        """End it; commands that run go on."""
        self._requests.close()
        self._process.wait()


@cache
def _source() -> Source:
    source = Source()
    atexit.register(source.close)
    return source


def serve(requests: socket.socket) -> None:
    """Copy this process for each request; returns in a copy, ready to be the command."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        text, handles, _, _ = socket.recv_fds(requests, LONGEST_REQUEST, 4)
        if not text:
            os._exit(0)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            requests.close()
            if _become(json.loads(text), handles):
                return
        for handle in handles:
            os.close(handle)


def _become(asked: dict[str, Any], handles: list[int]) -> bool:
    """In a first copy: make the second, tell its end, and end too; in the second: True."""
    *streams, told = handles
    if pid := os.fork():
        os.write(told, f"{pid}\n".encode())
        os.write(told, f"{os.waitpid(pid, 0)[1]}\n".encode())
        os._exit(0)
    os.setsid()
    for number, handle in enumerate(streams):
        os.dup2(handle, number)
    for handle in handles:
        os.close(handle)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv = ["vhdlift", *asked["words"]]
    return True


def import_everything() -> None:
    """Whatever a command may import, so that its copy has it."""
    import vhdlift  # noqa: PLC0415

    ours = pkgutil.walk_packages(vhdlift.__path__, "vhdlift.")
    for name in (*LATER, *(module.name for module in ours if not module.name.endswith("__main__"))):
        importlib.import_module(name)
    assert threading.active_count() == 1, "a process with threads cannot be copied"
    gc.freeze()


def main() -> None:
    """Import, then copy until the tests have ended."""
    import_everything()
    serve(socket.socket(fileno=int(sys.argv[1])))
    if "COVERAGE_PROCESS_CONFIG" in os.environ or "COVERAGE_PROCESS_START" in os.environ:
        import coverage  # noqa: PLC0415

        coverage.process_startup()
    faulthandler.enable()
    runpy.run_module("vhdlift", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
