"""How much of the letter's ratios do the models of its guests decide?"""

import dataclasses
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.claims.claim import find_claim
from harness.measurement.choice import choose
from harness.measurement.lineup import line_up
from harness.measurement.request import Request, synthetic_trace
from harness.native.operation import DEFAULT_OPERATION, OPERATIONS
from harness.native.toolchain import find_toolchains
from harness.presentation.frames import (
    draw_claimed,
    draw_interval,
    make_panels,
    of_first_toolchain,
)
from harness.presentation.scale import plain_log_axis
from harness.presentation.style import (
    BLACK,
    GREY,
    add_legend,
    house_style,
    key,
    letters_range,
    variant_colour,
)
from harness.presentation.table import (
    INTERVAL,
    Column,
    format_short,
    make_table,
    short_interval,
)
from harness.results.speedups import half_width
from harness.studies import Question
from harness.studies.study import Exhibit, Options, Outcome, Study, measured_once
from workloads.conditions import find_condition
from workloads.guest import GuestMemory
from workloads.parameters import Value
from workloads.synthesis import make_recipe

QUESTION = Question(
    "How much of the letter's ratios do the models of its guests decide?",
    place=60,
    budget=90.0,
    sizes="default: 512MiB",
)
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


def table(rows: pd.DataFrame, _: Path) -> pd.DataFrame:
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


_FIGURES = (
    Column("condition", whole=True),
    *(Column(name, right=True) for name in ("assumption", "variant", "speedup")),
)
_SUMMARY = (*_FIGURES, Column("95 %", short_interval, right=True))


def _outcome(rows: pd.DataFrame) -> str:
    (row,) = rows.to_dict("records")
    return f"{format_short(row['speedup'])} ±{half_width(row):.1%}"


@house_style()
def draw_assumptions(found: pd.DataFrame) -> Figure:
    """Draw the first variant's rows, a panel for each condition."""
    variant = found["variant"].iloc[0]
    found = of_first_toolchain(found[found["variant"] == variant])
    groups = {str(name): rows for name, rows in found.groupby("condition", sort=False)}
    colour = variant_colour(variant, [variant])
    height = 0.27 * len(found) + 0.4 * len(groups) + 1.2
    heights = [len(rows) + 0.5 for rows in groups.values()]
    figure, panels = make_panels(9, height, len(groups), 1, sharex=True, height_ratios=heights)
    for axes, (condition, rows) in zip(panels, groups.items(), strict=True):
        _draw_panel(axes, rows, colour)
        axes.set_title(condition.capitalize())
    panels[-1].set_xlabel(f"speedup of {variant} ({found['toolchain'].iloc[0]})")
    handles = [
        key(f"{variant}, with 95 % interval", color=colour, marker="o"),
        key(AS_ASSUMED, color=GREY, linestyle=":"),
        letters_range(),
    ]
    add_legend(figure, handles, 3)
    return figure


def _draw_panel(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    draw_claimed(axes, rows)
    axes.axvline(rows["speedup"].iloc[0], color=GREY, linestyle=":", linewidth=1)
    axes.axvline(1, color=BLACK, linewidth=1)
    for place, (index, row) in enumerate(zip(rows.index, rows.to_dict("records"), strict=True)):
        draw_interval(axes, row, index, -place, color=colour, marker="o")
    plain_log_axis(axes.xaxis)
    axes.set_yticks([-place for place in range(len(rows))], rows["assumption"], fontsize=8.5)
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.margins(x=0.12)


STUDY = Study(
    measure=measured_once(request, table),
    summary=lambda found: make_table(_SUMMARY, found, QUESTION.text),
    exhibit=Exhibit(
        title="How much the models of the guests decide",
        said="The synthetic traces again, each with one thing about the guest or the link assumed "
        "differently. Where a mark stays near the dotted line, the answer does not hang on that "
        "assumption.",
        draw=draw_assumptions,
        shown=("condition", "assumption", "settings", "variant", *INTERVAL),
        figures=lambda found: make_table(_FIGURES, found.head(40)),
    ),
    document=None,
    outcome=Outcome(("condition", "assumption", "variant", "toolchain"), _outcome),
)
