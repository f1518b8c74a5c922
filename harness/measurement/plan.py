"""The plan of a run: everything that decides what is measured, so that it can be gone on with."""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.base.documents import decode_json
from harness.base.errors import BadInput
from harness.native.placement import CLASSES, DRAWS
from harness.native.toolchain import AS_GIVEN
from harness.statistics.spacing import evenly_spaced
from harness.trial.failure import Failure
from workloads.trace import Trace

# 512 MiB of pages times the snapshots that a pass over a trace looks at. Three times as many do not
# make the processes of a run more alike, and change no speedup by more than 1.2 %.
FULL_PASS_PAGES = 100 * 2**17
QUICK_PASS_PAGES = 30 * 2**17
MIN_SNAPSHOTS = 8
OTHER_WORK = 2
"""Which other work comes before snapshots, another number where it makes a predictor forget more.

The first, a third of a millisecond of it before each placement, was ``true`` in results."""
ROUNDS = 3
# Ranks give an interval from 6 processes on. But stopping as soon as an interval is narrow prefers
# intervals that are narrow by luck, the more so the fewer processes it starts from.
MIN_PROCESSES = 10
AGAIN = " again"
"""What the label of a noise floor ends with."""
BEFORE = " before"
"""What the name of the older side of a variant ends with."""


@dataclasses.dataclass(frozen=True)
class Lane:
    """One compiled variant as it takes part in every round."""

    variant: str
    toolchain: str
    library: str
    build_hash: str
    original: int
    """The index of the lane that this one is compared with; its own if it is an original."""
    map: str = "byte map"
    """The representation that it looks at."""
    bound: bool = False
    """Whether it only shows a limit and its result is not checked."""
    paid_in: str = ""
    """Operations that bear its cost in its place, or nothing."""
    peer: bool = False
    """Whether it is a Python package's function; it has no library then."""
    noise_floor: bool = False
    """The original once more, at other placements: what comes out should be 1."""
    placed: tuple[str, ...] = ()
    """The library at every placement (:mod:`harness.native.placement`), or nothing if only the one
    that ``library`` has can be had."""

    @property
    def label(self) -> str:
        """The name in tables, plots and the pyperf file."""
        return self.variant + AGAIN if self.noise_floor else self.variant

    @property
    def name(self) -> str:
        """The name of the variant, which both sides of it have."""
        return self.variant.removesuffix(BEFORE)

    @property
    def is_older(self) -> bool:
        """Whether it is the older side of a variant, compared with its newer side alone."""
        return self.variant.endswith(BEFORE)

    @property
    def is_judged(self) -> bool:
        """Whether its speedup is that of its variant.

        A noise floor's is not, nor that of a variant whose cost is paid in other operations.
        """
        return not (self.noise_floor or self.paid_in)


