"""The RAM blocks of a guest in QEMU, and which of them, in which order, are its memory.

A stream names its blocks and says how long they are, not at which addresses they lie, and sends the
largest first. Video memory, ROMs and flash are blocks as well. So it is by their names that guest
memory is told from devices and put into the order of addresses, unless somebody says which it is.
"""

import dataclasses
import re
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.base.text import natural, shortened
from harness.base.units import format_size
from workloads.capture.stream_parts import PAGE_SIZE

_BACKEND = "/objects/"
"""What the names of memory backends begin with in the machine types of old QEMUs."""
_DEVICE = re.compile(
    r"(^|[./@_-])(vga|v?ram_?header|vram|vrom|rom|bios|bootrom|nvram|ppi|p?flash\d*)($|[./@_-])"
)
_MAIN = re.compile(r"(^|\.)ram$")
_PLUGGED = re.compile(r"dimm|pmem|virtio-?mem|hotplug")


@dataclasses.dataclass(frozen=True)
class RamBlock:
    """A block of the guest's memory."""

    name: str
    first_page: int
    """Number of its first page, counting through all blocks in the order of the stream."""
    pages: int

    def __str__(self) -> str:
        return f"{self.name} ({format_size(self.pages * PAGE_SIZE)})"


@dataclasses.dataclass(frozen=True)
class Layout:
    """Which blocks are the guest's memory."""

    blocks: tuple[RamBlock, ...]
    """In the order of addresses; the holes between them are left out."""
    left_out: tuple[RamBlock, ...]

    @property
    def pages(self) -> int:
        """The guest's memory in pages."""
        return sum(block.pages for block in self.blocks)

    def in_guest(self, pages: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return ``pages``, counted in the order of the stream, as they are counted in the guest.

        Pages of blocks that are left out get the numbers behind those of the guest.
        """
        shift = np.zeros(len(self.blocks) + len(self.left_out), dtype=np.int64)
        in_stream = sorted(self.blocks + self.left_out, key=lambda block: block.first_page)
        places = {block: place for place, block in enumerate(in_stream)}
        first = 0
        for block in self.blocks + self.left_out:
            shift[places[block]] = first - block.first_page
            first += block.pages
        starts = np.array([block.first_page for block in in_stream], dtype=np.int64)
        return pages + shift[np.searchsorted(starts, pages, side="right") - 1]


def lay_out(
    blocks: Sequence[RamBlock], wanted: Sequence[str] = (), shared: Collection[str] = ()
) -> Layout:
    """Return the guest's memory among ``blocks``.

    Args:
        wanted: the names of its blocks in the order of addresses; otherwise all whose names are
            not those of devices: the machine's own memory, then memory backends, then what can be
            plugged, each in the order of their names with numbers as numbers.
        shared: the names of blocks that are not in the stream, which are left out.

    Raises:
        BadInput: there is no such block, or none is left.
    """
    known = {block.name: block for block in blocks}
    for name in wanted:
        if name not in known:
            raise BadInput(
                f"RAM block {shortened(name)!r} is not in the stream; choose from "
                f"{', '.join(known)}."
            )
        if name in shared:
            raise BadInput(
                f"RAM block {shortened(name)!r} is shared and was not sent (x-ignore-shared); "
                "migrate without that capability."
            )
    chosen = [known[name] for name in dict.fromkeys(wanted)] or sorted(
        (block for block in blocks if not is_device(block.name) and block.name not in shared),
        key=lambda block: address_order(block.name),
    )
    if not chosen:
        why = (
            "was sent (x-ignore-shared leaves shared memory out)" if shared else "is in the stream"
        )
        remedy = "migrate without that capability" if shared else "name one with --block"
        raise BadInput(
            f"no RAM block of the guest {why}, only {', '.join(map(str, blocks))}; {remedy}."
        )
    return Layout(tuple(chosen), tuple(block for block in blocks if block not in chosen))


def is_device(name: str) -> bool:
    """Return whether a block of this name is a device's: video memory, a ROM, flash."""
    if name.startswith(_BACKEND):
        return False
    return "/" in name or _DEVICE.search(name) is not None


def address_order(name: str) -> tuple[int, list[tuple[int, str]]]:
    """Return a key that sorts blocks of guest memory as they lie in the guest, by their names."""
    kind = 0 if _MAIN.search(name) else 2 if _PLUGGED.search(name) else 1
    return kind, natural(name)


def block_values(layout: Layout, passed_over: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return what a trace says of its guest's blocks, and of all that is not in it."""
    parts = {
        "blocks": layout.blocks,
        "blocks_left_out": layout.left_out,
        "sections_passed_over": passed_over,
    }
    return {name: (", ".join(map(str, part)), "") for name, part in parts.items() if part}
