"""How the points of each group are played, and what must be so afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.torture.ending import End, differences, ended, left, source_power, unaccounted
from tests.torture.plan import LAST_CREATE, excuses_leftovers, fault_of, forbids_the_start
from tests.torture.points import Point
from tests.torture.stage import NotReached, Stage, Victim

REFUSED = {"operation": LAST_CREATE, "kind": "error", "status": 400, "code": "TestFault", "nth": "every"}
GUESSES = 3


@dataclass
class Reference:
    """Undisturbed runs: how they began and ended, and what they asked.

    Attributes:
        before: what there was before any run.
        completed: the end of a run that completed.
        calls: its requests.
        undone: the end of one that was made to fail at its last create.
        undo_calls: its requests from then on.
        cleanup_calls: those of a clean-up of a run that was killed there.
    """

    before: list[str]
    completed: End
    calls: list[dict[str, Any]]
    undone: End
    undo_calls: list[dict[str, Any]]
    cleanup_calls: list[dict[str, Any]]


@dataclass
class Verdict:
    """What became of a point.

    Attributes:
        point: the one that was played, whose `nth` may be lower than planned.
        wrong: what differed; nothing when it survived.
        leaked: there is something that should be gone, and was not told as left.
        source_restored: the source VM has its power state.
        reached: the run came to the point.
    """

    point: Point
    wrong: list[str] = field(default_factory=list)
    leaked: bool = False
    source_restored: bool = True
    reached: bool = True


def refer(stage: Stage) -> Reference:
    """Run once without disturbance, once into an undo, once into a clean-up."""
    with stage.scene():
        before = left(stage)
        completed = ended(stage, stage.provision())
        if completed.code or completed.wrong:
            raise RuntimeError(f"the undisturbed run failed: {completed}")
        calls = stage.cloud.requests()
    with stage.scene():
        victim = _about_to_fail(stage)
        asked = len(stage.cloud.requests())
        stage.release()
        undone = ended(stage, victim)
        undo_calls = stage.cloud.requests()[asked:]
    with stage.scene():
        run_id = _left_standing(stage)
        asked = len(stage.cloud.requests())
        code = stage.start("cleanup", "--yes", "--json", run_id).code()
        cleanup_calls = stage.cloud.requests()[asked:]
    if undone.code != 1 or undone.left != before or code != 0:
        raise RuntimeError(f"the undisturbed undo failed: {undone}, clean-up {code}")
    return Reference(before, completed, calls, undone, undo_calls, cleanup_calls)


def play(stage: Stage, reference: Reference, point: Point) -> Verdict:
    """Play one point; one that is not reached is tried earlier, as how often a wait looks differs."""
    for _ in range(GUESSES):
        try:
            with stage.scene():
                wrong = SCENES[point.group](stage, reference, point)
                return _judged(stage, reference, point, wrong)
        except NotReached as early:
            nth = min(early.seen, point.nth - 1)
            if nth < 1:
                break
            point = Point(point.group, point.what, point.where, nth, point.how)
    return Verdict(point, reached=False)


def _judged(stage: Stage, reference: Reference, point: Point, wrong: list[str]) -> Verdict:
    leaked = any(one.startswith("resource too many") for one in wrong)
    restored = source_power(stage) == reference.completed.source
    if not restored and not forbids_the_start(point):
        wrong = [*wrong, "the source VM is not restored"]
    return Verdict(point, wrong, leaked, restored)


def _kill_in_a_call(stage: Stage, reference: Reference, point: Point) -> list[str]:
    """SIGKILL while the request is held, then `resume` in a new process."""
    side = "after" if point.how == "after" else "before"
    stage.hold(point.what, point.where, point.nth, side)
    victim = stage.provision()
    stage.until_held(victim)
    run_id = _kill(stage, victim)
    if point.how != "late":
        stage.release(lost=side == "before")
        stage.clear_faults()
    if run_id is None:
        return _untouched(stage, reference)
    if point.how == "late":
        return differences(reference.completed, _with_the_old_request(stage, point, run_id))
    return differences(reference.completed, ended(stage, stage.start("resume", "--json", run_id)))


def _with_the_old_request(stage: Stage, point: Point, run_id: str) -> End:
    """Resume; the dead process's request takes effect just before the same one of the new process."""
    (old,) = stage.held()
    stage.clear_faults()
    stage.hold(point.what, point.where, 1, "before")
    victim = stage.start("resume", "--json", run_id)
    victim.wait_for(lambda: len(stage.held()) > 1)
    stage.release(which=old["id"])
    stage.clear_faults()
    stage.release()
    return ended(stage, victim)


def _kill_at_an_event(stage: Stage, reference: Reference, point: Point) -> list[str]:
    """SIGKILL as soon as the command has told the event, then `resume`."""
    victim = stage.provision()

    def told() -> bool:
        return any((one.get("step"), one.get("state")) == (point.what, point.how) for one in victim.lines())

    if not victim.wait_for(told):
        raise NotReached(0)
    run_id = _kill(stage, victim)
    assert run_id is not None
    return differences(reference.completed, ended(stage, stage.start("resume", "--json", run_id)))


