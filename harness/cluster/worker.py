"""What a worker of Dask does for an errand: it starts our command, and tells how far it is."""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any

import dask
from distributed import Worker, get_worker

from harness.base.errors import BadInput
from harness.cluster.errand import Errand, Outcome
from harness.cluster.identity import host_lock
from harness.cluster.process import CommandProcess
from harness.cluster.settings import TIMERS, cpus_apart, pin_all_threads, without_dask

_LOOK_EVERY = 0.5  # seconds
_TELL_EVERY = 5.0  # seconds between two signs of life


def topic(run: str) -> str:
    """Return under what name workers tell how far ``run`` is."""
    return f"dirtyscan-{run}"


def do_errand(errand: Errand) -> Outcome:
    """Do ``errand`` on this host, unless it was done already, and return what became of it.

    However often Dask runs it: what was measured is not measured again.
    """
    worker = get_worker()
    try:
        with host_lock(errand.run) as lock, _quiet(worker), _own_cpu() as cpus:
            return _Watched(worker, errand, lock, cpus).run()
    except BadInput as error:
        return Outcome(2, str(error))


class _Watched:
    """The process of an errand, beside which the worker lives on."""

    def __init__(self, worker: Worker, errand: Errand, lock: int, cpus: set[int]) -> None:
        self._worker = worker
        self._errand = errand
        self._key = str(worker.get_current_task())
        self._told = 0.0
        configured = dask.config.get("distributed.nanny.pre-spawn-environ", {})
        configured = {**configured, **dask.config.get("distributed.nanny.environ", {})}
        environment = without_dask(os.environ, configured)
        self._process = CommandProcess(errand, lock, cpus, environment)

    def run(self) -> Outcome:
        """Wait for the process, and end it if nobody wants its results any more."""
        if done := self._process.done_before():
            return done
        with self._process:
            while not self._process.has_ended(_LOOK_EVERY):
                self._tell(self._process.new_lines())
                if not self._is_wanted():
                    self._process.interrupt()
            self._tell(self._process.new_lines(), ended=True)
            return self._process.outcome()

    def _tell(self, lines: list[str], ended: bool = False) -> None:
        """Send what the command has said, and now and then that it lives."""
        if not (lines or ended) and time.monotonic() - self._told < _TELL_EVERY:
            return
        self._told = time.monotonic()
        message = {
            "worker": self._worker.address,
            "lines": lines,
            "processes": self._process.finished(),
            "ended": ended,
        }
        self._worker.log_event(topic(self._errand.run), message)

    def _is_wanted(self) -> bool:
        """Return whether somebody still waits: the client may have gone, or have given up.

        Dask cannot end what runs in a thread, and forgets the task instead.
        """
        task = self._worker.state.tasks.get(self._key)
        return task is not None and task.state == "executing"


@contextlib.contextmanager
def _quiet(worker: Worker) -> Iterator[None]:
    """Have the worker's timers stopped in the block, whatever it was started with."""
    timers: dict[str, Any] = worker.periodic_callbacks
    running = [timers[name] for name in TIMERS if name in timers and timers[name].is_running()]

    def stop() -> None:
        for timer in running:
            timer.stop()

    def start() -> None:
        for timer in running:
            timer.start()

    worker.loop.add_callback(stop)  # they are the event loop's, which runs in another thread
    try:
        yield
    finally:
        worker.loop.add_callback(start)


@contextlib.contextmanager
def _own_cpu() -> Iterator[set[int]]:
    """Have this process on one CPU in the block, and yield those that are left to measure on."""
    usable = os.sched_getaffinity(0)
    own, others = cpus_apart(usable)
    pin_all_threads(own)
    try:
        yield others
    finally:
        pin_all_threads(usable)
