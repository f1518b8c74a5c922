"""The table of a run in a terminal."""

import pandas as pd
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

_STYLES = {"reproduced": "green", "stronger": "cyan", "weaker": "yellow", "contradicted": "red"}


def format_number(value: float) -> str:
    """Write a speedup with three or four digits."""
    return f"{value:.2f}" if value < 100 else f"{value:.1f}"


def format_range(low: float, high: float) -> str:
    """Write a range of speedups with three digits, whole numbers as such."""
    return f"{low:.3g}-{high:.3g}"


def results_table(rows: pd.DataFrame) -> Group:
    """Return the rows of one ``speedups.csv`` as tables for a terminal of 80 columns."""
    parts: list[Table | Text] = []
    for toolchain, group in rows.groupby("toolchain", sort=False):
        parts += [_toolchain_table(str(toolchain), group[~group["noise_floor"]])]
        parts += [_noise_floor(group[group["noise_floor"]])]
    if (rows["stopped"] == "budget").any():
        parts.append(Text("! not as precise as asked for: the time budget was spent before"))
    return Group(*parts)


def _toolchain_table(toolchain: str, rows: pd.DataFrame) -> Table:
    table = Table(
        title=f"speedup of one call, {toolchain}",
        title_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("trace")
    table.add_column("variant")
    for name in ("speedup", "95 %", "snapshots", "claimed"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in rows.to_dict("records"):
        half = (row["speedup_high"] / row["speedup_low"]) ** 0.5 - 1
        flag = "!" if row["stopped"] == "budget" else ""
        claimed = row["claim_low"] == row["claim_low"]  # a missing claim is NaN
        table.add_row(
            f"{row['condition']} {row['origin']}",
            Text(row["variant"]),
            format_number(row["speedup"]),
            f"{flag}±{half:.2%}",
            format_range(row["snapshot_speedup_min"], row["snapshot_speedup_max"]),
            format_range(row["claim_low"], row["claim_high"]) if claimed else "",
            Text(row["verdict"], _STYLES.get(row["verdict"], "")) if claimed else "",
        )
    return table


def _noise_floor(rows: pd.DataFrame) -> Text:
    if rows.empty:
        return Text("")
    low, high = rows["speedup"].min(), rows["speedup"].max()
    original = rows["original"].iloc[0]
    return Text(f"noise floor: {original} against itself gave {low:.4f} to {high:.4f}\n")


def console(stderr: bool = False) -> Console:
    """Return the console for output; it honours NO_COLOR and writes plain text to a pipe."""
    made = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not made.is_terminal:
        made.width = 80
    return made
