"""Options of commands, made from the table of settings, so that each is defined once."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vhdlift.options import SETTINGS, SettingInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout, one object a line, and nothing else.")]
RunId = Annotated[
    str, typer.Argument(metavar="RUN", help="The run's id, or how it begins.", show_default=False)
]

OPTIONS = [info for info in SETTINGS if info.option is not None]
PLACES = ["state_dir"]
CLOUD = ["cloud", "arm_endpoint", "ca_bundle"]
"""The settings that say which Azure is meant; the rest of them are variables."""
NOT_KEPT = [*PLACES, *CLOUD, "webhook_url", "webhook_allow_private", "silence_minutes", "resolvers"]
"""Settings that a run does not remember, so whoever works on it again has to give them again."""
EPILOG = (
    "Each of these settings may also be a variable (VHDLIFT_VM_NAME for --vm-name), in the environment or in "
    "a file .env, or a key in vhdlift.toml (vm_name). An option wins over a variable, the environment over "
    ".env, and that over the file. Secrets are variables only: VHDLIFT_ADMIN_PASSWORD, AZURE_CLIENT_SECRET, "
    "SMTP_PASSWORD."
)


def takes_settings(*only: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command options from the table; what was given arrives as its first argument.

    Args:
        only: names of settings; all that have an option when there are none.
    """
    infos = [info for info in OPTIONS if not only or info.name in only]

    def with_options(function: Callable[..., int]) -> Callable[..., int]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        parameters = [*(_keyword(one) for one in own), *(_parameter(info) for info in infos)]

        @wraps(function)
        def command(**values: Any) -> int:
            taken = {info.name: values.pop(info.name) for info in infos}
            return function(_given(taken), **values)

        vars(command).pop("__wrapped__")  # typer must see our signature, not its
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in parameters}
        return command

    return with_options


def help_of(info: SettingInfo) -> str:
    """One sentence, the default, and the variable where it is not called like the option."""
    notes = []
    if info.derived:
        notes.append(f"default: {info.derived.replace('`', '')}")
    elif info.default not in (None, (), {}):
        notes.append(f"default: {_shown(info.default)}")
    if info.repeatable:
        notes.append("repeatable")
    if info.env != f"VHDLIFT_{str(info.option).removeprefix('--').replace('-', '_').upper()}":
        notes.append(info.env)
    text = info.help.replace("`", "")
    return f"{text} [{'; '.join(notes)}]" if notes else text


def _given(taken: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in taken.items() if value not in (None, [])}


def _keyword(parameter: inspect.Parameter) -> inspect.Parameter:
    return parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)


def _parameter(info: SettingInfo) -> inspect.Parameter:
    """Text, whatever it means: settings are checked together, so that all problems are told at once."""
    kind: Any = list[str] | None if info.repeatable else bool | None if info.flag else str | None
    option = typer.Option(
        str(info.option), help=help_of(info), metavar="|".join(info.choices) or "VALUE", show_default=False
    )
    annotation = Annotated[kind, option]
    return inspect.Parameter(info.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _shown(default: Any) -> str:
    return ", ".join(str(one) for one in default) if isinstance(default, tuple) else str(default)
