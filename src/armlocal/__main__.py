"""The command `armlocal`: a local stand-in for Azure."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path

from armlocal.azurite.install import InstallError
from armlocal.azurite.process import StorageDiedError
from armlocal.serve import standing_in

DEFAULT_SCALE = 0.02


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="armlocal", description="A local stand-in for Azure.")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run it until it is told to stop (Ctrl-C, SIGTERM)")
    serve.add_argument("--dir", type=Path, required=True, help="where all its files go")
    serve.add_argument("--port", type=int, default=0, help="of HTTPS; 0 for a free one (default)")
    serve.add_argument(
        "--time-scale",
        type=float,
        default=DEFAULT_SCALE,
        help="how long operations take, compared with the real service (default: %(default)s)",
    )
    return parser


async def _serve(folder: Path, port: int, scale: float) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with standing_in(folder, port, scale) as running:
        sys.stdout.write(f"Serving at {running.world.base_url}\nFor a client: . {running.env}\n")
        sys.stdout.flush()
        await stop.wait()


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit code: 0, or 1 with a sentence on stderr."""
    asked = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(asked.dir.resolve(), asked.port, asked.time_scale))
    except (OSError, InstallError, StorageDiedError) as error:
        sys.stderr.write(f"armlocal: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
