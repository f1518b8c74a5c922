"""One process: guests that write maps in turns, and what the kernel takes to say so, checked."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.base.files import replacing
from harness.kernel.guest import Guest, Words, load_guest_library, make_memory, running
from harness.kernel.method import Method, find_methods, obstacle

Seconds = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Job:
    """What a process is to do."""

    library: str
    """The path of the compiled guest."""
    methods: tuple[str, ...]
    pages: int
    """Of guest memory."""
    maps: str
    """The path of a .npy file of what the guest writes, uint64 (maps, words)."""
    rounds: int
    seed: int
    """Of the orders in which maps are written and methods asked."""
    populate: bool = False
    """Whether all of memory is there before tracking starts, and not what the maps need alone."""


@dataclasses.dataclass(frozen=True)
class Replayed:
    """What a process found; seconds, NaN for methods that cannot be used."""

    sync: Seconds
    """From the kernel to a bitmap, (rounds, methods, maps)."""
    faulting: Seconds
    """Of the guest that writes a map whose pages are protected, likewise."""
    repeated: Seconds
    """Of the guest that writes the same once more, which the kernel need not see, likewise."""
    touching: Seconds
    """Of its first writes of all, (methods,); of so many pages as ``prepared`` says."""
    first: Seconds
    """Of its first writes after the start, of the same pages, (methods,)."""
    start: Seconds
    """Of starting to track, (methods,)."""
    stop: Seconds
    prepared: int
    failures: tuple[str, ...]
    """A sentence for each method that cannot be used, and empty for the others."""


def write_replayed(path: Path, replayed: Replayed) -> None:
    """Write it to ``path``, whole or not at all."""
    fields: dict[str, Any] = dataclasses.asdict(replayed)
    with replacing(path) as file:
        np.savez(file, **fields)


def read_replayed(path: Path) -> Replayed:
    """Read what :func:`write_replayed` wrote."""
    with np.load(path, allow_pickle=False) as found:
        fields: dict[str, Any] = {name: found[name] for name in found.files}
    fields["prepared"] = int(fields["prepared"])
    fields["failures"] = tuple(map(str, fields["failures"]))
    return Replayed(**fields)


def replay(job: Job, index: int) -> Replayed:
    """Do what a job says, as process ``index`` of those that do."""
    # A vCPU that moves takes its caches along with no map.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    methods, maps = find_methods(job.methods), np.load(job.maps, allow_pickle=False)
    return _Replay(job, methods, maps).run(np.random.default_rng([job.seed, index]))


class _Replay:
    """The guests of one process, those of KVM over the same memory."""

    def __init__(self, job: Job, methods: Sequence[Method], maps: NDArray[np.uint64]) -> None:
        self._job, self._methods, self._maps = job, methods, maps
        self._full = full_map(job.pages)
        self._prepared = self._full if job.populate else np.bitwise_or.reduce(maps, axis=0)
        self._found = np.zeros_like(self._full)
        self._failures = [""] * len(methods)
        self._alone: dict[str, Seconds] = {
            name: np.full(len(methods), np.nan) for name in ("touching", "first", "start", "stop")
        }
        shape = (job.rounds, len(methods), len(maps))
        self._each = {name: np.full(shape, np.nan) for name in ("sync", "faulting", "repeated")}

    def run(self, random: np.random.Generator) -> Replayed:
        """Make the guests in an order drawn anew (the first may be better off), and run them."""
        library = load_guest_library(Path(self._job.library))
        shared = make_memory(library, self._job.pages)
        with contextlib.ExitStack() as stack:
            guests: dict[int, Guest] = {}
            for place in random.permutation(len(self._methods)).tolist():
                method = self._methods[place]
                with self._failing(place):
                    if why := obstacle(method):
                        raise BadInput(f"{method.name}: {why}.")
                    own = method.in_process
                    memory = make_memory(library, self._job.pages) if own else shared
                    made = running(library, method, memory, self._job.pages)
                    guests[place] = stack.enter_context(made)
                    self._prepare(place, guests[place])
            for turn in range(self._job.rounds):
                for number in random.permutation(len(self._maps)).tolist():
                    for place in random.permutation(len(self._methods)).tolist():
                        with self._failing(place):
                            if not self._failures[place]:
                                self._time(place, guests[place], (turn, place, number))
            for place, guest in guests.items():
                with self._failing(place):
                    if not self._failures[place]:
                        self._alone["stop"][place] = guest.stop()
        prepared = int(np.bitwise_count(self._prepared).sum(dtype=np.int64))
        failures = tuple(self._failures)
        return Replayed(**self._each, **self._alone, prepared=prepared, failures=failures)

    @contextlib.contextmanager
    def _failing(self, place: int) -> Iterator[None]:
        try:
            yield
        except BadInput as error:
            self._failures[place] = str(error)

    def _prepare(self, place: int, guest: Guest) -> None:
        """Start to track a guest whose memory is there, and check what it says of every map."""
        alone = self._alone
        alone["touching"][place] = guest.write(self._prepared)
        alone["start"][place] = guest.start()
        at_first = self._full if self._methods[place].starts_full else np.zeros_like(self._full)
        self._sync(place, guest, at_first)
        alone["first"][place] = guest.write(self._prepared)
        self._sync(place, guest, self._prepared)
        for map_ in self._maps:
            guest.write(map_)
            self._sync(place, guest, map_)

    def _time(self, place: int, guest: Guest, at: tuple[int, int, int]) -> None:
        map_ = self._maps[at[-1]]
        self._each["faulting"][at] = guest.write(map_)
        self._each["repeated"][at] = guest.write(map_)
        self._each["sync"][at] = self._sync(place, guest, map_)

    def _sync(self, place: int, guest: Guest, right: Words) -> float:
        """Sync and return the seconds, if what comes out is ``right``."""
        seconds = guest.sync(self._found)
        if wrong := difference(self._found, right):
            raise BadInput(f"{self._methods[place].name} {wrong}.")
        return seconds


def full_map(pages: int) -> Words:
    """Return the bitmap of a guest all of whose pages are dirty."""
    bits = np.ones(-(-pages // 64) * 64, np.uint8)
    bits[pages:] = 0
    return np.packbits(bits, bitorder="little").view(np.uint64)


def difference(found: Words, right: Words) -> str:
    """Say what a sync has wrong; empty if it is right."""
    words = np.flatnonzero(found != right)
    if not len(words):
        return ""
    word = int(words[0])
    wrong = int(found[word] ^ right[word])
    bit = (wrong & -wrong).bit_length() - 1
    said = "dirty" if int(found[word]) >> bit & 1 else "clean"
    return f"gives page {64 * word + bit} as {said} where it is not"
