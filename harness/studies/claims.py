"""Do the figures hold that were published of counting and of other operations?"""

import dataclasses

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from rich.text import Text

from harness.base.errors import BadInput
from harness.claims.settled import Settled, not_measured, sentences, to_table
from harness.claims.settlement import (
    BUILT,
    Group,
    group_claims,
    obstacle,
    request_group,
    settle,
    settle_with_guests,
)
from harness.claims.verdict import NOT_MEASURED
from harness.kernel.claimed import CLAIMED
from harness.machine.state import Watch
from harness.native.toolchain import default_toolchain
from harness.presentation.claims_table import (
    captured_range,
    documented,
    figures,
    is_measured,
    summary,
    whole_table,
)
from harness.presentation.frames import draw_interval, draw_quiet, make_panels, quiet_key
from harness.presentation.progress import ProgressDisplay
from harness.presentation.scale import plain_log_axis
from harness.presentation.style import BLACK, BLUE, CLAIM, GREY, add_legend, house_style, key
from harness.presentation.table import INTERVAL
from harness.results.environment import describe_environment
from harness.session.session import Session
from harness.studies import Question
from harness.studies.study import Exhibit, Options, Study

QUESTION = Question(
    "Do the figures hold that were published?",
    place=70,
    options=("precision", "budget", "plots"),
    budget=70.0,
    budget_for="the claims of one original",
    command="dirtyscan claims run",
)
_OPEN = 1.6
"""How far a range without an upper end is drawn beyond everything else, as a factor."""


def measure(options: Options, session: Session) -> pd.DataFrame:
    """Settle every claim, those of one original together.

    Raises:
        BadInput: none of them could be measured.
    """
    settled: list[Settled] = []
    for group in group_claims(options.claims):
        reasons = {claim.name: why for claim in group.claims if (why := obstacle(claim))}
        settled += [not_measured(c, reasons[c.name]) for c in group.claims if c.name in reasons]
        sound = tuple(claim for claim in group.claims if claim.name not in reasons)
        if sound:
            sound_group = dataclasses.replace(group, claims=sound)
            settled += _settle_group(sound_group, options.precision, session)
        if session.environment:
            # Written after each group, so that what was measured is there whatever happens next.
            session.keep(to_table(settled))
    table = to_table(settled)
    if not session.environment:
        raise BadInput(f"nothing was measured: {'; '.join(sentences(table))}.")
    return table


def _settle_group(group: Group, precision: float, session: Session) -> list[Settled]:
    """Measure the claims of ``group`` and judge them; what keeps one group must not keep others."""
    count = "1 claim" if len(group.claims) == 1 else f"{len(group.claims)} claims"
    session.log.print(Text(f"{group.operation} against {group.original}: {count}"))
    if group.operation in CLAIMED:
        return _settle_with_guests(group, precision, session)
    try:
        run = session.run(request_group(group, precision), group.name)
    except BadInput as error:
        return [not_measured(claim, str(error).removesuffix(".")) for claim in group.claims]
    found = run.measured.run
    assert found  # it was not resumed
    if not found.speedups:
        none = pd.DataFrame(columns=["variant", *BUILT])
        return settle(group, none, none, len(found.processes), found.failures)
    return settle(group, run.rows, run.calls, len(found.processes), found.failures)


def _settle_with_guests(group: Group, precision: float, session: Session) -> list[Settled]:
    watch = Watch()
    with ProgressDisplay(session.log) as tell:
        settled = settle_with_guests(group, precision, session.budget.seconds, tell)
    if any(one.speedup for one in settled):
        environment = describe_environment([default_toolchain()], {}, watch.stop())
        session.environment = session.environment or environment
    return settled


@house_style()
def draw_claims(rows: pd.DataFrame) -> Figure:
    """Draw claims beside what was measured, a line each; some may not have been measured."""
    rows = whole_table(rows)
    figure, (axes,) = make_panels(10, 0.3 * len(rows) + 1.7)
    drawn_to = rows[["claimed_low", "claimed_high", "speedup_high"]].to_numpy()
    most = _OPEN * float(drawn_to[np.isfinite(drawn_to)].max())
    for place, row in enumerate(rows.to_dict("records")):
        low, high = row["claimed_low"], min(row["claimed_high"], most)
        axes.barh(-place, high - low, left=low, height=0.7, color=CLAIM, alpha=0.35)
        axes.plot([low, low], [-place - 0.35, -place + 0.35], color=CLAIM, linewidth=1.2)
        if captured_range(row):
            span = [row["captured_low"], row["captured_high"]]
            axes.plot(span, [-place, -place], color=GREY, linewidth=4, alpha=0.6,
                      solid_capstyle="butt")  # fmt: skip
        if is_measured(row):
            draw_interval(axes, row, rows.index[place], -place, color=BLUE, marker="o")
            draw_quiet(axes, row, -place)
        else:
            axes.annotate(NOT_MEASURED, (low, -place), xytext=(5, 0), fontsize=8.5,
                          textcoords="offset points", verticalalignment="center")  # fmt: skip
    lows = rows[["claimed_low", "speedup_low", "captured_low"]].to_numpy()
    plain_log_axis(axes.xaxis)
    axes.set_xlim(float(np.nanmin(lows)) / _OPEN, most)
    axes.axvline(1, color=BLACK, linewidth=1)
    labels = [f"{row['claim']}: {row['workload']}" for row in rows.to_dict("records")]
    axes.set_yticks([-place for place in range(len(rows))], labels, fontsize=8.5)
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.set_xlabel("speedup (original time / variant time)")
    handles = [
        Patch(facecolor=CLAIM, alpha=0.35, label="claimed"),
        key("measured, with 95 % interval", color=BLUE, marker="o"),
        key("the same pair on captured traces", color=GREY, alpha=0.6, linewidth=4),
    ]
    if rows["quiet_speedup"].notna().any():
        handles.append(quiet_key())
    add_legend(figure, handles, 4)
    return figure


STUDY = Study(
    measure=measure,
    summary=summary,
    document=documented,
    exhibit=Exhibit(
        title="Claims that are open today",
        said="What was published of counting and of other operations, in QEMU and elsewhere, and "
        "what was measured. Where the blue mark lies on its orange range the claim holds; the grey "
        "bar is what the same pair of variants gives on traces of real migrations.",
        draw=draw_claims,
        shown=(
            *("claim", "workload", "operation", "original", "variant"),
            *("claimed_low", "claimed_high", *INTERVAL, "verdict"),
        ),
        figures=figures,
    ),
    outcome=None,  # its verdicts have a table of their own
)
