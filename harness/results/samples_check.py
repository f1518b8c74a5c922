"""A result's rows, made anew from the samples that it has: an independent look at its table."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.base.errors import BadInput
from harness.measurement.plan import name_in_keys
from harness.results.found import Found, Kind, told
from harness.results.members import suite_of
from harness.results.result import PROCESSES, SNAPSHOTS, SPEEDUPS, read_table
from harness.results.suite import Timed, read_suite
from harness.statistics.interval import centre, confidence_interval

ROUNDING = 1e-6
"""What nine digits of a table may be off by, as a share."""
APART = 0.05
"""What pyperf's rounds, each a sum over all calls, may differ by from the sums of typical calls
that a row has: the share that the gate lets two runs of the same differ by. In the committed
results they differ by 3.4 % at most, and in one of version 0.1, whose originals took a tenth longer
in sums than in typical calls, by 5.7 %."""
_UNWATCHED = "0.1."
"""What versions begin with that did not look for what slows a core, so that nobody knows whether
something did."""
CALLS_APART = 0.1
"""What a variant's calls, medians each, may differ by from the seconds that a row has for them,
which its speedup decides. In the committed results they differ by 3.1 % at most beside a neighbour,
and by 1.8 % elsewhere."""


def check_samples(
    folder: Path, rows: pd.DataFrame, layout: Mapping[str, Any], disturbed: bool, version: str
) -> Iterator[Found]:
    """Hold the rows of ``speedups.csv`` against every table of samples beside it.

    Args:
        layout: that of ``environment.json``.
        disturbed: whether that says that the machine was, while this was measured.
        version: of dirtyscan, that has measured it; empty if it is not known.
    """
    rows = rows.assign(key=[_key(row) for row in rows.to_dict("records")])
    yield from _check_plan(rows, layout)
    # What was interrupted is in pyperf's sums, and moves medians where it comes often.
    wrong_is = Kind.REMARK if disturbed else Kind.FAULT
    sums_are = Kind.REMARK if version.startswith(_UNWATCHED) else wrong_is
    paths = (folder / PROCESSES, suite_of(folder), folder / SNAPSHOTS)
    present = [path for path in paths if path.exists()]
    for path in present:
        try:
            if path.name == PROCESSES:
                yield from _check_processes(read_table(folder, PROCESSES), rows)
            elif path.name == SNAPSHOTS:
                yield from _check_snapshots(read_table(folder, SNAPSHOTS), rows, wrong_is)
            else:
                timed = read_suite(path)
                yield from _check_suite(path.name, timed, rows, layout)
                yield from _check_rounds(path.name, timed, rows, sums_are)
        except BadInput as error:
            yield Found(Kind.FAULT, path.name, str(error).rstrip("."))
    if not present:
        yield Found(Kind.REMARK, SPEEDUPS, "no samples are with it, so it stands by itself")


def _key(row: Mapping[Any, Any]) -> str:
    """Return the key of a row's trace, as the plan makes it of name and origin."""
    return f"{name_in_keys(str(row['condition']))}-{row['origin']}"


def _check_plan(rows: pd.DataFrame, layout: Mapping[str, Any]) -> Iterator[Found]:
    planned = layout.get("processes", {})
    wrong = [
        f"{row['variant']} on {row['key']} has {row['processes']} processes and the plan "
        f"{planned[row['key']]}"
        for row in rows.to_dict("records")
        if row["key"] in planned and row["processes"] != planned[row["key"]]
    ]
    precision = layout.get("precision", math.inf)
    for row in rows[rows["stopped"] == "precise"].to_dict("records"):
        width = math.log(row["speedup_high"] / row["speedup_low"]) / 2 if row["speedup_low"] else 0
        if width > precision * (1 + ROUNDING) or not row["speedup_low"]:
            wrong.append(
                f"{row['variant']} on {row['key']} is called precise, and ±{width:.2%} is wider "
                f"than the plan's ±{precision:.2%}"
            )
    yield from told(SPEEDUPS, wrong, f"{len(rows)} rows are as planned")


def _check_processes(table: pd.DataFrame, rows: pd.DataFrame) -> Iterator[Found]:
    logs = {
        key: np.log(np.asarray(group, dtype=np.float64))
        for key, group in table.groupby(["trace", "variant", "toolchain"], sort=False)["speedup"]
    }
    wrong = []
    known = set()
    for row in rows.to_dict("records"):
        key = (row["key"], row["variant"], row["toolchain"])
        known.add(key)
        if key not in logs:
            wrong.append(f"nothing of {row['variant']} ({row['toolchain']}) on {row['key']}")
            continue
        if len(logs[key]) != row["processes"]:
            wrong.append(
                f"{len(logs[key])} processes of {row['variant']} on {row['key']}, and {SPEEDUPS} "
                f"says {row['processes']}"
            )
            continue
        interval = confidence_interval(logs[key].tolist())
        made = (interval.value, interval.low, interval.high)
        there = tuple(row[name] for name in ("speedup", "speedup_low", "speedup_high"))
        if not np.allclose(made, there, rtol=ROUNDING, atol=0):
            wrong.append(
                f"they make {_interval(made)} of {row['variant']} on {row['key']}, and {SPEEDUPS} "
                f"says {_interval(there)}"
            )
    wrong += [f"{key[1]} on {key[0]} is not in {SPEEDUPS}" for key in logs if key not in known]
    yield from told(PROCESSES, wrong, f"it makes the same {len(rows)} speedups and intervals")


