"""``dirtyscan``, and ``python -m harness``."""

import contextlib
import os
import sys


def run() -> int:
    """Run the command line; Ctrl-C while it is still being loaded is no error either."""
    _have_streams()
    try:
        from harness.cli import main

        return main()
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):  # nobody may listen
            print("dirtyscan: interrupted", file=sys.stderr)
        return 130


def _have_streams() -> None:
    """Put nothing in the place of closed standard streams.

    The next file that is opened would take their number, and be written to by who means them.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


if __name__ == "__main__":
    sys.exit(run())
