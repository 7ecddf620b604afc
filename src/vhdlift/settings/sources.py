"""The places that settings come from, each as a source of pydantic-settings that knows its own names."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, field
from io import StringIO
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from dotenv.parser import parse_stream
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from vhdlift.options import BY_NAME, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic.fields import FieldInfo


class Place(PydanticBaseSettingsSource):
    """Values of one place; `label` says in messages which, where the name of the setting does not."""

    def __init__(
        self, settings_cls: type[BaseSettings], found: Mapping[str, Any], key: str, label: str = ""
    ) -> None:
        super().__init__(settings_cls)
        self.found = found
        self.key = attrgetter(key)
        self.label = label

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The value under this place's name of the setting, None if it is not there."""
        del field
        return self.found.get(self.key(BY_NAME[field_name])), field_name, False

    def __call__(self) -> dict[str, Any]:
        """All values of this place by the names of fields; what is empty counts as not given."""
        values = {
            name: self.get_field_value(f, name)[0] for name, f in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in values.items() if value not in (None, "", [], (), {})}


@dataclass
class Read:
    """What a file held, and what was wrong with it."""

    values: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_dotenv(path: Path) -> Read:
    """The variables of a `.env` file, taken literally; a line that is none is a problem."""
    found = Read()
    text = _text(path, found)
    line = 1
    for binding in parse_stream(StringIO(text)):
        if binding.error:
            found.problems.append(f"{path.name}, line {line}: must be NAME=value")
        elif binding.key:
            found.values[binding.key] = binding.value
        line += binding.original.string.count("\n")
    return found


def read_toml(path: Path) -> Read:
    """The keys of `vhdlift.toml`; an unknown key is a problem and named with its nearest neighbour."""
    found = Read()
    try:
        found.values = tomllib.loads(_text(path, found))
    except tomllib.TOMLDecodeError as error:
        found.problems.append(f"{path.name}: {str(error)[:1].lower()}{str(error)[1:]}")
    found.problems += [f"{path.name}: {sentence}" for sentence in unknown(found.values)]
    return found


def unknown(given: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each name that is no setting."""
    known = [info.toml for info in SETTINGS]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name.replace("-", "_"), known, 1, 0.5)
            yield f"{name!r} is not a setting" + (f"; did you mean {near[0]!r}?" if near else "")


def _text(path: Path, found: Read) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError):
        found.problems.append(f"{path.name}: must be a readable file in UTF-8")
        return ""
