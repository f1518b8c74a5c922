"""``dirtyscan variants``: list variants, what compiles them, or where the contract lies."""

import argparse
import dataclasses
import math
from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from harness.base.errors import BadInput
from harness.measurement.choice import recommended_variants
from harness.native.build import build_variant
from harness.native.built_variant import rust_obstacle
from harness.native.dirty_map import ARRAYS
from harness.native.loaded_variant import load_variant
from harness.native.operation import DEFAULT_OPERATION, Operation, find_operation
from harness.native.toolchain import default_toolchain, find_toolchain, toolchain_names
from harness.native.variant import CONTRACT, MACROS, RUST_CONTRACT, VARIANTS, built_in_variants
from harness.presentation.console import console


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "operation", nargs="?", default=DEFAULT_OPERATION, help="default: %(default)s"
    )
    # As for 'dirtyscan bench', where most will have met it.
    parser.add_argument("--operation", dest="named", metavar="OPERATION", help=argparse.SUPPRESS)
    parser.add_argument(
        "--contract",
        action="store_true",
        help="print where the files lie that a variant includes: for C the folder of "
        f"{CONTRACT} and {MACROS}, for Rust {RUST_CONTRACT}, which is DIRTYSCAN_RS",
    )
    parser.add_argument(
        "--toolchains",
        action="store_true",
        help="list the toolchains instead, with their flags and versions",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """List them by representation, oldest first; or the toolchains, or paths, one a line."""
    out = console()
    if options.toolchains:
        out.print(toolchain_table())
        return 0
    if options.contract:
        for name in (CONTRACT, MACROS, RUST_CONTRACT):
            out.print(str(VARIANTS / name), soft_wrap=True)
        return 0
    operation = find_operation(options.named or options.operation)
    best = recommended_variants(operation.name)
    rows = sorted(
        (*_variants(operation.name), *_peers(operation)),
        key=lambda row: row.year or math.inf,
    )
    for kind in ARRAYS:
        table = Table(
            title=kind, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0)
        )
        for name in ("variant", "year", "needs", "what"):
            table.add_column(name, no_wrap=name in ("variant", "year"), overflow="fold")
        for row in (row for row in rows if row.map == kind):
            name = f"{row.name} *" if row.name in best else row.name
            table.add_row(name, str(row.year or ""), row.needs, Text(row.what))
        if table.row_count:
            out.print(table)
            out.print()
    out.print("* recommended for its representation on this machine")
    return 0


def toolchain_table() -> Table:
    """Return a line for every toolchain: its flags and compiler, or what it needs."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("toolchain", no_wrap=True)
    table.add_column("flags")
    table.add_column("compiler")
    for name in toolchain_names():
        try:
            found = find_toolchain(name)
        except BadInput as error:
            table.add_row(name, "", f"({str(error).removeprefix(f'toolchain {name} ')})")
            continue
        table.add_row(name, " ".join(found.flags), found.version)
    return table


@dataclasses.dataclass(frozen=True)
class _Row:
    name: str
    map: str
    year: int
    """0 where it is not known, since the variant cannot be compiled here."""
    needs: str
    what: str


def _variants(operation: str) -> Iterator[_Row]:
    toolchain = default_toolchain()
    for name, variant in built_in_variants(operation).items():
        if variant.is_rust and (missing := rust_obstacle()):
            yield _Row(name, "bitmap", 0, "rustc", f"in Rust (does not run here: {missing})")
            continue
        found = load_variant(build_variant(variant, toolchain).path).description
        paid = f"; paid in {found.paid_in}" if found.paid_in else ""
        what = found.summary + paid + _not_here(found.obstacle())
        yield _Row(name, found.map, found.year, " ".join(found.requires), what)


def _peers(operation: Operation) -> Iterator[_Row]:
    for peer in operation.peers.values():
        what = peer.summary + _not_here(peer.obstacle())
        yield _Row(peer.name, peer.map, peer.year, f"Python's {peer.package}", what)


def _not_here(obstacle: str) -> str:
    return f" (does not run here: {obstacle})" if obstacle else ""
