"""The rows of a run as text to paste: Markdown, CSV or JSON."""

import json
import re

import pandas as pd

from harness.presentation.table import format_number

_COLUMNS = (
    *("condition", "origin", "variant", "toolchain", "speedup", "speedup_low", "speedup_high"),
    *("claim_low", "claim_high", "verdict"),
)


def format_rows(rows: pd.DataFrame, form: str) -> str:
    """Return the rows of one ``speedups.csv``, noise floors left out.

    Args:
        form: ``markdown``, ``csv`` or ``json``.
    """
    rows = rows[~rows["noise_floor"]][list(_COLUMNS)]
    if form == "csv":
        return str(rows.to_csv(index=False))
    if form == "json":
        document = json.loads(rows.to_json(orient="records"))
        return json.dumps(document, indent=1) + "\n"
    return _markdown(rows)


def _markdown(rows: pd.DataFrame) -> str:
    lines = [
        "| trace | variant | speedup | 95 % | claimed | verdict |",
        "|---|---|--:|--:|--:|---|",
    ]
    for row in rows.to_dict("records"):
        claimed = row["claim_low"] == row["claim_low"]  # a missing claim is NaN
        cells = (
            f"{row['condition']} {row['origin']}",
            f"{row['variant']} ({row['toolchain']})",
            format_number(row["speedup"]),
            f"{format_number(row['speedup_low'])} to {format_number(row['speedup_high'])}",
            f"{row['claim_low']:.3g} to {row['claim_high']:.3g}" if claimed else "",
            row["verdict"] if claimed else "",
        )
        lines.append("| " + " | ".join(re.sub(r"([|\\`*_<])", r"\\\1", c) for c in cells) + " |")
    return "\n".join(lines) + "\n"
