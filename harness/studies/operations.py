"""Which variant of each operation is never far from the best?"""

from collections.abc import Sequence

import pandas as pd

from harness.measurement.choice import ALL, choose
from harness.measurement.lineup import PYTHON, line_up
from harness.measurement.request import Request, condition_traces, random_trace
from harness.native.built_variant import describe_here
from harness.native.operation import OPERATIONS, find_operation
from harness.native.toolchain import find_toolchains
from harness.native.variant import built_in_variants, find_variant
from harness.presentation.table import format_short
from harness.results.speedups import judged
from workloads.conditions import DEFAULT_CONDITIONS, find_condition
from workloads.draws import DEFAULT_SEED
from workloads.errors import BadInput
from workloads.guest import GuestMemory
from workloads.random_runs import RandomRuns, random_pages

STUDIED = tuple(name for name, operation in OPERATIONS.items() if not operation.composed)
ENOUGH = 0.9
"""Of the best: what a recommended variant has on every map."""
SNAPSHOTS = 4


def maps() -> list[RandomRuns]:
    """Return the random maps that are measured beside the captured traces."""
    densities = (0.001, 0.01, 0.1, 0.5)
    alone = [random_pages(density) for density in densities]
    runs = [RandomRuns(density, 64) for density in (*densities, 0.9)]
    return [RandomRuns(0, 1), *alone, *runs, RandomRuns(1, 1)]


def original_here(name: str) -> str:
    """Return the variant of an operation that the others are compared with on this machine.

    It is the operation's own, or the first that can be compiled if that one cannot: how near each
    comes to the best is the same whatever they are compared with.

    Raises:
        BadInput: fewer than two can be measured, so that there is nothing to compare.
    """
    own = find_operation(name).original
    try:
        describe_here(find_variant(own, name))
    except BadInput as error:
        others = [other for other in built_in_variants(name) if _takes_part(other, name)]
        if len(others) < 2:
            only = f"only {others[0]}" if others else "none"
            why = str(error).removesuffix(".")
            raise BadInput(f"{name} ({why}; of the others {only} can be measured)") from None
        return others[0]
    return own


def _takes_part(variant: str, operation: str) -> bool:
    try:
        found = describe_here(find_variant(variant, operation))
    except BadInput:
        return False
    return not found.bound and not found.paid_in


def request_operation(name: str, original: str, precision: float) -> Request:
    """Ask for every variant of an operation on the study's maps, and on captured traces."""
    conditions = [find_condition(condition) for condition in DEFAULT_CONDITIONS]
    traces = (
        *condition_traces(conditions, ("captured",)),
        *(random_trace(GuestMemory(), runs, SNAPSHOTS, DEFAULT_SEED) for runs in maps()),
    )
    return Request(line_up(choose((ALL,), name, original), find_toolchains()), traces, precision)


def shares_of_best(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each map and variant: how near it comes to the best of its representation.

    Limits take no part, nor do peers, nor variants whose cost is paid in other operations.
    """
    rows = judged(rows)
    rows = rows[~rows["bound"] & (rows["toolchain"] != PYTHON)]
    first = rows.drop_duplicates(["condition", "origin"])
    original = first.assign(
        variant=first["original"], map=find_operation(name).original_map, speedup=1.0,
        variant_seconds=first["original_seconds"],
    )  # fmt: skip
    found = pd.concat([original, rows], ignore_index=True)
    best = found.groupby(["condition", "origin", "map"])["speedup"].transform("max")
    return pd.DataFrame(
        {
            "operation": name,
            "trace": found["condition"],
            "origin": found["origin"],
            "map": found["map"],
            "variant": found["variant"],
            "seconds": found["variant_seconds"],
            "speedup": found["speedup"],
            "share_of_best": found["speedup"] / best,
            "original": found["original"],
        }
    )


def summarize(found: pd.DataFrame) -> Sequence[Sequence[str]]:
    """Return each variant's worst share of the best, where that is, and who is recommended."""
    lines = [("operation", "map", "variant", "worst", "on", "median", "")]
    for (operation, kind), group in found.groupby(["operation", "map"], sort=False):
        worst = group.groupby("variant", sort=False)["share_of_best"].min()
        for variant in worst.sort_values(ascending=False).index:
            rows = group[group["variant"] == variant].sort_values("share_of_best")
            first = rows.to_dict("records")[0]
            lines.append(
                (
                    str(operation), str(kind), str(variant), format_short(worst[variant]),
                    str(first["trace"]), format_short(float(rows["share_of_best"].median())),
                    "take it" if worst[variant] >= ENOUGH else "",
                )
            )  # fmt: skip
    return lines
