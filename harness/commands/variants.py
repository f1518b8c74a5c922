"""``dirtyscan variants``: list the variants of an operation."""

import argparse

from rich import box
from rich.table import Table

from harness.build import build_variant
from harness.native import load_variant
from harness.preparation import OPERATION
from harness.table import console
from harness.toolchain import default_toolchain
from harness.variant import built_in_variants


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("variants", help="list the variants of an operation")
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """List them, oldest first."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("variant", "map", "year", "what", "runs here"):
        table.add_column(name)
    toolchain = default_toolchain()
    loaded = {
        variant.name: load_variant(build_variant(variant, toolchain).path)
        for variant in built_in_variants(OPERATION).values()
    }
    for name, variant in sorted(loaded.items(), key=lambda item: item[1].year):
        here = f"no: {variant.obstacle()}" if variant.obstacle() else "yes"
        table.add_row(name, variant.map, str(variant.year), variant.summary, here)
    console().print(table)
    return 0
