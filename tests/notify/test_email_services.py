"""What the mail says of the services, and the passwords that it alone hands over."""

from __future__ import annotations

import dataclasses

import pytest

from tests.notify.test_email import MAIL, Page, text_of
from vhdlift.notify.email import completion_message
from vhdlift.settings import Settings


@pytest.fixture
def settings() -> Settings:
    return Settings(email=("ann@example.org",), smtp_from="noreply@example.org")


SERVED = dataclasses.replace(
    MAIL,
    services={"drop": "on", "pin": "on", "web": "the disk of <it> is full"},
    passwords={"drop": "drop-word-7h3x", "pin": "pin-word-9k2m"},
)


def test_each_password_stands_there_once_in_each_part(settings: Settings) -> None:
    """With the user, and where to sign in; of the HTML no link and no hidden text has it too."""
    message = completion_message(settings, SERVED)
    text, page = text_of(message), Page(message)
    for user, place, password in (("drop", "drop.", "drop-word-7h3x"), ("pin", "pin.", "pin-word-9k2m")):
        assert f"Sign in at {place} as  {user}  with the password  {password}" in text
        assert f"at {place} as {user} with the password" in page.seen
        assert [part.count(password) for part in (text, page.seen, page.source)] == [1, 1, 1]
    assert "keep it" in text
    assert "keep it" in page.seen


def test_a_service_that_is_not_served_says_why(settings: Settings) -> None:
    """Under its name, as text and never as markup; one that is served says nothing."""
    message = completion_message(settings, SERVED)
    for part in (text_of(message), Page(message).seen):
        assert part.count("is not served") == 1
        assert "the disk of <it> is full" in part


def test_lost_passwords_are_told_as_lost(settings: Settings) -> None:
    """Wrong ones would be worse than none."""
    message = completion_message(settings, dataclasses.replace(SERVED, passwords={}))
    assert "passwords are lost" in text_of(message)
    assert "passwords are lost" in Page(message).seen
    assert "passwords are lost" not in text_of(completion_message(settings, MAIL))


def test_a_block_blob_has_no_holes_to_leave_out(settings: Settings) -> None:
    """Nothing is promised of a download that is not so."""
    words = "leaves out what is empty"
    assert words in Page(completion_message(settings, MAIL)).seen
    assert words not in Page(completion_message(settings, dataclasses.replace(MAIL, holes=False))).seen


def test_no_password_is_in_the_repr() -> None:
    """What is logged by mistake tells none."""
    assert "word-" not in repr(SERVED)
