"""The tables of the page: rows of cells, the first of them the heading."""

from collections.abc import Sequence
from math import isnan

import numpy as np
import pandas as pd

from harness.claims.verdict import NOT_MEASURED
from harness.presentation.table import format_short
from harness.results.limits import find_limits

Table = tuple[tuple[str, ...], ...]


def cells(rows: pd.DataFrame, columns: Sequence[tuple[str, str]], most: int = 40) -> Table:
    """Return the columns (name, heading) of ``rows`` as cells, at most so many rows."""
    table = [tuple(heading for _, heading in columns)]
    for row in rows.head(most).to_dict("records"):
        table.append(tuple(_cell(row[name]) for name, _ in columns))
    return tuple(table)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else format_short(value) if value < 1000 else f"{value:,.0f}"
    return str(value)


def main_table(rows: pd.DataFrame) -> Table:
    """Return the speedups beside what the letter says."""
    table = [("trace", "variant", "speedup", "95 %", "the letter", "verdict")]
    for row in rows.to_dict("records"):
        claimed = row["claim_low"] == row["claim_low"]
        table.append(
            (
                f"{row['condition'].capitalize()}, {row['origin']}",
                f"{row['variant']} ({row['toolchain']})",
                format_short(row["speedup"]),
                f"{format_short(row['speedup_low'])} to {format_short(row['speedup_high'])}",
                f"{row['claim_low']:.3g} to {row['claim_high']:.3g}" if claimed else "",
                row["verdict"] if claimed else "",
            )
        )
    return tuple(table)


def ladder_table(rows: pd.DataFrame) -> Table:
    """Return a row for each variant over all traces."""
    limits = find_limits(rows)
    table = [("variant", "map", "toolchain", "lowest speedup", "highest", "of the limit")]
    keys = ["map", "variant", "toolchain", "original_toolchain"]
    for (kind, variant, toolchain, original), group in rows.groupby(keys, sort=False):
        share = limits.share(str(variant), str(original))
        table.append(
            (str(variant), str(kind), str(toolchain), format_short(group["speedup"].min()),
             format_short(group["speedup"].max()), "" if isnan(share) else f"{share:.2f}")
        )  # fmt: skip
    return tuple(table)


def runtime_table(rows: pd.DataFrame) -> Table:
    """Return the range of one call for each trace and variant."""
    table = [("trace", "variant", "fastest call", "slowest call", "most dirty pages")]
    keys = ["condition", "origin", "variant"]
    for (condition, origin, variant), group in rows.groupby(keys, sort=False):
        low, high = 1e6 * group["seconds"].min(), 1e6 * group["seconds"].max()
        most = f"{group['remaining_pages'].max():,}"
        name = f"{str(condition).capitalize()}, {origin}"
        table.append((name, str(variant), f"{low:.3g} µs", f"{high:.3g} µs", most))
    return tuple(table)


def density_table(rows: pd.DataFrame) -> Table:
    """Return a row for each variant over all maps."""
    rows = rows[rows["trace"].fillna("") == ""]
    table = [("variant", "maps", "slower than the original on", "lowest speedup", "highest")]
    for variant, group in rows.groupby("variant", sort=False):
        slower = int((group["speedup_high"] < 1).sum())
        table.append(
            (str(variant), str(len(group)), str(slower), format_short(group["speedup"].min()),
             format_short(group["speedup"].max()))
        )  # fmt: skip
    return tuple(table)


def claims_table(rows: pd.DataFrame) -> Table:
    """Return what is claimed beside what was measured."""
    table = [("claim", "workload", "claimed", "measured", "95 %", "verdict")]
    for row in rows.to_dict("records"):
        low, high = format_short(row["claimed_low"]), format_short(row["claimed_high"])
        interval = f"{format_short(row['speedup_low'])} to {format_short(row['speedup_high'])}"
        measured = row["verdict"] != NOT_MEASURED
        table.append(
            (
                str(row["claim"]),
                str(row["workload"]),
                f"{low} or more" if np.isinf(row["claimed_high"]) else f"{low} to {high}",
                format_short(row["speedup"]) if measured else "",
                interval if measured else "",
                str(row["verdict"]),
            )
        )
    return tuple(table)
