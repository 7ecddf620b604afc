"""Memory that the C library keeps after it was freed, and that a process of hours gives back."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

# Names and numbers of glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_ARENA_MAX = -8
_SPARE_BYTES = 1 << 20


def give_back_what_is_freed() -> None:
    """Let threads share one pool of memory, and give its unused end back at once.

    By itself glibc gives every few threads a pool of their own and keeps what was freed in it (mallopt(3)):
    3 % of what a run takes. Other C libraries know no such setting, and nothing is done. It is for a process
    of our own: a program that uses this library keeps its own settings.
    """
    set_option = _of_glibc("mallopt")
    if set_option is not None:
        set_option(_M_ARENA_MAX, 1)
        set_option(_M_TRIM_THRESHOLD, _SPARE_BYTES)


def give_back_now() -> None:
    """Give back what lies free between what is in use (malloc_trim(3)).

    By itself glibc gives back the end of the memory alone: of what a hundred runs at once took, half stays.
    """
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _of_glibc(name: str) -> Any:
    """A function of the C library; None where it knows no such function."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
