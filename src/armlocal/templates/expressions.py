"""The template language: `[concat(parameters('name'), '-nic')]` and what else clients put between brackets.

Source: Microsoft's description of the template syntax and functions. Only those functions are here that
azure-cli puts into its templates, and their nearest kin; any other one is refused as an unknown one is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from armlocal.errors import ArmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Functions = Mapping[str, Callable[..., Any]]

_TOKEN = re.compile(r"\s*(?:'((?:[^']|'')*)'|(-?\d+)|([A-Za-z_]\w*)|([().,\[\]]))")


def invalid(message: str) -> ArmError:
    """The refusal of a template."""
    text = f"Deployment template validation failed: '{message}'."
    return ArmError(400, "InvalidTemplate", text, gateway=True)


def evaluate(value: Any, functions: Functions) -> Any:
    """A part of a template with every expression in it replaced by what it stands for.

    Args:
        value: JSON; strings in brackets are expressions, two opening brackets are one as text.
        functions: by name in lower case; they get their arguments worked out.

    Raises:
        ArmError: 400 InvalidTemplate.
    """
    if isinstance(value, dict):
        return {key: evaluate(item, functions) for key, item in value.items()}
    if isinstance(value, list):
        return [evaluate(item, functions) for item in value]
    if not isinstance(value, str) or not (value.startswith("[") and value.endswith("]")):
        return value
    if value.startswith("[["):
        return value[1:]
    return _Parser(value, functions).result()


@dataclass
class _Token:
    kind: str
    text: str


class _Parser:
    """Reads one expression, and works it out as it goes."""

    def __init__(self, text: str, functions: Functions) -> None:
        self._text = text
        self._functions = functions
        self._tokens = list(self._split(text[1:-1]))

    def result(self) -> Any:
        value = self._value()
        if self._tokens:
            raise self._unreadable()
        return value

    def _split(self, text: str) -> Iterator[_Token]:
        place = 0
        while text[place:].strip():
            match = _TOKEN.match(text, place)
            if match is None:
                raise self._unreadable()
            place = match.end()
            kind = ("text", "number", "name", "sign")[(match.lastindex or 1) - 1]
            yield _Token(kind, match.group(match.lastindex or 0))

    def _unreadable(self) -> ArmError:
        return invalid(f"The language expression '{self._text}' is not valid")

    def _take(self, sign: str = "") -> _Token:
        if not self._tokens or (sign and self._tokens[0].text != sign):
            raise self._unreadable()
        return self._tokens.pop(0)

    def _next_is(self, sign: str) -> bool:
        return bool(self._tokens) and (self._tokens[0].kind, self._tokens[0].text) == ("sign", sign)

    def _value(self) -> Any:
        token = self._take()
        if token.kind == "text":
            return token.text.replace("''", "'")
        if token.kind == "number":
            return int(token.text)
        if token.kind != "name":
            raise self._unreadable()
        return self._members(self._call(token.text))

    def _call(self, name: str) -> Any:
        self._take("(")
        arguments = []
        while not self._next_is(")"):
            arguments.append(self._value())
            if not self._next_is(")"):
                self._take(",")
        self._take(")")
        function = self._functions.get(name.lower())
        if function is None:
            raise invalid(f"The template function '{name}' is not valid")
        try:
            return function(*arguments)
        except TypeError:
            raise invalid(f"The template function '{name}' was called with wrong arguments") from None

    def _members(self, value: Any) -> Any:
        """What follows a call: `.location`, `[0]`."""
        while self._next_is(".") or self._next_is("["):
            key = self._key()
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                raise invalid(f"The language expression property '{key}' doesn't exist") from None
        return value

    def _key(self) -> Any:
        if self._take().text == ".":
            return self._take().text
        key = self._value()
        self._take("]")
        return key
