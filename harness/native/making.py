"""Libraries that somebody's own build system makes, when the benchmark runs."""

import functools
import shlex

from harness.base.errors import BadInput
from harness.native.compiler import run_within, shorten
from harness.native.variant import RUST_CONTRACT, VARIANTS, Command, Variant

CONTRACT_PLACES = {
    "DIRTYSCAN_INCLUDE": str(VARIANTS),
    "DIRTYSCAN_RS": str(VARIANTS / RUST_CONTRACT),
}
"""Where a build finds the contract, in its environment: the folder of the C header, and the file
that Rust includes."""
_LIMIT = 600.0
"""Seconds that a build may take."""


def make_library(variant: Variant) -> None:
    """Run the command that makes the file of ``variant``, if it has one, once in this process.

    Raises:
        BadInput: it fails, takes too long, or makes something else.
    """
    if not variant.made_by:
        return
    _run(variant.made_by)
    (library,) = variant.sources
    if not library.is_file():
        raise BadInput(
            f"variant {variant.name}: {variant.made_by.text!r} ended well and there is no "
            f"{library}; mend the command, or name what it makes."
        )


@functools.cache  # one build makes the libraries of several variants
def _run(command: Command) -> None:
    shell = ["/bin/sh", "-c", command.text]
    status, out, said = run_within(_LIMIT, shell, command.folder, **CONTRACT_PLACES)
    what = f"{command.text!r} in {shlex.quote(str(command.folder))}"
    if status is None:
        raise BadInput(f"{what} did not end within {_LIMIT:.0f} s; mend the command.")
    if status:
        raise BadInput(f"{what} fails:{shorten(said or out, status)}")
