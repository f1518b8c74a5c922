"""Whether the engine that measures on many hosts changes what is measured."""

import dataclasses
import importlib.util
import math
import os
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.processes import module_command, module_environment
from harness.results.result import SPEEDUPS, read_table
from workloads.synthesis import Report

AGREEMENT = 0.005
"""How far ratios with and without the engine may lie apart."""
_BENCH = ("bench", "--quick", "--condition", "cond1", "--origin", "synthetic")


@dataclasses.dataclass(frozen=True)
class Ratio:
    """One ratio, measured by itself and by the engine."""

    variant: str
    workers: int
    """That measured at once."""
    without: tuple[float, ...]
    """In each run."""
    within: tuple[float, ...]
    """In each run, of each worker."""

    @property
    def apart(self) -> float:
        """How far the geometric means lie apart, as a share."""
        return math.exp(_mean_log(self.within) - _mean_log(self.without)) - 1

    @property
    def uncertain(self) -> float:
        """The standard error of :attr:`apart`; NaN of a single run."""
        if len(self.without) < 2:
            return math.nan
        sides = [[math.log(value) for value in side] for side in (self.without, self.within)]
        return math.sqrt(sum(statistics.variance(side) / len(side) for side in sides))

    @property
    def agrees(self) -> bool:
        """Whether they lie within what is let pass."""
        return abs(self.apart) <= AGREEMENT


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
    rows = read_table(folder, SPEEDUPS)
    return dict(zip(rows["variant"], rows["speedup"], strict=True))


def _mean_log(values: tuple[float, ...]) -> float:
    return statistics.fmean(map(math.log, values))
