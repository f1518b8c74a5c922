"""One measuring process: does its part of a plan, and says at its very end how it ended."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.processes import end_with_parent
from harness.measurement.astray import Astray
from harness.measurement.ending import Ending, Kind, write_ending
from harness.measurement.plan import Plan
from harness.measurement.samples import Samples, read_samples, write_samples
from harness.measurement.samples_folder import SamplesFolder
from harness.measurement.worker import VariantFailed, Worker
from harness.native.place import shared_place
from harness.native.stopwatch import StartsProcess


def calibrated_calls(samples: Samples) -> dict[str, int]:
    """Return what :meth:`Worker.check_and_calibrate` found, by benchmark name."""
    return {
        benchmark.get_name(): int(benchmark.get_metadata()["calibrate_loops"])
        for benchmark in samples.suite
    }


def main(arguments: Sequence[str]) -> int:
    """Run one process: ``PARENT PLAN FOLDER INDEX [TRACE...]``; index 0 checks and calibrates.

    Paths are absolute, as a variant may change the folder.
    """
    parent, plan_path, name, index, *keys = arguments
    folder, process = SamplesFolder(Path(name)), os.getpid()
    end_with_parent(int(parent))
    try:
        _measure(Path(plan_path), folder, int(index), keys)
        ending = Ending(Kind.DONE)
    except BadInput as error:
        ending = Ending(Kind.REFUSED, str(error))
    except VariantFailed:
        ending = Ending(Kind.FAILED)
    except Exception as error:
        ending = Ending(Kind.BROKEN, f"{type(error).__name__}: {error}")
    if os.getpid() != process:
        os._exit(0)  # a process that a variant has started speaks for nobody
    write_ending(folder.ending, ending)
    return 0


def _measure(plan_path: Path, folder: SamplesFolder, index: int, keys: Sequence[str]) -> None:
    """Do what the plan says for process ``index``, and write its samples."""
    plan = Plan.from_json(plan_path.read_text(encoding="utf-8"))
    process = os.getpid()
    with shared_place(folder.place) as place:
        worker = Worker(plan, plan_path.parent, index, Astray(plan, folder), place)
        try:
            if index == 0:
                samples = worker.check_and_calibrate()
            else:
                calls = calibrated_calls(read_samples(folder.process(0)))
                samples = worker.measure(calls, keys)
        except StartsProcess:
            worker.blame_for_process()
            raise VariantFailed from None
    if os.getpid() == process:
        write_samples(folder.process(index), samples)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