def _kill_in_an_undo(stage: Stage, reference: Reference, point: Point) -> list[str]:
    """A run that fails at its last create, killed in a call of its undo, then `resume`."""
    victim = _about_to_fail(stage)
    _hold_at(stage, point)
    stage.release()
    stage.until_held(victim)
    run_id = _kill(stage, victim)
    assert run_id is not None
    stage.release(lost=point.how == "before")
    stage.clear_faults()
    stage.cloud.control("faults", REFUSED)
    return differences(reference.undone, ended(stage, stage.start("resume", "--json", run_id)))


def _kill_a_command(*words: str) -> Callable[[Stage, Reference, Point], list[str]]:
    """A run left standing, a command that undoes it, killed in a call; then the same command again."""

    def scene(stage: Stage, reference: Reference, point: Point) -> list[str]:
        run_id = _left_standing(stage)
        _hold_at(stage, point)
        victim = stage.start(*words, run_id)
        stage.until_held(victim)
        victim.kill()
        stage.release(lost=point.how == "before")
        stage.clear_faults()
        return _all_gone(reference, ended(stage, stage.start(*words, run_id)), 0)

    return scene


def _break_a_step(stage: Stage, reference: Reference, point: Point) -> list[str]:
    """One fault of Azure in one step: it completes as ever, or fails and leaves nothing."""
    stage.cloud.control("faults", fault_of(point))
    end = ended(stage, stage.provision())
    if end.code == 0:
        return _but_for_warnings(point, reference.completed, end)
    if end.code in (1, 4, 5) and not stage.posts():
        return _untouched(stage, reference)
    return _failed_well(point, reference, end)


def _break_a_deletion(stage: Stage, reference: Reference, point: Point) -> list[str]:
    """A run that fails at its last create, with a fault in one of its deletions."""
    victim = _about_to_fail(stage)
    stage.cloud.control("faults", fault_of(point))
    stage.release()
    return _failed_well(point, reference, ended(stage, victim))


SCENES: Mapping[str, Callable[[Stage, Reference, Point], list[str]]] = {
    "calls": _kill_in_a_call,
    "events": _kill_at_an_event,
    "faults": _break_a_step,
    "undo": _kill_in_an_undo,
    "cleanup": _kill_a_command("cleanup", "--yes", "--json"),
    "cancel": _kill_a_command("cancel", "--json"),
    "deletions": _break_a_deletion,
}


def _kill(stage: Stage, victim: Victim) -> str | None:
    """Kill the command; the run it worked on, or None when there was none yet."""
    run_id = victim.run_id()
    victim.kill()
    return run_id or stage.known_run()


def _hold_at(stage: Stage, point: Point) -> None:
    stage.hold(point.what, point.where, point.nth, "after" if point.how == "after" else "before")


def _about_to_fail(stage: Stage) -> Victim:
    """A run whose last create is held, and will be refused."""
    stage.cloud.control("faults", REFUSED)
    stage.hold(LAST_CREATE, "", 1, "before")
    victim = stage.provision()
    stage.until_held(victim)
    return victim


def _left_standing(stage: Stage) -> str:
    """A run killed when nearly everything is made; its id."""
    stage.hold(LAST_CREATE, "", 1, "before")
    victim = stage.provision()
    stage.until_held(victim)
    run_id = _kill(stage, victim)
    assert run_id is not None
    stage.release(lost=True)
    stage.clear_faults()
    return run_id


def _untouched(stage: Stage, reference: Reference) -> list[str]:
    """There was no run yet, so there is nothing to go on with, and nothing may have been touched."""
    nothing = End(0, left=reference.before)
    return differences(nothing, End(0, left=left(stage)))


def _all_gone(reference: Reference, end: End, code: int) -> list[str]:
    """Everything as it was before the run, and said so."""
    return differences(End(code, left=reference.before, told=end.told, facts=end.facts), end)


def _but_for_warnings(point: Point, expected: End, end: End) -> list[str]:
    """As in an undisturbed run, but that a step that may fail was told as a warning, with what it left."""
    warned = [one.split()[0] for one in end.told if " warning " in one]
    found = differences(replace(expected, left=end.left), end)
    if "email_sent" in warned:
        found = [one for one in found if not one.startswith(("fact email_to", "fact link_expires"))]
    if end.result.get("leftovers"):  # what there is names what is left over too
        found = [one for one in found if not one.startswith("fact resources")]
    found = [one for one in found if not any(f": {step} " in one for step in warned)]
    return found + _left_over(point, expected.left, end)


def _failed_well(point: Point, reference: Reference, end: End) -> list[str]:
    """All is gone, or what is left was told as left; the webhook was told the step."""
    code = 3 if end.result.get("leftovers") else 1
    wrong = differences(End(code, left=end.left, told=end.told, facts=end.facts), end)
    if not any(" failed failed" in one for one in end.told):
        wrong.append("no step was told as failed")
    return wrong + _left_over(point, reference.before, end)


def _left_over(point: Point, expected: list[str], end: End) -> list[str]:
    """What is too many and was not told; and what was told, where nothing hinders its deletion."""
    wrong = unaccounted(expected, end)
    if not excuses_leftovers(point):
        rows = end.result.get("leftovers") or []
        wrong += [f"left over: {row['resource_id']}: {row['reason']}" for row in rows]
    return wrong
