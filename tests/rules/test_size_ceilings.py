"""A file is one idea and a function does one thing: the ceilings, checked over all our Python."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path for folder in ("src", "tests", "scripts", "bench") for path in (ROOT / folder).rglob("*.py")
)
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40


def long_functions(source: str) -> list[str]:
    """Functions over the ceiling, docstring included, as `name (lines)`."""
    functions = (
        n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    sizes = ((n.name, (n.end_lineno or 0) - n.lineno + 1) for n in functions)
    return [f"{name} ({lines})" for name, lines in sizes if lines > MAX_FUNCTION_LINES]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_file_is_longer_than_the_ceiling(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_FILE_LINES


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_function_is_longer_than_the_ceiling(path: Path) -> None:
    assert long_functions(path.read_text()) == []


def test_a_function_over_the_ceiling_is_found() -> None:
    body = "\n".join("    pass" for _ in range(MAX_FUNCTION_LINES))
    assert long_functions(f"def f():\n{body}\n") == [f"f ({MAX_FUNCTION_LINES + 1})"]
