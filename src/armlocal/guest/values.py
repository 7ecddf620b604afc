"""The head of the setup script: one single-quoted literal a line, as PowerShell would read them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from armlocal.guest.errors import ScriptError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ASSIGNMENT = re.compile(r"\$([A-Z][A-Z0-9_]*) = '((?:[^']|'')*)'")
SECRETS = ("SNAPSHOT_URL", "AZURE_SAS_TOKEN", "WEBHOOK_URL", "WEBHOOK_SECRET")
_PASSWORDS = ("DROP_PASSWORD", "PIN_PASSWORD")
NEEDED = (
    *SECRETS,
    *("RUN_ID", "VM_NAME", "RESOURCE_GROUP", "LOCATION", "CONTAINER_URL", "ARTEFACT_NAME", "SOURCE_VM"),
    *("TARGET_SIZE_BYTES", "SAS_EXPIRES", "TIME_SCALE"),
)


@dataclass(frozen=True)
class Values:
    """What the script was rendered with, by variable name."""

    texts: Mapping[str, str] = field(repr=False)

    def __getitem__(self, name: str) -> str:
        return self.texts[name]

    @property
    def scale(self) -> float:
        """By which every wait is multiplied."""
        return float(self["TIME_SCALE"])

    @property
    def target_size(self) -> int:
        """The most bytes that the artefact's disk may have; 0 for no limit."""
        return int(self["TARGET_SIZE_BYTES"])

    @property
    def expires(self) -> datetime:
        """When the first SAS ends."""
        return datetime.fromisoformat(self["SAS_EXPIRES"])

    def scrub(self, text: str) -> str:
        """The text without a secret in it."""
        for name in (*SECRETS, *_PASSWORDS):
            if self.texts.get(name):
                text = text.replace(self[name], "***")
        return re.sub(r"sig=[^&\s'\"]+", "sig=***", text)


def read_head(script: bytes) -> Values:
    """The values at the head of a script.

    Raises:
        ScriptError: it is not pure ASCII, or a variable is absent or of the wrong form.
    """
    try:
        lines = script.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise ScriptError(f"the script is not pure ASCII, at byte {error.start}") from None
    texts: dict[str, str] = {}
    for line in lines:
        found = _ASSIGNMENT.fullmatch(line)
        if found is not None:
            texts[found[1]] = found[2].replace("''", "'")
        elif line and not line.startswith("#"):
            break
    missing = [name for name in NEEDED if name not in texts]
    if missing:
        raise ScriptError(f"The variable '${missing[0]}' cannot be retrieved because it has not been set.")
    values = Values(texts)
    try:
        _ = (values.scale, values.target_size, values.expires)
    except ValueError as error:
        raise ScriptError(f"a value at the head of the script has the wrong form: {error}") from None
    return values
