"""The setup script as a whole: what the extension runs, and what it leaves behind."""

from __future__ import annotations

import json
from importlib import resources

from tests.guest.grammar import broken, parse
from tests.guest.pwsh.cloud import Cloud
from tests.guest.pwsh.machine import DOUBLES, HIDDEN, MUTEX, Done, Machine
from tests.guest.pwsh.test_state_machine import changed
from vhdlift.guest.render import render

ENTRY = resources.files("vhdlift.guest").joinpath("entry.ps1").read_text("ascii")


def set_up(machine: Machine, more: str = "") -> Done:
    """The rendered script, with the doubles read before its last part, as the extension's handler runs it."""
    text = render(machine.values())
    assert text.endswith(ENTRY)
    library = f"Add-Type -Path '{machine.library}'\n"
    doubles = f"{DOUBLES}\n{MUTEX}\n{more}\n"
    path = machine.folder / "lab1-setup.ps1"
    path.write_text(library + text.removesuffix(ENTRY) + doubles + ENTRY, "ascii")
    done = machine.run_file(path)
    assert not path.exists()
    return done


def test_the_bootstrap_leaves_all_that_the_agent_needs(machine: Machine, cloud: Cloud) -> None:
    """Values, an agent without them, a task as SYSTEM at each start and every five minutes, started."""
    (machine.folder / "data/vhdlift/values.dpapi").unlink()
    done = set_up(machine)
    assert done.code == 0, done.said
    agent = (machine.folder / "data/vhdlift/agent.ps1").read_text()
    assert broken(parse(agent)) == []
    assert HIDDEN not in agent
    assert agent.endswith("exit $script:ExitCode\n")
    sealed = json.loads((machine.folder / "data/vhdlift/values.dpapi").read_text())
    assert set(sealed) == {name.upper() for name in machine.values().texts()}
    action, triggers, who, settings = (machine.folder / "world/task-vhdlift").read_text().splitlines()
    assert action.endswith('agent.ps1"')
    assert (triggers, who, settings) == ("startup, every 5 minutes", "S-1-5-18 Highest", "IgnoreNew 0 4")
    assert machine.deeds()[-1] == "started vhdlift"
    told = [(one["phase"], one["state"]) for one in cloud.reports]
    assert told == [("bootstrap", "started"), ("bootstrap", "done")]


def test_the_setup_script_run_again_takes_the_work_up(machine: Machine, cloud: Cloud) -> None:
    """After a failure: what is done stays done, and the failed phase gets its attempts again."""
    assert machine.run(changed("throw 'x'"), GUEST_PHASE="shrink").code == 1
    before = machine.state()["done"]
    assert set_up(machine).code == 0
    state = machine.state()
    assert (state["status"], state["attempts"]) == ("working", {})
    assert state["done"] == [*before, "bootstrap"]
    assert machine.run().code == 0
    assert "old1.vhd.json" in cloud.blobs


def test_another_run_begins_anew(machine: Machine) -> None:
    """What an earlier run left is not this one's."""
    assert machine.run(changed("throw 'x'"), GUEST_PHASE="shrink").code == 1
    path = machine.folder / "data/vhdlift/state.json"
    path.write_text(path.read_text().replace("01RUN", "01OLD"))
    assert set_up(machine).code == 0
    state = machine.state()
    assert (state["run_id"], state["done"], state["facts"]) == ("01RUN", ["bootstrap"], {})


def test_a_bootstrap_that_fails_says_why_and_leaves_no_script(machine: Machine) -> None:
    """`set_up` looks that the script, which holds secrets, is gone."""
    (machine.folder / "data/vhdlift/values.dpapi").unlink()
    done = set_up(machine, "function Assert-System { throw 'not SYSTEM' }")
    assert done.code == 1
    assert "bootstrap failed: not SYSTEM" in done.said
    assert not (machine.folder / "data/vhdlift/values.dpapi").exists()
