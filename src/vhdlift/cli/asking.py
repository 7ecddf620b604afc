"""The question before anything is removed."""

from __future__ import annotations

import typer

from vhdlift.cli.interrupt import Interrupted


def confirmed(question: str) -> bool:
    """Whether the person at the terminal says yes.

    Raises:
        Interrupted: Ctrl-C or Ctrl-D in place of an answer.
    """
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        typer.echo(err=True)  # the cursor still stands behind the question
        raise Interrupted("Nothing was touched.") from None
