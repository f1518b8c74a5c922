"""Counts: the instructions of variants on fixed snapshots, which two days have in common.

The snapshots are three of each captured trace that comes with dirtyscan.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.counting.callgrind import Program, count_instructions, require_valgrind, total
from harness.gate.lanes import Compiled, compile_here
from harness.native.build import build_driver
from harness.native.operation import OPERATIONS
from harness.native.stopwatch import make_snapshots
from harness.native.toolchain import default_toolchain, find_toolchains
from harness.native.variant import Variant, built_in_variants
from harness.trial.apart import SNAPSHOTS, find_faults
from workloads.captured.snapshots import captured_snapshots
from workloads.conditions import DEFAULT_CONDITIONS
from workloads.synthesis import Report


@dataclasses.dataclass(frozen=True)
class Counted:
    """What a count is of."""

    operation: str
    variant: str
    toolchain: str
    trace: str
    """Condition and origin."""

    @property
    def subject(self) -> str:
        """What it is called where it has no count."""
        return f"{self.variant} ({self.operation})"


@dataclasses.dataclass(frozen=True)
class Counts:
    """What was counted."""

    instructions: Mapping[Counted, float]
    """A page."""
    broken: tuple[str, ...]
    """A sentence for each variant that is wrong, with its toolchain; it is not counted."""
    left_out: tuple[str, ...]
    """Why others could not be counted."""


def count_all(
    variants: Sequence[Variant],
    toolchains: Sequence[str],
    conditions: Sequence[str],
    report: Report,
) -> Counts:
    """Try ``variants``, of any operation, and count the instructions of those that can run here.

    Args:
        toolchains: names of those of C, and of Rust if others than go with them are meant.
        conditions: on whose captured traces they are counted.

    Raises:
        BadInput: valgrind is not here, or a variant does not compile.
    """
    require_valgrind()  # before anything is compiled or tried for it
    compiled, left_out = compile_here(variants, find_toolchains(toolchains))
    faults = find_faults([(one.pair.after, one.after) for one in compiled])
    sound = [one for one, fault in zip(compiled, faults, strict=True) if not fault]
    broken = [one.is_wrong(fault) for one, fault in zip(compiled, faults, strict=True) if fault]
    _, after, why = count_variants(sound, conditions, report)
    return Counts(after, tuple(broken), (*left_out, *why))


def all_built_in() -> list[Variant]:
    """Return every variant that comes with dirtyscan."""
    return [one for name in OPERATIONS for one in built_in_variants(name).values()]


Job = tuple[str, Path]
"""The operation of a compiled variant, and the variant."""


def count_variants(
    compiled: Sequence[Compiled], conditions: Sequence[str], report: Report
) -> tuple[dict[Counted, float], dict[Counted, float], list[str]]:
    """Count both sides of every pair; a side whose code is the other's is not counted again.

    Args:
        conditions: names; those without a captured trace have nothing to be counted on.

    Returns:
        Instructions a page before and after, and why some could not be counted.

    Raises:
        BadInput: valgrind is not here.
    """
    require_valgrind()
    jobs: dict[Job, None] = {}
    for one in compiled:
        jobs[_job(one, after=True)] = None
        if not one.same_code:
            jobs[_job(one, after=False)] = None
    counted = _count_all(list(jobs), conditions, report)
    before: dict[Counted, float] = {}
    after: dict[Counted, float] = {}
    left_out: list[str] = []
    for one in compiled:
        new = counted[_job(one, after=True)]
        old = new if one.same_code else counted[_job(one, after=False)]
        operation, name, toolchain = one.subject
        if isinstance(new, str) or isinstance(old, str):
            why = new if isinstance(new, str) else old
            left_out.append(f"{name} ({operation}) with {toolchain}, {why}")
            continue
        for trace in new:
            key = Counted(operation, name, toolchain, trace)
            before[key], after[key] = old[trace], new[trace]
    return before, after, list(dict.fromkeys(left_out))


def _job(one: Compiled, after: bool) -> Job:
    return one.pair.after.operation, (one.after if after else one.before).path


def _count_all(
    jobs: Sequence[Job], conditions: Sequence[str], report: Report
) -> dict[Job, Mapping[str, float] | str]:
    """Return instructions a page by trace, or why they cannot be counted, for every job."""
    asked = [name for name in DEFAULT_CONDITIONS if name in conditions]
    if not asked:
        return dict.fromkeys(jobs, f"there is no captured trace of {', '.join(conditions)}")
    # Always all of them: the log of a snapshot is the one that follows, so that what is counted on
    # one trace would depend on which others are there.
    memory, bitmaps = captured_snapshots(SNAPSHOTS)
    toolchain = default_toolchain()
    driver = build_driver(toolchain).path

    def count(job: Job) -> Mapping[str, float] | str:
        operation = OPERATIONS[job[0]]
        snapshots = make_snapshots(bitmaps, range(len(bitmaps)), operation)
        program = Program(driver, job[1], operation)
        counts = count_instructions(program, memory, snapshots, branches=False)
        if isinstance(counts, str):
            return counts
        of_trace = (
            counts[place * SNAPSHOTS : (place + 1) * SNAPSHOTS]
            for place in range(len(DEFAULT_CONDITIONS))
        )
        return {
            f"{name} captured": total(found).instructions / (memory.pages * SNAPSHOTS)
            for name, found in zip(DEFAULT_CONDITIONS, of_trace, strict=True)
            if name in asked
        }

    counted: dict[Job, Mapping[str, float] | str] = {}
    # Threads wait for valgrind, which does the work; and counts do not mind company.
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for done, (job, result) in enumerate(zip(jobs, pool.map(count, jobs), strict=True)):
            counted[job] = result
            report("counts", done + 1, len(jobs))
    return counted
