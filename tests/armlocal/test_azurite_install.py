"""Azurite in the user's cache: put there once, whole or not at all."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from armlocal.azurite import InstallError
from armlocal.azurite.install import ensure_installed, home


def test_many_at_once_install_it_once(tmp_path: Path) -> None:
    """Whoever comes second waits for the first, and all get the same complete folder."""
    installed: list[Path] = []

    def install(folder: Path) -> None:
        installed.append(folder)
        time.sleep(0.2)
        (folder / "complete").touch()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: ensure_installed(tmp_path, install), range(4)))
    assert found == [home(tmp_path)] * 4
    assert len(installed) == 1
    assert (home(tmp_path) / "complete").exists()


def test_a_failed_install_leaves_nothing(tmp_path: Path) -> None:
    """The next try starts from nothing."""

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise InstallError("no network")

    with pytest.raises(InstallError):
        ensure_installed(tmp_path, fail)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


def test_the_lock_file_names_no_address() -> None:
    """Where packages come from is the user's own setting."""
    folder = Path(sys.modules["armlocal.azurite"].__file__ or "").parent
    assert '"resolved"' not in (folder / "package-lock.json").read_text()
