"""Measuring the kernel's part of a tick: processes one after the other, until it is precise enough.

As with every operation: what is compared takes turns on the same map in each process, and the
interval comes from the processes. There is no placement to vary: the code is the kernel's.
"""

import dataclasses
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.base.processes import describe_status, module_command, module_environment
from harness.base.units import format_size
from harness.kernel.guest import LARGEST, PAGE_SIZE
from harness.kernel.method import Method, obstacle
from harness.kernel.replay import Job, Replayed, Seconds, read_replayed
from harness.measurement.tell import Tell
from harness.native.build import build_guest
from harness.native.toolchain import default_toolchain
from harness.statistics.interval import Interval, confidence_interval, process_log_speedup

MIN_PROCESSES = 8
ROUNDS = 9
_KEPT_PER_PAGE = 40  # bytes: KVM's reverse map and page tables, and the guest's code
_NOTHING = "the kernel can be asked in none of these ways: {}"
_LIMIT = 600.0  # seconds after which a process is taken to hang


@dataclasses.dataclass(frozen=True)
class Replays:
    """What all processes found."""

    methods: tuple[Method, ...]
    """Those that can be used here."""
    left_out: tuple[str, ...]
    """A sentence for each of the others."""
    processes: tuple[Replayed, ...]
    """Of their methods, in this order."""

    def seconds(self, part: str, method: int) -> Interval:
        """Return how long what is done once takes: a field of ``Replayed`` that is (methods,)."""
        return _interval([float(getattr(one, part)[method]) for one in self.processes])

    def typical(self, part: str, method: int, maps: Sequence[int]) -> Interval:
        """Return how long a field of ``Replayed`` that each map has takes on the mean of ``maps``.

        Of each map and process it is the median of the rounds.
        """
        return _interval([_mean(getattr(one, part), method, maps) for one in self.processes])

    def tax(self, method: int, maps: Sequence[int]) -> Interval:
        """Return what the guest pays for being tracked: its writes, less the same that nobody sees.

        Where that is too little to be told from nothing, it is a nanosecond.
        """
        extra = (
            _mean(one.faulting, method, maps) - _mean(one.repeated, method, maps)
            for one in self.processes
        )
        return _interval([max(seconds, 1e-9) for seconds in extra])

    def speedup(self, method: int, maps: Sequence[int]) -> Interval:
        """Return the speedup of the syncs of some maps together against the first method's."""
        chosen = list(maps)
        logs = [
            process_log_speedup(one.sync[:, None, 0, chosen], one.sync[:, None, method, chosen])
            for one in self.processes
        ]
        return confidence_interval(logs)

    def start_speedup(self, method: int) -> Interval:
        """Return the speedup of the start against the first method's."""
        return confidence_interval(
            [float(np.log(one.start[0] / one.start[method])) for one in self.processes]
        )

    def half_width(self) -> float:
        """Return that of the least precise sync; infinite if there is none."""
        maps = self.processes[0].sync.shape[-1] if self.processes else 0
        widths = [
            self.typical("sync", method, [map_]).half_width
            for method in range(len(self.methods)) for map_ in range(maps)
        ]  # fmt: skip
        return max(widths, default=float("inf"))


def _interval(seconds: Sequence[float]) -> Interval:
    return confidence_interval([float(np.log(one)) for one in seconds])


