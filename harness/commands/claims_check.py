"""What ``dirtyscan claims check`` measures: variants beside the code that they stand for."""

import argparse
import dataclasses
from pathlib import Path

import pandas as pd
from rich.text import Text

from harness.base.errors import BadInput
from harness.claims.claim import CLAIMS, read_claims
from harness.claims.fidelity import Pair, fidelity, find_pairs, overall, said_of, split_names
from harness.commands.cluster import folder_of_one
from harness.measurement.budget import Budget
from harness.native.manifest import read_manifest
from harness.native.manifest_tables import MANIFEST
from harness.presentation.console import console
from harness.presentation.quiet import quiet_lines
from harness.presentation.table import (
    Column,
    Row,
    Table,
    as_markdown,
    format_short,
    make_table,
    print_table,
    trace_name,
)
from harness.session.session import Ran, Session
from harness.studies import questions

_COLUMNS = (
    Column("variant"),
    Column("upstream"),
    Column("map"),
    Column("ratio", right=True, whole=True),
    Column(
        "95 %", lambda row: f"{format_short(row['low'])}-{format_short(row['high'])}", True, True
    ),
    Column("verdict", whole=True),
)


def run(options: argparse.Namespace) -> int:
    """Compare every pair that was asked for."""
    manifest = read_manifest(Path(options.upstream))
    if manifest is None:
        raise BadInput(
            f"there is no {MANIFEST} in {options.upstream}; write one that says how the real "
            "functions are built ('dirtyscan init' writes an example)."
        )
    known = read_claims(Path(options.claims) if options.claims else CLAIMS)
    claims, names = split_names(options.names, known)
    toolchains = options.toolchain or [claim.toolchain for claim in claims if claim.toolchain]
    pairs = find_pairs(manifest, claims, names)
    out, log = console(), console(stderr=True)
    folder = folder_of_one(options.output)
    budget = Budget.of(options.budget, questions()[options.study].budget)
    session = Session("fidelity", folder, budget, None, out, log)
    found = []
    for number, pair in enumerate(pairs, start=1):
        log.print(Text(f"{pair.variant.name} beside {pair.published} ({number}/{len(pairs)})"))
        request = pair.request(options.precision, tuple(dict.fromkeys(toolchains)))
        rows = _rows(pair, session.run(request, f"{pair.variant.name}-{pair.upstream.name}"))
        if len(rows):
            found.append(rows)
            session.keep(pd.concat(found))
    if not found:
        raise BadInput("nothing came out: see what failed above.")
    if options.format == "markdown":
        print(as_markdown(by_map(pd.concat(found))), end="")
    else:
        table = make_table(_COLUMNS, pd.concat(found))
        notes = (*map(said_of, found), *_said_alone(pd.concat(found)))
        print_table(dataclasses.replace(table, notes=notes), out)
    out.print(f"table: {session.folder / 'fidelity.csv'}", soft_wrap=True)
    return session.status


def by_map(found: pd.DataFrame) -> Table:
    """Return a line for each pair with its ratio on each map, as the documentation has it."""
    lines = []
    for (variant, toolchain, upstream), rows in found.groupby(_PAIR, sort=False):
        cells = {row["map"]: _ratio(row) for row in rows.to_dict("records")}
        named = {"variant": f"{variant} ({toolchain})", "code": upstream}
        lines.append({**named, **cells, "verdict": overall(rows)})
    maps = [Column(name, right=True) for name in dict.fromkeys(found["map"])]
    return make_table((Column("variant"), Column("code"), *maps, Column("verdict")), lines)


_PAIR = ["variant", "toolchain", "upstream"]
_WIDEST = 0.25
"""The half-width from which on a ratio says nothing."""


def _ratio(row: Row) -> str:
    half = float((row["high"] / row["low"]) ** 0.5 - 1)
    return f"{format_short(row['ratio'])} ±{half:.1%}" if half <= _WIDEST else "?"


def _said_alone(found: pd.DataFrame) -> list[str]:
    """Say in how many rounds something slowed the code, and what the others judge."""
    named = {"map": "workload", "ratio": "speedup", "quiet_ratio": "quiet_speedup"}
    pairs = found["variant"] + " beside " + found["upstream"]
    return quiet_lines(found.rename(columns=named).assign(claim=pairs))


def _rows(pair: Pair, ran: Ran) -> pd.DataFrame:
    """Return the rows of ``fidelity.csv`` of one pair, one for each map and toolchain."""
    found = ran.measured.run
    if not found or not found.speedups:
        return pd.DataFrame()
    return pd.DataFrame([_row(pair, row) for row in ran.rows.to_dict("records")])


def _row(pair: Pair, row: Row) -> dict[str, object]:
    low, high, quiet = row["speedup_low"], row["speedup_high"], row["quiet_speedup"]
    return {
        "variant": pair.variant.name,
        "toolchain": row["toolchain"],
        "upstream": pair.published,
        "upstream_toolchain": row["original_toolchain"],
        "operation": pair.variant.operation,
        "map": trace_name(row),
        "guest_memory_bytes": row["guest_memory_bytes"],
        "ratio": row["speedup"],
        "low": low,
        "high": high,
        "upstream_seconds": row["original_seconds"],
        "variant_seconds": row["variant_seconds"],
        "verdict": fidelity(low, high),
        "slowed": row["slowed"],
        "quiet_ratio": quiet,
        "quiet_low": row["quiet_low"],
        "quiet_high": row["quiet_high"],
        "quiet_verdict": "" if pd.isna(quiet) else fidelity(row["quiet_low"], row["quiet_high"]),
    }
