"""The options for random maps: how many pages are dirty, and how they lie."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from harness.base.errors import BadInput
from harness.base.text import shortened
from harness.base.units import parse_share
from harness.commands.options import workload_memory
from workloads.guest import MAX_PAGES

if TYPE_CHECKING:
    from harness.measurement.request import Draft

T = TypeVar("T")


def add_random_maps(parser: argparse.ArgumentParser, what: str) -> None:
    """Add which random maps are measured; ``what`` goes on the help."""
    parser.add_argument(
        "--density",
        action="extend",
        type=_several(_density, "a share of pages from 0 to 1 such as 0.1 or 10%"),
        default=[],
        metavar="SHARE",
        help=f"random maps in which this share of pages is dirty, {what}; also several, with "
        "commas between them",
    )
    parser.add_argument(
        "--run",
        action="extend",
        type=_several(_run, "a whole number of pages above 0"),
        default=[],
        metavar="PAGES",
        dest="runs",
        help="every run of dirty pages in these maps has so many; default: each page is dirty or "
        "not whatever the others are",
    )


def random_maps(options: argparse.Namespace) -> "tuple[Draft, ...]":
    """Return the traces of random maps that :func:`add_random_maps` was asked for.

    Raises:
        BadInput: there are no such maps, or a run is given without a density.
    """
    from harness.measurement.request import random_traces

    if options.runs and not options.density:
        raise BadInput(
            "--run says how the dirty pages of random maps lie, and none are asked for; give their "
            "--density too, or leave it out."
        )
    return random_traces(options.density, options.runs, workload_memory(options), options.seed)


def _density(text: str) -> float:
    """Read a share from 0 to 1."""
    found = parse_share(text)
    if not 0 <= found <= 1:
        raise ValueError
    return found


def _run(text: str) -> int:
    """Read a number of pages."""
    found = int(text)
    if not 0 < found <= MAX_PAGES:
        raise ValueError
    return found


def _several(convert: Callable[[str], T], what: str) -> Callable[[str], tuple[T, ...]]:
    """Return a reader of option values with commas between them."""

    def read(text: str) -> tuple[T, ...]:
        try:
            return tuple(map(convert, text.split(",")))
        except ValueError:
            raise argparse.ArgumentTypeError(f"{shortened(text)!r} is not {what}") from None

    return read
