"""Recording: a real guest's writes every 100 ms, and the pre-copy loop of 2010 run on them.

The letter's QEMU read the dirty log in every tick. Today's reads it once a round, so a captured
trace cannot be what the letter measured. Here the guest's writes are taken every tick, the loop
sends its pages in address order until the tick's share is used, each at the cost of what it holds
at that moment, and the map that is left is the snapshot.
"""

import asyncio
import dataclasses
import functools
import platform
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.base.errors import BadInput
from workloads.capture.equipment import Equipment
from workloads.capture.machine import booted, guest_parameters, on_accelerators, prepare
from workloads.capture.qemu import Machine, private_folder
from workloads.capture.stream_parts import PAGE_SIZE
from workloads.capture.workload import Workload
from workloads.guest import GuestMemory
from workloads.parameters import record
from workloads.precopy import PreCopyLoop, PreCopyParameters, Snapshot
from workloads.record.memory import LiveMemory, live_memory
from workloads.record.shim import WriteLog, build_shim, preloaded, run_first
from workloads.synthesis import Report
from workloads.trace import Source, Trace
from workloads.trace_writer import write_trace

_WINDOW = 2**10  # pages whose content is read together; more would be read than is sent
_LATE = 0.1  # of a tick: as much as may pass before its scan is called late
_MOST_LATE = 0.1  # of all ticks


@dataclasses.dataclass(frozen=True)
class RecordRequest:
    """What is to be recorded, and how."""

    workload: Workload
    memory: GuestMemory
    equipment: Equipment
    accelerator: str
    """``kvm``, ``tcg``, or ``auto``: the first if a guest boots with it."""
    precopy: PreCopyParameters


@dataclasses.dataclass
class Punctuality:
    """How well the ticks were kept."""

    scans: list[float] = dataclasses.field(default_factory=list)
    """How long each scan took, in seconds."""
    busy: list[float] = dataclasses.field(default_factory=list)
    """How long each tick took with all that is done in it, in seconds."""
    late: int = 0
    """Ticks whose scan came more than a tenth of a tick too late."""
    lost: int = 0
    """Ticks that were over before they could be begun."""

    def parameters(self) -> dict[str, dict[str, Any]]:
        """Return this as parameters of a trace."""
        milliseconds = {
            "scan_median": float(np.median(self.scans)),
            "scan_longest": max(self.scans),
            "tick_work_median": float(np.median(self.busy)),
            "tick_work_longest": max(self.busy),
        }
        values = {name: (round(v * 1000, 2), "ms") for name, v in milliseconds.items()}
        counts = {"late_ticks": (self.late, "ticks"), "lost_ticks": (self.lost, "ticks")}
        return {name: {"value": v, "unit": unit} for name, (v, unit) in (values | counts).items()}


def record_guest(request: RecordRequest, path: Path, report: Report) -> Trace:
    """Record a guest and write the trace to ``path``.

    Raises:
        BadInput: the guest does not boot or ends, this kernel cannot watch its memory, or the
            machine is too busy to keep the ticks.
    """
    with private_folder() as folder:
        machine = prepare(request.workload, request.memory, request.equipment, folder)
        shim = build_shim(request.equipment.compiler, folder)

        def run(accelerator: str) -> Trace:
            trying = dataclasses.replace(machine, accelerator=accelerator, shared=True)
            return asyncio.run(_record(trying, shim, folder, request, path, report))

        return on_accelerators(request.accelerator, run)


async def _record(
    machine: Machine, shim: Path, folder: Path, request: RecordRequest, path: Path, report: Report
) -> Trace:
    doing = f"recording {request.workload.name} with {machine.accelerator}"
    report(doing, 0, request.precopy.max_ticks)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        watched = dataclasses.replace(
            machine, environment=preloaded(shim, theirs), descriptors=(theirs.fileno(),)
        )
        async with booted(watched, folder) as qemu:
            theirs.close()  # so that its end is seen when QEMU ends
            facts = await guest_parameters(qemu, machine, request.workload)
            log = WriteLog(ours, qemu.process, request.memory.size)
            run_first(0)
            with live_memory(log.attach(), request.memory.size) as memory:
                recorded = await follow(
                    log, memory, request.precopy, qemu.check, lambda *tick: report(doing, *tick)
                )
    workload = request.workload
    return write_recording(
        workload.name, workload.condition, request.memory, request.precopy, facts, recorded, path
    )


