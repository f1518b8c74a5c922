"""KVM's dirty logs by memory slot: KVM has a bitmap for each, and a guest has several."""

import dataclasses
import glob
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.base.text import shortened
from harness.base.units import format_size, parse_size
from workloads.guest import GuestMemory
from workloads.importers.source import followed, imported, interval_value
from workloads.inputs import file_size, in_order, pieces
from workloads.precopy import Snapshot
from workloads.synthesis import Report
from workloads.trace import Trace
from workloads.trace_writer import write_trace

_SLOT = re.compile(r"(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})(?:\+([^=]+))?=(.+)", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Slot:
    """A memory slot and its logs."""

    address: int
    """Where it begins in the guest, in bytes."""
    size: int | None
    """In bytes; None if it is as long as a bitmap says, which counts whole words of pages."""
    paths: tuple[Path, ...]
    """In the order of time; one log each, or several if the size is known."""


def parse_slot(text: str) -> Slot:
    """Read ``ADDRESS=FILE`` or ``ADDRESS+SIZE=FILE``; FILE may be a pattern such as ``a-*.bin``.

    Raises:
        BadInput: it is something else, or there is no such file.
    """
    match = _SLOT.fullmatch(text)
    if match is None:
        raise BadInput(
            f"--slot {shortened(text)!r} is not ADDRESS=FILE nor ADDRESS+SIZE=FILE; give the "
            "slot's address in the guest and its logs, for example 0x100000000=slot1.bin."
        )
    address, size, pattern = match.groups()
    paths = [Path(pattern)]
    if glob.has_magic(pattern) and not paths[0].exists():
        paths = [Path(name) for name in sorted(glob.glob(pattern))]  # noqa: PTH207 (as a shell does)
        if not paths:
            raise BadInput(f"--slot {shortened(text)!r} has no file; check the pattern.")
    number = int(address, 16) if address[:2] in ("0x", "0X") else int(address)
    return Slot(number, parse_size(size) if size else None, tuple(in_order(paths)))


def import_kvm_slots(
    slots: Sequence[Slot],
    output: Path,
    name: str,
    page_size: int,
    interval: int,
    report: Report = lambda *_: None,
) -> Trace:
    """Import the logs of a guest's memory slots as one guest, in the order of their addresses.

    The holes between the slots are left out. See
    :func:`workloads.importers.kvm_log.import_kvm_log`.

    Raises:
        BadInput: a file cannot be read or is not whole bitmaps of its slot, slots overlap, or one
            has more logs than another.
    """
    slots = sorted(slots, key=lambda slot: slot.address)
    logs = [_Log(slot, page_size) for slot in slots]
    for before, after in itertools.pairwise(logs):
        if before.slot.address + before.pages * page_size > after.slot.address:
            raise BadInput(
                f"the slots at {before.slot.address:#x} and {after.slot.address:#x} overlap; give "
                "the size of the first, --slot ADDRESS+SIZE=FILE."
            )
    ticks = {log.ticks for log in logs}
    if len(ticks) > 1:
        which = ", ".join(f"{log.ticks} at {log.slot.address:#x}" for log in logs)
        raise BadInput(f"the slots have different numbers of logs ({which}); give all of each.")
    memory = GuestMemory(sum(log.pages for log in logs) * page_size, page_size)
    told = ", ".join(log.told() for log in logs)
    paths = [path for slot in slots for path in slot.paths]
    values = {"slots": (told, ""), **interval_value(interval)}
    source = imported(name, memory, "KVM dirty logs by slot", paths, values)

    def snapshots() -> Iterator[Snapshot]:
        for tick, maps in enumerate(zip(*(log.maps() for log in logs), strict=True), start=1):
            yield Snapshot(tick * interval, np.concatenate(maps))

    return write_trace(output, source, followed(snapshots(), ticks.pop(), report))


class _Log:
    """The bitmaps of a slot."""

    def __init__(self, slot: Slot, page_size: int) -> None:
        self.slot = slot
        sizes = [file_size(path) or 0 for path in slot.paths]
        if slot.size is not None:
            if slot.size <= 0 or slot.size % page_size:
                raise BadInput(
                    f"the slot at {slot.address:#x} cannot have {slot.size} bytes; give a multiple "
                    f"of the page size ({format_size(page_size)})."
                )
            self.pages = slot.size // page_size
            self._bytes = -(-self.pages // 64) * 8
        else:
            self._bytes = sizes[0]
            self.pages = self._bytes * 8
        self._memory = self.pages * page_size
        for path, size in zip(slot.paths, sizes, strict=True):
            # Only who says a size can know that a longer file is several logs.
            longer = slot.size is None and size != self._bytes
            if size == 0 or self._bytes % 8 or size % self._bytes or longer:
                raise BadInput(
                    f"{path} is {size} bytes long, and a dirty log of the slot at "
                    f"{slot.address:#x} is {self._bytes}, in words of 8; check its slot and size."
                )
        self.ticks = sum(sizes) // self._bytes

    def told(self) -> str:
        """Return where the slot is and its size, and how many logs there are if not a file each."""
        files = len(self.slot.paths)
        many = f", {self.ticks} logs in {files} file{'s' * (files > 1)}" * (self.ticks > files)
        return f"{self.slot.address:#x} ({format_size(self._memory)}{many})"

    def maps(self) -> Iterator[NDArray[np.bool_]]:
        for path in self.slot.paths:
            for data in pieces(path, self._bytes):
                bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), bitorder="little")
                if len(data) < self._bytes:
                    raise BadInput(f"{path} became shorter while it was read; import it again.")
                if bits[self.pages :].any():
                    raise BadInput(
                        f"{path} has a page dirty that is not in its slot; give the right size, "
                        "--slot ADDRESS+SIZE=FILE."
                    )
                yield bits[: self.pages].astype(np.bool_)
