"""What can go wrong inside the guest double.

::

    ScriptError       the script's head lacks what it should have: the bootstrap fails
    PhaseError        a phase did not succeed; `final` when another attempt cannot mend it
"""

from __future__ import annotations


class ScriptError(Exception):
    """The setup script cannot be run; the text is what PowerShell would print."""


class PhaseError(Exception):
    """A phase did not succeed; the text has no secret in it."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final
