"""Reading the settings from all their places, and saying everything that is wrong with them at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from vhdlift import redaction
from vhdlift.errors import UsageError
from vhdlift.options import BY_NAME
from vhdlift.settings import derive
from vhdlift.settings.model import Settings
from vhdlift.settings.sources import Place, read_dotenv, read_toml, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

FILE = "vhdlift.toml"
_SHOWN = 60
# What pydantic finds by itself, in our words; the rest comes from the rules.
_WORDS = {
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_type": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "string_type": "must be text",
    "string_unicode": "must be text in Unicode",
    "bool_parsing": "must be yes or no",
    "bool_type": "must be yes or no",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be more than {gt}",
    "literal_error": "must be {expected}",
    "tuple_type": "must be a list",
    "dict_type": "must be name=value",
}


def load_settings(
    options: Mapping[str, Any],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    *,
    for_run: bool = False,
) -> Settings:
    """The settings from options, environment, `.env` and `vhdlift.toml`, in this order of precedence.

    All secrets among them are made known to the redactor.

    Args:
        options: by field name; None and empty lists count as not given.
        env: the environment; the process's own by default.
        cwd: where `.env` and `vhdlift.toml` are looked for; the current directory by default.
        for_run: also demand what a run needs (the source VM, the new VM's name, the domain, ...).

    Raises:
        UsageError: with every problem there is; no secret is in it. At once when the current directory is
            gone, for what its files say cannot be known.
    """
    places, file_problems = _places(options, os.environ if env is None else env, cwd or _here())
    given, labels = _merge(places)
    settings, bad, faults = _validate(given, labels)
    problems = [
        *file_problems,
        *(f"option {sentence}" for sentence in unknown(options)),
        *faults,
        *derive.disagreements(given),
        *derive.across(settings, bad, for_run=for_run),
    ]
    if problems:
        raise UsageError(problems)
    for secret in settings.secrets():
        redaction.register(secret)
    return settings


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError as problem:
        raise UsageError(
            [f"The current directory cannot be used: {problem.strerror}."],
            "Go to one that there is, with `cd`.",
        ) from None


def _places(
    options: Mapping[str, Any], env: Mapping[str, str], folder: Path
) -> tuple[tuple[Place, ...], list[str]]:
    """The places in the order in which they are asked, and what is wrong with the files among them."""
    dotenv, toml = read_dotenv(folder / ".env"), read_toml(folder / FILE)
    places = (
        Place(Settings, options, "name"),
        Place(Settings, env, "env"),
        Place(Settings, dotenv.values, "env", ".env"),
        Place(Settings, toml.values, "toml", FILE),
    )
    return places, [*dotenv.problems, *toml.problems]


def _merge(places: tuple[Place, ...]) -> tuple[dict[str, Any], dict[str, str]]:
    """The value of each setting, and the label of the place that it comes from."""
    given: dict[str, Any] = {}
    labels: dict[str, str] = {}
    for place in reversed(places):
        found = place()
        given |= found
        labels |= dict.fromkeys(found, place.label)
    return given, labels


def _validate(given: dict[str, Any], labels: Mapping[str, str]) -> tuple[Settings, set[str], list[str]]:
    """The settings without those that are wrong, the names of the latter, and a sentence for each fault."""
    try:
        return Settings(**given), set(), []
    except ValidationError as error:
        faults = error.errors(include_url=False)
    bad = {str(fault["loc"][0]) for fault in faults}
    problems = [_sentence(fault, labels) for fault in faults]
    # A value that was made of a bad one, such as a default name, goes with it.
    filled = derive.fill({name: value for name, value in given.items() if name not in bad})
    return Settings(**{name: value for name, value in filled.items() if name not in bad}), bad, problems


def _sentence(fault: ErrorDetails, labels: Mapping[str, str]) -> str:
    """Which setting, from where, its value if that is no secret, and what it must be."""
    name = str(fault["loc"][0])
    info = BY_NAME[name]
    label = labels.get(name, "")
    where = f" in {label}" if label else ""
    hidden = info.secret or name == "webhook_url" or "input" not in fault
    value = "" if hidden or isinstance(fault["input"], dict) else f" is {_shown(fault['input'])}:"
    return f"{info.title}{where}{value} {_rule(fault)}"


def _rule(fault: ErrorDetails) -> str:
    context = fault.get("ctx", {})
    if fault["type"] == "value_error":
        return str(context["error"])
    return _WORDS.get(fault["type"], "has a value of the wrong kind").format(**context)


def _shown(value: object) -> str:
    """A value as people may see it: short, and with nothing in it that a terminal would obey."""
    text = ", ".join(str(v) for v in value) if isinstance(value, list | tuple) else str(value)
    text = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return "'" + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text) + "'"
