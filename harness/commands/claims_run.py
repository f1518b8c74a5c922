"""Running claims: what ``dirtyscan claims`` lists, measures, writes and shows."""

import argparse
import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from harness.claims.claim import CLAIMS, Claim, find_claims
from harness.claims.settled import Settled, not_measured, sentences, to_table
from harness.claims.settlement import Group, group_claims, obstacle, request_group, settle
from harness.claims.verdict import NOT_MEASURED
from harness.commands.measure import Measured, measure, print_end
from harness.commands.options import results_folder
from harness.measurement.run_folder import RunFolder
from harness.presentation.console import console
from harness.presentation.figures.claims import draw_claims
from harness.presentation.figures.style import save
from harness.presentation.table import STYLES, format_number, format_range
from harness.results.environment import ENVIRONMENT
from harness.results.result import SPEEDUPS, read_table
from harness.results.speedups import half_width
from workloads.errors import BadInput
from workloads.files import write_text

RESULT = "claims.csv"


def run(options: argparse.Namespace) -> int:
    """List claims, or settle them."""
    path = Path(options.claims) if options.claims else CLAIMS
    claims = find_claims(options.names, path)
    if options.action == "list":
        _print_claims(claims)
        return 0
    if options.unscaled:
        claims = tuple(claim.unscaled() for claim in claims)
    return _settle_all(claims, options)


def _settle_all(claims: tuple[Claim, ...], options: argparse.Namespace) -> int:
    out, log = console(), console(stderr=True)
    output = results_folder(options.output)
    settled: list[Settled] = []
    environment: dict[str, Any] = {}
    status = 0
    for group in group_claims(claims):
        reasons = {claim.name: why for claim in group.claims if (why := obstacle(claim))}
        settled += [not_measured(c, reasons[c.name]) for c in group.claims if c.name in reasons]
        sound = tuple(claim for claim in group.claims if claim.name not in reasons)
        if sound:
            found, run = _measure(dataclasses.replace(group, claims=sound), options, log)
            settled += found
            if run:
                status = max(status, print_end(run, out, log))
                environment = _joined(environment, run.environment)
        if environment:
            # Written after each group, so that what was measured is there whatever happens next.
            write_text(output / ENVIRONMENT, json.dumps(environment, indent=1) + "\n")
            text = to_table(settled).to_csv(index=False, float_format="%.6g")
            write_text(output / RESULT, str(text))
    missing = sentences(settled)
    if not environment:
        raise BadInput(f"nothing was measured: {'; '.join(missing)}.")
    table = to_table(settled)
    _print_settled(table, out)
    for sentence in missing:
        out.print(Text(f"not measured: {sentence}"), soft_wrap=True)
    out.print(f"table: {output / RESULT}", soft_wrap=True)
    if table["speedup"].notna().any():
        for picture in save(draw_claims(table), results_folder(options.plots), "claims"):
            out.print(str(picture), soft_wrap=True)
    return status


def _measure(
    group: Group, options: argparse.Namespace, log: Console
) -> tuple[list[Settled], Measured | None]:
    """Measure the claims of ``group`` and judge them; what keeps one group must not keep others."""
    log.print(Text(f"{group.operation} against {group.original}: {len(group.claims)} claims"))
    try:
        with RunFolder(results_folder(options.output) / group.name) as folder:
            request = request_group(group, options.precision)
            measured = measure(request, folder, options.budget, resume=False, log=log)
    except BadInput as error:
        return [not_measured(claim, str(error).removesuffix(".")) for claim in group.claims], None
    run = measured.run
    assert run  # it was not resumed
    some = bool(run.speedups)
    rows = read_table(folder.path, SPEEDUPS) if some else pd.DataFrame(columns=["variant"])
    return settle(group, rows, len(run.processes), run.failures), measured


def _joined(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return the environment of the last run, with the toolchains of all."""
    made = [*before.get("toolchains", ()), *after["toolchains"]]
    return {**after, "toolchains": list({each["name"]: each for each in made}.values())}


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for head in heads:
        right = head in ("claimed", "measured", "95 %", "captured")
        whole = head in ("claim", "measured", "95 %", "verdict")
        justify: JustifyMethod = "right" if right else "left"
        table.add_column(head, justify=justify, no_wrap=whole, overflow="fold")
    return table


def _print_claims(claims: tuple[Claim, ...]) -> None:
    table = _table("claim", "date", "pair", "claimed", "note")
    for claim in claims:
        pair = f"{claim.operation}: {claim.original} to {claim.variant}"
        table.add_row(*map(Text, (claim.name, claim.date, pair, claim.claimed, claim.note)))
    console().print(table)


def _print_settled(rows: pd.DataFrame, out: Console) -> None:
    """Print what came out, with how the same pair fares on captured traces."""
    table = _table("claim", "on", "claimed", "measured", "95 %", "verdict", "captured")
    for row in rows.to_dict("records"):
        measured = row["verdict"] != NOT_MEASURED
        low, high = row["claimed_low"], row["claimed_high"]
        captured = row["captured_low"] == row["captured_low"]  # a missing one is NaN
        table.add_row(
            Text(row["claim"]),
            Text(row["workload"]),
            f"above {low:g}" if high == math.inf else format_range(low, high),
            format_number(row["speedup"]) if measured else "",
            f"±{half_width(row):.1%}" if measured else "",
            Text(row["verdict"], STYLES.get(row["verdict"], "")),
            format_range(row["captured_low"], row["captured_high"]) if captured else "",
        )
    out.print(table)
    for sentence in dict.fromkeys(text for text in rows["scaled"] if text):
        out.print(sentence, soft_wrap=True)
