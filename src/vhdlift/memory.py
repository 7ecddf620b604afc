"""Memory that the C library keeps after it was freed, and that a process of hours gives back."""

from __future__ import annotations

import ctypes
import sys

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
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if set_option is not None:
        set_option(_M_ARENA_MAX, 1)
        set_option(_M_TRIM_THRESHOLD, _SPARE_BYTES)