def _check_suite(
    member: str, timed: Mapping[str, Timed], rows: pd.DataFrame, layout: Mapping[str, Any]
) -> Iterator[Found]:
    hashes = layout.get("traces", {})
    wrong = list(_wrong_runs(timed, layout))
    for row in rows.to_dict("records"):
        about = f"{row['variant']} on {row['key']}"
        names = (
            f"{row['key']}/{row['original']}/{row['original_toolchain']}",
            f"{row['key']}/{row['variant']}/{row['toolchain']}",
        )
        if missing := [name for name in names if name not in timed]:
            wrong.append(f"nothing of {missing[0]}")
            continue
        original, variant = (timed[name] for name in names)
        counts = {len(original.rounds), len(variant.rounds)}
        if counts != {row["processes"]}:
            wrong.append(f"{max(counts)} processes of {about}, and {SPEEDUPS} says "
                         f"{row['processes']}")  # fmt: skip
            continue
        if row["key"] in hashes and variant.trace_hash not in ("", hashes[row["key"]]):
            wrong.append(f"{about} was measured on another trace than environment.json says")
        pairs = list(zip(original.rounds, variant.rounds, strict=True))
        if any(len(before) != len(after) for before, after in pairs):
            wrong.append(f"{about} has not as many rounds as its original")
    yield from told(member, wrong, f"{len(timed)} series with their calibrations")


def _check_rounds(
    member: str, timed: Mapping[str, Timed], rows: pd.DataFrame, wrong_is: Kind
) -> Iterator[Found]:
    """Compare speedups with those of pyperf's rounds, where these are as many as they should."""
    wrong = []
    for row in rows.to_dict("records"):
        original = timed.get(f"{row['key']}/{row['original']}/{row['original_toolchain']}")
        variant = timed.get(f"{row['key']}/{row['variant']}/{row['toolchain']}")
        if original is None or variant is None:
            continue
        if list(map(len, original.rounds)) != list(map(len, variant.rounds)) or not variant.rounds:
            continue
        made = _speedup(list(zip(original.rounds, variant.rounds, strict=True)))
        if abs(math.log(made / row["speedup"])) > math.log(1 + APART):
            wrong.append(f"its rounds make {made:.4g} of {row['variant']} on {row['key']}, and "
                         f"{SPEEDUPS} says {row['speedup']:.4g}")  # fmt: skip
    said = f"its rounds make the same speedups within {APART:.0%}"
    yield from told(member, wrong, said, wrong_is)


def _wrong_runs(timed: Mapping[str, Timed], layout: Mapping[str, Any]) -> Iterator[str]:
    for name, one in timed.items():
        if one.calibrations != 1:
            yield f"{name} has {one.calibrations} calibrations, and each process list has one"
        lengths = {len(rounds) for rounds in one.rounds}
        planned = layout.get("rounds")
        if planned is None and len(lengths) > 1:
            yield f"{name} has {sorted(lengths)} rounds a process, and every process has as many"
        elif planned is not None and lengths - {planned}:
            yield f"{name} has {sorted(lengths)} rounds a process, and the plan {planned}"


def _speedup(pairs: Sequence[tuple[list[float], list[float]]]) -> float:
    """Return the speedup of rounds: medians within processes, Hodges-Lehmann over them."""
    logs = [np.median(np.log(np.array(before) / np.array(after))) for before, after in pairs]
    return float(np.exp(centre(np.array(logs))))


def _check_snapshots(calls: pd.DataFrame, rows: pd.DataFrame, apart_is: Kind) -> Iterator[Found]:
    keys = ["condition", "origin", "variant", "toolchain"]
    groups = dict(iter(calls.groupby(keys, sort=False)))
    wrong, apart = [], []
    for row in rows.to_dict("records"):
        where = (row["condition"], row["origin"])
        about = f"{row['variant']} on {row['key']}"
        original = groups.get((*where, row["original"], row["original_toolchain"]))
        variant = groups.get((*where, row["variant"], row["toolchain"]))
        if original is None or variant is None:
            wrong.append(f"nothing of {about}, or of its original")
            continue
        if not len(original) == len(variant) == row["snapshots"]:
            wrong.append(f"{len(variant)} calls of {about}, and {SPEEDUPS} says {row['snapshots']}")
            continue
        seconds = float(original["seconds"].mean())
        if not math.isclose(seconds, row["original_seconds"], rel_tol=ROUNDING):
            wrong.append(f"its original's calls take {seconds:.4g} s on {row['key']}, and "
                         f"{SPEEDUPS} says {row['original_seconds']:.4g}")  # fmt: skip
        seconds = float(variant["seconds"].mean())
        if abs(math.log(seconds / row["variant_seconds"])) > math.log(1 + CALLS_APART):
            apart.append(f"calls of {about} take {seconds:.4g} s, and {SPEEDUPS} says "
                         f"{row['variant_seconds']:.4g}")  # fmt: skip
        there = (row["snapshot_speedup_min"], row["snapshot_speedup_max"])
        made = (variant["speedup"].min(), variant["speedup"].max())
        if not np.isnan(made).any() and not np.allclose(made, there, rtol=ROUNDING, atol=0):
            wrong.append(f"calls of {about} are {made[0]:.4g} to {made[1]:.4g} times as fast, and "
                         f"{SPEEDUPS} says {there[0]:.4g} to {there[1]:.4g}")  # fmt: skip
    yield from told(SNAPSHOTS, wrong, f"{len(calls)} calls make the originals' seconds")
    yield from told(SNAPSHOTS, apart, f"they make the variants' within {CALLS_APART:.0%}", apart_is)


def _interval(values: Sequence[float]) -> str:
    value, low, high = values
    return f"{value:.6g} ({low:.6g} to {high:.6g})"
