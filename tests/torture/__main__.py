"""`make torture`: plays every point, prints a table, ends with 1 when one did not survive."""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, SimpleQueue

from tests.postgres import postgres
from tests.torture import plan
from tests.torture.databases import Databases
from tests.torture.points import GROUPS, Point
from tests.torture.report import failures, story, table
from tests.torture.scenes import Reference, Verdict, play, refer
from tests.torture.stage import Hung, Stage, staged


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser("python -m tests.torture", description=__doc__)
    parser.add_argument("-j", type=int, default=os.cpu_count(), help="points at the same time")
    parser.add_argument("--group", action="append", choices=GROUPS, help="only this group; may be repeated")
    parser.add_argument("--only", action="append", metavar="POINT", help="only this point; may be repeated")
    parser.add_argument("--sample", type=int, help="only so many points, spread over all groups")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("--list", action="store_true", help="say which points there are, and end")
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL server of its own")
    parser.add_argument("--database", default=os.environ.get("VHDLIFT_DATABASE_URL", ""), metavar="URL")
    return parser.parse_args(words)


def points_of(reference: Reference) -> list[Point]:
    """All points, group by group."""
    return [
        *plan.calls("calls", reference.calls),
        *plan.events(),
        *plan.faults(),
        *plan.calls("undo", reference.undo_calls),
        *plan.calls("cleanup", reference.cleanup_calls),
        *plan.calls("cancel", reference.cleanup_calls),
        *plan.deletions(reference.undo_calls),
    ]


def chosen(points: list[Point], asked: argparse.Namespace) -> list[Point]:
    """The points that were asked for; a sample takes some of each group, in equal shares."""
    if asked.only:
        return [Point.parse(text) for text in asked.only]
    points = [point for point in points if not asked.group or point.group in asked.group]
    if asked.sample is None:
        return points
    order = random.Random(asked.seed)
    piles = [[point for point in points if point.group == group] for group in GROUPS]
    for pile in piles:
        order.shuffle(pile)
    dealt = [pile[i] for i in range(max(map(len, piles))) for pile in piles if i < len(pile)]
    return sorted(dealt[: asked.sample], key=points.index)


class Work:
    """Points to play and what became of them, shared by the workers."""

    def __init__(self, reference: Reference, points: list[Point]) -> None:
        self.verdicts: list[Verdict] = []
        self._reference = reference
        self._left: SimpleQueue[Point] = SimpleQueue()
        self._all = len(points)
        self._began = time.monotonic()
        for point in points:
            self._left.put(point)

    def play_on(self, stage: Stage) -> None:
        """Play points until there is none left."""
        while True:
            try:
                point = self._left.get_nowait()
            except Empty:
                return
            self.keep(_played(stage, self._reference, point))

    def keep(self, verdict: Verdict) -> None:
        """Take a verdict in, and say how far it is."""
        self.verdicts.append(verdict)
        word = "ok" if verdict.reached else "not reached"
        if verdict.wrong:
            word = f"FAILED\n{story(verdict)}"
        minutes = (time.monotonic() - self._began) / 60
        print(f"[{len(self.verdicts)}/{self._all} {minutes:.1f} min] {verdict.point.id} {word}", flush=True)  # noqa: T201


def _played(stage: Stage, reference: Reference, point: Point) -> Verdict:
    try:
        return play(stage, reference, point)
    except Hung as problem:
        return Verdict(point, [str(problem)])
    except Exception:  # noqa: BLE001 - the other points are still to be played
        return Verdict(point, [f"the suite itself broke: {traceback.format_exc()}"])


def _worker(work: Work, folder: Path, databases: Databases) -> None:
    with staged(folder, databases) as stage:
        work.play_on(stage)


def main(words: Sequence[str]) -> int:
    """Play what was asked for; the exit code."""
    asked = arguments(words)
    with tempfile.TemporaryDirectory(prefix="torture-") as name, ExitStack() as stack:
        folder = Path(name)
        server = stack.enter_context(postgres(folder)) if asked.postgres else None
        databases = Databases(server.url if server else asked.database)
        with staged(folder / "0", databases) as stage:
            reference = refer(stage)
            points = chosen(points_of(reference), asked)
            if asked.list:
                print("\n".join(point.id for point in points))  # noqa: T201
                return 0
            work = Work(reference, points)
            helpers = [
                threading.Thread(target=_worker, args=(work, folder / str(number), databases))
                for number in range(1, min(asked.j, len(points)))
            ]
            for helper in helpers:
                helper.start()
            work.play_on(stage)
            for helper in helpers:
                helper.join()
    bad = failures(work.verdicts)
    print("\n".join(["", table(work.verdicts), *([bad] if bad else [])]))  # noqa: T201
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
