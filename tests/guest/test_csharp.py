from __future__ import annotations

import re

import pytest

from vhdlift.guest.render import csharp

# Windows' own .NET Framework compiles C# 5 and no newer.
NEWER = {
    "interpolated string": r'\$@?"',
    "null-conditional": r"\?\.|\?\[",
    "nameof": r"\bnameof\s*\(",
    "expression body": r"\)\s*=>\s*[^{\s]|\b(get|set)\s*=>",
    "out variable": r"\bout\s+(var|int|long|string|uint|byte)\s+\w+\s*[,)]",
    "initialised property": r"\{\s*get;[^}]*\}\s*=",
    "exception filter": r"\bcatch\b[^{]*\bwhen\b",
    "using static": r"\busing\s+static\b",
    "digit separator": r"\b\d+_\d",
    "tuple": r"\(\s*(int|long|string)\s+\w+,\s*(int|long|string)\s+\w+\)\s+\w+\s*[({]",
    "pattern": r"\bis\s+\w+\s+\w+\s*[)&|]|\bswitch\s*\{",
    "default literal": r"=\s*default\s*;",
    "throw expression": r"\?\?\s*throw\b",
    "using declaration": r"\busing\s+\w[\w<>]*\s+\w+\s*=",
    "file-scoped namespace": r"^namespace\s+\w+;",
}
EXAMPLES = {
    "interpolated string": 'string x = $"{a}";',
    "null-conditional": "a?.B();",
    "nameof": "nameof(x)",
    "expression body": "int A() => 1;",
    "out variable": "int.TryParse(s, out int n)",
    "initialised property": "public int A { get; set; } = 1;",
    "exception filter": "catch (Exception e) when (e.X) {",
    "using static": "using static System.Math;",
    "digit separator": "1_000",
    "tuple": "(int a, string b) F(",
    "pattern": "if (x is string s)",
    "default literal": "int a = default;",
    "throw expression": "a ?? throw e",
    "using declaration": "using Stream s = Open();",
    "file-scoped namespace": "namespace Vhdlift;",
}


def code(text: str) -> str:
    """Without comments and the insides of strings, where a `?.` means nothing."""
    return re.sub(r'//[^\n]*|(?<=[^$@])"(?:\\.|[^"\\\n])*"', '""', text)


@pytest.mark.parametrize("feature", NEWER)
def test_no_feature_after_c_sharp_5_is_used(feature: str) -> None:
    assert re.search(NEWER[feature], code(csharp()), re.MULTILINE) is None


@pytest.mark.parametrize("feature", NEWER)
def test_each_newer_feature_is_seen(feature: str) -> None:
    assert re.search(NEWER[feature], code(" " + EXAMPLES[feature]).lstrip(), re.MULTILINE)


def test_it_is_ascii_and_cannot_end_the_here_string() -> None:
    assert csharp().isascii()
    assert not re.search(r"^\s*'@", csharp(), re.MULTILINE)


def test_usings_stand_inside_the_namespaces_so_that_files_can_be_joined() -> None:
    assert not re.search(r"^using\b", csharp(), re.MULTILINE)
    assert csharp().count("{") == csharp().count("}")
