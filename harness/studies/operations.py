"""Which variant of each operation is never far from the best?"""

import pandas as pd

from harness.base.errors import BadInput
from harness.measurement.choice import ALL, choose
from harness.measurement.lineup import PYTHON, line_up
from harness.measurement.request import Request, condition_traces, random_trace
from harness.native.built_variant import describe_here
from harness.native.finding import find_variant
from harness.native.operation import OPERATIONS, find_operation
from harness.native.toolchain import find_toolchains
from harness.native.variant import built_in_variants
from harness.presentation.table import Table, format_short, table_by_name
from harness.results.speedups import judged
from harness.session.session import Session
from harness.studies import Question
from harness.studies.study import Options, Outcome, Study, with_originals
from workloads.conditions import DEFAULT_CONDITIONS, find_condition
from workloads.guest import GuestMemory
from workloads.random_runs import RandomRuns, in_words, random_pages

QUESTION = Question(
    "Which variant of each operation is never far from the best?",
    place=80,
    options=("operation", "budget"),
    budget=30.0,
    budget_for="each operation",
)
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


def request(name: str, original: str, options: Options) -> Request:
    """Ask for every variant of an operation on the study's maps, and on captured traces."""
    conditions = [find_condition(condition) for condition in DEFAULT_CONDITIONS]
    traces = (
        *condition_traces(conditions, ("captured",)),
        *(random_trace(GuestMemory(), runs, SNAPSHOTS, options.seed) for runs in maps()),
    )
    lineup = line_up(choose((ALL,), name, original), find_toolchains())
    return Request(lineup, traces, options.precision, options.seed)


def measure(options: Options, session: Session) -> pd.DataFrame:
    """Measure one operation after the other, and leave out what cannot be compared here.

    Raises:
        BadInput: none of them can.
    """
    parts: list[pd.DataFrame] = []
    for name in options.operations or STUDIED:
        own = find_operation(name).original
        try:
            original = original_here(name)
        except BadInput as error:
            session.leave_out(str(error))
            continue
        instead = "" if original == own else f" compared with {original}, since {own} is left out"
        session.log.print(f"{name}{instead}:")
        run = session.run(request(name, original, options), name)
        parts.append(shares_of_best(name, run.rows))
        # Written after each, so that what was measured is there whatever happens next.
        session.keep(pd.concat(parts))
    if not parts:
        raise BadInput(f"nothing was measured: {'; '.join(session.left_out)}.")
    return pd.concat(parts)


def shares_of_best(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each map and variant: how near it comes to the best of its representation.

    Limits take no part, nor do peers, nor variants whose cost is paid in other operations.
    """
    rows = judged(rows)
    rows = rows[~rows["bound"] & (rows["toolchain"] != PYTHON)]
    found = with_originals(rows, ["condition", "origin"], name)
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


def _summary(found: pd.DataFrame) -> Table:
    """Return each variant's worst share of the best, where that is, and who is recommended."""
    lines = []
    for (operation, kind), group in found.groupby(["operation", "map"], sort=False):
        worst = group.groupby("variant", sort=False)["share_of_best"].min()
        for variant in worst.sort_values(ascending=False).index:
            rows = group[group["variant"] == variant].sort_values("share_of_best")
            trace = str(rows["trace"].iloc[0])
            lines.append(
                (
                    str(operation), str(kind), str(variant), format_short(worst[variant]),
                    in_words(trace) or trace, format_short(float(rows["share_of_best"].median())),
                    "take it" if worst[variant] >= ENOUGH else "",
                )
            )  # fmt: skip
    heads = ("operation", "map", "variant", "worst", "on", "median", "")
    return table_by_name(QUESTION.text, heads, lines)


def _outcome(rows: pd.DataFrame) -> str:
    worst, middle = rows["share_of_best"].min(), rows["share_of_best"].median()
    return f"{format_short(worst)} of the best at worst, {format_short(middle)} in the middle"


STUDY = Study(
    measure,
    _summary,
    exhibit=None,
    document=None,
    outcome=Outcome(("operation", "map", "variant"), _outcome),
)
