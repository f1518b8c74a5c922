"""Whether the engine that measures on many hosts changes what is measured."""

import dataclasses
import enum
import importlib.util
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from harness.base.errors import BadInput
from harness.base.processes import module_command, module_environment
from harness.results.result import SPEEDUPS, read_table
from harness.statistics.interval import Interval, confidence_interval
from workloads.synthesis import Report

AGREEMENT = 0.005
"""How far ratios with and without the engine may lie apart."""
_BENCH = ("bench", "--quick", "--condition", "cond1", "--origin", "synthetic")


class Agreement(enum.Enum):
    """What can be said of two ratios."""

    AGREE = "they agree"
    DIFFER = "they do not agree"
    UNDECIDED = "it is undecided whether they agree"


@dataclasses.dataclass(frozen=True)
class Ratio:
    """One ratio, measured by itself and by the engine, in turn."""

    variant: str
    workers: int
    """That measured at once."""
    without: tuple[float, ...]
    """In each run."""
    within: tuple[float, ...]
    """In each run, of each worker: those of a run follow each other."""

    @property
    def apart(self) -> Interval:
        """What the engine's ratio is of the one without, with its 95 % interval over the runs.

        A run with the engine is compared with the one beside it, which has seen the same machine.
        """
        workers = len(self.within) // len(self.without)
        logs = np.log(self.within).reshape(-1, workers).mean(axis=1) - np.log(self.without)
        return confidence_interval(logs.tolist())

    @property
    def agreement(self) -> Agreement:
        """Whether they lie within what is let pass, as far as the runs can say."""
        apart = self.apart
        if apart.low >= 1 - AGREEMENT and apart.high <= 1 + AGREEMENT:
            return Agreement.AGREE
        if apart.high < 1 - AGREEMENT or apart.low > 1 + AGREEMENT:
            return Agreement.DIFFER
        return Agreement.UNDECIDED


def compare_with_engine(runs: int, report: Report) -> tuple[Ratio, ...]:
    """Measure the original against itself and multi_page, alternately without and with workers.

    First with one worker, with Dask's own settings and a nanny, as anybody would start it; then, if
    there are two CPUs, with two at once that have one each.

    Raises:
        BadInput: Dask is not here, or a run fails.
    """
    if importlib.util.find_spec("distributed") is None:
        raise BadInput(
            "this compares with a worker of Dask, which is not here; install dirtyscan with its "
            "extra cluster ('pip install dirtyscan[cluster]')."
        )
    usable = sorted(os.sched_getaffinity(0))
    ways: list[Sequence[int]] = [(), usable[:2]] if len(usable) > 1 else [()]
    ratios: list[Ratio] = []
    for place, cpus in enumerate(ways):

        def told(number: int) -> None:
            report("runs of each", place * runs + number, len(ways) * runs)  # noqa: B023

        found = _alternately(runs, cpus, told)
        ratios += (
            Ratio(variant, len(cpus) or 1, tuple(sides[False]), tuple(sides[True]))
            for variant, sides in found.items()
        )
    return tuple(ratios)


def _alternately(
    runs: int, cpus: Sequence[int], told: Callable[[int], None]
) -> dict[str, dict[bool, list[float]]]:
    """Return the speedup of each run, by variant and whether an engine measured.

    Args:
        told: is told how many runs are done.
    """
    from harness.cluster.local import local_workers

    found: dict[str, dict[bool, list[float]]] = {}
    with tempfile.TemporaryDirectory(prefix="dirtyscan-") as name:
        scratch = Path(name)
        with local_workers(scratch, cpus) as address:
            for number in range(runs):
                # Whichever comes first has the machine as the round before has left it.
                for engine in (False, True) if number % 2 else (True, False):
                    output = scratch / f"{number}-{engine}"
                    options = [*_BENCH, "--seed", str(number), "--output", str(output)]
                    cluster = ["--cluster", address] if engine else []
                    _run([*options, *cluster], scratch)
                    folders = _folders(output, len(cpus) or 1) if engine else [output]
                    for folder in folders:
                        for variant, speedup in _speedups(folder).items():
                            sides = found.setdefault(variant, {False: [], True: []})
                            sides[engine].append(speedup)
                told(number + 1)
    return found


def _run(options: list[str], folder: Path) -> None:
    done = subprocess.run(
        module_command("harness", *options),
        cwd=folder,
        env=module_environment(os.environ),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise BadInput(said.removeprefix("dirtyscan: "))


def _folders(output: Path, hosts: int) -> list[Path]:
    folders = [path.parent for path in output.glob(f"*/{SPEEDUPS}")]
    if len(folders) != hosts:
        raise BadInput(f"{hosts} hosts measured and gave {len(folders)} results; see {output}.")
    return folders


def _speedups(folder: Path) -> Mapping[str, float]:
    """Return what a run gives, of the rounds that no neighbour slowed where it slowed many.

    One that comes and goes would be taken for the engine.
    """
    rows = read_table(folder, SPEEDUPS)
    quiet = rows["quiet_speedup"]
    return dict(zip(rows["variant"], quiet.where(quiet.notna(), rows["speedup"]), strict=True))
