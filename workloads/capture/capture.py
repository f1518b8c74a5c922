"""Capturing a trace: boot a guest, wait for its workload, migrate it, write down what was dirty."""

import asyncio
import bisect
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.base.errors import BadInput
from workloads.capture.equipment import Equipment
from workloads.capture.machine import booted, guest_parameters, on_accelerators, prepare
from workloads.capture.migration import Limits, Migration, migrate_away
from workloads.capture.qemu import Machine, private_folder
from workloads.capture.ram_blocks import Layout, lay_out
from workloads.capture.rounds import Poll, Round, check_counters, find_rounds, snapshots
from workloads.capture.stream_parts import PAGE_SIZE
from workloads.capture.workload import Workload
from workloads.guest import GuestMemory
from workloads.precopy import Snapshot
from workloads.trace import Source, Trace
from workloads.trace_writer import write_trace

TICK = 0.1  # seconds, as in the pre-copy loop of 2010
# QEMU takes its bandwidth from the last 100 ms or a little more, which two bursts may fall into.
_SLACK = 2.5

_Report = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True)
class CaptureRequest:
    """What is to be captured, and how."""

    workload: Workload
    memory: GuestMemory
    equipment: Equipment
    accelerator: str
    """``kvm``, ``tcg``, or ``auto``: the first if a guest boots with it."""
    limits: Limits


def capture(request: CaptureRequest, path: Path, report: _Report) -> Trace:
    """Capture a trace and write it to ``path``.

    Raises:
        BadInput: the guest does not boot, the migration fails, or what was captured does not agree
            with QEMU's own counters.
    """
    with private_folder() as folder:
        machine = prepare(request.workload, request.memory, request.equipment, folder)

        def run(accelerator: str) -> tuple[Migration, dict[str, Any]]:
            trying = dataclasses.replace(machine, accelerator=accelerator)
            return asyncio.run(_migrate(trying, folder, request, report))

        migration, facts = on_accelerators(request.accelerator, run)
        return _write(request, migration, facts, path)


async def _migrate(
    machine: Machine, folder: Path, request: CaptureRequest, report: _Report
) -> tuple[Migration, dict[str, Any]]:
    limits, name = request.limits, request.workload.name

    def tell(seconds: float) -> None:
        report(f"capturing {name} with {machine.accelerator}", int(seconds), int(limits.seconds))

    tell(0)
    async with booted(machine, folder) as qemu:
        facts = await guest_parameters(qemu, machine, request.workload)
        return await migrate_away(qemu, folder, limits, tell), facts


def _write(
    request: CaptureRequest, migration: Migration, facts: Mapping[str, Any], path: Path
) -> Trace:
    """Check what was seen, and write the trace."""
    sent, zero = _sent(migration)
    compared = check_counters(zero, migration.polls, migration.final)
    downtime_bytes = request.limits.bandwidth * request.limits.max_downtime // 1000
    slack = int(_SLACK * downtime_bytes / PAGE_SIZE)
    rounds = find_rounds(sent, migration.decoder.section_ends, _live_polls(migration), slack)
    ticks = list(_ticks(migration, rounds))
    layout = _layout(migration, request.memory)
    parameters = {
        **facts,
        "bandwidth": _values(request.limits.bandwidth, "B/s"),
        "max_downtime": _values(request.limits.max_downtime, "ms"),
        "tick": _values(int(TICK * 1000), "ms"),
        "rounds": _values([dataclasses.asdict(r) for r in rounds], ""),
        "converged": _values(migration.converged, ""),
        "qmp_normal": _values(migration.final.plain, "pages"),
        "qmp_duplicate": _values(migration.final.zero, "pages"),
        "qmp_polls_compared": _values(compared, ""),
    }
    source = Source(
        request.workload.name, "captured", request.memory, request.workload.condition, parameters
    )
    maps = snapshots(layout.in_guest(sent), rounds, [p for _, p in ticks], layout.pages)
    return write_trace(path, source, _snapshots(ticks, maps))


def _live_polls(migration: Migration) -> list[Poll]:
    """Return the polls up to the first of the round after the one in which the live part ended.

    What comes later is QEMU being brought to an end, which breaks the rules of a round.
    """
    polls = [*migration.polls, migration.final]
    last = max(poll.syncs for poll in polls if poll.time <= migration.ended)
    after = next((n for n, poll in enumerate(polls) if poll.syncs > last), len(polls) - 1)
    return polls[: after + 1]


def _sent(migration: Migration) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    sent = np.array(migration.decoder.sent, dtype=np.int64)
    return sent >> 1, (sent & 1).astype(np.bool_)


def _ticks(migration: Migration, rounds: list[Round]) -> Iterator[tuple[int, int]]:
    """Yield (ms since the start, pages sent by then) for each tick of the live part."""
    times = [time for time, _ in migration.arrivals]
    for tick in range(1, int(migration.ended / TICK) + 1):
        arrived = bisect.bisect_right(times, tick * TICK)
        position = migration.arrivals[arrived - 1][1] if arrived else 0
        if position >= rounds[-1].start:
            return
        yield round(tick * TICK * 1000), position


def _snapshots(
    ticks: list[tuple[int, int]], maps: Iterator[NDArray[np.bool_]]
) -> Iterator[Snapshot]:
    for (time_ms, _), dirty in zip(ticks, maps, strict=True):
        yield Snapshot(time_ms, dirty)


def _layout(migration: Migration, memory: GuestMemory) -> Layout:
    layout = lay_out(migration.decoder.blocks)
    if layout.pages != memory.pages:
        raise BadInput(
            f"the migration stream has {layout.pages} pages of guest memory where "
            f"{memory.pages} are wanted; capture again."
        )
    return layout


def _values(value: Any, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit}
