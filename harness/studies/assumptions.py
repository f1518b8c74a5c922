"""How much of the letter's ratios do the models of its guests decide?"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from harness.claims.claim import find_claim
from harness.measurement.choice import choose
from harness.measurement.lineup import line_up
from harness.measurement.request import Request, synthetic_trace
from harness.native.operation import DEFAULT_OPERATION, OPERATIONS
from harness.native.toolchain import find_toolchains
from harness.presentation.figures.assumptions import draw_assumptions
from harness.presentation.table import format_short
from harness.studies.study import Options, Study
from workloads.conditions import find_condition
from workloads.guest import GuestMemory
from workloads.parameters import Value
from workloads.synthesis import make_recipe

VARIANT = "multi_page"
AS_ASSUMED = "as assumed"


@dataclasses.dataclass(frozen=True)
class Assumption:
    """A condition's model with something about it assumed differently."""

    condition: str
    what: str
    """What is different, in words."""
    settings: tuple[tuple[str, Value], ...] = ()
    """The parameters that make it so."""

    @property
    def name(self) -> str:
        """Fit for a trace: the condition and the settings."""
        return "-".join((self.condition, *(f"{name}-{value}" for name, value in self.settings)))


_QUIET = ("nothing written beside the workload", (("hot", 0), ("daemons", 0)))
_BUSY = ("four times as much written beside it", (("hot", 96), ("daemon_pages", 20)))
_SLOW = ("a slower link: 16 MiB/s", (("bandwidth", 2**24),))
_FAST = ("a faster link: 128 MiB/s", (("bandwidth", 2**27),))
_OFTEN = ("written over four times as often", (("period", 250),))
_SELDOM = ("written over a fourth as often", (("period", 4000),))
_ORDERED = ("files in one piece of memory", (("fragmentation", 0.0),))
_SCATTERED = ("half of the read-ahead windows scattered", (("fragmentation", 0.5),))
_NARROW = ("read-ahead of 16 KiB", (("read_ahead", 2**14),))
_EVERYWHERE = ("alternating over all of memory", (("start", 0.0), ("region", 1.0)))
_OTHERWISE = {
    "cond1": (_QUIET, _BUSY, _OFTEN, _SELDOM, _SLOW, _FAST),
    "cond2": (_EVERYWHERE, _QUIET, _BUSY, _OFTEN, _SELDOM, _SLOW, _FAST),
    "cond3": (_QUIET, _BUSY, _ORDERED, _SCATTERED, _NARROW, _SLOW, _FAST),
    "cond4": (_QUIET, _BUSY, _ORDERED, _SCATTERED, _NARROW, _SLOW, _FAST),
}
ASSUMPTIONS = tuple(
    Assumption(condition, *other)
    for condition, others in _OTHERWISE.items()
    for other in ((AS_ASSUMED, ()), *others)
)


def request(options: Options) -> Request:
    """Ask for a trace for each assumption."""
    memory = GuestMemory(int(options.sizes[0])) if options.sizes else GuestMemory()
    traces = []
    for assumption in ASSUMPTIONS:
        condition = find_condition(assumption.condition)
        settings = {"": dict(assumption.settings)}
        recipe = make_recipe(condition, memory, settings, options.seed)
        traces.append(synthetic_trace(recipe, assumption.name))
    variants = choose(options.variants or (VARIANT,))
    lineup = line_up(variants, find_toolchains(options.toolchains))
    return Request(lineup, tuple(traces), options.precision, options.seed)


def table(rows: pd.DataFrame, results: Path) -> pd.DataFrame:
    """Return a row for each assumption and variant, with the range that is claimed, if any."""
    rows = rows[~rows["noise_floor"]]
    found = []
    for assumption in ASSUMPTIONS:
        for row in rows[rows["condition"] == assumption.name].to_dict("records"):
            original = OPERATIONS[DEFAULT_OPERATION].original
            claim = find_claim(
                DEFAULT_OPERATION, original, str(row["variant"]), assumption.condition
            )
            found.append(
                {
                    "condition": assumption.condition,
                    "assumption": assumption.what,
                    "settings": " ".join(f"{name}={value}" for name, value in assumption.settings),
                    "variant": row["variant"],
                    "toolchain": row["toolchain"],
                    "speedup": row["speedup"],
                    "speedup_low": row["speedup_low"],
                    "speedup_high": row["speedup_high"],
                    "claim_low": claim.low if claim else None,
                    "claim_high": claim.high if claim else None,
                }
            )
    return pd.DataFrame(found)


def draw(found: pd.DataFrame) -> Figure:
    """Draw the first variant's ratios."""
    return draw_assumptions(found)


def summarize(found: pd.DataFrame) -> Sequence[Sequence[str]]:
    """Return a line for each assumption."""
    lines: list[tuple[str, ...]] = [("condition", "assumption", "variant", "speedup", "95 %")]
    for row in found.to_dict("records"):
        interval = f"{format_short(row['speedup_low'])} to {format_short(row['speedup_high'])}"
        what = (row["condition"], row["assumption"], row["variant"])
        lines.append((*map(str, what), format_short(row["speedup"]), interval))
    return lines


STUDY = Study(request, table, draw, summarize)
