"""``dirtyscan claims``: list published figures, and measure whether they hold here."""

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from harness.claims.claim import CLAIMS, Claim, find_claims
from harness.claims.settlement import Group, group_claims, request_group, settle
from harness.commands.measure import MakePlan, measure, print_end
from harness.commands.options import positive, results_folder, share
from harness.machine.environment import ENVIRONMENT
from harness.measurement.lineup import rust_obstacle
from harness.measurement.plan import Plan
from harness.measurement.preparation import prepare
from harness.measurement.run_folder import RunFolder
from harness.native.variant import find_variant
from harness.presentation.figures.claims import draw_claims
from harness.presentation.figures.style import save
from harness.presentation.table import STYLES, console, format_number, format_range
from harness.statistics.results import SPEEDUPS, read_table
from workloads.files import write_text
from workloads.synthesis import Report

RESULT = "claims.csv"


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "claims",
        help="list published figures, and measure whether they hold here",
        description="Without an action, list the claims; run measures them, all or those named.",
    )
    parser.add_argument("action", nargs="?", choices=("list", "run"), default="list")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument(
        "--claims", default=str(CLAIMS), metavar="FILE", help="a TOML file of claims of your own"
    )
    parser.add_argument(
        "--budget", type=positive(float, "a number of seconds above 0", 0.0), default=70.0,
        metavar="SECONDS", help="for the claims of one original; default: %(default)g",
    )  # fmt: skip
    parser.add_argument(
        "--precision", type=positive(share, "a share above 0 such as 1%", 0.0), default=0.01,
        metavar="SHARE", help="half-width of an interval that is good enough; default: 1%%",
    )  # fmt: skip
    parser.add_argument(
        "--unscaled", action="store_true",
        help="measure on the guests that claims are about, also where that takes long",
    )  # fmt: skip
    parser.add_argument("--output", default="results/claims", metavar="DIR",
                        help="default: %(default)s")  # fmt: skip
    parser.add_argument("--plots", default="plots", metavar="DIR", help="default: %(default)s")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """List claims, or settle them."""
    claims = find_claims(options.names, Path(options.claims))
    if options.action == "list":
        _print_claims(claims)
        return 0
    if options.unscaled:
        claims = tuple(claim.unscaled() for claim in claims)
    return _settle_all(claims, options)


def _settle_all(claims: tuple[Claim, ...], options: argparse.Namespace) -> int:
    out, log = console(), console(stderr=True)
    output = results_folder(options.output)
    settled: list[dict[str, object]] = []
    toolchains: dict[str, dict[str, object]] = {}
    status = 0
    for group in group_claims(claims):
        if missing := _obstacle(group):
            log.print(f"left out: {', '.join(c.name for c in group.claims)}: {missing}")
            continue
        log.print(f"{group.operation} against {group.original}: {len(group.claims)} claims")
        with RunFolder(output / group.name) as folder:
            make_plan = _planner(group, options.precision)
            measured = measure(folder, make_plan, options.budget, resume=False, log=log)
        found = settle(group, read_table(folder.path, SPEEDUPS))
        settled += [dataclasses.asdict(one) for one in found]
        # Written after each group, so that what was measured is there whatever happens next.
        table = pd.DataFrame(settled)
        toolchains |= {made["name"]: made for made in measured.environment["toolchains"]}
        environment = {**measured.environment, "toolchains": list(toolchains.values())}
        write_text(output / ENVIRONMENT, json.dumps(environment, indent=1) + "\n")
        write_text(output / RESULT, str(table.to_csv(index=False, float_format="%.6g")))
        status = max(status, print_end(measured, out, log))
    if settled:
        table = pd.read_csv(output / RESULT)
        _print_settled(table)
        out.print(f"table: {output / RESULT}", soft_wrap=True)
        for picture in save(draw_claims(table), results_folder(options.plots), "claims"):
            out.print(str(picture), soft_wrap=True)
    return status


def _planner(group: Group, precision: float) -> MakePlan:
    def make_plan(base: Path, report: Report) -> Plan:
        with tempfile.TemporaryDirectory(prefix="dirtyscan-") as made:
            request = request_group(group, Path(made), precision, report)
            return prepare(request, base, report)

    return make_plan


def _obstacle(group: Group) -> str:
    """Say why a group cannot be measured here; empty if it can."""
    names = {group.original, *(claim.variant for claim in group.claims)}
    if any(find_variant(name, group.operation).is_rust for name in names):
        return rust_obstacle()
    return ""


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


def _print_settled(rows: pd.DataFrame) -> None:
    """Print what came out, with how the same pair fares on captured traces."""
    table = _table("claim", "on", "claimed", "measured", "95 %", "verdict", "captured")
    number: Callable[[float], str] = format_number
    for row in rows.to_dict("records"):
        half = (row["speedup_high"] / row["speedup_low"]) ** 0.5 - 1
        low, high = row["claimed_low"], row["claimed_high"]
        claimed = f"above {low:g}" if high == float("inf") else format_range(low, high)
        captured = row["captured_low"] == row["captured_low"]
        table.add_row(
            row["claim"],
            Text(row["workload"]),
            claimed,
            number(row["speedup"]),
            f"±{half:.1%}",
            Text(row["verdict"], STYLES.get(row["verdict"], "")),
            format_range(row["captured_low"], row["captured_high"]) if captured else "",
        )
    console().print(table)
    scaled = dict.fromkeys(rows["scaled"].dropna())
    for sentence in scaled:
        console().print(sentence, soft_wrap=True)
