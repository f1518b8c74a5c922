"""The state of the machine: what disturbs a measurement, and how to mend it."""

import dataclasses
import os
import resource
import time
from pathlib import Path

import psutil

from harness.machine.cpu import read_line

_CPU = Path("/sys/devices/system/cpu")

# From here on a run is called disturbed. Pairing keeps ratios right far beyond both (see
# docs/statistics.md); seconds, and so comparisons between runs, suffer earlier.
OTHERS_SHARE = 0.10  # of one CPU, used by other programs while measuring
STEAL_SHARE = 0.01  # of the time of all CPUs, taken by the hypervisor
# Of this one ratios do suffer: what a neighbour on the core takes depends on the code.
SLOWED_SHARE = 0.10  # of the rounds over a trace


@dataclasses.dataclass(frozen=True)
class Fact:
    """One thing about the machine that matters to a measurement."""

    name: str
    state: str
    good: bool
    effect: str
    remedy: str
    """A command, or what to do; empty where the state is good."""


def inspect_machine() -> list[Fact]:
    """Return everything that can be seen, good or not."""
    return [
        _load(),
        _governor(),
        _turbo(),
        _siblings(),
        _steal(),
        _throttling(),
        _affinity(),
        _isolated(),
        _clock(),
        _address_layout(),
    ]


def _load() -> Fact:
    load = os.getloadavg()[0]
    return Fact(
        "load", f"{load:.2f} over the last minute", load < 0.5,
        "other programs take turns on the CPUs and empty the caches",
        "stop other programs, or wait",
    )  # fmt: skip


def _governor() -> Fact:
    state = read_line(_CPU / "cpu0/cpufreq/scaling_governor")
    return Fact(
        "governor", state or "not visible (a virtual machine, or no frequency scaling)",
        state in ("performance", ""),
        "the clock frequency follows the load, so the first calls are slow",
        "python -m pyperf system tune",
    )  # fmt: skip


def _turbo() -> Fact:
    no_turbo = read_line(_CPU / "intel_pstate/no_turbo")
    boost = read_line(_CPU / "cpufreq/boost")
    on = no_turbo == "0" or boost == "1"
    visible = bool(no_turbo or boost)
    return Fact(
        "turbo", ("on" if on else "off") if visible else "not visible", not on,
        "the clock frequency depends on temperature and on what the other cores do",
        "python -m pyperf system tune",
    )  # fmt: skip


def _siblings() -> Fact:
    listed = read_line(_CPU / "cpu0/topology/thread_siblings_list")
    shared = "," in listed or "-" in listed
    return Fact(
        "SMT siblings", f"CPU {listed} share a core" if shared else "none visible", not shared,
        "a program on the sibling takes part of the core's units and caches",
        "echo off | sudo tee /sys/devices/system/cpu/smt/control",
    )  # fmt: skip


def _steal() -> Fact:
    times = psutil.cpu_times()
    share = getattr(times, "steal", 0.0) / max(sum(times), 1e-9)
    return Fact(
        "steal time", f"{share:.2%} since boot", share < STEAL_SHARE,
        "the hypervisor runs other guests while this one believes that it runs",
        "use a machine, or a guest, with CPUs of its own",
    )  # fmt: skip


def _throttling() -> Fact:
    counters = sorted(_CPU.glob("cpu*/thermal_throttle/*_throttle_count"))
    events = throttle_events()
    state = f"{events} events since boot" if counters else "not visible"
    return Fact(
        "throttling", state, events == 0, "the CPU lowers its clock frequency because it is hot",
        "mend the cooling, or pause between runs",
    )  # fmt: skip


def _affinity() -> Fact:
    usable, present = len(os.sched_getaffinity(0)), os.cpu_count() or 1
    return Fact(
        "affinity", f"{usable} of {present} CPUs may be used", usable >= min(2, present),
        "with one CPU, everything else on it interrupts the measurement",
        "start dirtyscan without taskset, or give it two CPUs",
    )  # fmt: skip


def _isolated() -> Fact:
    listed = read_line(_CPU / "isolated")
    return Fact(
        "isolated CPUs", listed or "none", bool(listed),
        "the scheduler puts other programs on the CPU that measures; pyperf uses isolated CPUs "
        "where there are some",
        "boot with isolcpus=LIST on the kernel's command line",
    )  # fmt: skip


def _clock() -> Fact:
    source = read_line(Path("/sys/devices/system/clocksource/clocksource0/current_clocksource"))
    good = source in ("tsc", "kvm-clock", "arch_sys_counter", "")
    return Fact(
        "clock source", source or "not visible", good,
        "reading the clock is a system call and costs as much as a short scan",
        "echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource",
    )  # fmt: skip


def _address_layout() -> Fact:
    state = read_line(Path("/proc/sys/kernel/randomize_va_space"))
    names = {"2": "random", "1": "partly random", "0": "fixed"}
    return Fact(
        "address layout", names.get(state, "not visible"), state in ("2", ""),
        "all processes share one layout, whose luck then looks like a property of the variant",
        "sudo sysctl kernel.randomize_va_space=2",
    )  # fmt: skip


def throttle_events() -> int:
    """Return how often the CPUs were throttled since boot, as far as it can be seen."""
    counters = _CPU.glob("cpu*/thermal_throttle/*_throttle_count")
    return sum(int(read_line(path) or 0) for path in counters)


@dataclasses.dataclass(frozen=True)
class Disturbance:
    """What the machine did besides, while a run measured."""

    seconds: float
    others: float
    """CPUs that other programs kept busy, on average; 1.0 is one CPU all the time."""
    steal: float
    """Share of the CPUs' time that the hypervisor gave to others."""
    throttled: int
    """Times that a CPU was throttled."""
    slowed: float = 0.0
    """Share of the original's rounds that something has slowed by a quarter or more."""

    def evidence(self) -> list[str]:
        """Return what makes this a disturbed run; empty if nothing does."""
        found = []
        if self.others > OTHERS_SHARE:
            found.append(f"other programs kept {self.others:.2f} CPUs busy")
        if self.steal > STEAL_SHARE:
            found.append(f"the hypervisor took {self.steal:.1%} of the time")
        if self.throttled:
            found.append(f"the CPU was throttled {self.throttled} times")
        if self.slowed > SLOWED_SHARE:
            found.append(shared_core(self.slowed))
        return found


def shared_core(share: float) -> str:
    """Say that something slowed a ``share`` of the rounds, as a neighbour on the core does."""
    return slowed_in(f"{share:.0%}")


def slowed_in(share: str) -> str:
    """Say it of a share, or a range of them, in words."""
    return f"something slowed the original by a quarter or more in {share} of its rounds"


class Watch:
    """Watches the machine from when it is made until :meth:`stop`."""

    def __init__(self) -> None:
        self._time = time.monotonic()
        self._cpu = psutil.cpu_times()
        self._own = _own_seconds()
        self._throttled = throttle_events()

    def stop(self) -> Disturbance:
        """Return what happened since."""
        seconds = max(time.monotonic() - self._time, 1e-9)
        before, after = self._cpu, psutil.cpu_times()
        # guest time is in user time already
        idle = sum(getattr(after, n, 0.0) - getattr(before, n, 0.0) for n in ("idle", "iowait"))
        steal = getattr(after, "steal", 0.0) - getattr(before, "steal", 0.0)
        total = seconds * (psutil.cpu_count() or 1)
        others = max(0.0, total - idle - steal - (_own_seconds() - self._own))
        return Disturbance(
            seconds, others / seconds, max(0.0, steal) / total, throttle_events() - self._throttled
        )


def _own_seconds() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)
