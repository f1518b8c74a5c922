"""Settings of Dask under which it neither disturbs a measurement nor repeats it."""

import os
from collections.abc import Mapping
from typing import Any

SETTINGS: Mapping[str, Any] = {
    # Each is a thread or a timer that wakes up between two readings of our clock: by default every
    # 10, 20, 500 and 1 ms. https://github.com/dask/distributed/issues/2156 has what they take.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "10s",
    "distributed.admin.tick.cycle": "60s",
    "distributed.admin.tick.limit": "120s",
    "distributed.admin.system-monitor.interval": "60s",
    "distributed.admin.system-monitor.gil.enabled": False,
    # A measurement is of one host, and to be made once. A worker that was lost is named instead.
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.worker-ttl": "30 minutes",
    # What these set is handed on to every process below, and would decide what fresh memory costs.
    "distributed.nanny.pre-spawn-environ": {},
}
"""For schedulers and workers that dirtyscan starts; ``docs/examples/dask.yaml`` is for others.

Where workers run without them, an errand stops the timers for as long as it lasts.
"""

TIMERS = ("profile", "profile-cycle", "monitor", "tick", "ticks", "memory_monitor", "find-missing")
"""The timers of a worker that an errand stops; its heartbeat goes on."""

_SET_BY_NANNY = (
    "MALLOC_TRIM_THRESHOLD_",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
)
"""What a nanny sets by default, before the worker is there to be asked."""


def without_dask(environment: Mapping[str, str], configured: Mapping[str, Any]) -> dict[str, str]:
    """Return ``environment`` without what Dask has put into it.

    Args:
        configured: what the nanny was told to set, beside what it sets by default.
    """
    theirs = {*_SET_BY_NANNY, *configured}
    return {
        name: value
        for name, value in environment.items()
        if name not in theirs and not name.startswith(("DASK_", "DISTRIBUTED_"))
    }


def cpus_apart(usable: set[int]) -> tuple[set[int], set[int]]:
    """Return the CPUs that a worker, and what it has started to measure, are to run on.

    They share one only if there is no other.
    """
    if len(usable) < 2:
        return usable, usable
    own = min(usable)
    return {own}, usable - {own}


def pin_all_threads(cpus: set[int]) -> None:
    """Have every thread of this process run on ``cpus``."""
    for thread in os.listdir("/proc/self/task"):  # noqa: PTH208 (numbers, and no paths)
        try:
            os.sched_setaffinity(int(thread), cpus)
        except ProcessLookupError:
            continue  # it has ended
