"""A run as a picture that moves: every step, what it waits for, how long it takes; then a still one."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from vhdlift.cli.board import ENDED_BADLY, OVER, RUNNING, WAITING, Board, Row, duration, size
from vhdlift.cli.output import steady
from vhdlift.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.model import Event

SIGNS = {
    WAITING: ("·", "dim"),
    RUNNING: ("▸", "bold cyan"),
    "done": ("✓", "green"),
    "warning": ("!", "yellow"),
    "skipped": ("-", "dim"),
    "failed": ("✗", "bold red"),
    "undone": ("↩", "yellow"),
    "leftover": ("✗", "bold red"),
}
PLAIN = {"·": ".", "▸": ">", "✓": "+", "✗": "x", "↩": "<", "━": "#", "─": "-"}
BAR_CELLS = 10
NAME_CELLS = 25
REDRAWS_A_SECOND = 8
LINES_AROUND = 3


class LiveView:
    """Redraws the board in place while the run goes on, and leaves a still one behind."""

    def __init__(self, title: str, board: Board, console: Console | None = None) -> None:
        self._title = title
        self._board = board
        self._console = console or Console(file=steady(sys.stdout), highlight=False)
        self._live = Live(
            get_renderable=self._moving,
            console=self._console,
            refresh_per_second=REDRAWS_A_SECOND,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Replace the moving picture by a still one of all steps."""
        self._live.stop()
        self._console.print(picture(self._title, self._board, self._board.until or now(), self._unicode))

    def show(self, event: Event) -> None:
        """Take the event into the picture; it is drawn at the next redraw."""
        self._board = self._board.after(event)

    def _moving(self) -> Group:
        height = self._console.size.height - LINES_AROUND
        return picture(self._title, self._board, now(), self._unicode, height)

    @property
    def _unicode(self) -> bool:
        return self._console.encoding.lower().startswith("utf")


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


def picture(title: str, board: Board, at: datetime, unicode: bool = True, height: int | None = None) -> Group:
    """The board as something rich can print.

    Args:
        title: what the run is about.
        board: the run.
        at: the time that running clocks show.
        unicode: whether the terminal knows more than ASCII.
        height: how many lines there are for the steps; what is over is folded into one line each.
    """
    shown, (over, waiting) = fold(list(board.rows.values()), height)
    lines = [_headline(title, board, at)]
    if over:
        lines.append(_line(_sign("done", unicode), Text(f"{over} steps over", "dim")))
    lines += [_of_row(board, row, at, unicode) for row in shown]
    if waiting:
        lines.append(_line(_sign(WAITING, unicode), Text(f"{waiting} more steps wait", "dim")))
    return Group(*lines)


def fold(rows: Sequence[Row], height: int | None) -> tuple[list[Row], tuple[int, int]]:
    """The rows that fit into `height` lines, and how many that are over and that wait are left out.

    What runs or went wrong is shown before anything else; of the rest the latest that are over go
    first, then those that wait longest.
    """
    keep = list(rows)
    over = waiting = 0
    while height is not None and len(keep) + bool(over) + bool(waiting) > max(height, 1):
        gone = next((row for row in keep if row.state in ("done", "skipped", "undone")), None)
        if gone is not None:
            over += 1
        else:
            gone = next((row for row in reversed(keep) if row.state == WAITING), None)
            if gone is None:
                break
            waiting += 1
        keep.remove(gone)
    return keep, (over, waiting)


def _headline(title: str, board: Board, at: datetime) -> Text:
    since = board.since or at
    colour = {"completed": "green", "failed": "red", "cancelled": "yellow"}.get(board.status, "cyan")
    return Text.assemble(
        (title, "bold"),
        "  ",
        (board.status, colour),
        "  ",
        f"{board.count(*OVER)} of {len(board.rows)}  " if board.status not in ENDED_BADLY else "",
        duration((at - since).total_seconds()),
        no_wrap=True,
        overflow="ellipsis",
    )


def _of_row(board: Board, row: Row, at: datetime, unicode: bool) -> Text:
    style = {RUNNING: "bold", WAITING: "dim", "failed": "red", "leftover": "red"}.get(row.state, "")
    name = Text(f"{row.step:<{NAME_CELLS}}", style)
    clock = Text(f"{duration(row.seconds(at)):>7}", "dim")
    return _line(_sign(row.state, unicode), name, clock, "  ", _story(board, row, unicode))


def _line(sign: Text, *parts: Text | str) -> Text:
    """Cut where the terminal ends: a picture that wraps cannot be redrawn in place."""
    return Text.assemble(sign, " ", *parts, no_wrap=True, overflow="ellipsis")


def _story(board: Board, row: Row, unicode: bool) -> Text:
    """What the last column says: what is waited for, how far it is, or what came out."""
    if row.state == WAITING:
        return Text(_waiting(board, row), "dim")
    if row.state == RUNNING and row.details.get("phase"):
        return Text(_far(row, unicode))
    style = {"failed": "red", "leftover": "red", "warning": "yellow", RUNNING: ""}.get(row.state, "dim")
    said = f"undone: {row.message}" if row.state == "undone" else row.message
    return Text(next(iter(redact(said).splitlines()), ""), style)


def _waiting(board: Board, row: Row) -> str:
    if board.status in ENDED_BADLY:
        return "not started"
    first, *more = board.waits_for(row) or ("its turn",)
    return f"waits for {first}" + (f" +{len(more)}" if more else "")


def _far(row: Row, unicode: bool) -> str:
    """`upload  ━━━━────── 43%  0.5 of 1.2 GiB`."""
    phase, percent = str(row.details["phase"]), row.details.get("percent")
    if not isinstance(percent, int | float):
        return phase
    full = min(BAR_CELLS, int(percent * BAR_CELLS / 100))
    bar = "━" * full + "─" * (BAR_CELLS - full)
    total = row.details.get("total")
    of = f" of {size(total)}" if isinstance(total, int) else ""
    return f"{phase} {_plain(bar, unicode)} {percent:3.0f}%{of}"


def _sign(state: str, unicode: bool) -> Text:
    sign, style = SIGNS.get(state, ("?", ""))
    return Text(_plain(sign, unicode), style)


def _plain(text: str, unicode: bool) -> str:
    return text if unicode else "".join(PLAIN.get(char, char) for char in text)
