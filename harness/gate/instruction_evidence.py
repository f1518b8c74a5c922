"""Evidence by instructions: what callgrind counts on fixed snapshots, with no noise at all.

The snapshots are three of each captured trace that comes with dirtyscan, so that the numbers of two
days can be compared. Instructions are not time: a variant may take more of them and be faster. What
takes 1 % more where nobody meant it to is worth a look all the same.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.counting.callgrind import Program, count_instructions, require_valgrind, total
from harness.gate.finding import Change, Compared, Evidence, Finding, Verdict
from harness.gate.lanes import Compiled
from harness.native.build import build_driver
from harness.native.operation import OPERATIONS
from harness.native.stopwatch import make_snapshots
from harness.native.toolchain import default_toolchain
from workloads.captured import captured_trace
from workloads.conditions import DEFAULT_CONDITIONS
from workloads.synthesis import Report
from workloads.trace import Trace, open_trace

TOLERANCE = 0.01
"""The share of more instructions that is let pass."""
_SNAPSHOTS = 3


@dataclasses.dataclass(frozen=True)
class Key:
    """What a count is of."""

    operation: str
    variant: str
    toolchain: str
    trace: str


Job = tuple[str, Path]
"""The operation of a compiled variant, and the variant."""


def count_variants(
    compiled: Sequence[Compiled], conditions: Sequence[str], report: Report
) -> tuple[dict[Key, float], dict[Key, float], list[str]]:
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
    before: dict[Key, float] = {}
    after: dict[Key, float] = {}
    left_out: list[str] = []
    for one in compiled:
        new = counted[_job(one, after=True)]
        old = new if one.same_code else counted[_job(one, after=False)]
        operation, name, toolchain = one.pair.after.operation, one.pair.name, one.toolchain.name
        if isinstance(new, str) or isinstance(old, str):
            why = new if isinstance(new, str) else old
            left_out.append(f"{name} ({operation}) with {toolchain}, {why}")
            continue
        for trace in new:
            key = Key(operation, name, toolchain, trace)
            before[key], after[key] = old[trace], new[trace]
    return before, after, list(dict.fromkeys(left_out))


def _job(one: Compiled, after: bool) -> Job:
    return one.pair.after.operation, (one.after if after else one.before).path


def compare_counts(
    before: Mapping[Key, float],
    after: Mapping[Key, float],
    tolerance: float,
    against: str,
    left_out: Sequence[str],
) -> Verdict:
    """Say which counts rose by more than ``tolerance``.

    Args:
        against: what it was ``before`` in.
        left_out: what could not be counted, for the verdict.
    """
    findings = []
    for key, old in before.items():
        new = after[key]
        ratio = old / new
        change = Change.UNCHANGED
        if new > old * (1 + tolerance):
            change = Change.SLOWER
        elif old > new * (1 + tolerance):
            change = Change.FASTER
        findings.append(
            Finding(
                Evidence.INSTRUCTIONS, key.operation, key.variant, key.toolchain, key.trace,
                "instructions", old, new, ratio, ratio, ratio, tolerance, change,
            )
        )  # fmt: skip
    variants = len({(key.operation, key.variant, key.toolchain) for key in before})
    compared = Compared(Evidence.INSTRUCTIONS, against, variants, left_out=tuple(left_out))
    return Verdict(tuple(findings), compared=(compared,))


def _count_all(
    jobs: Sequence[Job], conditions: Sequence[str], report: Report
) -> dict[Job, Mapping[str, float] | str]:
    """Return instructions a page by trace, or why they cannot be counted, for every job."""
    asked = [name for name in DEFAULT_CONDITIONS if name in conditions]
    if not asked:
        return dict.fromkeys(jobs, f"there is no captured trace of {', '.join(conditions)}")
    # Always all of them: the log of a snapshot is the one that follows, so that what is counted on
    # one trace would depend on which others are there.
    traces = [_captured(name) for name in DEFAULT_CONDITIONS]
    memory = traces[0].source.memory
    bitmaps = [bitmap for trace in traces for bitmap in trace.bitmaps(_places(trace))]
    names = [f"{trace.source.condition} captured" for trace in traces]
    toolchain = default_toolchain()
    driver = build_driver(toolchain).path

    def count(job: Job) -> Mapping[str, float] | str:
        operation = OPERATIONS[job[0]]
        snapshots = make_snapshots(bitmaps, range(len(bitmaps)), operation)
        program = Program(driver, job[1], operation)
        counts = count_instructions(program, memory, snapshots, branches=False)
        if isinstance(counts, str):
            return counts
        return {
            name: total(counts[place * _SNAPSHOTS : (place + 1) * _SNAPSHOTS]).instructions
            / (memory.pages * _SNAPSHOTS)
            for place, name in enumerate(names)
            if DEFAULT_CONDITIONS[place] in asked
        }

    counted: dict[Job, Mapping[str, float] | str] = {}
    # Threads wait for valgrind, which does the work; and counts do not mind company.
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for done, (job, result) in enumerate(zip(jobs, pool.map(count, jobs), strict=True)):
            counted[job] = result
            report("counts", done + 1, len(jobs))
    return counted


def _captured(name: str) -> Trace:
    path = captured_trace(name)
    assert path is not None
    return open_trace(path)


def _places(trace: Trace) -> list[int]:
    return [len(trace) * (place + 1) // (_SNAPSHOTS + 1) for place in range(_SNAPSHOTS)]
