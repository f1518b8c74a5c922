"""``dirtyscan``, and ``python -m harness``."""

import sys


def run() -> int:
    """Run the command line; Ctrl-C while it is still being loaded is no error either."""
    try:
        from harness.cli import main

        return main()
    except KeyboardInterrupt:
        print("dirtyscan: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(run())
