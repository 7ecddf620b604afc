"""Works on runs in a process of its own, for `--no-wait`; what it is given comes by the environment."""

from __future__ import annotations

import asyncio
import sys
import traceback

from vhdlift.errors import ExitCode, VhdliftError
from vhdlift.memory import give_back_what_is_freed
from vhdlift.redaction import redact


def main(run_id: str) -> int:
    """Take up the run, and what nobody works on beside it; returns the run's exit code."""
    from vhdlift.engine import api  # noqa: PLC0415
    from vhdlift.settings import load_settings  # noqa: PLC0415

    give_back_what_is_freed()
    try:
        outcome = asyncio.run(api.serve(load_settings({}), run_id))
    except VhdliftError as error:
        return _tell(f"{error.sentence} {error.hint}", error.exit_code)
    except Exception as error:  # noqa: BLE001 - Python would write it as it is, secrets included
        return _tell("".join(traceback.format_exception(error)), ExitCode.FAILED)
    return int(outcome.exit_code if outcome else ExitCode.COMPLETED)


def _tell(story: str, code: ExitCode) -> int:
    """Write it to stderr, which is the run's own log file."""
    sys.stderr.write(f"{redact(story).strip()}\n")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
