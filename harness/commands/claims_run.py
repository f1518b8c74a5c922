"""What ``dirtyscan claims`` lists, and has settled."""

import argparse
import dataclasses
from pathlib import Path

from harness.base.errors import BadInput
from harness.claims.claim import find_claims
from harness.commands.cluster import is_for_hosts, run_on_hosts
from harness.commands.study_run import run_study
from harness.native.manifest import find_manifest
from harness.presentation.console import console
from harness.presentation.table import Column, make_table, print_table
from harness.studies.study import Options

_COLUMNS = (
    Column("claim", "name", whole=True),
    Column("date"),
    Column("pair", lambda row: f"{row['operation']}: {row['original']} to {row['variant']}"),
    Column("claimed", right=True),
    Column("note"),
)


def run(options: argparse.Namespace) -> int:
    """List claims, settle them, or check what they are about."""
    if options.action == "check":
        if not options.upstream:
            raise BadInput("check needs --upstream, the folder with the code; name it.")
        from harness.commands.claims_check import run as check

        return check(options)
    for name in ("upstream", "toolchain"):
        if getattr(options, name):
            raise BadInput(f"--{name} is of 'dirtyscan claims check'; leave it out.")
    if options.claims:
        claims = find_claims(options.names, Path(options.claims))
    else:
        manifest = find_manifest()
        claims = find_claims(options.names, own=manifest.claim_files() if manifest else ())
    if options.action == "run" and is_for_hosts(options):
        return run_on_hosts(options, "claims_run", f"{options.study}.csv")
    if options.action == "list":
        rows = [vars(claim) | {"claimed": claim.claimed} for claim in claims]
        table = dataclasses.replace(make_table(_COLUMNS, rows), fold=True)
        print_table(table, console())
        return 0
    if options.unscaled:
        claims = tuple(claim.unscaled() for claim in claims)
    return run_study(options, Options(claims=claims, precision=options.precision))