@dataclasses.dataclass(frozen=True)
class Recorded:
    """What came of following a guest."""

    snapshots: Sequence[tuple[int, NDArray[np.uint8]]]
    """The time in ms and the bitmap of each, one bit a page."""
    punctuality: Punctuality
    converged: bool


class Clock:
    """The time that ticks are kept by, in seconds."""

    def now(self) -> float:
        """Return the time, which never goes back."""
        return time.monotonic()

    async def wait_until(self, due: float) -> None:
        """Wait until ``due``, or a little longer."""
        await asyncio.sleep(max(0.0, due - self.now()))


async def follow(
    log: WriteLog,
    memory: LiveMemory,
    precopy: PreCopyParameters,
    check: Callable[[], None],
    report: Callable[[int, int], None],
    clock: Clock | None = None,
) -> Recorded:
    """Run the loop on a guest's memory until what is left fits into the downtime.

    Args:
        check: raises an error if the guest has failed.

    Raises:
        BadInput: it has, or too many ticks were late.
    """
    loop = PreCopyLoop(memory.pages, PAGE_SIZE, precopy, _WINDOW)
    kept = Punctuality()
    snapshots: list[tuple[int, NDArray[np.uint8]]] = []
    tick_seconds = precopy.tick / 1000
    log.scan()  # all of memory is dirty at the start; from here on it is what was written
    clock = clock or Clock()
    start = clock.now()
    number = 0
    while number < precopy.max_ticks and not (snapshots and loop.done):
        number += 1
        due = start + number * tick_seconds
        await clock.wait_until(due)
        check()
        began = clock.now()
        if began - due > tick_seconds:
            kept.lost += 1
            continue
        writes = log.scan()
        kept.late += clock.now() - writes.seconds - due > _LATE * tick_seconds
        loop.dirty |= writes.pages
        touched = memory.touched()
        loop.send(functools.partial(memory.uniform, touched=touched))
        snapshots.append((number * precopy.tick, np.packbits(loop.dirty, bitorder="little")))
        kept.scans.append(writes.seconds)
        kept.busy.append(clock.now() - began)
        report(number, precopy.max_ticks)
    if kept.late + kept.lost > _MOST_LATE * number:
        raise BadInput(
            f"the recording is refused because {kept.late + kept.lost} of {number} ticks came more "
            f"than a tenth too late, {kept.lost} of them when they were over: this machine is too "
            "busy, or was halted; record again when it is not."
        )
    return Recorded(snapshots, kept, loop.done)


def write_recording(
    name: str,
    condition: str | None,
    memory: GuestMemory,
    precopy: PreCopyParameters,
    facts: Mapping[str, Any],
    recorded: Recorded,
    path: Path,
) -> Trace:
    """Write what came of following a guest as a trace, with how it was recorded."""
    provenance = {
        "method": "userfaultfd in asynchronous write-protect mode and PAGEMAP_SCAN, every tick",
        "host_kernel": platform.release(),
        "converged": recorded.converged,
    }
    parameters = {
        **facts,
        **{name: {"value": value, "unit": ""} for name, value in provenance.items()},
        **record(precopy),
        **recorded.punctuality.parameters(),
    }
    source = Source(name, "recorded", memory, condition, parameters)
    pages = memory.pages
    snapshots = (
        Snapshot(time_ms, np.unpackbits(bits, count=pages, bitorder="little").astype(np.bool_))
        for time_ms, bits in recorded.snapshots
    )
    return write_trace(path, source, snapshots)
