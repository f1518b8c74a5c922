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
    """List them."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("variant", "operation", "map", "year", "what"):
        table.add_column(name)
    toolchain = default_toolchain()
    for variant in built_in_variants(OPERATION).values():
        loaded = load_variant(build_variant(variant, toolchain).path)
        table.add_row(variant.name, loaded.operation, loaded.map, str(loaded.year), loaded.summary)
    console().print(table)
    return 0
