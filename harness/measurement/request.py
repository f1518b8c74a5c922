"""A request: what is to be measured, with every name in it already found."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.units import format_size
from harness.measurement.lineup import LineUp
from harness.measurement.plan import MIN_PROCESSES, ROUNDS
from workloads.captured import captured_trace
from workloads.conditions import Condition
from workloads.draws import DEFAULT_SEED
from workloads.guest import GuestMemory
from workloads.parameters import Value
from workloads.random_runs import RandomRuns, random_pages, write_random_runs
from workloads.recorded import recorded_trace
from workloads.synthesis import Recipe, Report, make_recipe, synthesize
from workloads.trace import Trace


@dataclasses.dataclass(frozen=True)
class Draft:
    """A synthetic trace that is yet to be made."""

    name: str
    """Of its file, without the origin and the ending."""
    write: Callable[[Path, Report], Trace]
    """Makes it in a file, and tells how far it is."""
    pages: int = 0
    """Of all its snapshots together; 0 if that is not known before it is made."""


MAPS = 8
"""Random maps of one kind that are measured if nobody says how many."""
DEFAULT_ORIGINS = ("recorded", "synthetic", "captured")
"""The traces of a condition that are measured if nobody says which, what the letter did first."""
Given = Draft | Path
"""A trace that is to be made, or a file that is to be taken as it is."""


@dataclasses.dataclass(frozen=True)
class Request:
    """What is to be measured, on which traces, and how well."""

    lineup: LineUp
    traces: tuple[Given, ...]
    precision: float
    """The half-width of an interval, as a share of the speedup, that is good enough."""
    seed: int = DEFAULT_SEED
    """Of the orders in which variants are called."""
    quick: bool = True
    """Whether fewer snapshots of long traces are measured."""
    rounds: int = ROUNDS
    """In each process."""
    processes: int = MIN_PROCESSES
    """At least so many measure each trace."""
    between: float = 0.0
    """Milliseconds of an interpreter's work before each snapshot in its place; 0 for none."""
    other_work: bool = True
    """Whether the stopwatch's other work comes before each snapshot, as a tick has 100 ms of it."""
    one_cpu: bool = False
    """Whether all processes stay on the same CPU.

    For variants that allocate: on one CPU of a virtual machine fresh memory was seen to cost half
    as much again as on the other, and then speedups depend on where a process happens to run.
    """


def condition_traces(
    conditions: Sequence[Condition],
    origins: Sequence[str] = DEFAULT_ORIGINS,
    memory: GuestMemory | None = None,
    settings: Mapping[str, Mapping[str, Value]] | None = None,
    seed: int = DEFAULT_SEED,
) -> tuple[Given, ...]:
    """Return the traces of ``conditions``, those of one condition next to each other.

    Args:
        origins: which of them, in this order; ``recorded`` and ``captured`` where they fit the
            guest.
        memory: of the guest; that of the recorded and captured traces if None.
        settings: see :func:`workloads.synthesis.make_recipe`.

    Raises:
        BadInput: a setting cannot be used, or the guest does not fit into this machine.
    """
    guest = memory or GuestMemory()
    traces: list[Given] = []
    for condition in dict.fromkeys(conditions):
        made = synthetic_trace(make_recipe(condition, guest, settings, seed))
        fits = guest == GuestMemory()
        found: dict[str, Given | None] = {
            "recorded": recorded_trace(condition.name) if fits else None,
            "synthetic": made,
            "captured": captured_trace(condition.name) if fits else None,
        }
        traces += [trace for name in dict.fromkeys(origins) if (trace := found[name])]
    return tuple(traces)


def synthetic_trace(recipe: Recipe, name: str = "") -> Draft:
    """Return the trace of ``recipe``, called ``name`` if it does not stand for its condition."""

    def write(path: Path, report: Report) -> Trace:
        return synthesize(recipe, path, report, name)

    return Draft(name or recipe.condition.name, write)


def random_trace(
    memory: GuestMemory, runs: RandomRuns, snapshots: int, seed: int, name: str = ""
) -> Draft:
    """Return a trace of ``snapshots`` random maps, whose file is called after ``runs`` or so."""

    def write(path: Path, _: Report) -> Trace:
        return write_random_runs(path, memory, runs, snapshots, seed)

    return Draft(name or runs.name, write, memory.pages * snapshots)


def random_traces(
    densities: Sequence[float], runs: Sequence[int], memory: GuestMemory, seed: int
) -> tuple[Draft, ...]:
    """Return traces of random maps, one for each of ``densities`` and ``runs``, each once.

    Args:
        densities: shares of pages that are dirty, 0 to 1.
        runs: how many pages every run of dirty ones has; if there are none, each page is dirty or
            not whatever the others are. Where no page is dirty, or every one, there are no runs.

    Raises:
        BadInput: there are no such maps of a guest of ``memory``.
    """
    maps: dict[RandomRuns, None] = {}
    for density in densities:
        lengths = runs if 0 < density < 1 else ()
        for length in lengths:
            if length > density * memory.pages:
                raise BadInput(
                    f"a run of {length} pages does not fit into the {density * memory.pages:.0f} "
                    f"that are dirty at a density of {density:g} in a guest of "
                    f"{format_size(memory.size)}; give a shorter --run or more --guest-memory."
                )
            maps[RandomRuns(density, length, fixed=True)] = None
        if not lengths:
            maps[random_pages(density)] = None
    return tuple(random_trace(memory, one, MAPS, seed) for one in maps)
