"""Starting the stand-in, and never reaching anything real from a rehearsal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from vhdlift.cli.rehearse import whereabouts
from vhdlift.cli.standin import exports, isolated, standin, stop
from vhdlift.errors import VhdliftError


def test_exports_are_read_as_a_shell_reads_them() -> None:
    """Quotes, spaces and comments in `DIR/env` mean what they mean to `.`."""
    text = "# made by armlocal\nexport A='one two'\nexport B=\"x=y\"\nexport C=\n"
    assert exports(text) == {"A": "one two", "B": "x=y", "C": ""}


def test_a_rehearsal_sees_no_setting_of_the_users_own() -> None:
    """A subscription, a mail server or a webhook of the user is out of reach during a rehearsal."""
    real = {
        "PATH": "/bin",
        "AZURE_SUBSCRIPTION_ID": "real",
        "SMTP_HOST": "real",
        "VHDLIFT_WEBHOOK_URL": "real",
    }
    assert isolated(real, {"SMTP_HOST": "127.0.0.1"}) == {"PATH": "/bin", "SMTP_HOST": "127.0.0.1"}


def test_a_stand_in_that_does_not_start_shows_its_last_words(tmp_path: Path) -> None:
    """When armlocal ends at once, the error has what it said."""
    (tmp_path / "mail").write_text("in the way of the mailbox")
    with pytest.raises(VhdliftError) as failed, standin(tmp_path, time_scale=None):
        pass
    assert "ended with code" in failed.value.sentence
    assert "File exists" in failed.value.sentence


def test_a_process_that_ignores_the_request_is_ended() -> None:
    """Stopping waits for a process that ends by itself, and is over in any case."""
    program = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    stop(process, patience=0.2)
    process.stdout.close()
    assert process.returncode == -9


def test_a_folder_that_is_in_use_is_refused(vhdlift: Command, tmp_path: Path) -> None:
    """--dir never mixes a rehearsal with other files."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("")
    told = vhdlift("rehearse", "--dir", "full")
    assert (told.code, told.out) == (2, "")
    assert [file.name for file in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_a_rehearsal_ends_by_saying_where_everything_is(tmp_path: Path) -> None:
    """The mail, the webhook log, the calls and the artefact are named."""
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "1.eml").write_text("")
    told = "\n".join(whereabouts(tmp_path, "old.vhd (1.0 GiB)"))
    for name in (
        "1.eml",
        "webhooks.ndjson",
        "requests.ndjson",
        "vhdlift runs --state-dir",
        "old.vhd (1.0 GiB)",
    ):
        assert name in told
