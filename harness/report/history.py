"""Speedups over stored results: what time, commits and machines have changed."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.presentation.frames import make_pairs
from harness.presentation.scale import plain_log_axis
from harness.presentation.style import (
    BLACK,
    CLAIM,
    add_legend,
    house_style,
    key,
    variant_colour,
)
from harness.results.changes import KEYS, Change

_HOSTS = ("o", "s", "D", "^", "v", "P")
_MOST_LABELS = 6
"""Results that are named below the axis; more are set out over time alone."""
_RING: dict[str, Any] = {
    "marker": "o",
    "markersize": 14,
    "markerfacecolor": "none",
    "linestyle": "none",
}
_FALL, _RISE = "#B2182B", "#01665E"


@house_style()
def draw_history(rows: pd.DataFrame, changes: Sequence[Change] = ()) -> Figure:
    """Draw what :func:`harness.results.history.read_history` returns, a panel a condition.

    Args:
        changes: those of :func:`harness.results.changes.find_changes`, which are ringed.
    """
    conditions = list(dict.fromkeys(rows["condition"]))
    hosts = dict(zip(dict.fromkeys(rows["cpu"]), _HOSTS * len(rows), strict=False))
    # One panel alone is wider than those beside each other.
    panel = (5.2 if len(conditions) > 1 else 6.5, 2.9)
    figure, panels = make_pairs(len(conditions), panel, (0, 1.6), sharex=True)
    figure.suptitle("Speedups of stored results, oldest first", x=0.01, ha="left", weight="bold")
    for axes, condition in zip(panels, conditions, strict=True):
        _draw_panel(axes, rows[rows["condition"] == condition], rows, hosts)
        _ring(axes, [one for one in changes if one.condition == condition], rows)
        axes.set_title(str(condition).capitalize())
    _legend(figure, rows, hosts, changes)
    return figure


def _ring(axes: Axes, changes: Sequence[Change], rows: pd.DataFrame) -> None:
    """Ring the first result of each change."""
    place = {time: number for number, time in enumerate(sorted(set(rows["date"])))}
    for change in changes:
        first = rows["date"] == change.date
        for name in KEYS:
            first &= rows[name] == getattr(change, name)
        colour = _FALL if change.ratio < 1 else _RISE
        for speedup in rows.loc[first, "speedup"]:
            axes.plot([place[change.date]], [speedup], markeredgecolor=colour, **_RING)


def _draw_panel(
    axes: Axes, rows: pd.DataFrame, everything: pd.DataFrame, hosts: Mapping[str, str]
) -> None:
    times = sorted(set(everything["date"]))
    variants = list(dict.fromkeys(everything["variant"]))
    # Results lie beside each other in the order of time: hours and months apart look alike.
    place = {time: number for number, time in enumerate(times)}
    for row in rows.dropna(subset=["claim_low"]).drop_duplicates("claim_low").to_dict("records"):
        axes.axhspan(row["claim_low"], row["claim_high"], color=CLAIM, alpha=0.25, linewidth=0)
    keys = ["variant", "toolchain", "origin", "cpu"]
    for (variant, _, origin, cpu), group in rows.groupby(keys, sort=False):
        axes.errorbar(
            [place[time] for time in group["date"]],
            group["speedup"],
            yerr=[
                group["speedup"] - group["speedup_low"],
                group["speedup_high"] - group["speedup"],
            ],
            color=variant_colour(str(variant), variants),
            marker=hosts[str(cpu)],
            markersize=6,
            markerfacecolor=None if origin == "captured" else "white",
            linestyle="-" if origin == "captured" else ":",
            linewidth=1.2,
            capsize=3,
        )
    axes.axhline(1, color=BLACK, linewidth=0.8)
    plain_log_axis(axes.yaxis)
    axes.set_ylabel("speedup")
    axes.set_xlim(-0.5, len(times) - 0.5)
    _label_times(axes, everything, times)


def _label_times(axes: Axes, rows: pd.DataFrame, times: list[pd.Timestamp]) -> None:
    step = -(-len(times) // _MOST_LABELS)
    shown = range(0, len(times), step)
    commits = rows.drop_duplicates("date").set_index("date")["git_commit"]
    labels = [f"{times[number]:%Y-%m-%d}\n{str(commits[times[number]])[:8]}" for number in shown]
    axes.set_xticks(list(shown), labels, fontsize=8)
    axes.tick_params(axis="x", labelbottom=True)
    axes.set_xlabel("measured, and the commit")


def _legend(
    figure: Figure, rows: pd.DataFrame, hosts: Mapping[str, str], changes: Sequence[Change]
) -> None:
    variants = list(dict.fromkeys(rows["variant"]))
    handles = [key(name, color=variant_colour(name, variants), linewidth=3) for name in variants]
    handles += [
        key(cpu, color=BLACK, marker=marker, linestyle="none") for cpu, marker in hosts.items()
    ]
    if "synthetic" in set(rows["origin"]):
        handles.append(
            key("synthetic trace", color=BLACK, marker="o", markerfacecolor="white", linestyle=":")
        )
    if rows["claim_low"].notna().any():
        handles.append(key("claimed", color=CLAIM, alpha=0.4, linewidth=7))
    for label, colour in (("fell", _FALL), ("rose", _RISE)):
        if any((change.ratio < 1) == (colour == _FALL) for change in changes):
            handles.append(key(f"{label} here", markeredgecolor=colour, **_RING))
    add_legend(figure, handles, 3)