@dataclasses.dataclass(frozen=True)
class PlannedTrace:
    """A trace and the snapshots of it that are timed."""

    key: str
    """Unique in the plan and fit for a file name: the name and the origin."""
    path: str
    content_hash: str
    pages: int
    """Of guest memory."""
    snapshots: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is measured, and how. Paths are relative to the folder that the plan lies in."""

    version: str
    host: str
    operation: str
    stopwatch: str
    trial: str
    lanes: tuple[Lane, ...]
    left_out: tuple[str, ...]
    """A sentence for each variant that cannot run here."""
    unvaried: tuple[str, ...]
    """A sentence for each variant whose placement cannot be varied."""
    traces: tuple[PlannedTrace, ...]
    rounds: int
    """Rounds in each process."""
    precision: float
    """The half-width of an interval, as a share of the speedup, that is good enough."""
    seed: int
    """Of the orders in which variants are called."""
    processes: int = MIN_PROCESSES
    """At least so many measure each trace, unless time runs out."""
    one_cpu: bool = False
    """Whether all of them stay on the same CPU."""
    between: float = 0.0
    """Milliseconds of an interpreter's work before each snapshot; 0 for none."""
    other_work: bool = False
    """Whether the stopwatch's other work comes before each snapshot."""
    parts: int = CLASSES
    """Placements that a process goes through: one of each class, or all."""

    def to_json(self) -> str:
        """Return the plan as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=1)

    @staticmethod
    def from_json(text: str) -> "Plan":
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: the text is something else.
        """
        return decode_json(text.encode(), Plan)

    def benchmark_name(self, trace: PlannedTrace, lane: Lane) -> str:
        """Return the name in the pyperf file of ``lane`` on ``trace``."""
        return f"{trace.key}/{lane.label}/{lane.toolchain}"

    def calls(self, calibrated: Mapping[str, int], trace: PlannedTrace, lane: Lane) -> int:
        """Return the calls of ``lane`` between two readings of the clock on ``trace``.

        One if a call there takes long enough, whatever others need: a second call finds the code
        and the map as the first has left them. Otherwise the most that any trace of the same size
        needs, so that those which need several have as many.

        Both sides of a variant have the same number, and a noise floor and its original: their
        times are so near that they may come to lie on two sides of a power of two, and then reading
        the clock is shared by more calls of the one.
        """
        sides = [
            other
            for other in self.lanes
            if other.original == lane.original and other.name == lane.name
        ]

        def needed(on: PlannedTrace) -> int:
            names = (self.benchmark_name(on, side) for side in sides)
            return max((calibrated[name] for name in names if name in calibrated), default=1)

        if needed(trace) == 1:
            return 1
        return max(needed(other) for other in self.traces if other.pages == trace.pages)

    def sound_lanes(self, failures: Sequence[Failure]) -> list[int]:
        """Return the lanes that have not failed, and have something to be compared with.

        Where the older side of a variant has, its newer side is left out with it.

        Raises:
            BadInput: an original has, with which others are compared.
        """
        failed = {failure.lane: failure for failure in failures}
        for lane in self.lanes:
            if lane.original in failed and not self.lanes[lane.original].is_older:
                sentence = failed[lane.original].sentence()
                raise BadInput(f"{sentence}; nothing can be compared with it.")
        lanes = enumerate(self.lanes)
        return [number for number, lane in lanes if not failed.keys() & {number, lane.original}]

    def places(self, number: int, process: int) -> tuple[int, ...]:
        """Return where a lane lies in each part of the rounds of a process.

        It goes through all classes, each at another draw, so that what either does is summed up in
        every process. From process to process it is turned against the lane that it is compared
        with, and draws against classes, so that over as many processes as there are classes each
        class of the one meets each class of the other, and each draw, once. A noise floor is at
        other places than its original. Where a process goes through all placements, they are only
        turned.

        Returns:
            (parts,): from 0 up, in the order of :attr:`Lane.placed`; always 0 for a lane that has
            none.
        """
        lane = self.lanes[number]
        if not lane.placed:
            return (0,) * self.parts
        turned = 0 if lane.original == number else process + number
        if self.parts == len(lane.placed):
            return tuple((part + turned) % self.parts for part in range(self.parts))
        classes = [(part + turned) % CLASSES for part in range(CLASSES)]
        draws = [(class_ + process + lane.noise_floor) % DRAWS for class_ in classes]
        return tuple(draw * CLASSES + class_ for draw, class_ in zip(draws, classes, strict=True))

    def toolchains(self) -> list[str]:
        """Return the names of the toolchains that its variants were compiled with here."""
        built = (lane.toolchain for lane in self.lanes if not lane.peer)
        return [name for name in dict.fromkeys(built) if name != AS_GIVEN.name]

    def pairs(self) -> list[tuple[int, int]]:
        """Return (original lane, variant lane) of every comparison, noise floors among them."""
        return [(lane.original, i) for i, lane in enumerate(self.lanes) if lane.original != i]


def spread(snapshots: int, pages: int, pass_pages: int) -> tuple[int, ...]:
    """Choose snapshots evenly over a trace so that a pass looks at about ``pass_pages`` pages.

    The first and the last are always among them, and never fewer than :data:`MIN_SNAPSHOTS`.
    """
    return tuple(evenly_spaced(snapshots, max(MIN_SNAPSHOTS, pass_pages // pages)))


def name_in_keys(name: str) -> str:
    """Return what a trace called ``name`` is called where keys, and rows, are named after it."""
    return re.sub(r"[^\w.-]", "_", name)


def plan_traces(traces: Sequence[Trace], base: Path, pass_pages: int) -> tuple[PlannedTrace, ...]:
    """Plan ``traces``, which lie under ``base``.

    Those with the same name and origin are numbered from the second on.
    """
    planned: list[PlannedTrace] = []
    for trace in traces:
        plain = key = f"{name_in_keys(trace.source.name)}-{trace.source.origin}"
        number = 2
        while key in {other.key for other in planned}:
            key, number = f"{plain}-{number}", number + 1
        pages = trace.source.memory.pages
        chosen = spread(len(trace), pages, pass_pages)
        path = str(trace.path.relative_to(base))
        planned.append(PlannedTrace(key, path, trace.content_hash, pages, chosen))
    return tuple(planned)
