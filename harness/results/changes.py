"""Changes over time: where in a series of results a speedup has become another, and stayed so.

Apache Otava finds them: E-divisive means with a t-test, after Fleming et al., "Hunter: Using Change
Point Detection to Hunt for Performance Regressions", ICPE 2023. It takes a single result that is
unlike all others for two changes; here that is none, unless it is the newest, of which nobody knows
yet.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from harness.base.errors import BadInput

CHANGES = "changes.csv"
KEYS = ("condition", "origin", "operation", "variant", "toolchain", "original", "cpu")
"""What a series is of: what is alike in all of its results."""
# Those that Otava itself takes where nothing else is said.
WINDOW, MOST_CHANCE = 50, 0.001
LEAST = 0.01
"""A share that a speedup must change by: what the gate lets a revision lose."""
Find = Callable[[Sequence[float]], list[int]]
"""Finds the first places of what differs from what was before, in a series of speedups."""


@dataclasses.dataclass(frozen=True)
class Change:
    """A speedup that became another; the columns of ``changes.csv``, in this order."""

    condition: str
    origin: str
    operation: str
    variant: str
    toolchain: str
    original: str
    cpu: str
    date: pd.Timestamp
    """Of the first result that differs (UTC)."""
    git_commit: str
    results: str
    before: float
    """The median speedup from the change before on."""
    after: float
    """The median speedup up to the next change."""
    alone: bool
    """Whether only the newest result differs, which the next may confirm."""
    new: bool
    """Whether it was not found without the newest results."""
    since: str
    """What else changed with it: commit and compiler."""

    @property
    def ratio(self) -> float:
        """Speedup after / speedup before, so below 1 is a fall."""
        return self.after / self.before


def otava() -> Find:
    """Return what finds changes.

    Raises:
        BadInput: Otava is not here.
    """
    try:
        from otava.analysis import compute_change_points
    except ImportError:
        raise BadInput(
            "--changes needs Apache Otava, which is not here; install it beside dirtyscan ('pip "
            "install --no-deps apache-otava', or dirtyscan with its extra 'history'), or leave "
            "--changes out."
        ) from None

    def find(values: Sequence[float]) -> list[int]:
        # As a list: of an array it takes all for each of its windows.
        points, _ = compute_change_points(list(values), WINDOW, MOST_CHANCE, LEAST)
        return [int(point.index) for point in points]

    return find


def find_changes(rows: pd.DataFrame, find: Find, newest: int = 1) -> list[Change]:
    """Return the changes in what :func:`harness.results.history.read_history` returns.

    Args:
        newest: how many results, the last of all, make a change new.

    Returns:
        Changes by series, oldest first in each.
    """
    times = sorted(set(rows["date"]))
    recent = set(times[-newest:])
    changes: list[Change] = []
    for _, series in rows.groupby(list(KEYS), sort=False):
        series = series.sort_values("date", kind="stable").reset_index(drop=True)
        changes += _in_series(series, find, int((~series["date"].isin(recent)).sum()))
    return changes


FEWEST = 3
"""Results of one series in which a change can be found at all: two differ always."""


def find_uncompared(rows: pd.DataFrame) -> list[str]:
    """Return the CPUs of the newest results whose every series is too short to be compared."""
    newest = rows[rows["date"] == rows["date"].max()]
    lengths = rows.groupby(list(KEYS), sort=False)["date"].transform("nunique")
    longest = lengths[newest.index].groupby(newest["cpu"]).max()
    return [str(cpu) for cpu, length in longest.items() if length < FEWEST]


def _in_series(series: pd.DataFrame, find: Find, known: int) -> Iterator[Change]:
    """Yield the changes in one series, of which the first ``known`` results are not new."""
    values = series["speedup"].to_numpy(np.float64)
    places = find_places(values.tolist(), find)
    before = find_places(values[:known].tolist(), find) if known < len(values) else places
    ends = [0, *places, len(values)]
    for start, place, end in zip(ends, places, ends[2:], strict=False):
        last, first = series.iloc[place - 1 : place + 1].to_dict("records")
        left, right = (float(np.median(values[a:b])) for a, b in ((start, place), (place, end)))
        yield Change(
            **{key: str(first[key]) for key in KEYS},
            date=first["date"],
            git_commit=str(first["git_commit"]),
            results=str(first["results"]),
            before=left,
            after=right,
            alone=place == len(values) - 1,
            new=not any(start < one < end for one in before),
            since=_since(last, first),
        )


def find_places(values: Sequence[float], find: Find) -> list[int]:
    """Return the first places of what differs from what was before.

    A single value unlike those before and behind it is left out, and the rest looked at again. One
    that lies between the two is the first of a change that was disturbed.
    """
    kept = list(range(len(values)))
    begun: dict[int, int] = {}
    while len(kept) > 1:
        ends = [0, *find([values[place] for place in kept])]
        alone = [start for start, end in pairwise(ends) if end - start == 1]
        if not alone:
            return [begun.get(kept[place], kept[place]) for place in ends[1:]]
        (place, behind), lone = ends[ends.index(alone[0]) :][:2], kept[alone[0]]
        if place and _between(values, kept, ends, place):
            begun[kept[behind]] = begun.get(lone, lone)
        del kept[place]
    return []


def _between(values: Sequence[float], kept: Sequence[int], ends: Sequence[int], place: int) -> bool:
    """Return whether a value that is alone lies between those before and those behind it."""
    number = ends.index(place)
    stop = ends[number + 2] if number + 2 < len(ends) else len(kept)
    before, behind = (
        float(np.median([values[one] for one in kept[start:end]]))
        for start, end in ((ends[number - 1], place), (place + 1, stop))
    )
    return bool((values[kept[place]] - before) * (behind - values[kept[place]]) > 0)


def _since(last: Mapping[Any, Any], first: Mapping[Any, Any]) -> str:
    said = [f"{last['git_commit']} to {first['git_commit']}"]
    if last["git_commit"] == first["git_commit"]:
        said = [f"the same commit {first['git_commit']}"]
    if last["compiler"] != first["compiler"]:
        said.append(f"{last['compiler']} to {first['compiler']}")
    return ", ".join(said)
