"""How a run ended, without what differs from run to run, and what is wrong with it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.torture.points import marker
from tests.torture.stage import Stage, Victim

# What a fact may differ in: ids, names that come from the run, addresses, moments.
_VARIES = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "#"),
    (re.compile(r"(vhdusb|vhdtmp)[0-9a-f]{16}"), r"\1#"),
    (re.compile(r"(lab-source|vhdlift)-[0-9a-f]{8}"), r"\1-#"),
    (re.compile(r"https://127\.0\.0\.1:\d+"), "https://#"),
    (re.compile(r"\d+\.\d+\.\d+\.\d+"), "#"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)"), "#"),
    (re.compile(r"ns(\d)-\d+\.azure"), r"ns\1-#.azure"),
    (re.compile(r"[0-9A-HJKMNP-TV-Z]{26}"), "#"),
    (re.compile(r'"[0-9a-f]{8}"'), '"#"'),
)
_TOLD_ONCE = ("started", "done", "warning", "failed", "undone", "leftover", "skipped")
_NEW, _ACCEPTED = 201, 202


@dataclass
class End:
    """What there is when all is over.

    Attributes:
        code: exit code of the command that ended it.
        facts: of the run, plain.
        left: every resource, plain: id, tags, states.
        told: step, state and status of each event but progress, as received, sorted.
        source: power state of the source VM.
        wrong: what is wrong whatever it is compared with.
    """

    code: int
    facts: dict[str, Any] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    source: str = ""
    wrong: list[str] = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)


def plain(value: Any) -> Any:
    """A JSON value without what differs from run to run."""
    text = json.dumps(value, sort_keys=True)
    for pattern, replacement in _VARIES:
        text = pattern.sub(replacement, text)
    return json.loads(text)


def left(stage: Stage) -> list[str]:
    """Every resource there is, plain, one text each."""
    return sorted(json.dumps(plain(row), sort_keys=True) for row in stage.cloud.left())


def source_power(stage: Stage) -> str:
    """The power state of the source VM."""
    rows = [row for row in stage.cloud.left() if str(row["id"]).endswith("/virtualMachines/lab-source")]
    return str(rows[0].get("powerState")) if rows else "gone"


def ended(stage: Stage, victim: Victim) -> End:
    """Wait until the command has ended, and look."""
    code = victim.code()
    result: dict[str, Any] = next(
        (line for line in reversed(victim.lines()) if line.get("type") == "result"), {}
    )
    posts, wrong = _received(stage)
    wrong += _second_copies(stage.cloud.requests())
    wrong += _second_mails(stage)
    if "Traceback" in victim.errors():
        wrong.append(f"a traceback: {victim.errors()}")
    return End(
        code=code,
        facts=_facts(result),
        left=left(stage),
        told=sorted(_spoken(body) for body in posts if body["details"]["state"] in _TOLD_ONCE),
        source=source_power(stage),
        wrong=wrong,
        result=result,
    )


def _facts(result: Mapping[str, Any]) -> dict[str, Any]:
    facts = dict(result.get("facts") or {})
    if "verified" in facts and facts["verified"].get("sha256") != facts.get("sha256"):
        facts["sha256"] = "not that of the manifest"
    # How long a phase took differs; which there were does not.
    if "guest_timings" in facts:
        facts["guest_timings"] = sorted(facts["guest_timings"])
    return dict(plain(facts))


def _spoken(body: Mapping[str, Any]) -> str:
    details = body["details"]
    return f"{details['step']} {details['state']} {body['status']}"


def _received(stage: Stage) -> tuple[list[dict[str, Any]], list[str]]:
    """The posts as a receiver keeps them, without repeats of a `webhook-id`; and what is wrong with them."""
    first: dict[str, dict[str, Any]] = {}
    wrong = []
    for name, body in stage.posts():
        if first.setdefault(name, body) != body:
            wrong.append(f"the post {name} was repeated with another body")
    bodies = list(first.values())
    numbers = [body["sequence"] for body in bodies]
    if numbers != list(range(1, len(numbers) + 1)):
        wrong.append(f"posts came in the order {numbers}")
    twice = Counter(_spoken(body) for body in bodies if body["details"]["state"] == "done")
    wrong += [f"{what} was told {times} times" for what, times in twice.items() if times > 1]
    return bodies, wrong


def _second_copies(log: Iterable[Mapping[str, Any]]) -> list[str]:
    """Resources that were created more than once, or under more than one name.

    Only 201 says that something is new: some providers answer the repeat of a create with 202 as well.
    """
    created = [row for row in log if row["method"] == "PUT" and row["status"] in (_NEW, _ACCEPTED)]
    times = Counter(str(row["path"]).split("?")[0].lower() for row in created if row["status"] == _NEW)
    names = Counter(
        f"{operation} {marker(path)}"
        for operation, path in {(str(r["operation"]), str(r["path"]).split("?")[0].lower()) for r in created}
    )
    again = [f"{path} was created {count} times" for path, count in times.items() if count > 1]
    return again or [f"{what} has {count} names" for what, count in names.items() if count > 1]


def _second_mails(stage: Stage) -> list[str]:
    names = {str(mail["message-id"]) for mail in stage.cloud.mails()}
    return [f"{len(names)} different mails"] if len(names) > 1 else []


def differences(expected: End, seen: End) -> list[str]:
    """What is not as in an undisturbed run; nothing when it survived."""
    found = list(seen.wrong)
    if seen.code != expected.code:
        found.append(f"exit code {seen.code}: {seen.result.get('reason') or seen.result}")
    found += _apart("resource", expected.left, seen.left)
    found += _apart("event", expected.told, seen.told)
    for name in sorted({*expected.facts, *seen.facts}):
        if expected.facts.get(name) != seen.facts.get(name):
            found.append(f"fact {name}: {seen.facts.get(name)!r}, not {expected.facts.get(name)!r}")
    return found


def _apart(what: str, expected: Sequence[str], seen: Sequence[str]) -> list[str]:
    missing, extra = Counter(expected) - Counter(seen), Counter(seen) - Counter(expected)
    return [f"{what} missing: {one}" for one in missing.elements()] + [
        f"{what} too many: {one}" for one in extra.elements()
    ]


def unaccounted(expected: Sequence[str], seen: End) -> list[str]:
    """What is too many or missing, or not as it was, and was not told as left nor lies in what was."""
    told = [str(plain(row)["resource_id"]).lower() for row in seen.result.get("leftovers") or []]

    def accounted(row: str) -> bool:
        there = str(json.loads(row)["id"]).lower()
        return any(
            there == one or there.startswith(f"{one}/providers/") or f"{one}/" in there for one in told
        )

    expected, rows = ([row for row in rows if not accounted(row)] for rows in (expected, seen.left))
    return _apart("resource", expected, rows)
