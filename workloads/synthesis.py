"""Synthetic traces: a condition's guest, migrated by the pre-copy loop."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil

from harness.base.errors import BadInput
from harness.base.text import did_you_mean
from harness.base.units import format_size
from workloads.conditions import CONDITIONS, Condition
from workloads.draws import DEFAULT_SEED
from workloads.guest import GuestMemory, GuestParameters
from workloads.parameters import Value, apply, describe, record
from workloads.precopy import PreCopyParameters, Snapshot, migrate
from workloads.trace import Source, Trace
from workloads.trace_writer import write_trace

Report = Callable[[str, int, int], None]
# Two maps of one byte each, the allocation order of a page cache or a map being drawn, bitmaps.
_BYTES_PER_PAGE = 4


@dataclasses.dataclass(frozen=True)
class Recipe:
    """All that a synthetic trace is made from; the same recipe makes the same trace."""

    condition: Condition
    memory: GuestMemory
    guest: GuestParameters
    """The parameters of the condition, with values."""
    precopy: PreCopyParameters
    seed: int = DEFAULT_SEED


def make_recipe(
    condition: Condition,
    memory: GuestMemory,
    settings: Mapping[str, Mapping[str, Value]] | None = None,
    seed: int = DEFAULT_SEED,
) -> Recipe:
    """Build a recipe from the defaults and from ``settings``.

    Args:
        settings: by condition name, each a mapping from parameter to value; under ``""`` those
            that hold for every condition that has such a parameter.

    Raises:
        BadInput: a setting names no parameter, or has a value that it cannot have; or the guest
            does not fit into this machine.
    """
    settings = settings or {}
    check_names(settings)
    check_fits(memory)
    chosen = {**settings.get("", {}), **settings.get(condition.name, {})}
    return Recipe(
        condition,
        memory,
        apply(condition.parameters, chosen),
        apply(PreCopyParameters, chosen),
        seed,
    )


def check_fits(memory: GuestMemory) -> None:
    """Check that this machine can hold the maps of such a guest.

    Raises:
        BadInput: it cannot; the sentence says what it could.
    """
    available = psutil.virtual_memory().available
    if memory.pages * _BYTES_PER_PAGE > available:
        largest = available // _BYTES_PER_PAGE * memory.page_size // 2**30
        raise BadInput(
            f"guest memory of {format_size(memory.size)} needs "
            f"{format_size(-(-memory.pages * _BYTES_PER_PAGE // 2**20) * 2**20)} for its maps and "
            f"this machine has {available // 2**20}MiB free; give at most {largest}GiB."
        )


def check_names(settings: Mapping[str, Mapping[str, Value]]) -> None:
    """Check that ``settings`` name conditions and parameters that exist.

    Raises:
        BadInput: one does not; the sentence lists those that do.
    """
    precopy = {p.name for p in describe(PreCopyParameters)}
    for table, values in settings.items():
        if table and table not in CONDITIONS:
            raise BadInput(
                f"the config has a table [{table}], which is no condition; choose from "
                f"{', '.join(CONDITIONS)}."
            )
        conditions = [CONDITIONS[table]] if table else list(CONDITIONS.values())
        known = precopy | {p.name for c in conditions for p in describe(c.parameters)}
        for name in values:
            if name not in known:
                of = f" of {table}" if table else ""
                raise BadInput(
                    f"parameter {name!r}{of} is not known; choose from {', '.join(sorted(known))}"
                    f"{did_you_mean(name, known)}."
                )


def synthesize(
    recipe: Recipe, path: Path, report: Report = lambda _name, _done, _of: None, name: str = ""
) -> Trace:
    """Make the trace of ``recipe`` and write it to ``path``.

    Args:
        report: is told the condition's name, the ticks that are done, and those there can be.
        name: how the trace is called, if it is not to stand for the condition.

    Raises:
        BadInput: the file cannot be written.
    """
    parameters = {
        "seed": {"value": recipe.seed, "unit": ""},
        **record(recipe.guest),
        **record(recipe.precopy),
    }
    condition = recipe.condition.name
    stands_for = None if name else condition
    source = Source(name or condition, "synthetic", recipe.memory, stands_for, parameters)
    guest = recipe.guest.make_guest(recipe.memory, recipe.seed)

    def snapshots() -> Iterator[Snapshot]:
        ticks = migrate(guest, recipe.memory.page_size, recipe.precopy)
        for done, snapshot in enumerate(ticks, start=1):
            yield snapshot
            report(condition, done, recipe.precopy.max_ticks)

    return write_trace(path, source, snapshots())
