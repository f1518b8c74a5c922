"""How much does a time depend on where code lies? At each byte of a line of 64."""

import dataclasses
from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from harness.base.errors import BadInput
from harness.measurement.choice import choose
from harness.measurement.lineup import LineUp, line_up, make_lane
from harness.measurement.request import Request, condition_traces
from harness.native.build import build_at_every_offset
from harness.native.built_variant import describe
from harness.native.finding import find_variant
from harness.native.operation import DEFAULT_OPERATION, find_operation
from harness.native.placement import LINE, STEP
from harness.native.toolchain import Toolchain, find_toolchains
from harness.native.variant import Variant
from harness.presentation.frames import make_panels, of_first_toolchain
from harness.presentation.style import GREY, add_legend, house_style, mark, variant_colour
from harness.presentation.table import Table, format_short, table_by_name
from harness.session.session import Session
from harness.studies import Question
from harness.studies.study import Exhibit, Options, Outcome, Study
from workloads.conditions import find_condition

QUESTION = Question(
    "How much does a time depend on where code lies?",
    place=45,
    budget=60.0,
)
VARIANTS = ("page_by_page", "multi_page", "word_test", "word_sum", "two_level")
CONDITIONS = ("cond1", "cond2")
_AT = "+"
"""Between the name of a variant and its offset, in the names of lanes."""


def request(variant: Variant, toolchain: Toolchain, options: Options) -> Request:
    """Ask for a variant at every offset, against the original of its operation.

    Raises:
        BadInput: it cannot be placed.
    """
    original = find_operation(variant.operation).original
    base = line_up(choose((), variant.operation, original), [toolchain], noise_floor=False)
    library = build_at_every_offset(variant, toolchain)
    said = describe(variant, library)
    if obstacle := said.obstacle():
        raise BadInput(f"variant {variant.name} {obstacle}; leave it out.")
    lanes = [
        dataclasses.replace(
            make_lane(f"{variant.name}{_AT}{offset}", toolchain, library, said, 0),
            library=str(path),
            placed=(),
        )
        for offset, path in enumerate(library.placed)
    ]
    lineup = LineUp(variant.operation, toolchain, (*base.lanes, *lanes))
    traces = condition_traces(tuple(map(find_condition, CONDITIONS)), ("captured",))
    return Request(lineup, traces, options.precision, options.seed, processes=6)


def measure(options: Options, session: Session) -> pd.DataFrame:
    """Measure each variant in a run of its own, as their offsets do not fit into one."""
    parts: list[pd.DataFrame] = []
    of_c = {one.name: one for one in find_toolchains(options.toolchains)}
    for toolchain in of_c.values():
        for name in options.variants or VARIANTS:
            variant = find_variant(name, DEFAULT_OPERATION)
            if variant.is_rust or variant.is_binary:
                raise BadInput(
                    f"variant {name} is not in C, so it cannot lie anywhere; leave it out."
                )
            run = session.run(
                request(variant, toolchain, options), f"{variant.name}-{toolchain.name}"
            )
            parts.append(table(run.rows))
    return pd.concat(parts, ignore_index=True)


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each offset of a variant on a trace.

    ``relative`` is its time over the mean of all offsets on that trace.
    """
    split = rows["variant"].str.rsplit(_AT, n=1)
    found = rows.assign(
        variant=split.str[0], offset=split.str[1].astype(int), seconds=rows["variant_seconds"]
    )
    keys = ["variant", "toolchain", "condition"]
    mean = found.groupby(keys)["seconds"].transform("mean")
    found = found.assign(relative=found["seconds"] / mean)
    return found[[*keys, "offset", "seconds", "relative", "speedup", "speedup_low", "speedup_high"]]


def _summary(found: pd.DataFrame) -> Table:
    """Return the fastest and the slowest offset of each variant."""
    heads = ("variant", "trace", "fastest", "slowest", "slowest / fastest", "slow offsets")
    lines = []
    for (variant, condition), group in found.groupby(["variant", "condition"], sort=False):
        least, most = group["seconds"].min(), group["seconds"].max()
        slow = group[group["seconds"] > (least * most) ** 0.5]["offset"].tolist()
        lines.append(
            (
                str(variant),
                f"{condition} captured",
                f"{least * 1e6:.3g} us",
                f"{most * 1e6:.3g} us",
                f"{most / least:.2f}",
                _runs(slow) if most / least > 1.1 else "",
            )
        )
    return table_by_name(QUESTION.text, heads, lines)


def _outcome(rows: pd.DataFrame) -> str:
    return f"{rows['seconds'].max() / rows['seconds'].min():.2f} times from offset to offset"


def _runs(offsets: Sequence[int]) -> str:
    """Write offsets as runs, such as ``27-46``."""
    parts: list[list[int]] = []
    for offset in offsets:
        if parts and offset == parts[-1][1] + 1:
            parts[-1][1] = offset
        else:
            parts.append([offset, offset])
    return ", ".join(f"{a}-{b}" if b > a else str(a) for a, b in parts)


@house_style()
def draw_placement(found: pd.DataFrame) -> Figure:
    """Draw time over offset, a panel a trace."""
    found = of_first_toolchain(found)
    variants = list(dict.fromkeys(found["variant"]))
    conditions = list(dict.fromkeys(found["condition"]))
    figure, panels = make_panels(7.5, 2.9 * len(conditions) + 0.6, len(conditions), sharex=True)
    for axes, condition in zip(panels, conditions, strict=True):
        for variant in variants:
            chosen = found[(found["variant"] == variant) & (found["condition"] == condition)]
            (line,) = axes.plot(
                chosen["offset"], chosen["relative"], drawstyle="steps-mid", label=variant,
                color=variant_colour(variant, variants), linewidth=1.5, marker="o", markersize=2.5,
            )  # fmt: skip
            mark(line, chosen.index)
        for class_ in range(0, LINE, STEP):
            axes.axvline(class_, color=GREY, linewidth=0.8, linestyle=":")
        axes.set_title(f"{condition.capitalize()}, captured")
        axes.set_ylabel("time / mean over offsets")
        axes.set_ylim(0.6, None)
    panels[-1].set_xticks(range(0, LINE + 1, STEP))
    panels[-1].set_xlabel("offset of the code in a line of 64 bytes")
    add_legend(figure, panels[0].get_legend_handles_labels()[0], 3)
    return figure


def _figures(found: pd.DataFrame) -> Table:
    """Return each variant's time at the offsets that compilers choose."""
    chosen = found[found["offset"] % STEP == 0]
    offsets = sorted(set(chosen["offset"]))
    heads = ("variant", "trace", *(f"at {offset}" for offset in offsets))
    lines = []
    for (variant, condition), group in chosen.groupby(["variant", "condition"], sort=False):
        by_offset = dict(zip(group["offset"], group["relative"], strict=True))
        cells = (format_short(by_offset[offset]) for offset in offsets)
        lines.append((str(variant), f"{condition} captured", *cells))
    return table_by_name("", heads, lines)


STUDY = Study(
    measure=measure,
    summary=_summary,
    exhibit=Exhibit(
        title="Where code lies",
        said="The same function, linked at each byte of a line of 64, and its time over the mean "
        "of all of them. Dotted are the offsets that compilers choose; a step is a loop that no "
        "longer fits into one line.",
        draw=draw_placement,
        shown=("variant", "condition", "offset", "seconds", "relative"),
        figures=_figures,
    ),
    document=None,
    outcome=Outcome(("variant", "toolchain", "condition"), _outcome),
)