def _mean(each: Seconds, method: int, maps: Sequence[int]) -> float:
    return float(np.median(each[:, method, list(maps)], axis=0).mean())


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What is to be measured, and how well."""

    methods: tuple[Method, ...]
    pages: int
    """Of guest memory."""
    maps: NDArray[np.uint64]
    """What the guest writes, (maps, words)."""
    seed: int
    precision: float = 0.01
    """The half-width of an interval, as a share of the value, that is good enough."""
    budget: float = 60.0
    """Seconds that it takes at most, unless two processes take longer."""
    rounds: int = ROUNDS
    processes: int = MIN_PROCESSES
    populate: bool = False
    """See :class:`~harness.kernel.replay.Job`."""


def measure(wanted: Wanted, tell: Tell) -> Replays:
    """Measure until it is precise enough, or the time is spent.

    Raises:
        BadInput: none of the methods can be used here, or a process dies.
    """
    if wanted.pages * PAGE_SIZE > LARGEST:
        raise BadInput(
            f"a guest of {format_size(wanted.pages * PAGE_SIZE)} is larger than ours can be; give "
            f"at most {format_size(LARGEST)}."
        )
    _check_fits(wanted)
    lacking = [f"{method.name}: {why}." for method in wanted.methods if (why := obstacle(method))]
    if len(lacking) == len(wanted.methods):
        raise BadInput(_NOTHING.format(" ".join(lacking)))
    began = time.monotonic()
    found: list[Replayed] = []
    with tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch:
        job = _write_job(wanted, Path(scratch))
        while True:
            found.append(_run(job, len(found), Path(scratch)))
            usable = _usable(wanted, found)
            replays = _replays(wanted, found, usable)
            if not usable:
                raise BadInput(_NOTHING.format(" ".join(replays.left_out)))
            elapsed = time.monotonic() - began
            longest = elapsed / len(found)
            what = f"running guests, {len(found)} processes"
            tell(what, elapsed, max(wanted.budget, elapsed), "s")
            if len(found) >= wanted.processes and replays.half_width() <= wanted.precision:
                return replays
            if len(found) >= 2 and elapsed + longest > wanted.budget:
                return replays


def _check_fits(wanted: Wanted) -> None:
    """Check that this machine can hold what the guests write.

    Raises:
        BadInput: it cannot.
    """
    written = np.bitwise_count(np.bitwise_or.reduce(wanted.maps, axis=0)).sum(dtype=np.int64)
    pages = wanted.pages if wanted.populate else int(written)
    # KVM's guests share their memory; a process that is tracked itself has its own.
    memories = len({method.in_process for method in wanted.methods})
    bookkeeping = _KEPT_PER_PAGE * wanted.pages * len(wanted.methods)
    needed = pages * PAGE_SIZE * memories + bookkeeping
    available = psutil.virtual_memory().available
    if needed > available:
        raise BadInput(
            f"guests of {format_size(wanted.pages * PAGE_SIZE)} that write {pages} pages need "
            f"{needed // 2**20}MiB and this machine has {available // 2**20}MiB free; give less "
            "--guest-memory, or fewer ways of asking."
        )


def _usable(wanted: Wanted, found: Sequence[Replayed]) -> list[int]:
    places = range(len(wanted.methods))
    return [place for place in places if not any(one.failures[place] for one in found)]


def _replays(wanted: Wanted, found: Sequence[Replayed], usable: list[int]) -> Replays:
    said = dict.fromkeys(why for one in found for why in one.failures if why)
    return Replays(
        tuple(wanted.methods[place] for place in usable),
        tuple(said),
        tuple(_chosen(one, usable) for one in found),
    )


def _chosen(one: Replayed, usable: list[int]) -> Replayed:
    return dataclasses.replace(
        one,
        sync=one.sync[:, usable],
        faulting=one.faulting[:, usable],
        repeated=one.repeated[:, usable],
        touching=one.touching[usable],
        first=one.first[usable],
        start=one.start[usable],
        stop=one.stop[usable],
        failures=(),
    )


def _write_job(wanted: Wanted, scratch: Path) -> Path:
    maps = scratch / "maps.npy"
    np.save(maps, wanted.maps, allow_pickle=False)
    job = Job(
        str(build_guest(default_toolchain()).path),
        tuple(method.name for method in wanted.methods),
        wanted.pages,
        str(maps),
        wanted.rounds,
        wanted.seed,
        wanted.populate,
    )
    path = scratch / "job.json"
    path.write_text(json.dumps(dataclasses.asdict(job)), encoding="utf-8")
    return path


def _run(job: Path, index: int, scratch: Path) -> Replayed:
    result = scratch / f"{index}.npz"
    arguments = [str(os.getpid()), str(job), str(index), str(result)]
    command = module_command("harness.kernel.process", *arguments)
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            env=module_environment(), timeout=_LIMIT,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BadInput(
            f"a process with guests did not end within {_LIMIT:g} s; give them less memory, or "
            "fewer dirty pages."
        ) from None
    if done.returncode or not result.exists():
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        how = describe_status(done.returncode)
        raise BadInput(
            f"a process with guests ended with {how} ({said}); if this host is short of memory, "
            "give them less."
        )
    return read_replayed(result)
