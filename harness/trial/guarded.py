"""Arrays of a map that tell when a variant leaves its map or changes it."""

import dataclasses
import mmap
from collections.abc import Iterable

from harness.native.dirty_map import array_bytes
from harness.native.memory import Region, make_region

_READ, _WRITE = mmap.PROT_READ, mmap.PROT_WRITE


@dataclasses.dataclass(frozen=True)
class _Array:
    """An array at the start or at the end of a region of its own."""

    region: Region
    length: int
    """In bytes."""

    def address(self, at_end: bool) -> int:
        """Return where it begins if its end (or its start) is at a guard page."""
        return self.region.end - self.length if at_end else self.region.start


class GuardedArrays:
    """Arrays of a map, each between two guard pages, and first at its end of the region."""

    def __init__(self, names: Iterable[str], pages: int) -> None:
        lengths = {name: array_bytes(name, pages) for name in names}
        self._arrays = {name: _Array(make_region(size), size) for name, size in lengths.items()}
        self.at_end = True

    def address(self, array: str) -> int:
        """Return where ``array`` begins."""
        return self._arrays[array].address(self.at_end)

    def allow_writing(self, allowed: bool) -> None:
        """Let the arrays be written, or only read."""
        for array in self._arrays.values():
            array.region.protect(_READ | _WRITE if allowed else _READ)

    def explain(self, address: int, by_write: bool) -> str | None:
        """Say what a fault at ``address`` was; None if it has nothing to do with the arrays."""
        for name, array in self._arrays.items():
            offset = address - array.address(self.at_end)
            if not array.region.contains(address):
                continue
            if 0 <= offset < array.length:
                return f"changes the map (byte {offset} of its {name})"
            how = "writes" if by_write else "reads"
            if offset < 0:
                return f"{how} outside its map (at byte {offset}; its {name} begin at 0)"
            end = f"its {name} end before byte {array.length}"
            return f"{how} outside its map (at byte {offset}; {end})"
        return None
