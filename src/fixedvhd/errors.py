"""What can be wrong with the bytes of a disk.

::

    DiskError(problems)      every problem found, not the first
      FooterError            the 512 bytes at the end are not the footer of this fixed VHD
      GptError               a GUID partition table is absent, damaged, or would not fit
      MbrError               there is no master boot record
      PageListError          the answer to a page-list request cannot be read
"""

from __future__ import annotations

_TOLD = 8
"""Problems in one sentence: a table of thousands of entries can have as many."""


class DiskError(Exception):
    """The bytes of a disk are not what they should be; carries every problem found, and tells the first."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        more = len(self.problems) - _TOLD
        return "; ".join([*self.problems[:_TOLD], *([f"and {more} more"] if more > 0 else [])])


class FooterError(DiskError):
    """The 512 bytes at the end are not the footer of this fixed VHD."""


class GptError(DiskError):
    """A GUID partition table is absent, damaged, or would not fit."""


class MbrError(DiskError):
    """There is no master boot record."""


class PageListError(DiskError):
    """The answer to a page-list request cannot be read."""
