"""One process that runs guests: does its job, and leaves what it found in a file."""

import sys
from collections.abc import Sequence
from pathlib import Path

from harness.base.documents import decode_json
from harness.base.processes import end_with_parent
from harness.kernel.replay import Job, replay, write_replayed


def main(arguments: Sequence[str]) -> int:
    """Run one process: ``PARENT JOB INDEX RESULT``."""
    parent, job, index, result = arguments
    end_with_parent(int(parent))
    found = replay(decode_json(Path(job).read_bytes(), Job), int(index))
    write_replayed(Path(result), found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
