"""A command on a host of a cluster, which is told in a file what to do, and ends with its parent.

``harness.cluster`` starts it; what it measures, shows and writes is what the same command does
that somebody types there.
"""

import argparse
import importlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.base.processes import end_with_parent
from harness.cli import run_guarded

_INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Run the command in ``PARENT FILE``, which :mod:`harness.cluster.errand` has described."""
    parent, path = arguments
    end_with_parent(int(parent))
    # Whoever started the worker may have had interrupts ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    given = json.loads(Path(path).read_text(encoding="utf-8"))
    os.sched_setaffinity(0, given["cpus"])
    command = importlib.import_module(f"harness.commands.{given['module']}")
    options = argparse.Namespace(**given["options"])
    try:
        return run_guarded(lambda: int(command.run(options)))
    except KeyboardInterrupt:
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
